from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from any3dis_ros.errors import InputError
from any3dis_ros.io.rosbag.calibration import lens_from_info, lens_from_intrinsics

W, H = 160, 120
K = np.array([[120.0, 0, 80], [0, 120, 60], [0, 0, 1]])


def info(d=(), size=(W, H), k=K, p=None, model="plumb_bob", roi=(0, 0, 0, 0)):
    P = np.hstack([K, np.zeros((3, 1))]) if p is None else p
    x, y, width, height = roi
    region = SimpleNamespace(x_offset=x, y_offset=y, width=width, height=height)
    return SimpleNamespace(
        k=k.reshape(-1),
        d=np.array(d),
        p=P.reshape(-1),
        width=size[0],
        height=size[1],
        distortion_model=model,
        roi=region,
    )


def test_a_pinhole_is_left_alone():
    lens = lens_from_info(info(d=(0.0,) * 5), W, H, False, "/info")
    image = np.random.default_rng(0).integers(0, 255, (H, W, 3)).astype(np.uint8)
    assert lens.color(image) is image
    assert np.array_equal(lens.camera.K, K)


@pytest.mark.parametrize(
    ("model", "d"),
    [
        ("plumb_bob", (-0.25, 0.08, 0.001, -0.001, 0.0)),
        ("rational_polynomial", (-0.2, 0.05, 0, 0, 0, 0.01, 0, 0)),
        ("equidistant", (0.05, -0.01, 0.002, 0)),
    ],
)
def test_distortion_is_taken_out_to_a_tenth_of_a_pixel(model, d):
    """Dots drawn where the lens puts known directions are found where a pinhole would put them."""
    rays = np.array([[x, y, 1.0] for x in (-0.4, 0, 0.4) for y in (-0.3, 0, 0.3)])
    if model == "equidistant":
        seen = cv2.fisheye.projectPoints(rays[:, None], np.zeros(3), np.zeros(3), K, np.array(d))[0].reshape(-1, 2)
    else:
        seen = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), K, np.array(d))[0].reshape(-1, 2)
    ideal = (rays @ K.T)[:, :2]
    assert np.abs(seen - ideal).max() > 1  # the lens bends enough to be seen
    v, u = np.mgrid[:H, :W]
    lens = lens_from_info(info(d=d, model=model), W, H, False, "/info")
    for (x, y), (x0, y0) in zip(seen, ideal, strict=True):
        blob = np.exp(-((u - x) ** 2 + (v - y) ** 2) / 8) * 255
        image = lens.color(np.repeat(blob.astype(np.uint8)[..., None], 3, axis=2))[..., 0].astype(float)
        centre = np.array([(u * image).sum(), (v * image).sum()]) / image.sum()
        assert np.abs(centre - (x0, y0)).max() < 0.15


def test_depth_values_are_never_mixed():
    depth = np.where(np.arange(W) < W // 2, 1000, 3000).astype(np.uint16) * np.ones((H, 1), np.uint16)
    got = lens_from_info(info(d=(-0.25, 0.08, 0, 0, 0)), W, H, False, "/info").depth(depth)
    assert set(np.unique(got)) <= {0, 1000, 3000}


def test_rectified_images_take_p_and_no_distortion():
    P = np.array([[100.0, 0, 70, -5], [0, 100, 50, 0], [0, 0, 1, 0]])
    lens = lens_from_info(info(d=(-0.25, 0, 0, 0, 0), p=P), W, H, True, "/info")
    assert lens.maps is None
    assert np.array_equal(lens.camera.K, P[:, :3])


def test_binning_and_region_of_interest():
    half = lens_from_info(info(), W // 2, H // 2, False, "/info").camera
    assert np.allclose(half.K, [[60, 0, 39.75], [0, 60, 29.75], [0, 0, 1]])
    part = lens_from_info(info(roi=(20, 10, 100, 80)), 100, 80, False, "/info").camera
    assert np.allclose(part.K, [[120, 0, 60], [0, 120, 50], [0, 0, 1]])


@pytest.mark.parametrize(
    ("kwargs", "size", "message"),
    [
        ({"k": np.zeros((3, 3))}, (W, H), "not calibrated"),
        ({"size": (W, W)}, (W, H), "describes 160×160 pixels"),
        ({"d": (0.1, 0.1, 0.1, 0.1, 0.1), "model": "mystery"}, (W, H), "'mystery'"),
        ({"d": (0.1, 0.1, 0.1)}, (W, H), "3 coefficients"),
    ],
)
def test_what_does_not_fit_is_refused(kwargs, size, message):
    with pytest.raises(InputError, match=message):
        lens_from_info(info(**kwargs), *size, False, "/info")


def test_ros_1_writes_capitals():
    old = info()
    old.K, old.D, old.P = old.k, old.d, old.p
    del old.k, old.d, old.p
    assert np.array_equal(lens_from_info(old, W, H, False, "/info").camera.K, K)


def test_given_intrinsics():
    assert lens_from_intrinsics((1, 2, 3, 4), W, H).camera.K.tolist() == [[1, 0, 3], [0, 2, 4], [0, 0, 1]]
