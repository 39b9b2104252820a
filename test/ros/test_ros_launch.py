"""The launch files, run; the parameters file and the views against a node."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from installed import rclpy_or_skip
from installed_launch import launch_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from ament_index_python.packages import PackageNotFoundError, get_package_prefix  # noqa: E402
from lifecycle_msgs.srv import GetState  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from rclpy.qos import (  # noqa: E402
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

from any3dis_ros.config import Config, NodeConfig  # noqa: E402
from any3dis_ros.io.results import load_results  # noqa: E402
from any3dis_ros.parameters import parameters  # noqa: E402
from any3dis_ros.ros.node import Any3disNode  # noqa: E402
from any3dis_ros.ros.parameters import configuration, node_configuration  # noqa: E402

pytestmark = pytest.mark.dds

ROOT = Path(__file__).parents[2]
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
given = [tuple(word.split(":=", 1)) for word in sys.argv[2:]]
service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=given)]))
sys.exit(service.run())
"""
SMALL = "--set map.voxel_size_m=0.05 --set tracker.geometric.width_px=160 --set keyframes.stride=40"


@pytest.fixture
def launched(wire, tmp_path, monkeypatch):
    """Run a launch file of this checkout in the domain of the wire; the package comes from where it is installed."""
    launch_or_skip()
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.environ.get("AMENT_PREFIX_PATH") or sys.prefix)
    try:
        programs = Path(get_package_prefix("any3dis_ros"), "lib", "any3dis_ros")
    except PackageNotFoundError:
        pytest.skip("any3dis_ros is not installed where ROS looks; scripts/bootstrap.sh ros or colcon does")
    if not (programs / "any3dis_replay").is_file():
        pytest.skip(f"{programs} is from an earlier state; run scripts/bootstrap.sh ros")
    started = []

    def run(name, *arguments):
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ROS_DOMAIN_ID": str(wire.context.get_domain_id()),
            "ROS_LOG_DIR": str(tmp_path / "log"),
        }
        command = [sys.executable, "-c", RUN, str(ROOT / "launch" / name), *arguments]
        started.append(
            subprocess.Popen(
                command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
        return started[-1]

    yield run
    for one in started:
        if one.poll() is None:
            one.send_signal(signal.SIGINT)
            try:
                one.wait(30)
            except subprocess.TimeoutExpired:
                one.kill()
        one.communicate()


def ended(launch, status, seconds=60):
    """Return what was printed."""
    output, _ = launch.communicate(timeout=seconds)
    assert launch.returncode == status, output
    return output


def test_the_node_listens_where_it_is_told_until_a_signal(wire, robot, launched, tmp_path):
    text = (ROOT / "config" / "any3dis.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("stride: 10 ", "stride: 7 "))
    launch = launched(
        "any3dis.launch.py",
        "params_file:=mine.yaml",
        "namespace:=robot1",
        "use_sim_time:=True",
        "rgb_image:=/camera/color",
        "depth_image:=camera/depth",
        "camera_info:=/camera/info",
    )
    state = robot.ask(GetState, "/robot1/any3dis/get_state")
    wire.until(
        lambda: robot.ask(GetState, "/robot1/any3dis/get_state").current_state.label == "active", f"active, not {state}"
    )
    asked = GetParameters.Request(names=["keyframes.stride", "use_sim_time", "map.depth_max_m"])
    values = robot.ask(GetParameters, "/robot1/any3dis/get_parameters", asked).values
    assert (values[0].integer_value, values[1].bool_value, values[2].double_value) == (
        7,
        True,
        Config().map.depth_max_m,
    )

    def heard():
        return {name for name, _ in robot.node.get_subscriber_names_and_types_by_node("any3dis", "/robot1")}

    topics = {"/camera/color", "/robot1/camera/depth", "/camera/info", "/robot1/depth/camera_info", "/tf", "/tf_static"}
    wire.until(lambda: topics <= heard(), "the node to listen")
    launch.send_signal(signal.SIGINT)
    output = ended(launch, 0)
    assert "[any3dis_node-1]: process has finished cleanly" in output
    assert "unknown" not in output
    assert "Traceback" not in output


def test_rviz_that_is_not_installed_is_told_and_the_node_runs(robot, launched):
    try:
        get_package_prefix("rviz2")
        pytest.skip("rviz2 is installed here")
    except PackageNotFoundError:
        pass
    launch = launched("any3dis.launch.py", "rviz:=true")
    robot.ask(GetState, "/any3dis/get_state")
    launch.send_signal(signal.SIGINT)
    assert "rviz2 is not installed: going on without it" in ended(launch, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["params_file:=nowhere.yaml"], "params_file nowhere.yaml is no file; `any3dis config --ros` prints one"),
        (["log_level:=loud"], "'warn', 'error', 'fatal'"),
        (["rviz:=maybe"], "got 'maybe'"),
    ],
)
def test_what_cannot_be_meant_starts_no_node(launched, arguments, words):
    output = ended(launched("any3dis.launch.py", *arguments), 1)
    assert words in output
    assert "process started" not in output


def test_a_bag_is_replayed_and_the_launch_ends_with_it(launched, tmp_path):
    launch = launched(
        "replay.launch.py",
        f"bag:={ROOT / 'sample' / 'room'}",
        "rate:=4",
        "save:=saved",
        f"truth:={ROOT / 'sample' / 'room_gt.npz'}",
        "namespace:=/robot1/",
        f"options:={SMALL}",
    )
    output = ended(launch, 0, 120)
    assert "AP50" in output
    assert "/robot1/any3dis/instance_cloud against" in output
    assert "[any3dis_replay-1]: process has finished cleanly" in output
    assert len(load_results(tmp_path / "saved").instances) >= 3


def test_a_replay_that_fails_is_told_by_the_status(launched, tmp_path):
    output = ended(launched("replay.launch.py", "bag:=nowhere"), 1)
    assert "any3dis_replay: nowhere does not exist" in output
    assert "any3dis_replay ended with status 2" in output
    assert "required argument 'bag'" in ended(launched("replay.launch.py"), 1)


def test_the_node_takes_every_line_of_the_parameters_file(wire, caplog):
    """By another name or in another type it would be left out, or refused."""
    arguments = ["--ros-args", "--params-file", str(ROOT / "config" / "any3dis.yaml"), "-p", "autostart:=false"]
    node = Any3disNode(context=wire.context, cli_args=arguments)
    try:
        assert node_configuration(node) == dataclasses.replace(NodeConfig(), autostart=False)
        assert configuration(node) == Config()
        given = node.get_parameters_by_prefix("")
        assert {p.name for p in [*parameters(NodeConfig), *parameters(Config)]} <= set(given)
        assert "unknown" not in caplog.text
    finally:
        node.close()
        node.destroy_node()


def test_rviz_can_hear_what_the_node_publishes(wire, start, robot):
    start()
    displays = yaml.safe_load((ROOT / "config" / "any3dis.rviz").read_text())["Visualization Manager"]["Displays"]
    kinds = {
        "rviz_default_plugins/PointCloud2": "sensor_msgs/msg/PointCloud2",
        "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
    }
    for display in (d for d in displays if d["Class"] in kinds):
        topic = display["Topic"]
        name = f"/{topic['Value']}"
        wire.until(lambda name=name: robot.node.get_publishers_info_by_topic(name), name)
        (end,) = robot.node.get_publishers_info_by_topic(name)
        assert end.topic_type == kinds[display["Class"]]
        quality = QoSProfile(
            depth=topic["Depth"],
            history=HistoryPolicy.KEEP_LAST,
            reliability=ReliabilityPolicy[topic["Reliability Policy"].upper().replace(" ", "_")],
            durability=DurabilityPolicy[topic["Durability Policy"].upper().replace(" ", "_")],
        )
        compatible, reason = qos_check_compatible(end.qos_profile, quality)
        assert compatible != QoSCompatibility.ERROR, reason
        assert end.qos_profile.durability == quality.durability
