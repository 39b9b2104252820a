"""The door to any3dis-bench: the measurements live beside the package, in a checkout alone."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> int:
    """Run any3dis-bench where the checkout is, or say what is missing; return the exit status."""
    if not (find_spec("benchmarks") and find_spec("benchmarks.cli")):
        print("any3dis-bench needs a checkout of any3dis_ros, installed by: pip install -e .", file=sys.stderr)
        return 2
    from benchmarks.cli import main as run

    return run()
