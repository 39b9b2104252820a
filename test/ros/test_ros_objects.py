from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from installed import rclpy_or_skip
from small_result import small_result

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the messages of this package are not generated", exc_type=ImportError)

from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from any3dis_ros.errors import InputError  # noqa: E402
from any3dis_ros.msg import Instance3DArray  # noqa: E402
from any3dis_ros.objects.instances import Instances  # noqa: E402
from any3dis_ros.ros.conversions import clouds, objects  # noqa: E402


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


def test_one_object_by_its_id_with_the_points_of_the_map_that_are_its():
    instances, frames = small_result()
    colors = np.random.default_rng(0).integers(0, 256, instances.colors.shape, np.uint8)
    instances = dataclasses.replace(instances, colors=colors, ids=np.array([40, 7, 8], np.int32))
    message, cloud = objects.one_object(instances, 7, frames, "optical", 5_000_000_007, "map")
    assert (message.id, message.point_count, message.score) == (7, 216, 0.625)
    assert message == objects.instance_array(instances, frames, "optical", 0, "map", False).instances[1]
    assert (cloud.header.stamp.sec, cloud.header.stamp.nanosec, cloud.header.frame_id) == (5, 7, "map")
    assert [f.name for f in cloud.fields] == ["x", "y", "z", "rgb"]
    back = clouds.map_cloud(cloud, 216)
    np.testing.assert_array_equal(back.points, instances.points[216:432])
    np.testing.assert_array_equal(back.colors, colors[216:432])


def test_an_id_that_is_not_there_is_answered_by_those_that_are():
    instances, _ = small_result()
    with pytest.raises(InputError, match=r"^no object has the id 3; there are 1, 2$"):  # proposal 3 owns no point
        objects.one_object(instances, 3, [], "optical", 0, "map")
    with pytest.raises(InputError, match=r"^no object has the id 1; there are no objects$"):
        objects.one_object(Instances.empty(), 1, [], "optical", 0, "map")
    many = dataclasses.replace(
        instances,
        scores=np.ones(200, np.float32),
        labels=(np.arange(len(instances.points)) % 12 + 1).astype(np.int32),
        ids=np.arange(200, 0, -1, dtype=np.int32),
        best_views=(),
        masks=(),
    )
    with pytest.raises(InputError, match=r"there are 189, 190, 191, 192, 193, 194, 195, 196, 197, 198 and 2 more$"):
        objects.one_object(many, 5, [], "optical", 0, "map")
