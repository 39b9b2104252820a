"""Child processes of a measurement, in a ROS domain of their own, and what /proc says of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
NODE = "any3dis_ros.ros.node"

_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE_S = 60.0
_CRASHES = ("Traceback", "terminate called", "Aborted", "Segmentation fault", "core dumped")


def own_domain() -> int:
    """Keep this process to this machine, and return a ROS domain that another measurement hardly has."""
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return 120 + os.getpid() % 100


def environment(domain: int) -> dict[str, str]:
    """Return the environment of a process that meets only those of this machine and domain."""
    return {
        "AMENT_PREFIX_PATH": sys.prefix,
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
    }


class Child:
    """A Python module run as a process; it is gone when the block ends.

    Args:
        module: run by ``python -m``.
        arguments: its command line.
        domain: ROS domain.
    """

    def __init__(self, module: str, *arguments: str, domain: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="any3dis_")
        self._log = Path(self._folder.name) / "output"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env={**environment(domain), "ROS_LOG_DIR": self._folder.name},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.pid = self.process.pid

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()

    @property
    def output(self) -> str:
        """What it has written to standard output and standard error so far."""
        return self._log.read_text(errors="replace")

    def wait(self, timeout_s: float = _PATIENCE_S) -> int:
        """Return the exit status; raises subprocess.TimeoutExpired."""
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        """Ask it to end as Ctrl-C does, and return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def crashes(self) -> list[str]:
        """Return which words of a crash its output holds."""
        return [word for word in _CRASHES if word in self.output]


def node(*parameters: str, domain: int) -> Child:
    """Start any3dis_node with parameters given as ``name:=value``."""
    return Child(NODE, *ros_arguments(*parameters), domain=domain)


def ros_arguments(*parameters: str) -> list[str]:
    """Return the command line that sets parameters, given as ``name:=value``."""
    return ["--ros-args", *(word for parameter in parameters for word in ("-p", parameter))]


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process so far, all threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> float:
    """Return the resident set of a process in megabytes (10⁶ bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"process {pid} has ended")


def descendants(pid: int) -> set[int]:
    """Return the processes below a process, zombies included."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended in the meantime
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    """Return those that are still there."""
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def machine() -> str:
    """Return cores and load of this machine, for the head of a table."""
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, load {load} (1, 5, 15 minutes) at the start"
