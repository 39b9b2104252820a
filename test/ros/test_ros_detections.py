"""Against the real vision_msgs, where one is installed or named by PYTHONPATH."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from installed import rclpy_or_skip
from small_result import small_result

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the messages of this package are not generated", exc_type=ImportError)

from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402

from any3dis_ros.objects.instances import Instances  # noqa: E402
from any3dis_ros.ros.conversions import detections, objects  # noqa: E402

STAMP = 5_000_000_007


def test_without_vision_msgs_the_module_still_loads(monkeypatch):
    import importlib

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "vision_msgs", None)
        assert not importlib.reload(detections).available()
    importlib.reload(detections)


def test_every_object_is_a_detection_with_its_id_box_and_score():
    pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed", exc_type=ImportError)
    instances, frames = small_result()
    instances = dataclasses.replace(instances, ids=np.array([70_000, 3, 4], np.int32))
    sent = detections.detections(instances, STAMP, "map")
    got = deserialize_message(serialize_message(sent), detections.message_type())

    assert [(d.header.stamp.sec, d.header.stamp.nanosec, d.header.frame_id) for d in (got, *got.detections)] == [
        (5, 7, "map")
    ] * 3
    assert [d.id for d in got.detections] == ["70000", "3"]
    same = objects.instance_array(instances, frames, "optical", STAMP, "map", False).instances
    for d, message in zip(got.detections, same, strict=True):
        assert (d.bbox.center, d.bbox.size) == (message.pose, message.size)
        (only,) = d.results
        assert (only.hypothesis.class_id, only.hypothesis.score) == ("object", pytest.approx(message.score))
        assert only.pose.pose == message.pose


def test_no_objects_are_no_detections():
    pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed", exc_type=ImportError)
    assert not detections.detections(Instances.empty(), 0, "map").detections
