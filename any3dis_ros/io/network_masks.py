"""Proposals of a supervised 3D network from the files that networks and their evaluators write.

| file | content |
| --- | --- |
| `.npz` | `masks` K×N or N×K of 0 and 1, or a sparse matrix as SciPy saves it; `scores` K; perhaps `points` N×3 |
| `.pth`, `.pt` | a dictionary: `ins` and `conf` (ISBNet, Open3DIS) or `pred_masks` and `pred_scores` (Mask3D) |
| `.txt` | ScanNet's benchmark: `mask file, label, score` a line, each mask one 0 or 1 a line |

The names are taken from each other's formats too; `points` (metres, map frame) may stand in a `.pth` as well. Classes
are not used: the method knows none.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.errors import InputError
from any3dis_ros.io.archive import read_arrays
from any3dis_ros.scene.network_masks import NetworkMasks

_MASKS, _SCORES = ("masks", "ins", "pred_masks"), ("scores", "conf", "pred_scores")


def read_network_masks(path: Path) -> NetworkMasks:
    """Read the masks of a file with their scores, and the points under them where the file holds them.

    Raises:
        InputError: another kind of file, one that is missing or damaged, holds objects that could run code, needs
            torch where there is none, lacks masks or scores; masks that do not fit their scores or each other.
    """
    readers = {".npz": _from_npz, ".pth": _from_torch, ".pt": _from_torch, ".txt": _from_text}
    if path.suffix.lower() not in readers:
        raise InputError(f"the proposals {path} are of an unknown kind; expected {', '.join(readers)}")
    if not path.is_file():
        raise InputError(f"the proposals {path} do not exist")
    try:
        return readers[path.suffix.lower()](path)
    except InputError as error:
        raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return a mask (N bool) as ISBNet stores it: its length, and first point (from 1) and length of every run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return {"length": len(mask), "counts": np.stack([edges[::2] + 1, edges[1::2] - edges[::2]], 1).ravel()}


def _from_npz(path: Path) -> NetworkMasks:
    found = read_arrays(path, "NPZ of masks and scores")
    if "indptr" in found:
        return _checked({**found, "masks": _sparse(found)})
    return _checked(found)


def _from_torch(path: Path) -> NetworkMasks:
    if importlib.util.find_spec("torch") is None:
        raise InputError(f"{path} is a file of torch, which is not installed: pip install torch, or store it as .npz")
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_only()):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} holds more than tensors, NumPy arrays and numbers, which could run code, and is not loaded; "
            "store the masks as .npz"
        ) from error
    except (RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError, OSError) as error:
        raise InputError(f"{path} is no file of torch, or is damaged ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds a {type(found).__name__}; expected a dictionary with 'ins' and 'conf'")
    return _checked({str(name): value for name, value in found.items()})


def _numpy_only() -> list[Any]:
    """Return what a pickle needs to make NumPy arrays and numbers, by its names in versions 1 and 2, and no more.

    Names beside the objects need torch 2.6.
    """
    makers: tuple[Any, ...] = (np.zeros(1).__reduce__()[0], np.float32(0).__reduce__()[0])
    named = [(m, f"numpy.{core}.multiarray.{m.__name__}") for m in makers for core in ("core", "_core")]
    kinds = {type(np.dtype(kind)) for kind in ("?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8")}
    return [bytes, np.ndarray, np.dtype, *named, *kinds]


def _from_text(path: Path) -> NetworkMasks:
    rows, scores = [], []
    for number, line in enumerate(_text(path).decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.rsplit(maxsplit=2)
        try:
            scores.append(float(parts[2]))
        except (IndexError, ValueError):
            raise InputError(f"{path}, line {number}: {line[:80]!r}; expected 'mask file, label, score'") from None
        mask = (path.parent / parts[0]).resolve()
        if not mask.is_relative_to(path.parent.resolve()):
            raise InputError(f"{path}, line {number}: {parts[0]!r} lies outside of its folder; move it there")
        values = np.array(_text(mask).split())
        if not np.isin(values, (b"0", b"1")).all():
            raise InputError(f"the mask {mask} holds other than 0 and 1, one a line")
        rows.append(values == b"1")
    return _checked({"masks": rows, "scores": np.array(scores, np.float64)})


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _checked(found: Mapping[str, Any]) -> NetworkMasks:
    """Make masks of what a file holds."""
    masks, scores = (next((found[n] for n in names if n in found), None) for names in (_MASKS, _SCORES))
    if masks is None or scores is None:
        held = ", ".join(sorted(found)) or "nothing"
        raise InputError(f"there are no masks ({', '.join(_MASKS)}) or no scores ({', '.join(_SCORES)}), but {held}")
    try:
        score = np.array([float(s) for s in scores], np.float64)
        points = None if found.get("points") is None else np.asarray(found["points"], np.float64)
        member = masks if sparse.issparse(masks) else _rows(masks)
    except InputError:
        raise
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise InputError(f"masks, scores or points cannot be read as such ({error})") from error
    return NetworkMasks(_oriented(member, len(score)), score, points)


def _rows(masks: Any) -> sparse.csr_matrix:
    """Return the masks, a matrix or a sequence of rows or run lengths, as a sparse matrix."""
    if isinstance(masks, Sequence):
        rows = [_decoded(m) if isinstance(m, Mapping) else np.asarray(m) for m in masks]
        lengths = {r.shape for r in rows}
        if len(lengths) > 1:
            raise InputError(f"the masks have different lengths: {', '.join(str(s[0]) for s in sorted(lengths))}")
        masks = np.stack(rows) if rows else np.zeros((0, 0), bool)
    dense = np.asarray(masks)
    if dense.ndim != 2 or not np.isin(dense, (0, 1)).all():
        raise InputError(f"masks of shape {dense.shape} and type {dense.dtype}; expected a matrix of 0 and 1")
    return sparse.csr_matrix(dense.astype(bool))


def _decoded(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return the mask that ISBNet's run lengths stand for."""
    length, counts = int(rle["length"]), rle["counts"]
    counts = np.array(counts.split() if isinstance(counts, str) else counts, np.int64)
    first, run = counts[::2] - 1, counts[1::2]
    if len(first) != len(run) or (first < 0).any() or (run < 0).any() or (first + run > length).any():
        raise InputError(f"run lengths that leave the {length} points of their mask, or lack their partner")
    step = np.zeros(length + 1, np.int64)
    np.add.at(step, first, 1)
    np.add.at(step, first + run, -1)
    return np.cumsum(step)[:-1] > 0


