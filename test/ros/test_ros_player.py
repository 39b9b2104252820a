from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import cv2
import pytest
from installed import rclpy_or_skip
from recordings import (
    COLOR,
    DEPTH,
    OPTICAL,
    PERIOD,
    START,
    BagSpec,
    add_poses,
    color_image,
    compressed_depth_data,
    depth_image,
    whole_bag,
)

rclpy_or_skip()

from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

from any3dis_ros.errors import InputError  # noqa: E402
from any3dis_ros.io.recording import ReadOptions  # noqa: E402
from any3dis_ros.io.rosbag.bagfile import BagFile  # noqa: E402
from any3dis_ros.io.rosbag.playback import Playback  # noqa: E402
from any3dis_ros.io.scenes import bag_files  # noqa: E402
from any3dis_ros.progress import silent  # noqa: E402
from any3dis_ros.ros.conversions.transforms import nanoseconds  # noqa: E402
from any3dis_ros.ros.replay.player import Player, Stopped, input_names  # noqa: E402

pytestmark = pytest.mark.dds

COUNT = 6
MANY = QoSProfile(depth=1000)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SPAN_S = (COUNT + 1) * PERIOD / 1e9  # from the first transform to the last


@pytest.fixture
def load(wire):
    """Open a bag for playing."""
    with ExitStack() as stack:

        def run(path, **options) -> Player:
            bag = stack.enter_context(BagFile(path, bag_files(path)))
            playback = Playback(bag, ReadOptions(), silent)
            return Player(wire.node("player"), playback, input_names(playback), **options)

        yield run


class Ears:
    """Listens to the inputs of a node and keeps what comes, by topic."""

    def __init__(self, wire, color=Image, depth=Image) -> None:
        self.wire, self.node = wire, wire.node("ears")
        suffix = (
            {Image: "", CompressedImage: "/compressed"}[color],
            {Image: "", CompressedImage: "/compressedDepth"}[depth],
        )
        kinds = {f"rgb/image{suffix[0]}": color, f"depth/image{suffix[1]}": depth}
        kinds |= {"rgb/camera_info": CameraInfo, "/tf": TFMessage, "/clock": Clock}
        self.got = {topic: [] for topic in kinds}
        for topic, kind in kinds.items():
            self.node.create_subscription(kind, topic, self.got[topic].append, MANY)

    def played(self, player, rate=20.0):
        player.wait_until_heard(20)
        played = player.play(rate, silent)
        self.wire.until(lambda: sum(map(len, self.got.values())) - len(self.got["/clock"]) >= played.messages, "all")
        return played

    def stamps(self, topic):
        return [nanoseconds(m.header.stamp) for m in self.got[topic]]


