"""Tiny scenes in the exact layouts of public data sets, written by the tests themselves."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import lz4.block
import numpy as np
from boxes import POST
from numpy.typing import NDArray
from recordings import HEIGHT, WIDTH, K, color_image, depth_image
from scipy.spatial.transform import Rotation

from any3dis_ros.scene.frames import Camera, Frame

LOST = np.full((4, 4), -np.inf)
MATRIX = np.array([[K[0], 0, K[2], 0], [0, K[1], K[3], 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float64)


def pose(n: int) -> NDArray[np.float64]:
    """Camera `n` at x = n / 10 metres, looking along map y (optical axes)."""
    T = np.eye(4)
    T[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    T[0, 3] = n / 10
    return T


def small_frames(count: int, width: int = WIDTH, height: int = HEIGHT) -> list[Frame]:
    """Frames that tell their numbers, at `pose(n)`."""
    camera = Camera(WIDTH, HEIGHT, MATRIX).resized(width, height)
    return [
        Frame(n, color_image(n, width, height), depth_image(n, width, height), camera, pose(n), str(n))
        for n in range(count)
    ]


def encoded(image: NDArray[Any], suffix: str = ".png") -> bytes:
    """Return a PNG or JPEG of RGB or of 16-bit depth."""
    return cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image)[1].tobytes()


def sens_bytes(
    frames: Sequence[Frame],
    version: int = 4,
    units: float = 1000.0,
    kinds: tuple[int, int] = (1, 1),
    poses: dict[int, NDArray[np.float64]] | None = None,
    extrinsics: tuple[NDArray[np.float64], NDArray[np.float64]] = (np.eye(4), np.eye(4)),
    depth: tuple[Camera, Callable[[int], NDArray[np.uint16]]] | None = None,
    count: int | None = None,
) -> bytes:
    """A .sens file: `kinds` are the compressions of colour (0 raw, 1 png, 2 jpeg) and depth (0 raw, 1 zlib).

    `depth` has a camera and images of its own; `count` is the number of frames that the header claims.
    """
    camera = frames[0].camera
    depth_camera, depth_of = depth or (camera, lambda n: frames[n].depth)
    color_K, depth_K = np.eye(4), np.eye(4)
    color_K[:3, :3], depth_K[:3, :3] = camera.K, depth_camera.K
    name = b"StructureSensor"
    matrices = np.stack([color_K, extrinsics[0], depth_K, extrinsics[1]]).astype("<f4")
    out = struct.pack("<IQ", version, len(name)) + name + matrices.tobytes() + struct.pack("<2i", *kinds)
    out += struct.pack("<4I", camera.width, camera.height, depth_camera.width, depth_camera.height)
    out += struct.pack("<fQ", units, len(frames) if count is None else count)
    for n, frame in enumerate(frames):
        color = {0: frame.color.tobytes, 1: lambda f=frame: encoded(f.color)}.get(
            kinds[0], lambda f=frame: encoded(f.color, ".jpg")
        )()
        packed = np.rint(depth_of(n) * (units / 1000)).astype("<u2").tobytes()
        packed = zlib.compress(packed) if kinds[1] == 1 else packed
        T = (poses or {}).get(n, frame.T_map_camera)
        out += np.asarray(T, "<f4").tobytes() + struct.pack("<4Q", 33_000 * n, 33_000 * n, len(color), len(packed))
        out += color + packed
    return out + struct.pack("<Q", 0)  # no IMU


def write_replica(root: Path, frames: Sequence[Frame], units: float = 6553.5) -> Path:
    """One scene `office0` below `root`, with the camera file and a mesh beside it."""
    scene = root / "office0"
    (scene / "results").mkdir(parents=True)
    for n, f in enumerate(frames):
        (scene / "results" / f"frame{n:06d}.jpg").write_bytes(encoded(f.color, ".jpg"))
        scaled = np.rint(f.depth * (units / 1000)).astype(np.uint16)
        (scene / "results" / f"depth{n:06d}.png").write_bytes(encoded(scaled))
    lines = [" ".join(f"{v:.18e}" for v in f.T_map_camera.ravel()) for f in frames]
    (scene / "traj.txt").write_text("\n".join(lines) + "\n")
    c = frames[0].camera
    camera = {"w": c.width, "h": c.height, "fx": c.K[0, 0], "fy": c.K[1, 1], "cx": c.K[0, 2], "cy": c.K[1, 2]}
    (root / "cam_params.json").write_text(json.dumps({"camera": {**camera, "scale": units}}))
    return scene


def write_tum(root: Path, frames: Sequence[Frame], start: float = 1305031102.0) -> Path:
    """A sequence at 10 Hz; depth 7 ms after colour, poses at 20 Hz, one after the last colour."""
    for name in ("rgb", "depth"):
        (root / name).mkdir(parents=True)
    lists: dict[str, list[str]] = {"rgb": ["# color images", "# timestamp filename"], "depth": ["# depth maps"]}
    for n, f in enumerate(frames):
        for kind, lag, image in (("rgb", 0.0, f.color), ("depth", 0.007, (f.depth * 5).astype(np.uint16))):
            stamp = f"{start + n / 10 + lag:.6f}"
            (root / kind / f"{stamp}.png").write_bytes(encoded(image))
            lists[kind].append(f"{stamp} {kind}/{stamp}.png")
    for kind, lines in lists.items():
        (root / f"{kind}.txt").write_text("\n".join(lines) + "\n")
    half = np.sqrt(0.5)  # pose(n): a quarter turn about x
    truth = [f"{start + n / 20:.4f} {n / 20:.4f} 0 0 {-half:.10f} 0 0 {half:.10f}" for n in range(2 * len(frames))]
    (root / "groundtruth.txt").write_text("# timestamp tx ty tz qx qy qz qw\n" + "\n".join(truth) + "\n")
    return root


def write_iphone(scene: Path, frames: Sequence[Frame], first: int = 0, step: int = 1) -> Path:
    """Extracted frames `first`, `first` + `step`, … of a ScanNet++ iPhone; returns the scene's folder."""
    folder = scene / "iphone"
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    records = {}
    for i, f in enumerate(frames):
        name = f"frame_{first + i * step:06d}"
        (folder / "rgb" / f"{name}.jpg").write_bytes(encoded(f.color, ".jpg"))
        (folder / "depth" / f"{name}.png").write_bytes(encoded(f.depth))
        records[name] = iphone_record(f, i)
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps(records))
    return scene


