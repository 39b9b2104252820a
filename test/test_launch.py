"""The launch files as text, and as ROS's launch package loads them where it is installed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from installed_launch import launch_or_skip

from any3dis_ros import cli
from any3dis_ros.config import Config, NodeConfig
from any3dis_ros.parameters import from_mapping, parameters, to_dict

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
CAMERA = ["rgb_image", "depth_image", "camera_info", "depth_camera_info", "map_cloud"]
ARGUMENTS = {
    "any3dis.launch.py": ["params_file", "namespace", "use_sim_time", "rviz", "log_level", *CAMERA],
    "replay.launch.py": [
        *("bag", "rate", "save", "truth", "params_file", "namespace", "use_sim_time", "rviz", "options")
    ],
    "rviz.launch.py": ["namespace", "use_sim_time", "rgb_image"],
}


def calls(path: Path, name: str) -> list[ast.Call]:
    tree = ast.walk(ast.parse(path.read_text()))
    return [n for n in tree if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name]


def declared(path: Path) -> dict[str, str]:
    """Return name and description of each argument, in order."""
    found = {}
    for call in calls(path, "DeclareLaunchArgument"):
        (description,) = (k.value for k in call.keywords if k.arg == "description")
        found[ast.literal_eval(call.args[0])] = ast.literal_eval(description)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_argument_is_declared_once_and_described(path):
    found = declared(path)
    assert list(found) == ARGUMENTS[path.name]
    assert len(found) == len(calls(path, "DeclareLaunchArgument"))
    assert all(len(description) > 10 for description in found.values())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_argument_is_used_and_every_used_one_declared(path):
    source = path.read_text()
    used = [c.args[0] for name in ("LaunchConfiguration", "given") for c in calls(path, name)]
    assert {a.value for a in used if isinstance(a, ast.Constant)} <= set(ARGUMENTS[path.name])
    for name in ARGUMENTS[path.name]:
        assert len(re.findall(rf"[\"']{name}[\"']", source)) >= 2, f"{name} is declared and not used"


def test_the_inputs_are_the_nodes():
    """Each topic that is remapped is one that the node subscribes to by this relative name."""
    source = (ROOT / "any3dis_ros" / "ros" / "inputs.py").read_text()
    (topics,) = (
        ast.literal_eval(n.value)
        for n in ast.parse((ROOT / "launch" / "any3dis.launch.py").read_text()).body
        if isinstance(n, ast.Assign) and n.targets[0].id == "INPUTS"
    )
    assert list(topics) == CAMERA
    for topic in topics.values():
        assert f'"{topic}"' in source


def test_the_parameters_file_is_what_the_command_prints(capsys):
    """If this fails: any3dis config --ros > config/any3dis.yaml."""
    assert cli.main(["config", "--ros"]) == 0
    assert (ROOT / "config" / "any3dis.yaml").read_text() == capsys.readouterr().out


def test_the_parameters_file_holds_every_parameter_at_its_default():
    text = (ROOT / "config" / "any3dis.yaml").read_text()
    assert yaml.safe_load(text) == {"/**": {"ros__parameters": {**to_dict(NodeConfig()), **to_dict(Config())}}}
    for p in [*parameters(NodeConfig), *parameters(Config)]:
        (line,) = (m[0] for m in re.finditer(rf"^ +{p.name.rpartition('.')[2]}: .*# {re.escape(p.doc)}.*$", text, re.M))
        assert line


def test_the_nodes_file_serves_the_command_line(tmp_path):
    text = (ROOT / "config" / "any3dis.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("voxel_size_m: 0.0 ", "voxel_size_m: 0.05 ").replace("/**:", "/robot1/any3dis:"))
    options = cli.make_parser().parse_args(["segment", "x", "-o", "y", "--config", str(path)])
    assert cli.configuration(options) == from_mapping({"map.voxel_size_m": 0.05}, Config())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_launch_package_loads_it_and_lists_its_arguments(path):
    launch_or_skip()
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    description = PythonLaunchDescriptionSource(str(path)).get_launch_description(LaunchContext())
    listed = {argument.name: argument for argument in description.get_launch_arguments()}
    assert list(listed) == [*ARGUMENTS[path.name], *(["rgb_image"] if path.name == "replay.launch.py" else [])]
    for name, words in declared(path).items():
        assert listed[name].description.startswith(words)
    assert [name for name, argument in listed.items() if not argument.default_value] == (
        ["bag"] if path.name == "replay.launch.py" else []
    )


def test_the_parameters_file_that_launch_takes_is_there():
    launch_or_skip()
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(ROOT / "launch" / "any3dis.launch.py"))
    argument = source.get_launch_description(LaunchContext()).get_launch_arguments()[0]
    assert Path(argument.default_value[0].text) == ROOT / "config" / "any3dis.yaml"
