"""What is written reads back: the bag by rosbags, the folder by plain readers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from scipy.spatial.transform import Rotation, Slerp

from any3dis_ros.scene.frames import invert
from benchmarks.make_sample import SAMPLE, make_sample
from benchmarks.make_scenes import make_scene, seeds
from benchmarks.rooms.bag_writer import COLOR, DEPTH, INFO, OPTICAL_FRAME, START_NS, T_map_odom, png16, write_bag
from benchmarks.rooms.capture import pinhole, prepare, shoot
from benchmarks.rooms.sensor import SensorModel

FRAMES = 5


def messages(bag: Path):
    with AnyReader([bag]) as reader:
        for connection, received, raw in reader.messages():
            yield connection.topic, received, reader.deserialize(raw, connection.msgtype)


def stamp_of(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def matrix(transform) -> np.ndarray:
    t, q = transform.translation, transform.rotation
    T = np.eye(4)
    T[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    T[:3, 3] = t.x, t.y, t.z
    return T


def interpolated(stamped: list, stamp: int) -> np.ndarray:
    """The transform at `stamp` between its neighbours: linear, slerp."""
    times = np.array([stamp_of(s) for s in stamped])
    k = int(np.searchsorted(times, stamp))
    assert 0 < k < len(times), "nothing may need extrapolation"
    a, b = matrix(stamped[k - 1].transform), matrix(stamped[k].transform)
    w = (stamp - times[k - 1]) / (times[k] - times[k - 1])
    T = np.eye(4)
    T[:3, :3] = Slerp([0, 1], Rotation.from_matrix([a[:3, :3], b[:3, :3]]))(w).as_matrix()
    T[:3, 3] = (1 - w) * a[:3, 3] + w * b[:3, 3]
    return T


@pytest.fixture(scope="module")
def bag(tmp_path_factory, run, tiny_camera):
    folder = tmp_path_factory.mktemp("bag") / "room"
    shots = list(shoot(run, tiny_camera, FRAMES))
    write_bag(folder, tiny_camera, run.path, shots, 95)
    return folder, shots, list(messages(folder))


def test_bag_has_the_topics_in_order(bag):
    folder, _, found = bag
    assert (folder / "metadata.yaml").is_file()
    assert {topic for topic, _, _ in found} == {COLOR, DEPTH, INFO, "/tf", "/tf_static"}
    received = [time for _, time, _ in found]
    assert received == sorted(received)
    for topic in (COLOR, DEPTH, INFO):
        stamps = [stamp_of(m) for t, _, m in found if t == topic]
        np.testing.assert_allclose(np.array(stamps) - START_NS, np.arange(FRAMES) / 30 * 1e9, atol=1)
        assert {m.header.frame_id for t, _, m in found if t == topic} == {OPTICAL_FRAME}


def test_bag_images_decode(bag, tiny_camera):
    _, shots, found = bag
    colors = [m for t, _, m in found if t == COLOR]
    depths = [m for t, _, m in found if t == DEPTH]
    infos = [m for t, _, m in found if t == INFO]
    for shot, color, depth, info in zip(shots, colors, depths, infos, strict=True):
        assert "jpeg" in color.format
        rgb = cv2.imdecode(color.data, cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(rgb.astype(int) - shot.color).mean() < 6
        assert depth.format == "16UC1; compressedDepth png"
        np.testing.assert_array_equal(cv2.imdecode(depth.data[12:], cv2.IMREAD_UNCHANGED), shot.depth)
        np.testing.assert_allclose(np.reshape(info.k, (3, 3)), tiny_camera.K)
        assert (info.width, info.height) == (tiny_camera.width, tiny_camera.height)


def test_bag_transforms_compose_to_the_true_pose(bag):
    _, shots, found = bag
    edges: dict[tuple[str, str], list] = {}
    for topic, _, message in found:
        for s in message.transforms if topic.startswith("/tf") else ():
            edges.setdefault((s.header.frame_id, s.child_frame_id), []).append(s)
    fixed = [("base_link", "camera_link"), ("camera_link", OPTICAL_FRAME)]
    assert set(edges) == {("map", "odom"), ("odom", "base_link"), *fixed}
    assert all(len(edges[e]) == 1 for e in fixed)
    rotation = matrix(edges[fixed[1]][0].transform)[:3, :3]
    np.testing.assert_allclose(rotation, [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-9)  # REP-103
    for shot in shots:
        stamp = START_NS + round(shot.time_s * 1e9)
        T = interpolated(edges["map", "odom"], stamp) @ interpolated(edges["odom", "base_link"], stamp)
        for e in fixed:
            T = T @ matrix(edges[e][0].transform)
        error = invert(T) @ shot.T_room_camera
        assert np.linalg.norm(error[:3, 3]) < 5e-4
        assert np.degrees(np.linalg.norm(Rotation.from_matrix(error[:3, :3]).as_rotvec())) < 0.05


def test_transforms_come_at_their_rates_and_the_odometry_drifts(bag, run):
    _, _, found = bag
    for child, rate in (("base_link", 50), ("odom", 30)):
        stamps = [
            stamp_of(m.transforms[0]) for t, _, m in found if t == "/tf" and m.transforms[0].child_frame_id == child
        ]
        np.testing.assert_allclose(np.diff(stamps) * 1e-9, 1 / rate, rtol=1e-6)
        assert stamps[0] < START_NS
        assert stamps[-1] > START_NS + run.path.duration * 1e9
    drift = invert(T_map_odom(0)) @ T_map_odom(10)
    assert 0.01 < np.linalg.norm(drift[:3, 3]) < 0.2
    step = invert(T_map_odom(0)) @ T_map_odom(1 / 30)
    assert np.linalg.norm(step[:3, 3]) < 2e-3


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (48, 64)])
def test_png16_reads_back(shape, rng):
    image = rng.integers(0, 65536, shape).astype(np.uint16)
    found = cv2.imdecode(np.frombuffer(png16(image), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, image)


def test_folder_reads_back_in_the_frame_of_its_truth(tmp_path):
    make_scene(tmp_path / "s", 3, 80, 60, 3)
    truth = np.load(tmp_path / "s" / "scene_gt.npz")
    assert truth["xyz"].dtype == np.float32
    assert truth["rgb"].dtype == np.uint8
    assert truth["instance"].dtype == np.int32
    assert truth["thing"].dtype == bool
    K = np.loadtxt(tmp_path / "s" / "intrinsic" / "intrinsic_depth.txt")
    assert K.shape == (4, 4)
    lookup = {tuple(c): i for c, i in zip(np.rint(truth["xyz"] / 0.02).astype(int), truth["instance"], strict=True)}
    exact = {s.index // 10: s for s in shoot(prepare(3, 30), pinhole(80, 60), 30, 10)}
    for n in range(3):
        T = np.loadtxt(tmp_path / "s" / "pose" / f"{n}.txt")
        np.testing.assert_allclose(T, exact[n].T_room_camera, atol=1e-7)
        ids = cv2.imread(str(tmp_path / "s" / "instance" / f"{n}.png"), cv2.IMREAD_UNCHANGED)
        depth = cv2.imread(str(tmp_path / "s" / "depth" / f"{n}.png"), cv2.IMREAD_UNCHANGED)
        assert ids.dtype == depth.dtype == np.uint16
        np.testing.assert_array_equal(depth, exact[n].depth)
        assert cv2.imread(str(tmp_path / "s" / "color" / f"{n}.jpg")).shape == (60, 80, 3)
        v, u = np.nonzero((exact[n].view.depth > 0.5) & (exact[n].view.depth < 4.9))
        z = exact[n].view.depth[v, u]
        p = np.stack([(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z], axis=1) @ T[:3, :3].T + T[:3, 3]
        found = np.array([lookup.get(tuple(c), -1) for c in np.rint(p / 0.02).astype(int)])
        same = found == ids[v, u]
        assert same.mean() > 0.95  # the rest shares its voxel with a more frequent instance


def test_sample_is_complete_and_small(tmp_path):
    size = make_sample(tmp_path, 3, 64, 48, 6, 70)
    assert 0 < size < 1
    assert (tmp_path / "room" / "metadata.yaml").is_file()
    assert len(np.load(tmp_path / "room_gt.npz")["xyz"]) > 1000


def test_shipped_sample_holds_ten_seconds_within_its_limit():
    if not (SAMPLE / "room").is_dir():
        pytest.skip("sample/ is not in this checkout; `python -m benchmarks.make_sample` writes it")
    files = [SAMPLE / "room_gt.npz", *(SAMPLE / "room").iterdir()]
    assert sum(f.stat().st_size for f in files) <= 8e6
    with AnyReader([SAMPLE / "room"]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
    assert counts[COLOR] == counts[DEPTH] == counts[INFO] >= 300


def test_seeds_are_parsed():
    assert seeds("1-3,7") == [1, 2, 3, 7]
    with pytest.raises(Exception, match="no seed"):
        seeds("one")


def test_a_stronger_sensor_is_documented_by_its_sigma():
    assert SensorModel(disparity_sigma=0.3).depth_sigma(2.0) < SensorModel().depth_sigma(2.0)
