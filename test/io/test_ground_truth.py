"""Ground truth from both of its forms, and what is wrong with it in the field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_result import SIDE, small_result

from any3dis_ros.config import Config, EvaluationConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.ground_truth import load_ground_truth
from any3dis_ros.io.results import load_results, write_results
from any3dis_ros.objects.evaluation import evaluate_instances

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CUBE = SIDE**3


def save(path, **changes):
    arrays = {"xyz": np.eye(3), "instance": np.array([4, 0, 9]), "thing": np.array([True, True, False]), **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_npz_and_its_folder(tmp_path):
    save(tmp_path / "scene_gt.npz")
    for path in (tmp_path, tmp_path / "scene_gt.npz"):
        truth = load_ground_truth(path)
        assert truth.valid_ids.tolist() == [4]
        assert truth.instance.tolist() == [4, 0, 9]
        assert truth.points.dtype == np.float32
    assert load_ground_truth(save(tmp_path / "all.npz", thing=None)).valid_ids.tolist() == [4, 9]


def test_scannet_text_over_our_own_cloud(tmp_path):
    instances, frames = small_result()
    write_results(instances, tmp_path, Config(), frames)
    # ids: a chair's two cubes, of which the second is another chair; the third is a wall
    lines = np.repeat([5001, 5002, 1001], CUBE)
    (tmp_path / "gt.txt").write_text("\n".join(map(str, lines)))
    truth = load_ground_truth(tmp_path / "gt.txt", tmp_path / "instances.ply", stuff_labels=(1,))
    assert truth.valid_ids.tolist() == [5001, 5002]
    np.testing.assert_array_equal(truth.points, instances.points)
    found = evaluate_instances(load_results(tmp_path), truth, EvaluationConfig())
    assert found["own"].rc == 1
    assert found["own"].ap == 1  # the union of both, ranked last, adds a false positive behind full recall
    assert found["constant"].ap == pytest.approx((1 + 2 / 3) / 2)
    everything = load_ground_truth(tmp_path / "gt.txt", tmp_path / "instances.ply")
    assert everything.valid_ids.tolist() == [1001, 5001, 5002]


def test_lines_under_a_thousand_are_void(tmp_path):
    instances, frames = small_result()
    write_results(instances, tmp_path, Config(), frames)
    (tmp_path / "gt.txt").write_text("\n".join(map(str, np.repeat([5001, 5, 0], CUBE))))
    assert load_ground_truth(tmp_path / "gt.txt", tmp_path / "instances.ply").valid_ids.tolist() == [5001]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"instance": None}, "has no instance"),
        ({"xyz": None}, "has no xyz"),
        ({"xyz": np.zeros((2, 3))}, "do not fit"),
        ({"thing": np.ones(2, bool)}, "do not fit"),
        ({"xyz": np.full((3, 3), np.nan)}, "3 points are not finite"),
        ({"instance": np.array([4, 9, 9]), "thing": np.array([1, 1, 0], bool)}, "instance 9 is a thing at some points"),
        ({"thing": np.zeros(3, bool)}, "names no object"),
    ],
)
def test_npz_that_does_not_serve(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load_ground_truth(save(tmp_path / "gt.npz", **changes))


def test_files_that_do_not_serve(tmp_path):
    with pytest.raises(InputError, match=r"there is no ground truth .*scene_gt\.npz"):
        load_ground_truth(tmp_path)
    (tmp_path / "gt.npz").write_text("not an archive")
    with pytest.raises(InputError, match="is no NPZ"):
        load_ground_truth(tmp_path / "gt.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="is no NPZ"):
        load_ground_truth(tmp_path / "one.npy")
    (tmp_path / "gt.txt").write_text("1001\n1002\n")
    with pytest.raises(InputError, match="name the cloud"):
        load_ground_truth(tmp_path / "gt.txt")
    with pytest.raises(InputError, match="there is no cloud"):
        load_ground_truth(tmp_path / "gt.txt", tmp_path / "absent.ply")
    (tmp_path / "broken.ply").write_text("ply\n")
    with pytest.raises(InputError, match="is no valid PLY file"):
        load_ground_truth(tmp_path / "gt.txt", tmp_path / "broken.ply")
    instances, _ = small_result()
    write_results(instances, tmp_path, Config())
    with pytest.raises(InputError, match=f"has 2 lines, .* {3 * CUBE} points"):
        load_ground_truth(tmp_path / "gt.txt", tmp_path / "instances.ply")
    (tmp_path / "gt.txt").write_text("chair\n")
    with pytest.raises(InputError, match="one integer a line"):
        load_ground_truth(tmp_path / "gt.txt", tmp_path / "instances.ply")


@pytest.mark.skipif(not DATA.is_dir(), reason="the development scenes (../shared/data) are not here")
@pytest.mark.parametrize(("scene", "things"), [("room32", 23), ("tabletop31", 17), ("apc_bin", 4)])
def test_development_scenes(scene, things):
    truth = load_ground_truth(DATA / scene)
    assert len(truth.valid_ids) == things
    assert len(truth.points) == len(truth.instance)
