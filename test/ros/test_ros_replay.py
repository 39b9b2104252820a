from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from installed import rclpy_or_skip
from recordings import whole_bag

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from rosbags.rosbag2 import Reader, StoragePlugin, Writer  # noqa: E402
from rosbags.typesys import Stores, get_typestore  # noqa: E402

from any3dis_ros import cli  # noqa: E402
from any3dis_ros.config import KeyframeConfig  # noqa: E402
from any3dis_ros.io.ground_truth import load_ground_truth  # noqa: E402
from any3dis_ros.io.recording import ReadOptions  # noqa: E402
from any3dis_ros.io.results import load_results  # noqa: E402
from any3dis_ros.io.rosbag.bagfile import BagFile  # noqa: E402
from any3dis_ros.io.rosbag.playback import Playback  # noqa: E402
from any3dis_ros.io.scenes import bag_files, read_scene  # noqa: E402
from any3dis_ros.objects.evaluation import evaluate_instances, format_table  # noqa: E402
from any3dis_ros.progress import silent  # noqa: E402
from any3dis_ros.ros.conversions.published import instances_of_labels  # noqa: E402
from any3dis_ros.ros.replay import arguments as command_line  # noqa: E402
from any3dis_ros.ros.replay import program as replay_program  # noqa: E402
from any3dis_ros.ros.replay.node_arguments import checked_settings, for_node, rectified  # noqa: E402

pytestmark = pytest.mark.dds

