from __future__ import annotations

import signal

import pytest
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from action_msgs.msg import GoalStatus  # noqa: E402
from node_robot import START_NS, Asker, Listener, Robot  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from any3dis_ros.config import Config  # noqa: E402
from any3dis_ros.rehearsal import rehearse  # noqa: E402
from any3dis_ros.tracking.engines import make_tracker  # noqa: E402

pytestmark = pytest.mark.dds


@pytest.fixture(scope="module")
def compiled():
    """What a first start compiles: that takes longer than an answer is waited for."""
    rehearse(make_tracker(Config().tracker), Config())


@pytest.fixture
def process(program, compiled):
    """Start any3dis_node as a process of its own in the domain of the wire."""

    def run(*parameters):
        arguments = [word for p in ("keyframes.stride:=1", "map.voxel_size_m:=0.03", *parameters) for word in ("-p", p)]
        return program("node", "--ros-args", *arguments)

    return run


def held(listener) -> int:
    """Return how many keyframes the node says that it holds."""
    return int(listener.parts["input"][2].get("keyframes", 0)) if "input" in listener.parts else 0


@pytest.mark.parametrize(("number", "busy"), [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGTERM, False)])
def test_a_signal_ends_it_cleanly(wire, process, two_boxes, number, busy):
    robot, node = Robot(wire), process("diagnostics_period_s:=0.1")
    assert "no keyframe yet" in robot.ask(Trigger, "/any3dis/trigger").message
    if busy:
        robot.wait_for_ears()
        heard, rounds = Listener(robot), 4  # that many, so that the run lasts until the signal
        for i in range(rounds):
            robot.drive(two_boxes[0], START_NS + i * 10**9)
            wire.until(lambda n=8 * (i + 1): held(heard) == n, "the keyframes")
        asker = Asker(robot)
        handle = asker.send()
        wire.until(lambda: any(f.stage == "superpoints" for f in asker.feedback), "the run")
        node.send_signal(number)
        ended = asker.result(handle)
        assert ended.status == GoalStatus.STATUS_ABORTED
        assert "the node shuts down" in ended.result.message
        asker.client.destroy()
    else:
        node.send_signal(number)
    _, errors = node.communicate(timeout=60)
    assert node.returncode == 0, errors
    assert ("stopped in stage" in errors) == busy
    assert "Traceback" not in errors
    assert "terminate called" not in errors


def test_a_bad_parameter_ends_it_with_one_sentence(process):
    node = process("merging.duplicate_iou:=7.0")
    _, errors = node.communicate(timeout=60)
    assert node.returncode == 2
    assert "any3dis_node: parameter 'merging.duplicate_iou' is 7.0; expected 0.0 to 1.0\n" in errors
    assert "Traceback" not in errors
