"""The views of RViz and Foxglove: what they show is what the node publishes, or is given."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
RVIZ = yaml.safe_load((ROOT / "config" / "any3dis.rviz").read_text())
DISPLAYS = {d["Class"].rpartition("/")[2]: d for d in RVIZ["Visualization Manager"]["Displays"]}
LAYOUT = json.loads((ROOT / "config" / "any3dis.foxglove.json").read_text())
PANELS = {name.partition("!")[0]: panel for name, panel in LAYOUT["configById"].items()}
GIVEN = {"/rgb/image", "/rgb/camera_info"}  # inputs of the node at their own names
KINDS = {"PointCloud2": "PointCloud2", "MarkerArray": "MarkerArray"}  # display: message


def made_by(method: str, *files: str) -> dict[str, str]:
    """Return name and type of what a node any3dis makes by `create_publisher` or `create_service`, from the code."""
    found = {}
    for file in files:
        for n in ast.walk(ast.parse((ROOT / "any3dis_ros" / "ros" / file).read_text())):
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == method:
                name = ast.literal_eval(n.args[1])
                found[name.replace("~", "/any3dis")] = ast.unparse(n.args[0])
    return found


PUBLISHED = made_by("create_publisher", "outputs.py", "diagnostics.py")


def topics_of_layout(value: Any) -> Iterator[str]:
    """Yield what a layout names as a topic, wherever it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "topics":
                yield from inner
            elif "topic" in key.lower() and isinstance(inner, str):
                yield inner
            else:
                yield from topics_of_layout(inner)


def test_the_code_that_is_looked_into_publishes():
    assert {"/any3dis/instance_cloud", "/any3dis/markers", "/diagnostics"} <= set(PUBLISHED)


def test_rviz_shows_what_is_published():
    shown = {name: d["Topic"] for name, d in DISPLAYS.items() if "Topic" in d}
    assert {name: topic["Value"] for name, topic in shown.items()} == {
        "PointCloud2": "any3dis/instance_cloud",
        "MarkerArray": "any3dis/markers",
        "Image": "rgb/image",
    }
    for name, kind in KINDS.items():
        assert PUBLISHED[f"/{shown[name]['Value']}"] == kind
    assert "/" + shown["Image"]["Value"] in GIVEN


@pytest.mark.parametrize("name", KINDS)
def test_rviz_gets_what_was_published_before_it_came(name):
    topic = DISPLAYS[name]["Topic"]
    quality = [topic[f"{policy} Policy"] for policy in ("Reliability", "Durability", "History")]
    assert quality == ["Reliable", "Transient Local", "Keep Last"]
    assert topic["Depth"] == 1


def test_rviz_hears_cameras_of_either_reliability():
    topic = DISPLAYS["Image"]["Topic"]
    assert (topic["Reliability Policy"], topic["Durability Policy"]) == ("Best Effort", "Volatile")


def test_rviz_looks_at_the_map_and_colours_by_rgb():
    assert RVIZ["Visualization Manager"]["Global Options"]["Fixed Frame"] == "map"
    assert DISPLAYS["PointCloud2"]["Color Transformer"] == "RGB8"
    assert all(display["Enabled"] and display["Value"] for display in DISPLAYS.values())
    assert "TF" in DISPLAYS


def test_foxglove_shows_what_is_published():
    shown = set(topics_of_layout(LAYOUT["configById"]))
    assert shown <= set(PUBLISHED) | GIVEN
    assert set(PANELS["3D"]["topics"]) == {"/any3dis/instance_cloud", "/any3dis/markers"}
    assert all(topic["visible"] for topic in PANELS["3D"]["topics"].values())
    assert PANELS["3D"]["followTf"] == "map"
    assert PANELS["3D"]["topics"]["/any3dis/instance_cloud"]["colorField"] == "rgb"
    assert PANELS["DiagnosticSummary"]["topicToRender"] in PUBLISHED


def test_foxglove_calls_a_service_that_is_there():
    service, kind = PANELS["CallService"]["serviceName"], made_by("create_service", "services.py")
    assert kind[service] == "Trigger"
    assert json.loads(PANELS["CallService"]["requestPayload"]) == {}


def test_foxglove_lays_out_every_panel_once():
    def panels(part: Any) -> Iterator[str]:
        if isinstance(part, str):
            yield part
        else:
            assert part["direction"] in ("row", "column")
            assert 0 < part["splitPercentage"] < 100
            yield from panels(part["first"])
            yield from panels(part["second"])

    assert sorted(panels(LAYOUT["layout"])) == sorted(LAYOUT["configById"])