def write_colmap(folder: Path, camera: Camera, model: str, more: Sequence[float], poses: dict[str, Any]) -> Path:
    """A COLMAP model in text form; the second image has no points, so that its second line is empty."""
    folder.mkdir(parents=True)
    K = camera.K
    numbers = [K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, *more]
    numbers = numbers[1:] if model.startswith("SIMPLE") else numbers
    line = " ".join(map(repr, map(float, numbers)))
    (folder / "cameras.txt").write_text(f"# Camera list\n7 {model} {camera.width} {camera.height} {line}\n")
    lines = ["# Image list with two lines of data per image:"]
    for k, (name, T) in enumerate(poses.items()):
        inverse = np.linalg.inv(T)
        x, y, z, w = Rotation.from_matrix(inverse[:3, :3]).as_quat()
        values = " ".join(f"{v:.12f}" for v in (w, x, y, z, *inverse[:3, 3]))
        lines += [f"{k + 1} {values} 7 {name}", "" if k == 1 else "10.5 20.5 -1 11.5 21.5 4"]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    return folder


def iphone_record(frame: Frame, second: int) -> dict[str, Any]:
    """What pose_intrinsic_imu.json says of one frame."""
    elsewhere = np.diag([1.0, -1, -1, 1]).tolist()  # ARKit's own world, which is not the scan's
    aligned = frame.T_map_camera.tolist()
    intrinsic = frame.camera.K.tolist()
    return {"timestamp": 12.5 + second, "pose": elsewhere, "aligned_pose": aligned, "intrinsic": intrinsic, "imu": {}}


def depth_bin(images: Sequence[NDArray[np.uint16]], packing: str) -> bytes:
    """depth.bin of 192×256 millimetre images: "lz4", "deflate" (both frame by frame) or "stream" (all in one)."""
    if packing == "stream":
        return _deflate(b"".join((d / np.float32(1000)).astype("<f4").tobytes() for d in images))
    out = b""
    for d in images:
        if packing == "lz4":
            block = lz4.block.compress(d.astype("<u2").tobytes(), store_size=False)
        else:
            block = _deflate((d / np.float32(1000)).astype("<f4").tobytes())
        out += len(block).to_bytes(4, "little") + block
    return out


def write_dslr(scene: Path, camera: Camera, poses: dict[str, NDArray[np.float64]], bad: Sequence[str] = ()) -> Path:
    """Grey photos with poses in nerfstudio's axes, and the post of the two-box scene as mesh; returns the scene."""
    folder = scene / "dslr"
    (folder / "resized_undistorted_images").mkdir(parents=True)
    (folder / "nerfstudio").mkdir()
    frames = []
    for name, T in poses.items():
        grey = np.full((camera.height, camera.width, 3), 90, np.uint8)
        (folder / "resized_undistorted_images" / name).write_bytes(encoded(grey, ".jpg"))
        turned = T.copy()
        turned[:3, 1:3] *= -1  # the toolkit's way from COLMAP to nerfstudio
        turned = turned[[1, 0, 2, 3]]
        turned[2] *= -1
        frames.append({"file_path": name, "transform_matrix": turned.tolist(), "is_bad": name in bad})
    K = camera.K
    about = {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2] + 0.5, "cy": K[1, 2] + 0.5, "k1": 0.0, "k2": 0.0}
    about |= {"w": camera.width, "h": camera.height, "camera_model": "PINHOLE"}
    text = json.dumps({**about, "frames": frames[:-1], "test_frames": frames[-1:]})
    (folder / "nerfstudio" / "transforms_undistorted.json").write_text(text)
    write_box_mesh(scene / "scans" / "mesh_aligned_0.05.ply", [POST])
    return scene


def write_box_mesh(path: Path, boxes: Sequence[tuple[NDArray, NDArray]], halvings: Sequence[int] = ()) -> list[int]:
    """Write the surfaces of boxes (low, high) as one mesh; returns how many vertices each has.

    Edges are halved as often as `halvings` says for each box: n times give 2 + 6 · 4ⁿ vertices.
    """
    import open3d as o3d

    whole, counts = o3d.geometry.TriangleMesh(), []
    for index, (low, high) in enumerate(boxes):
        box = o3d.geometry.TriangleMesh.create_box(*(high - low)).translate(low)
        if halvings:
            box = box.subdivide_midpoint(halvings[index])
        counts.append(len(box.vertices))
        whole += box
    whole.paint_uniform_color([0.5, 0.5, 0.5])
    path.parent.mkdir(parents=True, exist_ok=True)
    o3d.io.write_triangle_mesh(str(path), whole)
    return counts


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
