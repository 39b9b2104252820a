"""Masks of supervised 3D networks from every form of file, and what may be wrong with them."""

from __future__ import annotations

import importlib.util
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from any3dis_ros.errors import InputError
from any3dis_ros.io.network_masks import read_network_masks, run_lengths
from any3dis_ros.scene.network_masks import NetworkMasks

K, N = 3, 5
MASKS = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]], bool)
SCORES = np.array([0.9, 0.5, 0.25])
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


def assert_read(path: Path, masks: np.ndarray = MASKS, scores: np.ndarray = SCORES) -> NetworkMasks:
    found = read_network_masks(path)
    np.testing.assert_array_equal(found.member.toarray(), masks)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-6)
    return found


def write_text(folder: Path, masks: np.ndarray = MASKS, scores: np.ndarray = SCORES) -> Path:
    """As Mask3D writes it."""
    (folder / "pred_mask").mkdir(exist_ok=True)
    lines = []
    for k, (mask, score) in enumerate(zip(masks, scores, strict=True)):
        np.savetxt(folder / "pred_mask" / f"room_{k}.txt", mask, fmt="%d")
        lines.append(f"pred_mask/room_{k}.txt {k + 3} {score}\n")
    (folder / "room.txt").write_text("".join(lines))
    return folder / "room.txt"


@pytest.mark.parametrize(("masks", "scores"), [("masks", "scores"), ("pred_masks", "pred_scores"), ("ins", "conf")])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_npz_either_way_round(tmp_path, masks, scores, turned, kind):
    stored = (MASKS.T if turned else MASKS).astype(kind)
    np.savez(tmp_path / "a.npz", **{masks: stored, scores: SCORES, "pred_classes": [3, 4, 5]})
    assert assert_read(tmp_path / "a.npz").points is None


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("turned", [False, True])
def test_a_sparse_matrix_as_scipy_saves_it(tmp_path, form, turned):
    sparse.save_npz(tmp_path / "m.npz", form(MASKS.T if turned else MASKS))
    with np.load(tmp_path / "m.npz") as saved:
        np.savez(tmp_path / "a.npz", scores=SCORES, **saved)
    assert_read(tmp_path / "a.npz")


def test_points_in_the_file_are_kept(tmp_path):
    points = np.arange(3.0 * N).reshape(N, 3)
    np.savez(tmp_path / "a.npz", masks=MASKS, scores=SCORES, points=points)
    np.testing.assert_array_equal(read_network_masks(tmp_path / "a.npz").points, points)


def test_scannet_text(tmp_path):
    assert_read(write_text(tmp_path))


masks_and_scores = st.integers(1, 6).flatmap(
    lambda k: st.tuples(
        st.integers(7, 40).flatmap(lambda n: arrays(bool, (k, n))),
        arrays(np.float64, k, elements=st.floats(0, 1, width=32)),
    )
)


@given(masks_and_scores)
def test_every_form_of_npz_and_text_gives_back_what_was_written(drawn):
    masks, scores = drawn
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "a.npz", masks=masks.T, scores=scores)
        own = sparse.csr_matrix(masks)
        np.savez(folder / "b.npz", indices=own.indices, indptr=own.indptr, shape=masks.shape, scores=scores)
        for path in (folder / "a.npz", folder / "b.npz", write_text(folder, masks, scores)):
            assert_read(path, masks, scores)


@needs_torch
@given(masks_and_scores)
def test_every_form_of_pth_gives_back_what_was_written(drawn):
    import torch

    masks, scores = drawn
    rle = [run_lengths(m) for m in masks]
    text = [{"length": r["length"], "counts": " ".join(map(str, r["counts"]))} for r in rle]
    forms = [
        {"ins": rle, "conf": [np.float32(s) for s in scores]},
        {"ins": text, "conf": scores.tolist()},
        {"ins": torch.tensor(masks), "conf": torch.tensor(scores)},
        {"ins": [m.astype(np.uint8) for m in masks], "conf": [torch.tensor(s) for s in scores]},
        {"pred_masks": masks.T.astype(np.float32), "pred_scores": scores, "pred_classes": np.arange(len(scores))},
    ]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "room.pth"
        for form in forms:
            torch.save(form, path)
            assert_read(path, masks, scores)


