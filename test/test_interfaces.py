"""The generated messages, service and action, sent to another process over DDS and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 here; scripts/bootstrap.sh ros installs the wheels")
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built; scripts/bootstrap.sh ros or colcon does")

import interface_peer as peer
import rclpy
from ament_index_python.packages import get_package_share_directory
from rclpy.action import ActionClient
from rclpy.action.client import GoalStatus
from rclpy.executors import SingleThreadedExecutor
from tf2_msgs.msg import TFMessage

from any3dis_ros.action import Segment
from any3dis_ros.msg import Instance3DArray
from any3dis_ros.srv import GetInstance

pytestmark = pytest.mark.dds

TIMEOUT = 30.0  # seconds; discovery alone has taken 3
DOMAIN = 1 + os.getpid() % 100  # 0 is a robot's; ports of domains above 101 may be taken by Linux
ROOT = Path(__file__).resolve().parents[1]
NAMESPACE = f"/test_interfaces_{os.getpid()}"


@pytest.fixture(scope="module")
def node():
    """A node that sees this machine alone, and a peer in another process that must end well after the tests."""
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("AMENT_PREFIX_PATH"):  # no setup.bash: the wheels of this environment
            patch.setenv("AMENT_PREFIX_PATH", sys.prefix)
        patch.setenv("ROS_DOMAIN_ID", str(DOMAIN))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")  # from Iron on
        patch.delenv("ROS_LOCALHOST_ONLY", raising=False)  # it would overrule the line above
        process = subprocess.Popen([sys.executable, peer.__file__, NAMESPACE], stderr=subprocess.PIPE, text=True)
        context = rclpy.Context()
        rclpy.init(context=context)
        try:
            executor = SingleThreadedExecutor(context=context)
            node = rclpy.create_node("tester", namespace=NAMESPACE, context=context)
            executor.add_node(node)
            yield node
            executor.shutdown()
            node.destroy_node()
        finally:
            rclpy.shutdown(context=context)
            process.terminate()
            try:
                _, errors = process.communicate(timeout=TIMEOUT)
            finally:
                process.kill()  # none outlives the tests, whatever went wrong
    assert process.returncode == 0, errors


def wait(node, future):
    """Spin until `future` is done; its result."""
    node.executor.spin_until_future_complete(future, TIMEOUT)
    assert future.done(), f"no answer in {TIMEOUT:.0f} s"
    return future.result()


def receive(node, kind, topic):
    """The first message on a latched topic."""
    future = rclpy.task.Future()
    subscription = node.create_subscription(kind, topic, lambda m: future.done() or future.set_result(m), peer.LATCHED)
    message = wait(node, future)
    node.destroy_subscription(subscription)
    return message


def test_a_late_subscriber_receives_every_field_of_the_instances(node):
    assert receive(node, Instance3DArray, "instances") == peer.example_array()


def test_the_service_answers_by_id(node):
    client = node.create_client(GetInstance, "get_instance")
    assert client.wait_for_service(TIMEOUT)
    known = wait(node, client.call_async(GetInstance.Request(id=7)))
    assert known.found
    assert known.instance == peer.example()
    assert bytes(known.cloud.data) == b"\0\0\x80?"
    unknown = wait(node, client.call_async(GetInstance.Request(id=8)))
    assert not unknown.found
    assert unknown.message == "no object 8; there are 7, 9"


def test_the_action_is_cancelled_then_tells_its_stages_and_returns_the_instances(node):
    client = ActionClient(node, Segment, "segment")
    assert client.wait_for_server(TIMEOUT)
    first = rclpy.task.Future()  # once this feedback has come, none is lost: publisher and subscriber know each other
    sent = client.send_goal_async(Segment.Goal(engine="slow"), lambda m: first.done() or first.set_result(m.feedback))
    slow = wait(node, sent)
    assert wait(node, first).stage == "waiting"
    assert len(wait(node, slow.cancel_goal_async()).goals_canceling) == 1
    answer = wait(node, slow.get_result_async())
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert answer.result.message == "cancelled"

    heard, last = [], rclpy.task.Future()

    def hear(message):
        heard.append(message.feedback)
        if len(heard) == len(peer.STAGES):
            last.set_result(None)

    goal = Segment.Goal(min_score=0.5)
    goal.region_max.z = 1.25
    answer = wait(node, wait(node, client.send_goal_async(goal, hear)).get_result_async())
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert answer.result.success
    assert answer.result.instances == peer.example_array()
    statistics = {entry.key: entry.value for entry in answer.result.statistics}
    assert statistics == {"goal.region_max.z": "1.25", "goal.min_score": "0.5"}
    wait(node, last)
    assert [(f.stage, f.instances) for f in heard] == [(stage, i) for i, stage in enumerate(peer.STAGES)]
    assert [f.progress for f in heard] == pytest.approx([1 / 3, 2 / 3, 1])
    client.destroy()


def test_transforms_have_the_type_that_robots_publish(node):
    message = receive(node, TFMessage, "tf_static")
    assert message.transforms[0].transform.translation.x == 3.5
    (end,) = node.get_publishers_info_by_topic(f"{NAMESPACE}/tf_static")
    assert end.topic_type == "tf2_msgs/msg/TFMessage"
    # `ros2 topic info -v /tf` says so of tf2_msgs from Jazzy on; before, there were no hashes.
    known = "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"
    assert str(getattr(end, "topic_type_hash", known)) == known


def test_what_ros_looks_up_is_the_checkouts(node):
    share = Path(get_package_share_directory("any3dis_ros"))
    folders = [ROOT / name for name in ("msg", "srv", "action", "launch", "config")]
    files = [ROOT / "package.xml", *(f for folder in folders for f in folder.rglob("*") if f.is_file())]
    installed = {f: share / f.relative_to(ROOT) for f in files if "__pycache__" not in f.parts}
    stale = [f.name for f, copy in installed.items() if not copy.is_file() or copy.read_bytes() != f.read_bytes()]
    assert not stale, f"installed from another state of {stale}: run scripts/bootstrap.sh ros"
