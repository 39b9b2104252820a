from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.config import Config
from any3dis_ros.errors import InputError
from any3dis_ros.parameters import from_mapping, from_yaml, parameters, to_dict, to_yaml

ALL = list(parameters(Config))


def test_every_parameter_is_described_and_its_default_is_allowed():
    for p in ALL:
        assert p.doc
        assert "  " not in p.doc
        assert from_mapping({p.name: p.default}, Config()) == Config()


def test_names_are_unique_and_dotted():
    names = [p.name for p in ALL]
    assert len(set(names)) == len(names)
    assert "map.voxel_size_m" in names
    assert "tracker.geometric.width_px" in names


def test_yaml_of_the_defaults_reads_back_as_the_defaults(tmp_path):
    path = tmp_path / "any3dis.yaml"
    path.write_text(to_yaml(Config))
    assert from_yaml(path, Config()) == Config()
    assert yaml.safe_load(to_yaml(Config)) == to_dict(Config())


def test_a_file_for_a_node_serves_as_well(tmp_path):
    path = tmp_path / "node.yaml"
    path.write_text("/**:\n  ros__parameters:\n    keyframes.stride: 7\n    map:\n      voxel_size_m: 0.05\n")
    config = from_yaml(path, Config())
    assert config.keyframes.stride == 7
    assert config.map.voxel_size_m == 0.05


def test_what_a_nodes_file_says_in_several_blocks_and_of_the_node_alone(tmp_path):
    path = tmp_path / "node.yaml"
    path.write_text(
        "/**:\n  ros__parameters: {use_sim_time: true, map.depth_max_m: 4, qos_overrides: {/tf: {depth: 1}}}\n"
        "/any3dis:\n  ros__parameters:\n    map: {voxel_size_m: 0.05}\n/other:\n  ros__parameters:\n"
    )
    config = from_yaml(path, Config(), of_node=("use_sim_time", "qos_overrides"))
    assert config == from_mapping({"map.depth_max_m": 4.0, "map.voxel_size_m": 0.05}, Config())
    with pytest.raises(InputError, match="unknown parameter 'use_sim_time'"):
        from_yaml(path, Config())


def test_dotted_and_nested_names_combine():
    config = from_mapping({"map.voxel_size_m": 0.05, "map": {"depth_max_m": 4}, "map.depth_min_m": 1}, Config())
    assert (config.map.voxel_size_m, config.map.depth_max_m, config.map.depth_min_m) == (0.05, 4.0, 1.0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"map.voxel_size": 0.1}, ["map.voxel_size'", "map.voxel_size_m"]),
        ({"voxels": 0.1}, ["unknown parameter 'voxels'"]),
        ({"map": 3}, ["'map'", "group", "map.voxel_size_m"]),
        ({"map.voxel_size_m": None}, ["map.voxel_size_m", "empty", "a number"]),
        ({"map.depth_max_m": "1e400"}, ["map.depth_max_m", "finite"]),
        ({"map.depth_max_m": 10**400}, ["map.depth_max_m", "finite"]),
        ({"keyframes.stride": 0}, ["keyframes.stride", "0", "at least 1"]),
        ({"keyframes.stride": 2.5}, ["keyframes.stride", "2.5", "a whole number"]),
        ({"keyframes.stride": True}, ["keyframes.stride", "True"]),
        ({"map.depth_max_m": float("nan")}, ["map.depth_max_m", "nan"]),
        ({"map.voxel_size_m": 7}, ["map.voxel_size_m", "7", "0.0 to 0.5"]),
        ({"refinement.strategy": "best"}, ["refinement.strategy", "best", "robust_exact"]),
    ],
)
def test_bad_values_name_the_parameter_the_value_and_the_remedy(values, words):
    with pytest.raises(InputError) as error:
        from_mapping(values, Config())
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"), [("a: [", "not valid YAML"), ("- 1\n- 2\n", "list"), ("map: {vox: 1}", "map.vox")]
)
def test_bad_files_are_refused(tmp_path, text, words):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        from_yaml(path, Config())


def test_exponents_without_a_dot_are_numbers_though_yaml_says_text(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("map: {voxel_size_m: 1e-2, depth_max_m: +4E0}")
    config = from_yaml(path, Config())
    assert (config.map.voxel_size_m, config.map.depth_max_m) == (0.01, 4.0)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        from_yaml(tmp_path / "nowhere.yaml", Config())


def test_empty_file_changes_nothing(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing yet\n")
    assert from_yaml(path, Config()) == Config()


NUMBERS = [p for p in ALL if p.kind in (int, float)]


@given(st.sampled_from(NUMBERS), st.one_of(st.integers(-(10**9), 10**9), st.floats(), st.text("ab ._-", max_size=3)))
def test_a_number_is_taken_exactly_when_it_lies_in_its_range(p, value):
    right_kind = isinstance(value, int) or (p.kind is float and isinstance(value, float))
    right = right_kind and (p.low is None or value >= p.low) and (p.high is None or value <= p.high)
    right = right and abs(value) != float("inf") and value == value
    if right:
        section = to_dict(from_mapping({p.name: value}, Config()))
        for part in p.name.split("."):
            section = section[part]
        assert section == value
        assert isinstance(section, p.kind)
    else:
        with pytest.raises(InputError, match=p.name):
            from_mapping({p.name: value}, Config())
