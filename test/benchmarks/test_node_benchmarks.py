from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed", exc_type=ImportError)
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image

from benchmarks.node import camera, clouds, ends, latency, load, process, soak
from benchmarks.node.watch import Stopwatch


def test_a_packed_message_differs_in_its_stamp_alone() -> None:
    depth = np.arange(12, dtype=np.uint16).reshape(3, 4)
    got = deserialize_message(camera.Packed(camera.image(depth, "16UC1")).at(5 * 10**9 + 7), Image)
    assert (got.header.stamp.sec, got.header.stamp.nanosec, got.header.frame_id) == (5, 7, camera.FRAME)
    assert (got.height, got.width, got.encoding, got.step) == (3, 4, "16UC1", 8)
    np.testing.assert_array_equal(np.frombuffer(got.data, np.uint16).reshape(3, 4), depth)


def test_the_scene_is_the_sample_at_the_asked_size() -> None:
    frames = camera.scene_frames(camera.SAMPLE, 64, 48)
    assert len(frames) == 100
    assert {f.color.shape for f in frames} == {(48, 64, 3)}
    info = deserialize_message(camera.Packed(camera.camera_info(frames[0])).at(1), CameraInfo)
    assert (info.width, info.height) == (64, 48)
    np.testing.assert_allclose(info.k.reshape(3, 3), frames[0].camera.K)


def test_the_camera_goes_there_and_back() -> None:
    assert list(islice(camera.there_and_back(3), 9)) == [0, 1, 2, 1, 0, 1, 2, 1, 0]


def test_crashes_are_read_from_the_output() -> None:
    with process.Child("timeit", "-n1", "1/0", domain=1) as child:
        assert child.wait() == 1
        assert child.crashes() == ["Traceback"]
    with process.Child("timeit", "-n1", "-r1", "pass", domain=1) as child:
        assert child.wait() == 0
        assert child.crashes() == []


