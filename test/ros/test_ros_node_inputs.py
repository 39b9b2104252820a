"""Inputs beyond one registered camera: depth of its own frame, a map from outside; and what /diagnostics says."""

from __future__ import annotations

import numpy as np
import pytest
from boxes import PerfectTracker
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from lifecycle_msgs.msg import State  # noqa: E402
from node_robot import START_NS, Listener, Robot, driven, keyframes  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import CameraInfo, PointCloud2  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

from any3dis_ros.msg import Instance3DArray  # noqa: E402
from any3dis_ros.ros.conversions.clouds import colored_cloud  # noqa: E402
from any3dis_ros.ros.conversions.transforms import transform_message  # noqa: E402
from any3dis_ros.ros.parameters import configuration  # noqa: E402
from any3dis_ros.scene import mapping  # noqa: E402
from any3dis_ros.scene.mapping import fuse  # noqa: E402

pytestmark = pytest.mark.dds

S = 10**9
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class TwoLenses(Robot):
    """A robot whose depth camera has a frame of its own, 5 cm beside the colour camera."""

    def __init__(self, wire) -> None:
        super().__init__(wire)
        self.depth_info = self.node.create_publisher(CameraInfo, "depth/camera_info", 10)
        self.static = self.node.create_publisher(TFMessage, "/tf_static", LATCHED)
        beside = np.eye(4)
        beside[0, 3] = 0.05
        self.static.publish(TFMessage(transforms=[transform_message(beside, 0, "optical", "infrared")]))

    def say_depth_info(self, frame) -> None:
        camera = frame.camera
        K = camera.K
        message = CameraInfo(width=camera.width, height=camera.height, distortion_model="plumb_bob", k=K.ravel())
        message.p = np.hstack([K, np.zeros((3, 1))]).ravel()
        message.header.frame_id = "infrared"
        self.depth_info.publish(message)


def test_depth_of_its_own_frame_is_registered_to_colour(wire, start, two_boxes):
    node, robot = start(), TwoLenses(wire)
    frame = two_boxes[0][0]
    flat = type(frame)(
        frame.stamp_ns, frame.color, np.full_like(frame.depth, 1500), frame.camera, frame.T_map_camera
    )  # fmt: skip
    robot.wait_for_ears()
    wire.until(lambda: robot.depth_info.get_subscription_count() == 1, "the node to listen to depth's camera_info")
    robot.say_depth_info(frame)
    wire.until(lambda: node.inputs._make_frame.depth_info is not None, "depth's camera_info")
    robot.say_pose(flat)
    robot.show(flat, depth_frame="infrared")
    wire.until(lambda: keyframes(node) == 1, "the keyframe")
    depth = node.inputs.ingest.frames()[0].depth
    hidden = round(frame.camera.K[0, 0] * 0.05 / 1.5)  # pixels: so many columns at the left have no depth
    assert hidden > 2
    assert (depth[:, : hidden - 1] == 0).all()
    assert (depth[:, hidden + 1 :] == 1500).all()


def test_depth_of_its_own_frame_without_camera_info_says_what_is_missing(wire, start, two_boxes, caplog):
    node, robot = start(), TwoLenses(wire)
    robot.wait_for_ears()
    robot.say_pose(two_boxes[0][0])
    robot.show(two_boxes[0][0], depth_frame="infrared")
    wire.until(lambda: node.inputs.ingest.status().left_out == {"unusable images": 1}, "the reason")
    assert "nothing came on /depth/camera_info" in caplog.text


@pytest.mark.parametrize("quality", [LATCHED, QoSProfile(depth=1)], ids=["latched", "volatile"])
def test_a_map_from_outside_is_taken_as_it_is(wire, start, robot, two_boxes, quality, caplog):
    node, frames = start(map_source="topic"), two_boxes[0]
    driven(node, robot, frames)
    answer = robot.ask(Trigger, "/any3dis/trigger")
    assert not answer.success
    assert answer.message.startswith("no usable cloud came on /map_cloud yet")

    given = fuse(frames, configuration(node).map)
    publisher = robot.node.create_publisher(PointCloud2, "map_cloud", quality)
    wire.until(lambda: publisher.get_subscription_count() == 1, "the node to listen to the map")
    publisher.publish(colored_cloud(given.points, given.colors, 0, "elsewhere"))
    wire.until(lambda: "is in frame 'elsewhere'" in caplog.text, "the wrong frame to be told")
    publisher.publish(colored_cloud(given.points, given.colors, 0, "map"))
    wire.until(lambda: node.inputs.map_points == len(given), "the map")
    assert robot.ask(Trigger, "/any3dis/trigger").success
    cloud = robot.latched(PointCloud2, "/any3dis/instance_cloud", LATCHED)
    rows = np.frombuffer(cloud.data, np.uint8).reshape(-1, cloud.point_step)
    np.testing.assert_array_equal(rows[:, :12].copy().view("<f4"), given.points)  # the order of its points, too
    assert len(robot.latched(Instance3DArray, "/any3dis/instances", LATCHED).instances) == 3


