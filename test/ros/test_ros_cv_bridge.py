from __future__ import annotations

import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installed import package, rclpy_or_skip

COLORS = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16")
ENCODINGS = {
    "rgb8": ("u1", 3),
    "bgr8": ("u1", 3),
    "rgba8": ("u1", 4),
    "bgra8": ("u1", 4),
    "mono8": ("u1", 1),
    "mono16": ("u2", 1),
    "8UC3": ("u1", 3),
    "16UC1": ("u2", 1),
    "32FC1": ("f4", 1),
}
several = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["stand-in", "real"])
def origin(request):
    if request.param == "real":
        package("real", "cv_bridge.boost.cv_bridge_boost")
    return request.param


@pytest.fixture
def bridge(origin):
    return package(origin, "cv_bridge").CvBridge()


def pixels(encoding, height, width, seed=0):
    kind, channels = ENCODINGS[encoding]
    shape = (height, width) if channels == 1 else (height, width, channels)
    rng = np.random.default_rng(seed)
    if kind == "f4":
        values = rng.uniform(0, 9, shape).astype(np.float32)
        values[rng.random(shape) < 0.2] = np.nan
        return values
    return rng.integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


def message(encoding, image, padding=0, big_endian=False):
    """Return an image message with `padding` bytes after each row."""
    stored = image.astype(image.dtype.newbyteorder(">" if big_endian else "<"))
    rows = np.frombuffer(stored.tobytes(), np.uint8).reshape(len(image), -1)
    rows = np.concatenate([rows, np.full((len(rows), padding), 0xAA, np.uint8)], axis=1)
    return SimpleNamespace(
        encoding=encoding,
        height=image.shape[0],
        width=image.shape[1],
        step=rows.shape[1],
        is_bigendian=int(big_endian),
        data=rows.tobytes(),
    )


@several
@given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    height=st.integers(1, 7),
    width=st.integers(1, 9),
    pad=st.integers(0, 3),
    seed=st.integers(0, 999),
)
def test_pixels_come_out_as_they_went_in(bridge, encoding, height, width, pad, seed):
    image = pixels(encoding, height, width, seed)
    padding = pad * image.itemsize * (image.shape[2] if image.ndim == 3 else 1)
    out = bridge.imgmsg_to_cv2(message(encoding, image, padding))
    assert out.dtype == image.dtype
    np.testing.assert_array_equal(out, image)


@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "32FC1"])
def test_big_endian_images(encoding):
    image = pixels(encoding, 5, 6)
    bridge = package("stand-in", "cv_bridge").CvBridge()
    out = bridge.imgmsg_to_cv2(message(encoding, image, padding=3, big_endian=True))
    assert out.dtype == image.dtype
    assert out.dtype.isnative
    np.testing.assert_array_equal(out, image)


@pytest.mark.parametrize("desired", COLORS)
@pytest.mark.parametrize("encoding", COLORS)
def test_colours_become_one_another(bridge, encoding, desired):
    image = pixels(encoding, 6, 8)
    out = bridge.imgmsg_to_cv2(message(encoding, image), desired)
    kind, channels = ENCODINGS[desired]
    assert out.dtype == np.dtype(kind)
    assert out.shape == ((6, 8) if channels == 1 else (6, 8, channels))
    np.testing.assert_array_equal(out, expected_color(image, encoding, desired))


def expected_color(image, encoding, desired):
    """Through the definition: red, green, blue and alpha of 8 bits; grey by the weights of BT.601."""
    if encoding == desired:
        return image
    if encoding.startswith("mono"):
        grey = image.astype(float)
    else:
        order = encoding.removesuffix("8")
        red, green, blue = (image[..., order.index(c)].astype(float) for c in "rgb")
        if desired.startswith("mono"):
            grey = cv2.cvtColor(np.stack([red, green, blue], -1).astype(np.uint8), cv2.COLOR_RGB2GRAY).astype(float)
            assert np.abs(grey - (0.299 * red + 0.587 * green + 0.114 * blue)).max() <= 1
    if desired == "mono16":
        return grey * (1 if encoding == "mono16" else 257)
    scale = 257 if encoding == "mono16" else 1
    if desired == "mono8":
        return np.rint(grey / scale)
    if encoding.startswith("mono"):
        red = green = blue = np.rint(grey / scale)
    alpha = image[..., 3] if encoding.endswith("a8") else np.full(image.shape[:2], 255)
    channel = {"r": red, "g": green, "b": blue, "a": alpha}
    return np.stack([channel[c] for c in desired.removesuffix("8")], -1)


@pytest.mark.parametrize(("encoding", "desired"), [("16UC1", "32FC1"), ("mono16", "16UC1"), ("8UC3", "16UC3")])
def test_without_colour_values_are_kept(bridge, encoding, desired):
    image = pixels(encoding, 3, 4)
    out = bridge.imgmsg_to_cv2(message(encoding, image), desired)
    expected = image.astype(np.float64) * (257 if desired == "16UC3" else 1)
    np.testing.assert_array_equal(out, expected)
    assert out.dtype == {"32FC1": np.float32}.get(desired, np.uint16)


def test_metres_to_an_integer_are_rounded(bridge):
    image = np.array([[0.4, 1.6, 70000.0, -3.0]], np.float32)
    assert bridge.imgmsg_to_cv2(message("32FC1", image), "16UC1").tolist() == [[0, 2, 65535, 0]]


@pytest.mark.parametrize(
    ("encoding", "desired"),
    [
        ("16UC1", "mono8"),
        ("16UC1", "rgb8"),
        ("32FC1", "mono16"),
        ("8UC3", "bgr8"),
        ("rgb8", "8UC1"),
        ("16UC1", "16UC2"),
    ],
)
def test_what_makes_no_sense_is_refused(origin, bridge, encoding, desired):
    with pytest.raises(package(origin, "cv_bridge").CvBridgeError):
        bridge.imgmsg_to_cv2(message(encoding, pixels(encoding, 3, 4)), desired)


