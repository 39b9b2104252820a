from __future__ import annotations

import numpy as np
import pytest
from installed import rclpy_or_skip
from small_result import small_result

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the messages of this package are not generated", exc_type=ImportError)

from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from any3dis_ros.msg import Instance3DArray  # noqa: E402
from any3dis_ros.ros.conversions import objects  # noqa: E402


@pytest.mark.parametrize("point_indices", [True, False])
def test_objects_arrive_with_all_that_is_known_of_them(point_indices):
    instances, frames = small_result()
    sent = objects.instance_array(instances, frames, "optical", 5_000_000_007, "map", point_indices)
    got = deserialize_message(serialize_message(sent), Instance3DArray)

    assert (got.header.stamp.sec, got.header.stamp.nanosec, got.header.frame_id) == (5, 7, "map")
    assert [m.id for m in got.instances] == [1, 2]
    for m, instance in zip(got.instances, instances.instances, strict=True):
        assert m.score == pytest.approx(instance.score)
        assert m.point_count == len(instance.points)
        assert list(m.point_indices) == (instance.points.tolist() if point_indices else [])
        np.testing.assert_allclose([m.centroid.x, m.centroid.y, m.centroid.z], instance.centroid)
        np.testing.assert_allclose([m.size.x, m.size.y, m.size.z], instance.box.size)
        p, q = m.pose.position, m.pose.orientation
        np.testing.assert_allclose([p.x, p.y, p.z], instance.box.center)
        np.testing.assert_allclose(
            Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), instance.box.rotation, atol=1e-12
        )
    views = [(m.best_view.stamp.sec, m.best_view.frame_id) for m in got.instances]
    assert views == [(2, "optical"), (1, "optical")]  # the best views are keyframes 1 and 0, at 2 s and 1 s


def test_an_object_without_a_view():
    instances, _ = small_result()
    first = objects.instance_array(instances, [], "optical", 0, "map", False).instances[0]
    assert (first.best_view.stamp.sec, first.best_view.frame_id) == (0, "")
