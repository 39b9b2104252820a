import contextlib

import numpy as np
import pytest
from dataset_scenes import pose, small_frames, write_tum
from hypothesis import given
from hypothesis import strategies as st
from recordings import color_image, depth_image

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets import tum
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.scenes import read_scene

ALL = KeyframeConfig(stride=1)


def sequence(tmp_path, count=3, name="rgbd_dataset_freiburg3_office"):
    return write_tum(tmp_path / name, small_frames(count, tum.WIDTH, tum.HEIGHT))


def test_images_are_paired_and_posed_by_stamp(tmp_path):
    recording = read_scene(sequence(tmp_path), config=ALL)
    assert [f.stamp_ns for f in recording.frames] == [1305031102_000000000 + n * 100_000_000 for n in range(3)]
    for n, frame in enumerate(recording.frames):
        assert np.array_equal(frame.color, color_image(n, 640, 480))
        assert np.array_equal(frame.depth, depth_image(n, 640, 480))  # 5000 units a metre
        assert np.allclose(frame.T_map_camera, pose(n), atol=1e-6)
    assert recording.frames[0].camera.K[0].tolist() == [535.4, 0, 320.1]


def test_poses_are_interpolated_and_never_extrapolated(tmp_path):
    path = sequence(tmp_path)
    lines = (path / "groundtruth.txt").read_text().splitlines()
    del lines[3]  # the one at the second colour image; its neighbours are 50 ms away
    (path / "groundtruth.txt").write_text("\n".join(lines[:-2]))  # ends before the third
    recording = read_scene(path, config=ALL)
    assert len(recording.frames) == 2
    assert np.allclose(recording.frames[1].T_map_camera, pose(1), atol=1e-6)
    assert recording.counts == {"no pose: stamp outside TF": 1}


@pytest.mark.parametrize("number", [1, 2])
def test_distortion_is_taken_out_of_colour_and_depth_alike(tmp_path, number):
    path = sequence(tmp_path, 1, f"rgbd_dataset_freiburg{number}_desk")
    frame = read_scene(path, config=ALL).frames[0]
    (fx, fy, cx, cy), D = tum._CALIBRATED[number]
    # where the lens shows the point in the direction of pixel (600, 440) of the pinhole image
    x, y = (600 - cx) / fx, (440 - cy) / fy
    r2 = x * x + y * y
    radial = 1 + D[0] * r2 + D[1] * r2**2 + D[4] * r2**3
    u = fx * (x * radial + 2 * D[2] * x * y + D[3] * (r2 + 2 * x * x)) + cx
    assert abs(u - 600) > 2
    assert abs(int(frame.depth[440, 600]) - (1000 + u)) <= 1  # depth_image grows by 1 mm a column
    assert frame.camera.K[0].tolist() == [fx, 0, cx]


def test_given_intrinsics_stand_for_an_unknown_camera(tmp_path):
    path = sequence(tmp_path, 1, "my_desk")
    with pytest.raises(InputError, match=r"freiburg1, freiburg2 or freiburg3.*--intrinsics"):
        read_scene(path)
    frame = read_scene(path, ReadOptions(intrinsics=(525, 525, 319.5, 239.5)), ALL).frames[0]
    assert frame.camera.K[0].tolist() == [525, 0, 319.5]
    assert np.array_equal(frame.depth, depth_image(0, 640, 480))


def test_what_cannot_be_read_is_said(tmp_path):
    path = sequence(tmp_path, 2)
    truth = (path / "groundtruth.txt").read_text()
    for text, said in (
        ("# only a comment\n", "lists nothing"),
        ("1305031102.0 0 0\n", "line 1: 3 words, expected 8"),
        ("1305031102.0 0 0 zero 0 0 0 1\n", "'zero'"),
        ("yesterday 0 0 0 0 0 0 1\n", "'yesterday' is no stamp"),
        ("1305031102.0 0 0 0 0 0 0 0\n", "unit quaternion"),
    ):
        (path / "groundtruth.txt").write_text(text)
        with pytest.raises(InputError, match=said):
            read_scene(path)
    (path / "groundtruth.txt").write_text(truth)
    (path / "depth.txt").write_text("1305039999.0 depth/none.png\n")
    with pytest.raises(InputError, match=r"none of 2 colour and 1 depth images are within 0\.02 s"):
        read_scene(path)


def test_images_of_another_size_or_missing_cost_their_frames(tmp_path):
    path = sequence(tmp_path, 3)
    first, second, _ = sorted((path / "rgb").iterdir())
    first.unlink()
    second.write_bytes((path / "depth").glob("*.png").__next__().read_bytes()[:100])
    recording = read_scene(path, config=ALL)
    assert len(recording.frames) == 1
    assert recording.counts == {"damaged image": 2}


@given(st.integers(0, 2**62))
def test_stamps_are_exact_to_the_nanosecond(stamp):
    assert tum.nanoseconds(f"{stamp // 10**9}.{stamp % 10**9:09d}") == stamp


@given(st.text(alphabet="0123456789.eE+-nainf #", max_size=12))
def test_other_words_are_no_stamps(word):
    with contextlib.suppress(ValueError):
        assert tum.nanoseconds(word) / 1e9 == pytest.approx(float(word), abs=1e-9)
