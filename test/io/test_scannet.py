import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import HEIGHT, WIDTH, K, color_image, depth_image, write_folder, write_frame

from any3dis_ros.config import InputConfig, KeyframeConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.scenes import read_scene

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "scene")


def names(path: Path, **options: object) -> list[str]:
    return [f.name for f in read_scene(path, ReadOptions(**options)).frames]


def test_all_frames_in_numeric_order_with_their_content(folder):
    recording = read_scene(folder)
    assert [f.name for f in recording.frames] == [str(n) for n in range(12)]
    assert recording.counts == {}
    frame = recording.frames[10]
    assert np.array_equal(frame.color, color_image(10))
    assert np.array_equal(frame.depth, depth_image(10))
    assert np.allclose(frame.T_map_camera[:3, 3], (1.0, 0, 0))
    assert np.allclose(frame.camera.K[[0, 1, 0, 1], [0, 1, 2, 2]], K)
    assert [f.stamp_ns for f in recording.frames] == sorted(f.stamp_ns for f in recording.frames)


def test_strides_of_folders_are_their_own(folder):
    assert len(read_scene(folder, config=KeyframeConfig(stride=10)).frames) == 12
    assert len(read_scene(folder, config=KeyframeConfig(folder_stride=5)).frames) == 3
    assert names(folder, stride=4) == ["0", "4", "8"]


def test_jpeg_zero_padded_names_and_3x3_intrinsics(tmp_path):
    root = write_folder(tmp_path / "scene", 3)
    for file in [*root.glob("color/*"), *root.glob("depth/*"), *root.glob("pose/*")]:
        file.rename(file.with_name(f"{int(file.stem):06d}{file.suffix}"))
    for file in root.glob("color/*.png"):
        cv2.imwrite(str(file.with_suffix(".jpg")), cv2.imread(str(file)))
        file.unlink()
    (root / "intrinsic" / "intrinsic_depth.txt").write_text("30 0 15.5\n0 30 11.5\n0 0 1\n")
    recording = read_scene(root)
    assert [f.name for f in recording.frames] == ["000000", "000001", "000002"]
    assert recording.frames[0].camera.K[0, 0] == 30