def test_keyframes_are_fused_as_they_come_into_the_map_of_all_at_once(wire, start, robot, two_boxes, monkeypatch):
    fused = []
    add = mapping.Mapper.add
    monkeypatch.setattr(mapping.Mapper, "add", lambda self, frame: (fused.append(frame.stamp_ns), add(self, frame)))
    node, frames = start(), two_boxes[0]
    driven(node, robot, frames)
    wire.until(lambda: node._segmenter.fused_keyframes == 8, "the keyframes to be fused")
    before = len(fused)
    assert robot.ask(Trigger, "/any3dis/trigger").success
    assert len(fused) == before  # nothing was left to do
    cloud = robot.latched(PointCloud2, "/any3dis/instance_cloud", LATCHED)
    assert cloud.width == len(fuse(node.inputs.ingest.frames(), configuration(node).map))


def test_diagnostics_tell_what_arrives_what_is_held_and_what_the_last_run_took(wire, start, robot, two_boxes):
    heard = Listener(robot)
    node = start(diagnostics_period_s=0.1)

    def said(part, words):
        return part in heard.parts and words in heard.parts[part][1]

    wire.until(lambda: said("input", "nothing comes on /rgb/image, /depth/image, /rgb/camera_info"), "silence")
    assert heard.parts["input"][0] == DiagnosticStatus.WARN
    assert heard.parts["segmentation"][1:] == ("idle", {"engine": "not loaded yet"})
    driven(node, robot, two_boxes[0])
    robot.show(two_boxes[0][0], START_NS + S)  # and one without a pose
    wire.until(lambda: heard.parts["input"][2].get("left out: no pose: not within 1 s") == "1", "the reason")
    values = heard.parts["input"][2]
    assert (values["/rgb/image received"], values["pairs"], values["keyframes"], values["waiting"]) == (
        "9", "9", "8", "0",
    )  # fmt: skip
    assert values["newest image [s]"] == "11.000000000"
    assert float(values["keyframes [MB]"]) == pytest.approx(8 * 160 * 120 * 5 / 1e6, abs=0.05)
    assert robot.ask(Trigger, "/any3dis/trigger").success
    wire.until(lambda: "last run: seconds.merging" in heard.parts["segmentation"][2], "the last run")
    assert heard.parts["segmentation"][2]["engine"] == "perfect"
    wire.until(lambda: heard.parts["map"][2]["fused keyframes"] == "8", "the map")
    assert float(heard.parts["map"][2]["resident memory [MB]"]) > 50


def test_images_that_do_not_belong_together_are_named_so(wire, start, robot, two_boxes):
    heard, node = Listener(robot), start(diagnostics_period_s=0.1)
    robot.wait_for_ears()
    frame = two_boxes[0][0]
    seen = []

    def drive():
        robot.say_pose(frame, START_NS + len(seen) * S)
        robot.show(frame, START_NS + len(seen) * S, depth_ns=100_000_000)
        seen.append(1)
        return "none belong together" in heard.parts.get("input", (0, "", {}))[1]

    wire.until(drive, "the warning")
    assert node.inputs.ingest.status().pairs == 0


def test_an_engine_that_cannot_run_here_keeps_the_node_unconfigured_and_says_why(wire, start, robot, monkeypatch):
    from any3dis_ros.ros import session
    from any3dis_ros.tracking.engines import make_tracker

    heard = Listener(robot)
    monkeypatch.setattr(session, "make_tracker", make_tracker)
    node = start(preload=True, tracker__engine="sam2", diagnostics_period_s=0.1)
    assert node._state_machine.current_state[0] == State.PRIMARY_STATE_UNCONFIGURED
    wire.until(lambda: "segmentation" in heard.parts, "diagnostics")
    level, message, _ = heard.parts["segmentation"]
    assert level == DiagnosticStatus.ERROR
    assert "tracker.checkpoint is empty" in message


def test_the_engine_is_ready_before_the_first_run(start, robot, two_boxes, monkeypatch):
    from any3dis_ros.ros import session

    rehearsed = []
    monkeypatch.setattr(session, "rehearse", lambda tracker, config, progress: rehearsed.append(tracker))
    node = start(preload=True)
    assert [type(t) for t in rehearsed] == [PerfectTracker]
    driven(node, robot, two_boxes[0])
    assert robot.ask(Trigger, "/any3dis/trigger").success