@needs_torch
def test_arrays_of_numpy_1_are_read_and_other_functions_of_it_are_not(tmp_path):
    """Protocol 2 writes names as text, so those of NumPy 1 and of others can be put in."""
    import torch

    held = {"ins": MASKS.astype(np.uint8), "conf": SCORES}
    old = pickle.dumps(held, protocol=2).replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
    assert b"numpy.core.multiarray\n_reconstruct" in old
    torch.save(held, tmp_path / "room.pth")
    with zipfile.ZipFile(tmp_path / "room.pth") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def rewritten(data: bytes) -> Path:
        with zipfile.ZipFile(tmp_path / "room.pth", "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, data if name.endswith("data.pkl") else part)
        return tmp_path / "room.pth"

    assert_read(rewritten(old))
    with pytest.raises(InputError, match="could run code"):
        read_network_masks(rewritten(old.replace(b"\n_reconstruct\n", b"\nfromfile\n")))


def test_run_lengths_count_from_one():
    told = run_lengths(np.array([1, 1, 0, 0, 1], bool))
    assert told["length"] == 5
    assert told["counts"].tolist() == [1, 2, 5, 1]


@needs_torch
def test_a_network_that_found_nothing(tmp_path):
    import torch

    torch.save({"ins": [], "conf": []}, tmp_path / "a.pth")
    assert len(read_network_masks(tmp_path / "a.pth")) == 0
    np.savez(tmp_path / "a.npz", masks=np.zeros((0, N)), scores=[])
    assert read_network_masks(tmp_path / "a.npz").member.shape == (0, N)
    (tmp_path / "a.txt").write_text("\n")
    assert len(read_network_masks(tmp_path / "a.txt")) == 0


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@needs_torch
@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_would_run_code_is_refused(tmp_path, zipped):
    import torch

    path, mark = tmp_path / "a.pth", tmp_path / "was here"
    held = {"ins": Hostile(mark), "conf": [0.5]}
    if zipped:
        torch.save(held, path)
    else:
        path.write_bytes(pickle.dumps(held))
    with pytest.raises(InputError, match=r"a\.pth"):
        read_network_masks(path)
    assert not mark.exists()


def test_an_npz_that_would_run_code_is_refused(tmp_path):
    mark = tmp_path / "was here"
    np.savez(tmp_path / "a.npz", masks=np.array([Hostile(mark)], object), scores=SCORES)
    with pytest.raises(InputError, match="damaged"):
        read_network_masks(tmp_path / "a.npz")
    assert not mark.exists()


def test_pth_without_torch_names_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "a.pth").write_bytes(b"")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed: pip install torch, or store it as \.npz"):
        read_network_masks(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores": [0.9, np.nan, 0.2]}, "score of mask 1 is nan; expected a number from 0 to 1"),
        ({"scores": [0.9, 1.5, 0.2]}, "score of mask 1 is 1.5"),
        ({"scores": [0.9, 0.1]}, "3×5 come with 2 scores"),
        ({"masks": 2 * MASKS}, "matrix of 0 and 1"),
        ({"masks": np.where(MASKS, np.nan, 0)}, "matrix of 0 and 1"),
        ({"masks": MASKS[0]}, r"shape \(5,\)"),
        ({"masks": np.eye(3)}, "either way"),
        ({"scores": ["a", "b", "c"]}, "cannot be read"),
        ({"points": np.zeros((4, 3))}, r"shape \(4, 3\); expected 5×3"),
        ({"points": np.full((5, 3), np.inf)}, "NaN or infinite"),
        ({"masks": None}, "no masks .* but scores"),
        ({"indptr": [0, 1, 2, 9], "indices": [0, 1], "shape": [3, 5]}, "sparse masks are damaged"),
        ({"indptr": [0, 1, 1, 1], "indices": [7], "shape": [3, 5]}, "sparse masks are damaged"),
    ],
)
def test_npz_that_do_not_fit(tmp_path, changes, words):
    held = {"masks": MASKS, "scores": SCORES, **changes}
    np.savez(tmp_path / "a.npz", **{name: value for name, value in held.items() if value is not None})
    with pytest.raises(InputError, match=words) as told:
        read_network_masks(tmp_path / "a.npz")
    assert "a.npz" in str(told.value)


@needs_torch
@pytest.mark.parametrize(
    ("held", "words"),
    [
        ([1, 2], "holds a list"),
        ({"ins": [{"length": 5, "counts": [4, 3]}], "conf": [0.5]}, "leave the 5 points"),
        ({"ins": [{"length": 5, "counts": [0, 1]}], "conf": [0.5]}, "leave the 5 points"),
        ({"ins": [{"length": 5, "counts": [1]}], "conf": [0.5]}, "lack their partner"),
        ({"ins": [{"counts": [1, 1]}], "conf": [0.5]}, "cannot be read"),
        ({"ins": [[0, 1], [1, 0, 1]], "conf": [0.5, 0.5]}, "different lengths: 2, 3"),
        ({"weights": 3}, "but weights"),
    ],
)
def test_pth_that_do_not_fit(tmp_path, held, words):
    import torch

    torch.save(held, tmp_path / "a.pth")
    with pytest.raises(InputError, match=words):
        read_network_masks(tmp_path / "a.pth")


@needs_torch
def test_a_pth_that_is_cut_off(tmp_path):
    import torch

    torch.save({"ins": torch.tensor(MASKS), "conf": SCORES}, tmp_path / "a.pth")
    whole = (tmp_path / "a.pth").read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 30):
        (tmp_path / "a.pth").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"a\.pth"):
            read_network_masks(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pred_mask/room_0.txt 3", "line 1: .*expected 'mask file, label, score'"),
        ("pred_mask/room_0.txt 3 high", "expected 'mask file, label, score'"),
        ("pred_mask/room_9.txt 3 0.5", "room_9.txt: No such file"),
        ("../secret.txt 3 0.5", "outside of its folder"),
        ("/etc/passwd 3 0.5", "outside of its folder"),
        ("room.txt 3 0.5", "other than 0 and 1"),
        ("pred_mask/room_0.txt 3 nan", "score of mask 0 is nan"),
    ],
)
def test_text_that_does_not_fit(tmp_path, line, words):
    path = write_text(tmp_path)
    path.write_text(line)
    with pytest.raises(InputError, match=words):
        read_network_masks(path)


def test_what_is_no_file_of_masks(tmp_path):
    with pytest.raises(InputError, match=r"unknown kind; expected \.npz, \.pth, \.pt, \.txt"):
        read_network_masks(tmp_path / "a.ply")
    with pytest.raises(InputError, match="do not exist"):
        read_network_masks(tmp_path / "a.npz")
