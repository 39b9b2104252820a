from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from any3dis_ros.ros.replay import node_process
from any3dis_ros.ros.replay.node_process import NodeProcess


@pytest.fixture
def child():
    started = []

    def run(code):
        started.append(NodeProcess([sys.executable, "-u", "-c", textwrap.dedent(code)]))
        return started[-1]

    yield run
    for one in started:
        one.end()


def heard(one, caplog, word):
    """Wait until a child said something."""
    deadline = time.monotonic() + 20
    while word not in caplog.text:
        assert time.monotonic() < deadline
        one.ended.wait(0.02)


def gone(pid, seconds=10.0):
    """Whether a process ends in time; a zombie has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_what_it_warns_of_is_handed_on_and_its_last_words_are_kept(child, caplog):
    one = child(
        """
        import sys
        print("[INFO] [1.0] [any3dis]: all is well")
        print("[WARN] [1.1] [any3dis]: left out a pair")
        print("any3dis_node: parameter 'a' is 7; expected 0 to 1", file=sys.stderr)
        print("something that a library says")
        sys.exit(2)
        """
    )
    assert one.ended.wait(20)
    assert one.last_words() == "it ended with status 2: parameter 'a' is 7; expected 0 to 1"
    assert [r.getMessage() for r in caplog.records] == ["node: [WARN] [1.1] [any3dis]: left out a pair"]


def test_it_is_ended_by_sigint(child, caplog):
    one = child(
        """
        import time
        try:
            print("[WARN] ready")
            time.sleep(60)
        except KeyboardInterrupt:
            print("any3dis_node: ended in order")
        """
    )
    heard(one, caplog, "ready")
    one.end()
    assert gone(one.pid, 0.1)
    assert one.last_words() == "it ended with status 0: ended in order"


def test_one_that_does_not_end_is_told_of_and_killed(child, caplog, monkeypatch):
    monkeypatch.setattr(node_process, "_END_S", dict.fromkeys(node_process._END_S, 0.5))
    one = child(
        """
        import signal, time
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        print("[WARN] deaf")
        time.sleep(60)
        """
    )
    heard(one, caplog, "deaf")
    one.end()
    assert gone(one.pid, 0.1)
    told = [r.getMessage() for r in caplog.records if "has not ended" in r.getMessage()]
    assert told == [f"the node (process {one.pid}) has not ended 0.5 s after {name}" for name in ("SIGINT", "SIGTERM")]


@pytest.mark.skipif(sys.platform != "linux", reason="what asks the kernel is Linux's alone")
def test_it_does_not_outlive_a_parent_that_is_killed():
    code = """
        from any3dis_ros.ros.replay.node_process import NodeProcess
        import sys
        one = NodeProcess([sys.executable, "-c", "import time; time.sleep(60)"])
        print(one.pid, flush=True)
        one.ended.wait()
        """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid, 0.1)
        parent.send_signal(signal.SIGKILL)
    assert gone(pid)