def test_larger_colour_comes_onto_the_grid_of_depth(tmp_path):
    root = write_folder(tmp_path / "scene", 2)
    big = np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)
    big[:, WIDTH:] = 255
    for n in range(2):
        write_frame(root, n, color=big)
    color_matrix = np.diag([60.0, 60.0, 1.0, 1.0])
    np.savetxt(root / "intrinsic" / "intrinsic_color.txt", color_matrix)
    frame = read_scene(root).frames[0]
    assert frame.color.shape == (HEIGHT, WIDTH, 3)
    assert (frame.color[:, : WIDTH // 2] == 0).all()
    assert (frame.color[:, WIDTH // 2 :] == 255).all()
    assert frame.camera.K[0, 0] == 30


def test_colour_intrinsics_scaled_where_those_of_depth_are_missing(tmp_path):
    root = write_folder(tmp_path / "scene", 1)
    (root / "intrinsic" / "intrinsic_depth.txt").unlink()
    write_frame(root, 0, color=np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8))
    np.savetxt(root / "intrinsic" / "intrinsic_color.txt", [[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
    K_depth = read_scene(root).frames[0].camera.K
    assert np.allclose(K_depth, [[30, 0, 15.5], [0, 30, 11.5], [0, 0, 1]])


def test_given_intrinsics_replace_the_files(folder):
    shutil.rmtree(folder / "intrinsic")
    with pytest.raises(InputError, match="fx fy cx cy"):
        read_scene(folder)
    frame = read_scene(folder, ReadOptions(intrinsics=(40, 41, 15, 11))).frames[0]
    assert np.allclose(frame.camera.K, [[40, 0, 15], [0, 41, 11], [0, 0, 1]])


def test_wide_images_are_reduced(folder):
    frame = read_scene(folder, ReadOptions(input=InputConfig(max_width_px=64))).frames[0]
    assert frame.depth.shape == (HEIGHT, WIDTH)
    big = write_folder(folder.parent / "big", 1)
    write_frame(big, 0, np.full((240, 320, 3), 7, np.uint8), np.full((240, 320), 1234, np.uint16))
    np.savetxt(big / "intrinsic" / "intrinsic_depth.txt", [[300, 0, 159.5], [0, 300, 119.5], [0, 0, 1]])
    frame = read_scene(big, ReadOptions(input=InputConfig(max_width_px=64))).frames[0]
    assert frame.depth.shape == (48, 64)
    assert (frame.depth == 1234).all()
    assert frame.camera.K[0, 0] == pytest.approx(60)


BAD_POSES = [
    (None, "pose missing", ""),
    ("-inf " * 16, "pose not finite (tracking lost)", ""),
    ("1 0 0", "pose unreadable", ": 3 numbers, expected the 16 of a 4×4 matrix"),
    ("one", "pose unreadable", ": could not convert string to float: 'one'"),
    (
        "2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1",
        "pose not rigid",
        ": the pose of 5.txt is not rigid (|R Rᵀ - I| = 3, det 8.00); expected a rotation and a translation",
    ),
]


@pytest.mark.parametrize(("text", "why", "detail"), BAD_POSES)
def test_one_frame_without_a_good_pose_is_left_out_and_counted(folder, text, why, detail, caplog):
    file = folder / "pose" / "5.txt"
    file.unlink() if text is None else file.write_text(text)
    with caplog.at_level(logging.WARNING):
        recording = read_scene(folder)
    assert recording.counts == {why: 1}
    assert "5" not in [f.name for f in recording.frames]
    assert len(recording.frames) == 11
    assert [r.getMessage() for r in caplog.records] == [f"{folder}: 1 × {why} (frame 5{detail})"]


def test_nan_pose(folder):
    (folder / "pose" / "5.txt").write_text("nan " * 16)
    assert read_scene(folder).warnings == ["1 × pose not finite (tracking lost)"]


def test_all_poses_missing(folder):
    for file in (folder / "pose").iterdir():
        file.write_text("-inf " * 16)
    with pytest.raises(InputError, match=r"no usable frame: 12 × pose not finite \(tracking lost\) \(frame 0\)"):
        read_scene(folder)


@pytest.mark.parametrize("kind", ["color", "depth"])
def test_truncated_png(folder, kind):
    file = folder / kind / "5.png"
    file.write_bytes(file.read_bytes()[:-30])
    recording = read_scene(folder)
    assert recording.counts == {"damaged image": 1}
    assert len(recording.frames) == 11


def test_an_empty_image_file(folder):
    (folder / "depth" / "5.png").write_bytes(b"")
    assert read_scene(folder).counts == {"damaged image": 1}


def test_a_frame_that_is_left_out_does_not_take_the_turn_of_the_stride(folder):
    (folder / "pose" / "4.txt").unlink()
    assert names(folder, stride=4) == ["0", "5", "9"]


def test_depth_all_zero(folder):
    write_frame(folder, 5, depth=np.zeros((HEIGHT, WIDTH), np.uint16))
    assert read_scene(folder).counts == {"depth all zero": 1}
    for n in range(12):
        write_frame(folder, n, depth=np.zeros((HEIGHT, WIDTH), np.uint16))
    with pytest.raises(InputError, match="12 × depth all zero"):
        read_scene(folder)


def test_one_depth_image_of_another_size(folder):
    write_frame(folder, 5, depth=np.ones((HEIGHT // 2, WIDTH // 2), np.uint16))
    assert read_scene(folder).counts == {"depth of another size": 1}


def test_colour_of_another_shape_than_depth(folder):
    for n in range(12):
        write_frame(folder, n, color=np.zeros((HEIGHT, HEIGHT, 3), np.uint8))
    with pytest.raises(InputError, match="colour is 24×24 and depth 32×24"):
        read_scene(folder)
    write_frame(folder, 0)  # a frame that fits decides; the others are not stretched
    assert read_scene(folder).counts == {"colour of another shape": 11}


def test_intrinsics_of_another_size(folder):
    np.savetxt(folder / "intrinsic" / "intrinsic_depth.txt", [[577, 0, 320], [0, 577, 240], [0, 0, 1]])
    with pytest.raises(InputError, match="principal point 320, 240 lies outside"):
        read_scene(folder)


def test_eight_bit_depth(folder):
    cv2.imwrite(str(folder / "depth" / "0.png"), np.ones((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(InputError, match="expected one 16-bit channel, millimetres"):
        read_scene(folder)


@pytest.mark.parametrize("text", ["1 2 3", "a b c", "0 " * 16, "nan " * 9])
def test_unreadable_intrinsics(folder, text):
    (folder / "intrinsic" / "intrinsic_depth.txt").write_text(text)
    with pytest.raises(InputError, match=r"intrinsic_depth\.txt"):
        read_scene(folder)


def test_names_that_tell_the_kind_belong_together(folder):
    for kind in ("color", "depth", "pose"):
        for file in (folder / kind).iterdir():
            file.rename(file.with_name(f"frame-{int(file.stem):06d}.{kind}{file.suffix}"))
    recording = read_scene(folder)
    assert len(recording.frames) == 12
    assert recording.counts == {}
    assert recording.frames[7].T_map_camera[0, 3] == pytest.approx(0.7)


def test_names_that_are_no_numbers_are_taken_in_alphabetical_order(folder):
    for kind in ("color", "depth", "pose"):
        for file in (folder / kind).iterdir():
            file.rename(file.with_name(f"{'abcdefghijkl'[int(file.stem)]}{file.suffix}"))
    assert [f.name for f in read_scene(folder).frames] == list("abcdefghijkl")


@pytest.mark.parametrize("pixels", ["grey", "16 bit", "alpha"])
def test_colour_of_other_pixel_kinds(folder, pixels):
    bgr = np.full((HEIGHT, WIDTH, 3), (30, 60, 90), np.uint8)
    image = {"grey": bgr[..., 0], "16 bit": bgr.astype(np.uint16) * 257, "alpha": np.dstack([bgr, bgr[..., 0]])}[pixels]
    cv2.imwrite(str(folder / "color" / "0.png"), image)
    expected = (30, 30, 30) if pixels == "grey" else (90, 60, 30)
    assert read_scene(folder).frames[0].color[3, 4].tolist() == list(expected)


def test_images_without_partner_are_counted(folder):
    (folder / "color" / "3.png").unlink()
    (folder / "depth" / "7.png").unlink()
    assert read_scene(folder).counts == {"colour or depth image missing": 2}


@pytest.mark.parametrize("name", ["color", "depth", "pose"])
def test_a_part_of_the_layout_is_missing_or_empty(folder, name):
    shutil.rmtree(folder / name)
    with pytest.raises(InputError, match=f"has no folder '{name}'"):
        read_scene(folder)
    (folder / name).mkdir()
    with pytest.raises(InputError, match=r"expected .*, got none"):
        read_scene(folder)
    (folder / name / "0.tiff").write_bytes(b"")
    with pytest.raises(InputError, match=r"got files of kind \.tiff"):
        read_scene(folder)


def test_empty_strange_and_missing_folders(tmp_path):
    with pytest.raises(InputError, match="is empty"):
        read_scene(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="holds neither a recording nor a bag"):
        read_scene(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_scene(tmp_path / "nowhere")


def test_one_frame_only(tmp_path):
    assert len(read_scene(write_folder(tmp_path / "scene", 1)).frames) == 1


def test_progress_is_told_and_cancels(folder):
    told = []
    read_scene(folder, progress=lambda stage, done, total, instances=0: told.append((stage, done, total)))
    assert told == [("read", n, 12) for n in range(13)]

    def cancel(stage, done, total, instances=0):
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_scene(folder, progress=cancel)


@pytest.mark.parametrize(("scene", "count"), [("redkitchen", 60), ("apc_bin", 15), ("room32", 40), ("tabletop31", 20)])
def test_real_layouts(scene, count):
    if not (DATA / scene).is_dir():
        pytest.skip(f"the development scene {scene} is not on this machine")
    recording = read_scene(DATA / scene)
    assert len(recording.frames) == count
    assert recording.counts == {}
    assert all(f.color.shape == (480, 640, 3) for f in recording.frames)
