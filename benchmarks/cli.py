"""any3dis-bench: every measurement by its name, `any3dis-bench NAME [options]` for `python -m benchmarks.<module>`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from any3dis_ros.errors import InputError

COMMANDS = {
    "scenes": "benchmarks.make_scenes",
    "oracle": "benchmarks.oracle",
    "table1": "benchmarks.table1",
    "table7": "benchmarks.table7",
    "table8": "benchmarks.table8",
    "variations": "benchmarks.variations",
    "readme": "benchmarks.readme_table",
    "scannet200": "benchmarks.datasets.scannet200",
    "scannetpp": "benchmarks.datasets.scannetpp",
    "replica": "benchmarks.datasets.replica",
    "speed": "benchmarks.speed.run",
    "proposals3d": "benchmarks.proposals3d",
    "sam2": "benchmarks.sam2_speed",
    "replay": "benchmarks.replay_equals_offline",
    "node-load": "benchmarks.node.load",
    "node-latency": "benchmarks.node.latency",
    "node-ends": "benchmarks.node.ends",
    "node-soak": "benchmarks.node.soak",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a measurement; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(listing())
        return 0
    name, *rest = given
    if name not in COMMANDS:
        print(f"any3dis-bench: '{name}' is unknown; expected one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    sys.argv = [f"any3dis-bench {name}", *rest]
    try:
        import_module(COMMANDS[name]).main()
    except InputError as error:
        print(f"any3dis-bench {name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"any3dis-bench {name}: interrupted", file=sys.stderr)
        return 130
    return 0


def listing() -> str:
    """Return all names with what they measure: the first sentences of their modules, which are not imported."""
    lines = ["any3dis-bench NAME [options]; any3dis-bench NAME --help tells them.", ""]
    return "\n".join([*lines, *(f"  {name:<14}{purpose(module)}" for name, module in COMMANDS.items())])


def purpose(module: str) -> str:
    """Return what a module says of itself up to its command."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    said = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return said.split("\n")[0].split(": `python")[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