@pytest.mark.parametrize("ros1", [False, True])
def test_every_message_arrives_in_order_as_it_was_recorded(wire, load, tmp_path, ros1):
    path = whole_bag(COUNT, ros1).write(tmp_path / ("room.bag" if ros1 else "room"), "bag" if ros1 else "mcap")
    player, ears = load(path), Ears(wire)
    played = ears.played(player)
    assert played.messages == 3 * COUNT + 30  # camera_info goes with each image
    assert played.color_stamp_ns == START + (COUNT - 1) * PERIOD
    assert ears.stamps("rgb/image") == ears.stamps("rgb/camera_info") == [START + n * PERIOD for n in range(COUNT)]
    assert ears.stamps("depth/image") == [START + n * PERIOD + 3_000_000 for n in range(COUNT)]
    for n in range(COUNT):
        color, depth = ears.got["rgb/image"][n], ears.got["depth/image"][n]
        assert (color.encoding, depth.encoding, color.header.frame_id) == ("rgb8", "16UC1", OPTICAL)
        assert bytes(color.data) == color_image(n).tobytes()
        assert bytes(depth.data) == depth_image(n).tobytes()
    moving = [m.transforms[0] for m in ears.got["/tf"]]
    stamps = [nanoseconds(t.header.stamp) for t in moving if t.child_frame_id == "base_link"]
    assert stamps == list(range(START - PERIOD, START + COUNT * PERIOD + 1, PERIOD // 2))
    assert ears.got["rgb/camera_info"][0].k[0] == 30.0


def test_compressed_images_go_out_under_their_transports_names(wire, load, tmp_path):
    spec = BagSpec()
    add_poses(spec, START - PERIOD, START + COUNT * PERIOD)
    for n in range(COUNT):
        stamp = START + n * PERIOD
        spec.info("/camera/color/camera_info", stamp)
        jpeg = cv2.imencode(".jpg", color_image(n))[1].ravel()
        spec.compressed(f"{COLOR}/compressed", stamp, jpeg, "rgb8; jpeg compressed bgr8")
        packed = compressed_depth_data(depth_image(n))
        spec.compressed(f"{DEPTH}/compressedDepth", stamp, packed, "16UC1; compressedDepth png")
    player = load(spec.write(tmp_path / "bag"))
    ears = Ears(wire, CompressedImage, CompressedImage)
    ears.played(player)
    for n, (color, depth) in enumerate(
        zip(ears.got["rgb/image/compressed"], ears.got["depth/image/compressedDepth"], strict=True)
    ):
        assert nanoseconds(color.header.stamp) == nanoseconds(depth.header.stamp) == START + n * PERIOD
        assert (color.format, depth.format) == ("rgb8; jpeg compressed bgr8", "16UC1; compressedDepth png")
        assert bytes(color.data) == cv2.imencode(".jpg", color_image(n))[1].tobytes()
        assert bytes(depth.data) == compressed_depth_data(depth_image(n)).tobytes()


def test_a_late_subscriber_gets_all_static_transforms(wire, load, tmp_path):
    player, ears = load(whole_bag(COUNT).write(tmp_path / "bag")), Ears(wire)
    ears.played(player)
    got = []
    ears.node.create_subscription(TFMessage, "/tf_static", got.append, LATCHED)
    wire.until(lambda: got, "the static transforms")
    chain = [(t.header.frame_id, t.child_frame_id) for t in got[0].transforms]
    assert chain == [("base_link", "camera_link"), ("camera_link", OPTICAL)]


def test_the_recorded_spacing_is_kept_and_the_clock_tells_the_bags_time(wire, load, tmp_path):
    player, ears = load(whole_bag(COUNT).write(tmp_path / "bag")), Ears(wire)
    played = ears.played(player, rate=2.0)
    assert played.seconds >= SPAN_S / 2
    assert played.seconds - played.lag_s <= SPAN_S / 2 + 0.05
    wire.until(lambda: nanoseconds(ears.got["/clock"][-1].clock) == START + COUNT * PERIOD, "the last time")
    times = [nanoseconds(m.clock) for m in ears.got["/clock"]]
    assert times == sorted(times)
    assert times[0] == START - PERIOD
    assert len(times) >= 30


def test_without_a_clock_nobody_tells_the_time(wire, load, tmp_path):
    player, ears = load(whole_bag(COUNT).write(tmp_path / "bag"), clock=False), Ears(wire)
    ears.played(player)
    assert ears.node.count_publishers("/clock") == 0
    assert ears.got["/clock"] == []


def test_where_nobody_listens_the_topics_are_named(wire, load, tmp_path):
    player = load(whole_bag(COUNT).write(tmp_path / "bag"))
    ears = wire.node("ears")
    for topic, kind in (("depth/image", Image), ("/tf", TFMessage)):
        ears.create_subscription(kind, topic, print, 10)
    wire.until(lambda: len(player.unheard()) == 2, "two of them")
    with pytest.raises(InputError, match=r"nobody listens to /rgb/image, /rgb/camera_info after 0\.1 s; .*color_tr"):
        player.wait_until_heard(0.1)


def test_it_can_be_stopped_while_it_waits(load, tmp_path):
    stop = threading.Event()
    player = load(whole_bag(COUNT).write(tmp_path / "bag"), stop=stop)

    def after_the_first(stage, done, total, instances=0):
        threading.Timer(0.05, stop.set).start()

    began = time.monotonic()
    with pytest.raises(Stopped):
        player.play(0.001, after_the_first)  # the second message is due in 50 s
    assert time.monotonic() - began < 10
