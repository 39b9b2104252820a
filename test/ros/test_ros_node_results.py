"""What can be asked of a result after its run, and what a later run keeps of it."""

from __future__ import annotations

import numpy as np
import pytest
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from node_robot import START_NS, Robot, driven, keyframes  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import PointCloud2  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from any3dis_ros.io.results import load_results  # noqa: E402
from any3dis_ros.msg import Instance3DArray  # noqa: E402
from any3dis_ros.srv import GetInstance, Load, Save  # noqa: E402

pytestmark = pytest.mark.dds

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def segmented(start, robot, two_boxes):
    node = start(point_indices=True)
    driven(node, robot, two_boxes[0])
    assert robot.ask(Trigger, "/any3dis/trigger").success
    return node, robot.latched(Instance3DArray, "/any3dis/instances", LATCHED)


def test_one_object_by_its_id_with_its_points(segmented, robot):
    _, objects = segmented
    cloud = robot.latched(PointCloud2, "/any3dis/instance_cloud", LATCHED)
    rows = np.frombuffer(cloud.data, np.uint8).reshape(-1, cloud.point_step)
    points = rows[:, :12].copy().view("<f4")
    for wanted in objects.instances:
        answer = robot.ask(GetInstance, "/any3dis/get_instance", GetInstance.Request(id=wanted.id))
        assert answer.found, answer.message
        assert (answer.instance.id, answer.instance.score, answer.instance.pose) == (
            wanted.id, wanted.score, wanted.pose,
        )  # fmt: skip
        assert answer.cloud.header == objects.header
        own = np.frombuffer(answer.cloud.data, np.uint8).reshape(-1, answer.cloud.point_step)[:, :12].copy().view("<f4")
        expected = points[list(wanted.point_indices)]
        np.testing.assert_array_equal(own[np.lexsort(own.T)], expected[np.lexsort(expected.T)])
    answer = robot.ask(GetInstance, "/any3dis/get_instance", GetInstance.Request(id=99))
    assert not answer.found
    assert "99" in answer.message
    assert all(str(o.id) in answer.message for o in objects.instances)


def test_before_any_run_there_is_nothing_to_ask_for_or_to_save(start, robot, tmp_path):
    start()
    answers = (
        robot.ask(GetInstance, "/any3dis/get_instance", GetInstance.Request(id=1)),
        robot.ask(Save, "/any3dis/save", Save.Request(folder=str(tmp_path / "out"))),
    )
    assert {a.message for a in answers} == {
        "nothing has been segmented yet; call ~/segment or ~/trigger first, or ~/load"
    }
    assert not (tmp_path / "out").exists()


def test_a_result_is_saved_as_offline_and_loaded_by_another_node(segmented, start, robot, tmp_path, two_boxes):
    _, objects = segmented
    answer = robot.ask(Save, "/any3dis/save", Save.Request(folder=str(tmp_path / "out")))
    assert answer.success, answer.message
    assert answer.message == f"3 objects written to {tmp_path / 'out'}"
    assert {"report.html", "instances.ply", "instances.json", "instances.npz", "scannet"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    saved = load_results(tmp_path / "out")
    assert [o.id for o in saved.instances] == [o.id for o in objects.instances]

    assert robot.ask(Trigger, "/any3dis/reset").success
    answer = robot.ask(Load, "/any3dis/load", Load.Request(path=str(tmp_path / "out")))
    assert answer.success, answer.message
    back = robot.latched(Instance3DArray, "/any3dis/instances", LATCHED)
    assert [(o.id, o.pose, o.size) for o in back.instances] == [(o.id, o.pose, o.size) for o in objects.instances]
    assert robot.ask(GetInstance, "/any3dis/get_instance", GetInstance.Request(id=objects.instances[0].id)).found
    again = robot.ask(Save, "/any3dis/save", Save.Request(folder=str(tmp_path / "again")))  # without keyframes
    assert again.success, again.message


def test_what_cannot_be_saved_or_loaded_is_told_and_the_node_lives(segmented, robot, tmp_path):
    (tmp_path / "file").write_text("")
    for folder, says in ((str(tmp_path / "file"), "cannot write to the output folder"), ("", "folder is empty")):
        answer = robot.ask(Save, "/any3dis/save", Save.Request(folder=folder))
        assert not answer.success
        assert says in answer.message
    for path in (str(tmp_path / "nowhere"), str(tmp_path / "file"), ""):
        answer = robot.ask(Load, "/any3dis/load", Load.Request(path=path))
        assert not answer.success
        assert answer.message
        assert "unexpected" not in answer.message
    assert robot.ask(Trigger, "/any3dis/trigger").success


def test_an_object_found_again_keeps_its_id_until_the_reset(segmented, robot, two_boxes, wire):
    node, objects = segmented
    before = {o.id: np.array([o.centroid.x, o.centroid.y, o.centroid.z]) for o in objects.instances}
    robot.drive(two_boxes[0][:4], START_NS + 10**9)
    wire.until(lambda: keyframes(node) == 12, "more keyframes")
    assert robot.ask(Trigger, "/any3dis/trigger").success
    later = robot.latched(Instance3DArray, "/any3dis/instances", LATCHED)
    for o in later.instances:
        np.testing.assert_allclose([o.centroid.x, o.centroid.y, o.centroid.z], before[o.id], atol=0.05)
    assert robot.ask(Trigger, "/any3dis/reset").success
    driven(node, robot_again(robot), two_boxes[0])
    assert robot.ask(Trigger, "/any3dis/trigger").success
    ids = [o.id for o in robot.latched(Instance3DArray, "/any3dis/instances", LATCHED).instances]
    assert sorted(ids) == sorted(before)


def robot_again(robot: Robot) -> Robot:
    """The same robot, ten seconds later."""
    drive = robot.drive
    robot.drive = lambda frames: drive(frames, START_NS + 10**10)
    return robot