@pytest.mark.parametrize("encoding", ["rgb9", "", "12UC1", "float32"])
def test_unknown_encodings_are_refused(origin, bridge, encoding):
    with pytest.raises(package(origin, "cv_bridge").CvBridgeError):
        bridge.imgmsg_to_cv2(renamed(encoding))


def renamed(encoding):
    out = message("mono8", pixels("mono8", 3, 4))
    out.encoding = encoding
    return out


def test_errors_name_what_was_asked_for():
    module = package("stand-in", "cv_bridge")
    with pytest.raises(module.CvBridgeError, match=r"'rgb9' is not known; expected one of mono8, .*16UC1"):
        module.CvBridge().imgmsg_to_cv2(renamed("rgb9"))
    cut = message("rgb8", pixels("rgb8", 4, 4))
    cut.data = cut.data[:-1]
    with pytest.raises(module.CvBridgeError, match="cut short: 47 bytes for 4×4 pixels"):
        module.CvBridge().imgmsg_to_cv2(cut)


@pytest.mark.parametrize(
    "encoding", ["yuv422", "yuv422_yuy2", "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"]
)
@pytest.mark.parametrize("desired", ["rgb8", "bgr8"])
def test_packed_colours_are_unpacked(bridge, encoding, desired):
    shape = (6, 8, 2) if encoding.startswith("yuv") else (6, 8)
    image = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    if encoding.startswith("bayer"):
        code = getattr(cv2, f"COLOR_Bayer{({'rg': 'BG', 'bg': 'RG', 'gb': 'GR', 'gr': 'GB'})[encoding[6:8]]}2RGB")
    else:
        code = cv2.COLOR_YUV2RGB_UYVY if encoding == "yuv422" else cv2.COLOR_YUV2RGB_YUY2
    expected = cv2.cvtColor(image, code)
    out = bridge.imgmsg_to_cv2(message(encoding, image), desired)
    np.testing.assert_array_equal(out if desired == "rgb8" else out[..., ::-1], expected)


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_an_image_becomes_a_message_and_itself_again(bridge, encoding):
    rclpy_or_skip()
    from any3dis_ros.ros.conversions.transforms import header

    image = pixels(encoding, 5, 7)
    out = bridge.cv2_to_imgmsg(image, encoding, header=header(1_500_000_000, "camera"))
    assert (out.encoding, out.height, out.width) == (encoding, 5, 7)
    assert out.step == 7 * image.itemsize * (image.shape[2] if image.ndim == 3 else 1)
    assert (out.header.stamp.sec, out.header.stamp.nanosec, out.header.frame_id) == (1, 500_000_000, "camera")
    assert bytes(out.data) == image.tobytes()
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(out), image)


def test_an_image_is_named_by_its_type_where_nothing_is_said(bridge):
    rclpy_or_skip()
    for kind, name in ((np.uint8, "8UC3"), (np.uint16, "16UC3"), (np.float32, "32FC3"), (np.int16, "16SC3")):
        out = bridge.cv2_to_imgmsg(np.zeros((2, 3, 3), kind))
        assert (out.encoding, out.step) == (name, 9 * np.dtype(kind).itemsize)
    assert bridge.cv2_to_imgmsg(np.zeros((2, 3), np.uint8)).encoding == "8UC1"
    swapped = bridge.cv2_to_imgmsg(np.array([[1, 2]], ">u2" if sys.byteorder == "little" else "<u2"))
    assert (swapped.is_bigendian, bytes(swapped.data)) == (1, b"\0\1\0\2")


@pytest.mark.parametrize(("shape", "kind", "encoding"), [((2, 3), "u1", "rgb8"), ((2, 3), "f4", "16UC1")])
def test_an_image_of_another_type_than_its_encoding_is_refused(origin, bridge, shape, kind, encoding):
    rclpy_or_skip()
    with pytest.raises(package(origin, "cv_bridge").CvBridgeError):
        bridge.cv2_to_imgmsg(np.zeros(shape, kind), encoding)


def test_no_array_is_no_image(bridge):
    rclpy_or_skip()
    with pytest.raises(TypeError):
        bridge.cv2_to_imgmsg([[1, 2]], "mono8")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_images(bridge, suffix):
    image = np.zeros((16, 16, 3), np.uint8)
    image[:] = (10, 100, 200)  # blue, green, red
    compressed = SimpleNamespace(format=suffix[1:], data=cv2.imencode(suffix, image)[1].tobytes())
    plain, rgb = bridge.compressed_imgmsg_to_cv2(compressed), bridge.compressed_imgmsg_to_cv2(compressed, "rgb8")
    np.testing.assert_allclose(plain, image, atol=2)
    np.testing.assert_array_equal(rgb, plain[..., ::-1])


def test_a_compressed_image_of_16_bits_keeps_them(bridge):
    image = pixels("16UC1", 8, 8)
    compressed = SimpleNamespace(format="png", data=cv2.imencode(".png", image)[1].tobytes())
    np.testing.assert_array_equal(bridge.compressed_imgmsg_to_cv2(compressed), image)


@pytest.mark.parametrize("length", [0, 10, 60])
def test_a_compressed_image_that_is_cut_short_is_an_error(length):
    module = package("stand-in", "cv_bridge")
    data = cv2.imencode(".png", pixels("rgb8", 16, 16))[1].tobytes()[:length]
    with pytest.raises(module.CvBridgeError, match="cannot be decoded"):
        module.CvBridge().compressed_imgmsg_to_cv2(SimpleNamespace(format="png", data=data))