def _sparse(found: Mapping[str, NDArray[Any]]) -> sparse.csr_matrix:
    """Return the matrix of `scipy.sparse.save_npz` (CSR or CSC); `data` may be left out: ones."""
    try:
        make = (
            sparse.csc_matrix if found.get("format", np.array("csr")).item() in ("csc", b"csc") else sparse.csr_matrix
        )
        data = found.get("data", np.ones(len(found["indices"]), bool))
        matrix = make((data, found["indices"], found["indptr"]), shape=tuple(found["shape"].tolist()))
        matrix.check_format(full_check=True)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"the sparse masks are damaged ({error}); expected indptr, indices and shape") from error
    if not np.isin(matrix.data, (0, 1)).all():
        raise InputError("the sparse masks hold other values than 0 and 1")
    matrix = sparse.csr_matrix(matrix.astype(bool))
    matrix.eliminate_zeros()
    return matrix


def _oriented(masks: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    """Return K×N of masks that may be N×K, which the number of scores tells."""
    rows, columns = masks.shape
    if rows == columns == count and count:
        raise InputError(f"{count} masks on {count} points may lie either way; append an empty mask with score 0")
    if count not in masks.shape:
        raise InputError(f"masks of shape {rows}×{columns} come with {count} scores; expected one score a mask")
    return masks if rows == count else sparse.csr_matrix(masks.T)
