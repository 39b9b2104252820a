"""any3dis_node as a child process that never outlives its parent."""

from __future__ import annotations

import ctypes
import logging
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence

from any3dis_ros.interrupts import uninterrupted

log = logging.getLogger(__name__)

_END_S = {signal.SIGINT: 15.0, signal.SIGTERM: 5.0, signal.SIGKILL: 5.0}  # how long each is given
_KEPT_LINES = 50
_PR_SET_PDEATHSIG = 1
_PROGRAM = "any3dis_node: "


class NodeProcess:
    """A running node; what it warns of is handed on to our log.

    It is in a session of its own, so that Ctrl-C reaches us alone and we end it in order.

    Args:
        command: program and arguments (see :func:`node_command`).

    Attributes:
        ended: set once it is gone.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.ended = threading.Event()
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_end_with_parent(),
        )
        self._reader = threading.Thread(target=self._read, name="any3dis-node-log", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def last_words(self) -> str:
        """Return why it ended, as far as it said."""
        told = [line for line in self._lines if line.startswith(_PROGRAM)] or list(self._lines)[-1:]
        return f"it ended with status {self._process.wait()}: {told[-1].removeprefix(_PROGRAM) if told else 'no word'}"

    def end(self) -> None:
        """End it by SIGINT and wait; where it does not go, say so and use force."""
        with uninterrupted():
            for number, seconds in _END_S.items():
                if self._process.poll() is not None:
                    break
                self._process.send_signal(number)
                try:
                    self._process.wait(seconds)
                except subprocess.TimeoutExpired:
                    name = signal.Signals(number).name
                    log.warning("the node (process %d) has not ended %g s after %s", self.pid, seconds, name)
            self._reader.join(1.0)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.rstrip()
            self._lines.append(text)
            if text.startswith(("[WARN]", "[ERROR]", "[FATAL]")):
                log.warning("node: %s", text)
            else:
                log.debug("node: %s", text)
        self._process.wait()
        self.ended.set()


def node_command(arguments: Sequence[str]) -> list[str]:
    """Return the command of any3dis_node, in this Python."""
    return [sys.executable, "-m", "any3dis_ros.ros.node", *arguments]


def _end_with_parent() -> Callable[[], object] | None:
    """Return what asks the kernel for SIGINT when the parent dies, as it may without a chance to say anything."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # before the fork, after which little is safe
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
