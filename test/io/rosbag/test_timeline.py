import numpy as np
import pytest

from any3dis_ros.io.rosbag.timeline import Timeline
from any3dis_ros.io.transforms import TransformError

IDENTITY = (0.0, 0.0, 0.0, 1.0)
SECOND = 1_000_000_000
STEP = SECOND // 10


def drive(timeline: Timeline, start: int, stop: int, x: float, tf_lead: int = 0) -> None:
    """Images and a transform at `x` every tenth of a second; the transform stamped `tf_lead` ahead."""
    for stamp in range(start, stop, STEP):
        timeline.add_transform("map", "base", stamp + tf_lead, (x, 0, 0), IDENTITY)
        timeline.add_image("color", stamp, 0)
        timeline.add_image("depth", stamp, 0)


def new_timeline() -> Timeline:
    return Timeline(max_gap_ns=SECOND, jump_ns=SECOND)


def test_time_that_runs_forward_is_one_epoch():
    timeline = new_timeline()
    drive(timeline, 0, 5 * SECOND, 1.0)
    assert len(timeline.epochs) == 1
    assert len(timeline.epochs[0].color.stamps) == 50
    assert not timeline.counts


def test_images_slightly_out_of_order_are_no_jump():
    timeline = new_timeline()
    for stamp in (0, 2, 1, 3):
        timeline.add_image("color", stamp * STEP, 0)
    assert len(timeline.epochs) == 1
    assert timeline.epochs[0].color.stamps_ns().tolist() == [0, 2 * STEP, STEP, 3 * STEP]


def test_a_reset_parts_the_transforms_of_before_and_after():
    """A simulation restarts at time 1 s in another place; the transforms arrive before the images."""
    timeline = new_timeline()
    timeline.add_static("base", "camera", (0, 0, 1), IDENTITY)
    drive(timeline, 0, 5 * SECOND, 1.0)
    drive(timeline, SECOND + STEP // 2, 3 * SECOND, 7.0)
    assert timeline.counts["time ran backwards"] == 1
    before, after = timeline.epochs
    for stamp in range(0, 4 * SECOND, STEP // 2):
        assert np.allclose(before.tree.lookup("map", "camera", stamp)[:3, 3], (1, 0, 1))
    for stamp in after.color.stamps:
        assert np.allclose(after.tree.lookup("map", "camera", stamp)[:3, 3], (7, 0, 1))
    assert len(after.color.stamps) == 20


def test_transforms_of_the_old_time_after_the_jump_are_forgotten():
    timeline = new_timeline()
    drive(timeline, 0, 5 * SECOND, 1.0)
    timeline.add_image("color", SECOND + 1, 0)
    timeline.add_transform("map", "base", 5 * SECOND, (1, 0, 0), IDENTITY)  # a straggler
    drive(timeline, SECOND + STEP, 3 * SECOND, 7.0)
    tree = timeline.epochs[1].tree
    assert tree.lookup("map", "base", 2 * SECOND + 5)[0, 3] == pytest.approx(7)
    with pytest.raises(TransformError):
        tree.lookup("map", "base", 4 * SECOND)


def test_future_dated_transforms_are_no_jump():
    """AMCL stamps map → odom by its tolerance ahead of the scan."""
    timeline = new_timeline()
    drive(timeline, 0, 5 * SECOND, 1.0, tf_lead=SECOND)
    assert len(timeline.epochs) == 1
    assert timeline.epochs[0].tree.lookup("map", "base", 5 * SECOND)[0, 3] == 1


def test_stamps_seen_before_are_counted_once_each():
    timeline = new_timeline()
    drive(timeline, 0, 2 * SECOND, 1.0)
    timeline.add_image("depth", 2 * SECOND - STEP, 0)
    assert timeline.counts == {"depth stamp duplicated": 1}
    assert len(timeline.epochs[0].depth.stamps) == 20


def test_a_loop_of_the_same_recording_adds_nothing():
    timeline = new_timeline()
    for _ in range(3):
        drive(timeline, 0, 3 * SECOND, 1.0)
    assert timeline.counts == {
        "time ran backwards": 2,
        "colour stamp duplicated": 60,
        "depth stamp duplicated": 60,
    }
    assert sum(len(e.color.stamps) for e in timeline.epochs) == 30


def test_a_late_static_transform_holds_in_all_epochs():
    timeline = new_timeline()
    drive(timeline, 0, 5 * SECOND, 1.0)
    drive(timeline, STEP // 2, 3 * SECOND, 1.0)
    timeline.add_static("base", "camera", (0, 0, 1), IDENTITY)
    assert [e.tree.lookup("map", "camera", SECOND + STEP // 2)[2, 3] for e in timeline.epochs] == [1, 1]


def test_bad_transforms_are_counted():
    timeline = new_timeline()
    timeline.add_transform("map", "base", 0, (float("nan"), 0, 0), IDENTITY)
    timeline.add_static("base", "camera", (0, 0, 0), (0, 0, 0, 0))
    assert timeline.counts == {"transform not finite or not a rotation": 2}