def test_processes_below_are_found_until_they_are_gone() -> None:
    inner = [sys.executable, "-c", "input()"]
    outer = f"import subprocess; p = subprocess.Popen({inner}); print('up', flush=True); p.wait()"
    own = subprocess.Popen([sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert own.stdout is not None
    assert own.stdout.readline() == b"up\n"
    below = process.descendants(own.pid)
    assert len(below) == 1
    assert own.pid in process.descendants(os.getpid())
    assert process.alive(below) == below
    own.communicate(b"\n", timeout=20)
    assert process.alive(below) == set()


def sample(second: int, cpu_s: float, resident_mb: float = 0.0, keyframes_mb: float = 0.0) -> load.Sample:
    return load.Sample(float(second), cpu_s, resident_mb, keyframes_mb)


def test_a_load_counts_keyframes_and_leaves_them_out_of_the_growth() -> None:
    found = load.Load("node", sent=601, pairs=601, keyframes=61)
    found.samples = [sample(t, 0.3 * t, 100 + 5.0 * t, 4.5 * t) for t in range(11)]
    assert found.expected == 61
    assert found.cpu_share == pytest.approx(0.3)
    assert found.growth_mb == pytest.approx(0.5 * 9)  # from the tenth part on
    assert found.row()["keyframes"] == 61
    assert found.row()["callback_ms_worst"] == ""


def test_only_the_time_under_load_counts() -> None:
    cpu_s = [0, 0, 0, 1, 2, 3, 4, 4, 4]
    kept = load.while_busy([sample(t, float(s)) for t, s in enumerate(cpu_s)])
    assert [s.at_s for s in kept] == [2, 3, 4, 5, 6]


def test_slow_callbacks_are_named() -> None:
    loads = [load.Load(name, sent=30, pairs=30, keyframes=3) for name in ("bare subscriber", "node")]
    for found, share in zip(loads, (0.1, 0.25), strict=True):
        found.samples = [sample(t, share * t) for t in range(11)]
    loads[1].callback_ms = {"Image": [1.0, 2.0], "lookup": [3.0, 80.0]}
    text = load.report(loads)
    assert "node 2.5 times the bare subscriber" in text
    assert "callbacks over 50 ms: lookup 80 ms; no pair left out" in text
    assert "| callback_ms_worst " in text


def test_the_stopwatch_times_callbacks_by_name() -> None:
    async def execute(callback, *arguments):
        return callback(*arguments)

    stopwatch = Stopwatch(execute)

    def lookup(value: int) -> int:
        return value + 1

    assert asyncio.run(stopwatch(partial(lookup, 1))) == 2
    with pytest.raises(ZeroDivisionError):
        asyncio.run(stopwatch(lambda: 1 / 0))
    names = [name.rpartition(".")[2] for name in stopwatch.callback_ms]
    assert names == ["lookup", "<lambda>"]
    assert all(0 <= ms[0] < 1000 for ms in stopwatch.callback_ms.values())


class SlowCamera:
    """Takes a tenth of a second for an image."""

    def __init__(self) -> None:
        self.stamps: list[int] = []

    def send(self, stamp_ns: int, _: float) -> None:
        self.stamps.append(stamp_ns)
        time.sleep(0.1)


def test_a_camera_that_cannot_keep_up_ends_in_time() -> None:
    slow = SlowCamera()
    start = time.monotonic()
    worst = camera.drive(slow, 0.5, 10.0)  # type: ignore[arg-type]
    assert 0.5 <= time.monotonic() - start < 5.0
    assert 0 < len(slow.stamps) <= 6
    assert 0.3 < worst < 5.0


def test_growth_is_that_of_the_second_half() -> None:
    rows = [soak.Row(t, min(100.0 * t, 500.0) + 2.0 * max(t - 5, 0), 0.5, 0, 0, 0, 0, 0) for t in range(20)]
    assert soak.growth_mb(rows) == pytest.approx(2.0 * 9)
    text = soak.report(rows, 10.0, {"sent": 1234.0, "refused": 5.0}, {"no pose: gap in TF": 3})
    assert text.startswith("1234 pairs of 320×240 pixels at 10 times 30 Hz (5 more were refused by the middleware")
    assert "rose by 18 MB" in text
    assert "peak was 528 MB. Left out: {'no pose: gap in TF': 3}" in text


def test_latencies_become_medians_and_worst() -> None:
    text, rows = latency.report({"goal to first feedback": [0.1, 0.2, 0.9]})
    assert rows == [{"what": "goal to first feedback", "times": 3, "median_s": 0.2, "worst_s": 0.9}]
    assert "| goal to first feedback | 3     | 0.2      | 0.9     |" in text


def test_ends_that_are_not_clean_are_told() -> None:
    found = ends.Ends("SIGTERM, busy", [0.5, 1.5], ["features: exit status -6"], 3)
    assert found.row() == {"end": "SIGTERM, busy", "clean": "2/3", "median_s": 1.0, "worst_s": 1.5}
    assert "SIGTERM, busy: features: exit status -6" in ends.report([found])


def test_half_of_the_cloud_is_objects() -> None:
    found = clouds.segmentation(10_000)
    assert 0.45 < (found.labels > 0).mean() < 0.55
    assert found.labels.max() == len(found.scores)


@pytest.mark.dds
def test_a_node_ends_cleanly_at_a_signal_in_the_middle_of_a_run() -> None:
    domain = process.own_domain()
    source = camera.Camera(camera.scene_frames(camera.SAMPLE, *ends.SIZE), domain)
    found = ends.Ends("SIGTERM, busy")
    ends.by_signal(found, signal.SIGTERM, "features", domain, source)
    source.close()
    assert (found.tried, found.faults) == (1, [])


@pytest.mark.dds
def test_a_short_load_gives_every_tenth_frame_as_a_keyframe() -> None:
    found = load.node("node", 5.0, process.own_domain(), segmenting=False)
    assert found.sent == 150
    assert found.pairs > 0
    assert found.keyframes == -(-found.pairs // load.STRIDE)
    assert SimpleNamespace(**found.row()).cpu_share > 0
