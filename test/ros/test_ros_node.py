from __future__ import annotations

import threading

import numpy as np
import pytest
from boxes import PerfectTracker
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from action_msgs.msg import GoalStatus  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from node_robot import START_NS, Asker, Patient, driven, keyframes  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import PointCloud2  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from visualization_msgs.msg import Marker, MarkerArray  # noqa: E402

from any3dis_ros.msg import Instance3DArray  # noqa: E402
from any3dis_ros.pipeline import segment  # noqa: E402
from any3dis_ros.ros import session  # noqa: E402
from any3dis_ros.ros.parameters import configuration  # noqa: E402
from any3dis_ros.scene.mapping import Scene, fuse  # noqa: E402

pytestmark = pytest.mark.dds

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_topics_become_keyframes_and_keyframes_objects(wire, start, robot, two_boxes):
    node, (frames, hits) = start(point_indices=True), two_boxes
    driven(node, robot, frames)
    taken = node.inputs.ingest.frames()
    for sent, got in zip(frames, taken, strict=True):
        assert got.stamp_ns == START_NS + sent.stamp_ns
        np.testing.assert_array_equal(got.color, sent.color)
        np.testing.assert_array_equal(got.depth, sent.depth)
        np.testing.assert_allclose(got.T_map_camera, sent.T_map_camera, atol=1e-12)

    asker = Asker(robot)
    handle = asker.send()
    assert handle.accepted
    answer = asker.result(handle)
    asker.client.destroy()
    assert (answer.status, answer.result.success) == (GoalStatus.STATUS_SUCCEEDED, True)
    assert answer.result.message.startswith("3 objects in ")
    shares = [f.progress for f in asker.feedback]
    assert shares == sorted(shares)
    stages = list(dict.fromkeys(f.stage for f in asker.feedback))
    assert stages[:6] == ["keyframes", "engine", "map", "superpoints", "visibility", "features"]
    assert stages[6:] == ["tracking, round 1", "merging"]
    assert shares[-1] == 1.0
    assert asker.feedback[-1].instances == 3
    statistics = {s.key: s.value for s in answer.result.statistics}
    assert (statistics["engine"], statistics["keyframes"]) == ("perfect", "8")
    assert float(statistics["seconds.merging"]) > 0

    config = configuration(node)
    expected = segment(Scene(taken, fuse(taken, config.map)), PerfectTracker(hits), config)
    objects = robot.latched(Instance3DArray, "/any3dis/instances", LATCHED)
    cloud = robot.latched(PointCloud2, "/any3dis/instance_cloud", LATCHED)
    shown = robot.latched(MarkerArray, "/any3dis/markers", LATCHED)
    assert objects == answer.result.instances
    heads = [objects.header, cloud.header, *(m.header for m in shown.markers)]
    assert all(h == heads[0] for h in heads)
    assert (heads[0].frame_id, heads[0].stamp.sec, heads[0].stamp.nanosec) == ("map", 10, 700_000_000)
    assert [o.id for o in objects.instances] == [o.id for o in expected.instances]
    for got, wanted in zip(objects.instances, expected.instances, strict=True):
        assert list(got.point_indices) == sorted(wanted.points)
        assert got.best_view.frame_id == "optical"
    assert cloud.width == len(expected.points)
    ids = np.frombuffer(cloud.data, np.uint8).reshape(-1, cloud.point_step)
    offset = next(f.offset for f in cloud.fields if f.name == "instance_id")
    np.testing.assert_array_equal(ids[:, offset : offset + 4].copy().view("<u4").ravel(), expected.labels)
    assert [m.action for m in shown.markers] == [Marker.DELETEALL, *[Marker.ADD] * 9]


def test_a_trigger_without_keyframes_says_so_and_with_them_works(start, robot, two_boxes):
    node = start()
    answer = robot.ask(Trigger, "/any3dis/trigger")
    assert not answer.success
    assert answer.message.startswith("there is no keyframe yet")
    driven(node, robot, two_boxes[0])
    answer = robot.ask(Trigger, "/any3dis/trigger")
    assert answer.success
    assert answer.message.startswith("3 objects in ")


@pytest.fixture
def patient(monkeypatch, start, robot, two_boxes):
    """A node with keyframes whose engine waits for an event."""
    go_on = threading.Event()
    node = start()
    monkeypatch.setattr(session, "make_tracker", lambda _: Patient(two_boxes[1], go_on))
    driven(node, robot, two_boxes[0])
    return node, go_on


def test_one_run_at_a_time_and_cancelled_it_makes_room(wire, patient, robot, asker, two_boxes):
    node, go_on = patient
    handle = asker.send()
    wire.until(lambda: any(f.stage == "features" for f in asker.feedback), "the engine")
    assert not asker.send().accepted
    for service in ("trigger", "reset"):
        answer = robot.ask(Trigger, f"/any3dis/{service}")
        assert not answer.success
        assert answer.message == "a segmentation is under way; wait for its result or cancel it"
    robot.drive(two_boxes[0], START_NS + 10**9)  # frames keep coming
    wire.until(lambda: keyframes(node) == 16, "more keyframes")

    cancelling = handle.cancel_goal_async()
    wire.until(cancelling.done, "the cancellation")
    answer = asker.result(handle)
    assert (answer.status, answer.result.success) == (GoalStatus.STATUS_CANCELED, False)
    assert answer.result.message == "cancelled in stage 'features'"
    assert robot.ask(Trigger, "/any3dis/reset").success
    robot.drive(two_boxes[0], START_NS + 2 * 10**9)
    wire.until(lambda: keyframes(node) == 8, "keyframes after the reset")
    go_on.set()
    assert robot.ask(Trigger, "/any3dis/trigger").success


