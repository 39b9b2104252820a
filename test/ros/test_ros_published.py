from __future__ import annotations

import numpy as np
import pytest
from installed import rclpy_or_skip

rclpy_or_skip()

from sensor_msgs.msg import PointCloud2  # noqa: E402

from any3dis_ros.errors import InputError  # noqa: E402
from any3dis_ros.objects.evaluation import evaluate_instances  # noqa: E402
from any3dis_ros.objects.instances import Instances  # noqa: E402
from any3dis_ros.objects.overlap import GroundTruth  # noqa: E402
from any3dis_ros.ros.conversions.clouds import instance_cloud  # noqa: E402
from any3dis_ros.ros.conversions.published import instances_of_labels, published_instances  # noqa: E402


def segmented(labels, scores):
    """Instances on a line of points, a superpoint a point, a proposal an object."""
    count = len(labels)
    points = np.stack([np.arange(count), np.zeros(count), np.zeros(count)], 1).astype(np.float32)
    proposals = np.array([labels == q + 1 for q in range(len(scores))])
    number = np.arange(count, dtype=np.int32)
    grey = np.zeros((count, 3), np.uint8)
    return Instances(points, grey, number, proposals, np.array(scores, np.float32), labels.astype(np.int32))


def test_a_published_cloud_says_what_was_segmented():
    found = segmented(np.repeat([0, 2, 1, 3, 0], 200), [0.9, 0.8, 0.3])
    back = published_instances(instance_cloud(found, found.colors, 5, "map"))
    np.testing.assert_array_equal(back.points, found.points)
    np.testing.assert_array_equal(back.labels, found.labels)
    np.testing.assert_array_equal(back.scores, found.scores)
    np.testing.assert_array_equal(back.proposals[:, back.superpoint], found.proposals)


def test_it_is_scored_as_what_was_segmented():
    found = segmented(np.repeat([0, 2, 1, 3, 0], 200), [0.9, 0.8, 0.3])
    truth = GroundTruth(found.points, np.repeat([0, 7, 8, 0, 9], 200).astype(np.int32), np.array([7, 8, 9]))
    back = published_instances(instance_cloud(found, found.colors, 5, "map"))
    scored = evaluate_instances(back, truth)["own"]
    assert scored.ap50 == evaluate_instances(found, truth)["own"].ap50 == pytest.approx(2 / 3)
    assert (scored.count, len(scored.objects)) == (3, 3)


def test_the_best_comes_first_whatever_its_id():
    back = instances_of_labels(np.zeros((4, 3), np.float32), np.array([9, 0, 4, 9]), np.array([0.2, 0, 0.7, 0.2]))
    np.testing.assert_array_equal(back.labels, [2, 0, 1, 2])
    np.testing.assert_allclose(back.scores, [0.7, 0.2])


def test_a_cloud_without_objects_gives_none():
    found = segmented(np.zeros(5, int), [])
    assert published_instances(instance_cloud(found, found.colors, 5, "map")).proposals.shape == (0, 1)


def test_another_cloud_is_refused():
    with pytest.raises(InputError, match="no field 'x'"):
        published_instances(PointCloud2())