SAMPLE = Path(__file__).resolve().parents[2] / "sample"
SECONDS = 2.2
QUICK = ("--set", "map.voxel_size_m=0.03", "--set", "iteration.max_rounds=1")


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The first seconds of the sample."""
    path, store = tmp_path_factory.mktemp("bag") / "short", get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    with Reader(SAMPLE / "room") as reader, writer:
        stop = reader.start_time + int(SECONDS * 1e9)
        new = {c.id: writer.add_connection(c.topic, c.msgtype, typestore=store) for c in reader.connections}
        for connection, log_ns, raw in reader.messages(stop=stop):
            writer.write(new[connection.id], log_ns, raw)
    return path


@pytest.fixture
def names(wire):
    """Names of the nodes that are seen."""
    node = wire.node("watch")
    return lambda: {f"{namespace.rstrip('/')}/{name}" for name, namespace in node.get_node_names_and_namespaces()}


def replayed(one, timeout=60):
    """Return what a program said, on stdout and on stderr, once it has ended."""
    try:
        told, errors = one.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        one.kill()
        pytest.fail(f"it has not ended after {timeout} s and said\n" + "\n".join(one.communicate()))
    assert "Traceback" not in errors
    assert "terminate called" not in errors
    return told, errors


def until_said(stream, word):
    """Read a stream up to a line that holds `word`."""
    for line in stream:
        if word in line:
            return
    raise AssertionError(f"it ended without saying {word}")


def test_the_node_sees_and_finds_what_the_command_line_does(wire, program, names, short, tmp_path):
    out, truth = tmp_path / "out", SAMPLE / "room_gt.npz"
    settings = (*QUICK, "--set", "keyframes.stride=5")
    more = ("--save", out, "--truth", truth)
    one = program("replay.program", short, "--start-node", *settings, *more)
    told, errors = replayed(one)
    assert one.returncode == 0, errors
    assert "WARN" not in errors
    for line in (r"play +\d", r"superpoints .* s +\d+%", r"tracking, round 1 .* proposals", r"merging .* 100%.*"):
        assert re.search(f"^{line}", errors, re.MULTILINE), line

    assert cli.main(["segment", str(short), "-o", str(tmp_path / "offline"), "--quiet", *settings]) == 0
    found, expected = load_results(out), load_results(tmp_path / "offline")
    np.testing.assert_array_equal(found.points, expected.points)
    np.testing.assert_array_equal(found.labels, expected.labels)
    frames = read_scene(short, config=KeyframeConfig(stride=5)).frames
    assert found.statistics["keyframes"] == len(frames)
    assert keyframes(out) == {k: frames[k].stamp_ns for k in keyframes(tmp_path / "offline")}

    assert re.search(r"^played \d+ messages in \d+\.\d s, at worst \d+ ms late$", told, re.MULTILINE)
    assert f"in {len(expected.points)} map points of {len(frames)} keyframes by the geometric engine" in told
    score = np.concatenate([[0], expected.scores])[expected.labels]
    labelled = instances_of_labels(expected.points, expected.labels, score)
    assert format_table(evaluate_instances(labelled, load_ground_truth(truth))) in told
    assert told.endswith(f"report: {out / 'report.html'}\n")
    assert (out / "report.html").is_file()
    wire.until(lambda: "/any3dis" not in names(), "the node to be gone", 60)  # DDS holds a lost goodbye for 20 s


def test_a_node_that_is_running_is_used_and_left_alone(wire, program, names, short):
    namespace = ("--ros-args", "-r", "__ns:=/robot")
    parameters = {"preload": "false", "map.voxel_size_m": 0.05, "keyframes.stride": 10, "iteration.max_rounds": 1}
    parameters |= {"color_transport": "compressed", "depth_transport": "compressedDepth"}
    node = program("node", *namespace, *(w for n, v in parameters.items() for w in ("-p", f"{n}:={v}")))
    one = program("replay.program", short, "--rate", "2", "--quiet", *namespace)
    assert replayed(one) == ("", "")
    assert one.returncode == 0
    assert "/robot/any3dis" in names()
    again = program("replay.program", short, "--start-node", "--node", "/robot/any3dis")
    assert "another node '/robot/any3dis' is running; leave --start-node out" in replayed(again)[1]
    assert again.returncode == 2
    assert node.poll() is None
    node.send_signal(signal.SIGINT)
    node.communicate(timeout=30)
    assert node.returncode == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), r"no node '/any3dis' was seen within 0\.2 s; start it .*--start-node"),
        (("--no-segment",), r"nobody listens to /tf, /rgb/image, /depth/image, /rgb/camera_info after 0\.2 s"),
        (("--rate", "0"), r"--rate is 0; expected more than 0"),
        (("--no-segment", "--save", "out"), r"--no-segment leaves nothing to score or to save"),
        (("--set", "keyframes.stride=3"), r"are for a node that --start-node starts"),
        (("--start-node", "--set", "keyframes.strides=3"), r"did you mean 'keyframes.stride'"),
        (("--start-node", "--params-file", "/nowhere.yaml"), r"no parameters file /nowhere\.yaml"),
        (("--truth", "/nowhere.npz"), r"no ground truth /nowhere\.npz"),
        (("--node", "a-b"), r"'/a-b' is no name of a node"),
        (("--color-topic", "/nowhere"), r"no image on '/nowhere'"),
        (("--ros-args", "-r", "foo"), r"ROS does not take -r foo"),
        (("--start-node", "--ros-args", "-p", "merging.duplicate_iou:=7.0"), r"node is gone: .* is 7\.0; expected 0"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence(wire, monkeypatch, tmp_path, capfd, more, words):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(wire.context.get_domain_id()))
    bag = whole_bag().write(tmp_path / "bag")
    wait = () if "--start-node" in more else ("--wait", "0.2")
    assert replay_program.main([str(bag), *wait, *more]) == 2
    errors = capfd.readouterr().err
    assert re.search(f"^any3dis_replay: .*{words}", errors, re.MULTILINE)
    assert "Traceback" not in errors


def test_a_bag_that_is_not_there(capfd):
    assert replay_program.main(["/nowhere"]) == 2
    assert "any3dis_replay: /nowhere does not exist; give a rosbag2 folder" in capfd.readouterr().err


@pytest.mark.parametrize(("number", "stage"), [(signal.SIGINT, "play"), (signal.SIGTERM, "features")])
def test_a_signal_ends_the_node_as_well(wire, program, names, short, number, stage):
    more = ("--set", "preload=false", "--node", "/alone/any3dis", "--rate", "0.25")  # long enough to be seen
    one = program("replay.program", short, "--start-node", *QUICK, *more)
    until_said(one.stderr, "play")
    wire.until(lambda: "/alone/any3dis" in names(), "the node to be seen")
    if stage != "play":
        until_said(one.stderr, stage)
    one.send_signal(number)
    _, errors = replayed(one)
    assert one.returncode == 128 + number
    assert re.search(
        r"^any3dis_replay: (interrupted|ended by SIGTERM); what was started is ended$", errors, re.MULTILINE
    )
    assert "has not ended" not in errors
    wire.until(lambda: "/alone/any3dis" not in names(), "the node to be gone")


def test_parameters_of_a_file_and_single_ones(tmp_path, monkeypatch):
    options = command_line.parse(["bag", "--start-node", "--params-file", "mine.yaml", "--global-frame", "odom"])
    settings, config = checked_settings(["keyframes.stride=3", "tracker={engine: geometric}", "tf_timeout_s=2"])
    assert (config.keyframes.stride, config.tracker.engine) == (3, "geometric")
    with BagFile(bag := whole_bag().write(tmp_path / "bag"), bag_files(bag)) as opened:
        words = for_node("/robot/any3dis", {}, options, Playback(opened, ReadOptions(), silent), settings)
    assert words[:5] == ["--ros-args", "-r", "__node:=any3dis", "-r", "__ns:=/robot"]
    assert words[5:9] == ["-p", 'global_frame:="map"', "--params-file", "mine.yaml"]  # what follows counts more
    assert words[10::2] == [
        "keyframes.stride:=3",
        'tracker.engine:="geometric"',
        "tf_timeout_s:=2",
        'global_frame:="odom"',
        'color_transport:="raw"',
        'depth_transport:="raw"',
    ]


def test_rectified_images_keep_what_tells_them(tmp_path):
    spec = whole_bag()
    spec.entries = [(name.replace("/color/image_raw", "/color/image_rect"), *rest) for name, *rest in spec.entries]
    names = {"color": "/rgb/image", "depth": "/depth/image"}
    with BagFile(bag := spec.write(tmp_path / "bag"), bag_files(bag)) as opened:
        topics, remaps = rectified(Playback(opened, ReadOptions(), silent), names)
    assert topics == {"color": "/rgb/image_rect", "depth": "/depth/image"}
    assert remaps == {"/rgb/image": "/rgb/image_rect"}


def keyframes(folder):
    """Return the stamps of the keyframes that show an object best, by their number."""
    objects = json.loads((folder / "instances.json").read_text())["instances"]
    return {view["index"]: view["stamp"] for o in objects for view in o["best_keyframes"]}