def test_reset_forgets_keyframes_and_what_late_subscribers_get(start, robot, two_boxes):
    node = start()
    driven(node, robot, two_boxes[0])
    assert robot.ask(Trigger, "/any3dis/trigger").success
    assert robot.latched(Instance3DArray, "/any3dis/instances", LATCHED).instances
    assert robot.ask(Trigger, "/any3dis/reset").success
    assert keyframes(node) == 0
    assert not robot.latched(Instance3DArray, "/any3dis/instances", LATCHED).instances
    assert robot.latched(PointCloud2, "/any3dis/instance_cloud", LATCHED).width == 0
    assert [m.action for m in robot.latched(MarkerArray, "/any3dis/markers", LATCHED).markers] == [Marker.DELETEALL]
    assert not robot.ask(Trigger, "/any3dis/trigger").success


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ({"min_score": 1.5}, "min_score is 1.5; expected 0 to 1"),
        ({"engine": "best"}, "'best'; expected one of auto, geometric, sam2"),
        ({"region_max": (9.0, 9.0, 9.0), "region_min": (8.0, 8.0, 8.0)}, "no map point lies in the region"),
        ({"region_max": (1.0, 1.0, 0.0)}, "expected a lower corner below an upper one"),
    ],
)
def test_impossible_goals_end_with_the_reason(start, robot, two_boxes, goal, message):
    from geometry_msgs.msg import Point

    node = start()
    driven(node, robot, two_boxes[0])
    asker = Asker(robot)
    points = {k: Point(x=v[0], y=v[1], z=v[2]) for k, v in goal.items() if isinstance(v, tuple)}
    answer = asker.result(asker.send(**{**goal, **points}))
    asker.client.destroy()
    assert (answer.status, answer.result.success) == (GoalStatus.STATUS_ABORTED, False)
    assert message in answer.result.message


def test_a_defect_is_told_and_the_next_run_works(start, robot, two_boxes, monkeypatch):
    node = start()
    driven(node, robot, two_boxes[0])
    with monkeypatch.context() as context:
        context.setattr(session, "segment", lambda *_: 1 / 0)
        answer = robot.ask(Trigger, "/any3dis/trigger")
    assert (answer.success, "unexpected ZeroDivisionError" in answer.message) == (False, True)
    assert robot.ask(Trigger, "/any3dis/trigger").success


def test_parameters_change_between_runs_or_are_refused(wire, start, robot):
    node = start()

    def set_to(name, value):
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return robot.ask(SetParameters, "/any3dis/set_parameters", request).results[0]

    assert set_to("merging.duplicate_iou", 0.5).successful
    assert set_to("iteration.max_seconds", 20).successful
    assert configuration(node).merging.duplicate_iou == 0.5
    assert configuration(node).iteration.max_seconds == 20.0
    refused = set_to("merging.duplicate_iou", 3.0)
    assert refused.reason == "parameter 'merging.duplicate_iou' is 3.0; expected 0.0 to 1.0"
    assert "expected one of auto, geometric, sam2" in set_to("tracker.engine", "best").reason
    assert "cannot change while the node is configured" in set_to("keyframes.stride", 2).reason
    assert configuration(node).merging.duplicate_iou == 0.5


def test_a_manager_takes_it_up_and_down_idle_and_busy(wire, start, robot, monkeypatch, two_boxes):
    node = start(autostart=False)

    def change(name):
        number = getattr(Transition, f"TRANSITION_{name.upper()}")
        request = ChangeState.Request(transition=Transition(id=number))
        assert robot.ask(ChangeState, "/any3dis/change_state", request).success, name

    def refused():
        answer = robot.ask(Trigger, "/any3dis/trigger")
        return not answer.success and "the node is not active" in answer.message

    monkeypatch.setattr(session, "make_tracker", lambda _: Patient(two_boxes[1], threading.Event()))
    assert refused()
    for _ in range(2):
        change("configure")
        assert refused()
        change("activate")
        driven(node, robot, two_boxes[0])
        asker = Asker(robot)
        handle = asker.send()
        wire.until(lambda seen=asker.feedback: any(f.stage == "features" for f in seen), "the engine")
        change("deactivate")
        answer = asker.result(handle)
        asker.client.destroy()
        assert (answer.status, answer.result.success) == (GoalStatus.STATUS_ABORTED, False)
        assert answer.result.message.startswith("stopped in stage 'features': the node is not active")
        assert refused()
        change("activate")
        assert keyframes(node) == 8
        change("deactivate")
        change("cleanup")
        assert node.inputs is None
    assert refused()
    change("unconfigured_shutdown")
