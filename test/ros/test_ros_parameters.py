from __future__ import annotations

import logging

import pytest
from installed import rclpy_or_skip

rclpy_or_skip()

from rcl_interfaces.msg import SetParametersResult  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from any3dis_ros.config import Config, NodeConfig  # noqa: E402
from any3dis_ros.errors import InputError  # noqa: E402
from any3dis_ros.parameters import from_mapping, parameters  # noqa: E402
from any3dis_ros.ros.parameters import configuration, declare, node_configuration, refusal  # noqa: E402


@pytest.fixture
def declared(wire):
    def make(**given):
        overrides = [Parameter(name.replace("__", "."), value=value) for name, value in given.items()]
        options = {"automatically_declare_parameters_from_overrides": True, "parameter_overrides": overrides}
        node = wire.node("segmenter", **options)
        declare(node)
        return node

    return make


def test_the_defaults_are_those_of_the_configuration(declared):
    node = declared()
    assert configuration(node) == Config()
    assert node_configuration(node) == NodeConfig()


def test_what_is_given_counts_and_an_int_serves_as_a_double(declared):
    node = declared(map__depth_max_m=4, keyframes__stride=3, tracker__engine="geometric", tf_timeout_s=2)
    assert configuration(node) == from_mapping(
        {"map.depth_max_m": 4.0, "keyframes.stride": 3, "tracker.engine": "geometric"}, Config()
    )
    assert node_configuration(node).tf_timeout_s == 2.0
    assert node.set_parameters([Parameter("map.depth_max_m", value=5.5)])[0].successful
    assert node.set_parameters([Parameter("map.depth_max_m", value=6)])[0].successful
    assert configuration(node).map.depth_max_m == 6.0


def test_every_parameter_is_described_with_its_range_or_choices(declared):
    node = declared()
    for p in [*parameters(Config), *parameters(NodeConfig)]:
        shown = node.describe_parameter(p.name)
        assert shown.description == p.doc
        for choice in p.choices or ():
            assert choice in shown.additional_constraints
        ranges = [*shown.integer_range, *shown.floating_point_range]
        assert len(ranges) == (p.low is not None)
        if p.low is not None:
            assert ranges[0].from_value == p.low
            assert p.high is None or ranges[0].to_value == p.high
    assert "fixed while" in node.describe_parameter("keyframes.stride").additional_constraints
    assert "fixed while" not in node.describe_parameter("merging.duplicate_iou").additional_constraints


@pytest.mark.parametrize(
    "given", [{"keyframes__stride": 0}, {"map__voxel_size_m": 7.0}, {"tracker__engine": "best"}, {"queue_size": "many"}]
)
def test_a_bad_start_value_is_refused_in_the_words_of_every_configuration(declared, given):
    name, value = next(iter(given.items()))
    config = NodeConfig() if name == "queue_size" else Config()
    with pytest.raises(InputError) as expected:
        from_mapping({name.replace("__", "."): value}, config)
    with pytest.raises(InputError) as refused:
        declared(**given)
    assert str(refused.value) == str(expected.value)


def test_an_unknown_name_is_told_with_the_nearest_and_forgotten(declared, caplog):
    with caplog.at_level(logging.WARNING):
        node = declared(map__voxel_size=0.05, use_sim_time=False, qos_overrides__x=1)
    assert [r.getMessage() for r in caplog.records] == [
        "parameter 'map.voxel_size' is unknown and ignored; did you mean 'map.voxel_size_m'?"
    ]
    assert not node.has_parameter("map.voxel_size")
    assert node.has_parameter("qos_overrides.x")


@pytest.mark.parametrize(
    ("name", "value", "configured", "reason"),
    [
        ("merging.duplicate_iou", 0.4, True, ""),
        ("iteration.max_seconds", 30, True, ""),
        ("cloud_colors", "camera", True, ""),
        ("keyframes.stride", 3, False, ""),
        ("keyframes.stride", 3, True, "parameter 'keyframes.stride' cannot change while the node is configured"),
        ("input.max_width_px", 640, True, "parameter 'input.max_width_px' cannot change"),
        ("global_frame", "odom", True, "parameter 'global_frame' cannot change"),
        ("merging.duplicate_iou", 2.0, True, "parameter 'merging.duplicate_iou' is 2.0; expected 0.0 to 1.0"),
        ("merging.duplicate_iou", None, True, "parameter 'merging.duplicate_iou' is empty; expected a number"),
        ("use_sim_time", True, True, ""),
    ],
)
def test_what_can_change_does_and_what_cannot_says_why(name, value, configured, reason):
    said = refusal([Parameter(name, value=value)], configured)
    assert said.startswith(reason)
    assert bool(said) == bool(reason)


def test_a_parameter_cannot_be_taken_away(declared):
    node = declared()

    def check(changes):
        reason = refusal(changes, False)
        return SetParametersResult(successful=not reason, reason=reason)

    node.add_on_set_parameters_callback(check)
    result = node.set_parameters([Parameter("map.depth_max_m", Parameter.Type.NOT_SET, None)])[0]
    assert not result.successful
    assert configuration(node) == Config()
