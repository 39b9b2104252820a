import numpy as np

from any3dis_ros.ros.memory import give_back, kept
from any3dis_ros.scene.frames import Camera, Frame


def resident_mb():
    with open("/proc/self/statm") as statm:  # noqa: PTH123 - read over and over
        return int(statm.read().split()[1]) * 4096 / 1e6


def frame(rng, width=640, height=480):
    color = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    depth = rng.integers(0, 9000, (height, width), dtype=np.uint16)
    K = np.array([[500.0, 0, width / 2], [0, 500.0, height / 2], [0, 0, 1]])
    return Frame(7, color, depth, Camera(width, height, K), np.eye(4), "seventh")


def test_a_kept_frame_is_the_frame():
    original = frame(np.random.default_rng(1))
    copy = kept(original)
    np.testing.assert_array_equal(copy.color, original.color)
    np.testing.assert_array_equal(copy.depth, original.depth)
    assert (copy.stamp_ns, copy.name, copy.camera) == (7, "seventh", original.camera)
    assert not np.shares_memory(copy.color, original.color)


def test_forgotten_frames_go_back_to_the_system():
    rng = np.random.default_rng(2)
    held, passing = [], []
    for k in range(60):
        passing = [*passing[-3:], np.full((480, 640, 3), k, np.uint8)]
        held.append(kept(frame(rng)))
    full, size = resident_mb(), sum(f.nbytes for f in held) / 1e6
    held.clear()
    assert full - resident_mb() > 0.9 * size


def test_what_was_freed_is_given_back():
    blocks = [bytearray(50_000) for _ in range(4000)]  # below what the C library takes from the system by itself
    last = bytearray(50_000)  # on top of them: the heap cannot shrink
    full = resident_mb()
    del blocks
    give_back()
    assert full - resident_mb() > 100
    assert len(last) == 50_000
