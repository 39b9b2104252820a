import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import color_image, compressed_depth_data, depth_image

from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.rosbag import compressed_depth, messages

RGB = color_image(3)
DEPTH = depth_image(3)
H, W = DEPTH.shape


def padded(array: np.ndarray, padding: int) -> tuple[int, np.ndarray]:
    """Row step and bytes of an image whose rows end in rubbish."""
    rows = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
    rows = np.concatenate([rows, np.full((len(rows), padding), 77, np.uint8)], axis=1)
    return rows.shape[1], rows.reshape(-1)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, np.full((H, W), 9, np.uint8)])),
        ("bgra8", np.dstack([RGB[..., ::-1], np.full((H, W), 9, np.uint8)])),
    ],
)
def test_colour_encodings_and_row_steps(encoding, pixels, padding):
    step, data = padded(pixels, padding)
    assert np.array_equal(messages.color_from_raw(encoding, W, H, step, data), RGB)


def test_grey_becomes_three_equal_channels():
    image = messages.color_from_raw("mono8", W, H, W, RGB[..., 1])
    assert np.array_equal(image, np.repeat(RGB[..., 1:2], 3, axis=2))


@pytest.mark.parametrize(("encoding", "order"), [("yuv422", (1, 0, 3, 2)), ("yuv422_yuy2", (0, 1, 2, 3))])
def test_yuv_of_a_plain_red(encoding, order):
    """BT.601: red is Y 82, U 90, V 240."""
    yuyv = np.array([82, 90, 82, 240], np.uint8)[list(order)]
    image = messages.color_from_raw(encoding, W, H, 2 * W, np.tile(yuyv, H * W // 2))
    assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_of_a_plain_colour(pattern):
    value = {"r": 200, "g": 120, "b": 40}
    tile = np.array([value[c] for c in pattern], np.uint8).reshape(2, 2)
    image = messages.color_from_raw(f"bayer_{pattern}8", W, H, W, np.tile(tile, (H // 2, W // 2)))
    assert np.array_equal(image[H // 2, W // 2], (200, 120, 40))


def test_unknown_colour_encoding_is_named():
    with pytest.raises(InputError, match="'rgb16' is not supported"):
        messages.color_from_raw("rgb16", W, H, 6 * W, b"")


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("padding", [0, 6])
def test_depth_16uc1_of_both_byte_orders(big_endian, padding):
    step, data = padded(DEPTH.astype(">u2" if big_endian else "<u2"), padding)
    assert np.array_equal(messages.depth_from_raw("16UC1", W, H, step, big_endian, data), DEPTH)


@pytest.mark.parametrize("big_endian", [False, True])
def test_depth_32fc1_in_metres_and_its_invalid_values(big_endian):
    metres = DEPTH.astype(np.float32) / 1000
    metres[0, :6] = np.nan, np.inf, -np.inf, -1, 0, 65.6
    metres[1, :2] = 65.535, 1.0004
    expected = DEPTH.copy()
    expected[0, :6] = 0
    expected[1, :2] = 65535, 1000
    data = metres.astype(">f4" if big_endian else "<f4").tobytes()
    assert np.array_equal(messages.depth_from_raw("32FC1", W, H, 4 * W, big_endian, data), expected)


def test_depth_of_another_encoding_is_refused_by_name():
    with pytest.raises(InputError, match="'8UC1' is not metric; expected 16UC1 or 32FC1"):
        messages.depth_from_raw("8UC1", W, H, W, False, bytes(W * H))


def test_the_padding_of_the_last_row_may_be_missing():
    step, data = padded(DEPTH, 6)
    assert np.array_equal(messages.depth_from_raw("16UC1", W, H, step, False, data[:-6]), DEPTH)


@pytest.mark.parametrize(("width", "step", "cut"), [(W, 2 * W, 1), (W, W, 0), (0, 0, 0), (W, 2 * W, 2 * W * H)])
def test_raw_data_that_does_not_fit_its_size_is_damaged(width, step, cut):
    data = DEPTH.tobytes()
    with pytest.raises(DamagedImageError):
        messages.depth_from_raw("16UC1", width, H, step, False, data[: len(data) - cut])


def test_jpeg_and_png():
    png = cv2.imencode(".png", RGB[..., ::-1])[1]
    assert np.array_equal(messages.color_from_compressed(png), RGB)
    smooth = cv2.GaussianBlur(RGB, (9, 9), 3)
    jpeg = cv2.imencode(".jpg", smooth[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1]
    assert np.abs(messages.color_from_compressed(jpeg).astype(int) - smooth).mean() < 4


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([".png", ".jpg"]), st.floats(0, 0.99))
def test_a_cut_image_is_damaged_wherever_it_is_cut(suffix, share):
    data = cv2.imencode(suffix, RGB)[1].tobytes()
    with pytest.raises(DamagedImageError):
        messages.color_from_compressed(data[: int(share * len(data))])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_rubbish_is_damaged_and_nothing_worse(data):
    for decode in (
        messages.color_from_compressed,
        lambda d: messages.depth_from_compressed("16UC1; compressedDepth png", d),
        lambda d: messages.depth_from_compressed("16UC1; compressedDepth rvl", d),
        lambda d: messages.depth_from_compressed("32FC1; compressedDepth", d),
    ):
        with pytest.raises(DamagedImageError):
            decode(data)


@pytest.mark.parametrize(
    "image_format", ["16UC1; compressedDepth png", "16UC1; compressedDepth", "16UC1; compressedDepth "]
)
def test_compressed_depth_16uc1(image_format):
    assert np.array_equal(messages.depth_from_compressed(image_format, compressed_depth_data(DEPTH)), DEPTH)


def test_plain_16_bit_png():
    png = cv2.imencode(".png", DEPTH)[1]
    assert np.array_equal(messages.depth_from_compressed("16UC1; png compressed ", png), DEPTH)


def test_compressed_depth_32fc1_inverts_the_quantisation():
    """v = A / z + B with A = q (q + 1), B = 1 - A / z_max for q = 100, z_max = 10 m."""
    q, z_max = 100.0, 10.0
    a = q * (q + 1)
    b = 1 - a / z_max
    z = np.linspace(0.5, 9, H * W).reshape(H, W)
    stored = (a / z + b).astype(np.uint16)
    stored[0, 0] = 0
    got = messages.depth_from_compressed("32FC1; compressedDepth png", compressed_depth_data(stored, a, b))
    assert got[0, 0] == 0
    step_mm = 1000 * z**2 / a  # what one step of v means at z
    assert (np.abs(got - 1000 * z)[stored > 0] <= step_mm[stored > 0] * 1.1 + 0.5).all()


def test_depth_formats_that_do_not_fit_are_named():
    data = compressed_depth_data(DEPTH)
    with pytest.raises(InputError, match="not lossless"):
        messages.depth_from_compressed("16UC1; jpeg compressed mono8", data)
    with pytest.raises(InputError, match="packed by 'zip'"):
        messages.depth_from_compressed("16UC1; compressedDepth zip", data)
    with pytest.raises(InputError, match="'8UC1' is not metric"):
        messages.depth_from_compressed("8UC1; compressedDepth png", data)


def test_colour_png_in_place_of_depth_is_damaged():
    with pytest.raises(DamagedImageError, match="one 16-bit channel"):
        messages.depth_from_compressed("16UC1; compressedDepth png", compressed_depth_data(RGB))


def pack_rvl(depth: np.ndarray) -> bytes:
    """RVL by its description (Wilson 2017): runs of zeros and of zigzag differences, three bits a nibble."""
    nibbles: list[int] = []

    def put(number: int) -> None:
        while True:
            nibbles.append(number & 7 | (8 if number > 7 else 0))
            number >>= 3
            if not number:
                return

    values, at, previous = depth.reshape(-1).tolist(), 0, 0
    while at < len(values):
        start = at
        while at < len(values) and values[at] == 0:
            at += 1
        put(at - start)
        start = at
        while at < len(values) and values[at] != 0:
            at += 1
        put(at - start)
        for value in values[start:at]:
            difference = value - previous
            put(2 * difference if difference >= 0 else -2 * difference - 1)
            previous = value
    nibbles += [0] * (-len(nibbles) % 8)
    words = [int("".join(f"{n:x}" for n in nibbles[i : i + 8]), 16) for i in range(0, len(nibbles), 8)]
    return struct.pack("<II", depth.shape[1], depth.shape[0]) + struct.pack(f"<{len(words)}I", *words)


def test_rvl_of_one_pixel_by_hand():
    """No zeros (0), one value (1), 5 - 0 = 5 zigzag 10 = nibbles 2 + 8, 1: word 0x01A10000."""
    data = struct.pack("<III", 1, 1, 0x01A10000)
    assert compressed_depth.unpack_rvl(np.frombuffer(data, np.uint8)).tolist() == [[5]]
    assert pack_rvl(np.array([[5]], np.uint16)) == data


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_rvl_round_trip(height, width, seed, invalid):
    rng = np.random.default_rng(seed)
    depth = rng.integers(0, 2**16, (height, width)).astype(np.uint16)
    depth[rng.random(depth.shape) < invalid] = 0
    packed = np.frombuffer(bytes(12) + pack_rvl(depth), np.uint8)
    assert np.array_equal(messages.depth_from_compressed("16UC1; compressedDepth rvl", packed), depth)


def test_rvl_that_is_cut_or_claims_gigabytes_is_damaged():
    packed = np.frombuffer(pack_rvl(DEPTH), np.uint8)
    with pytest.raises(DamagedImageError, match="ends early"):
        compressed_depth.unpack_rvl(packed[: len(packed) // 2])
    with pytest.raises(DamagedImageError, match="claims"):
        compressed_depth.unpack_rvl(np.frombuffer(struct.pack("<III", 60_000, 60_000, 0), np.uint8))
