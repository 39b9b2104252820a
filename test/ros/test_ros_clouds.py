from __future__ import annotations

import dataclasses
import logging
from array import array
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installed import rclpy_or_skip
from scipy.spatial import ConvexHull
from small_result import small_result

from any3dis_ros.errors import InputError
from any3dis_ros.objects.instances import Instances, colors_of

rclpy_or_skip()
pytest.importorskip("visualization_msgs", reason="visualization_msgs is not installed", exc_type=ImportError)

from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from sensor_msgs.msg import PointCloud2, PointField  # noqa: E402
from visualization_msgs.msg import Marker, MarkerArray  # noqa: E402

from any3dis_ros.ros.conversions import clouds, markers  # noqa: E402

STAMP = 1_234_567_890_123_456_789
DTYPES = {PointField.FLOAT32: "f4", PointField.FLOAT64: "f8", PointField.UINT32: "u4", PointField.UINT8: "u1"}


def columns(message):
    """Read a cloud by its own description, field by field."""
    raw = np.frombuffer(bytes(message.data), np.uint8).reshape(-1, message.point_step)
    out = {}
    for f in message.fields:
        kind = np.dtype(DTYPES[f.datatype]).newbyteorder("<")
        out[f.name] = np.ascontiguousarray(raw[:, f.offset : f.offset + kind.itemsize]).view(kind)[:, 0]
    return out


def test_the_labelled_cloud_tells_all_of_every_point_in_the_order_of_the_map():
    instances, _ = small_result()
    sent = clouds.instance_cloud(instances, instances.colors, STAMP, "map")
    got = deserialize_message(serialize_message(sent), PointCloud2)

    assert [f.name for f in got.fields] == ["x", "y", "z", "rgb", "label", "instance_id", "score"]
    assert (got.header.stamp.sec, got.header.stamp.nanosec) == divmod(STAMP, 10**9)
    assert (got.header.frame_id, got.height, got.width) == ("map", 1, len(instances.points))
    assert (got.row_step, len(got.data)) == (got.point_step * got.width,) * 2
    assert got.is_dense
    assert not got.is_bigendian
    fields = columns(got)
    np.testing.assert_array_equal(np.stack([fields[a] for a in "xyz"], 1), instances.points)
    packed = fields["rgb"].view(np.uint32)
    np.testing.assert_array_equal(np.stack([packed >> 16, packed >> 8 & 255, packed & 255], 1), instances.colors)
    np.testing.assert_array_equal(fields["instance_id"], instances.labels)
    np.testing.assert_array_equal(fields["label"], instances.labels > 0)
    np.testing.assert_array_equal(fields["score"], np.array([0, 0.9, 0.625], np.float32)[instances.labels])


def test_a_cloud_of_colours_alone():
    instances, _ = small_result()
    message = clouds.colored_cloud(instances.points[:5], instances.colors[:5], STAMP, "map")
    assert ([f.name for f in message.fields], message.point_step, message.width) == (["x", "y", "z", "rgb"], 16, 5)
    cloud = clouds.map_cloud(message, 5)
    np.testing.assert_array_equal(cloud.points, instances.points[:5])
    np.testing.assert_array_equal(cloud.colors, instances.colors[:5])
    assert not clouds.colored_cloud(np.full((1, 3), np.nan, np.float32), instances.colors[:1], STAMP, "map").is_dense


def test_colours_of_objects_are_those_of_the_report():
    instances, _ = small_result()
    np.testing.assert_array_equal(clouds.instance_colors(instances), colors_of(instances.point_ids))


def test_an_object_shows_its_id_and_colour_whatever_its_rank():
    instances, _ = small_result()
    later = dataclasses.replace(instances, ids=np.array([70_000, 1, 5], np.int32))  # rank 2 is object 1 again
    fields = columns(clouds.instance_cloud(later, clouds.instance_colors(later), STAMP, "map"))
    np.testing.assert_array_equal(fields["instance_id"], np.array([0, 70_000, 1])[later.labels])
    np.testing.assert_array_equal(fields["score"], np.array([0, 0.9, 0.625], np.float32)[later.labels])
    now, before = clouds.instance_colors(later)[later.labels == 2], clouds.instance_colors(instances)
    assert {bytes(c) for c in now} == {bytes(c) for c in before[instances.labels == 1]}
    drawn = [(m.ns, m.id) for m in markers.markers(later, STAMP, "map").markers[1:]]
    assert drawn == [(ns, k) for k in (70_000, 1) for ns in ("boxes", "outlines", "labels")]


def test_a_cloud_without_objects():
    instances, _ = small_result()
    none = Instances(
        points=instances.points,
        colors=instances.colors,
        superpoint=instances.superpoint,
        proposals=np.zeros((0, 3), bool),
        scores=np.zeros(0, np.float32),
        labels=np.zeros_like(instances.labels),
    )
    fields = columns(clouds.instance_cloud(none, clouds.instance_colors(none), STAMP, "map"))
    assert not np.any(fields["score"])
    assert not np.any(fields["instance_id"])
    (only,) = markers.markers(none, STAMP, "map").markers
    assert only.action == Marker.DELETEALL


def test_a_cloud_of_many_blocks_is_written_whole():
    rng, count = np.random.default_rng(0), 1_000_000
    instances = Instances(
        points=rng.normal(size=(count, 3)).astype(np.float32),
        colors=rng.integers(0, 256, (count, 3), np.uint8),
        superpoint=np.zeros(count, np.int32),
        proposals=np.ones((40, 1), bool),
        scores=np.linspace(1, 0, 40, dtype=np.float32),
        labels=rng.integers(0, 41, count, np.int32),
    )
    message = clouds.instance_cloud(instances, instances.colors, STAMP, "map")
    assert isinstance(message.data, array)
    fields = columns(message)
    np.testing.assert_array_equal(np.stack([fields[a] for a in "xyz"], 1), instances.points)
    np.testing.assert_array_equal(fields["rgb"].view(np.uint32) & 255, instances.colors[:, 2])
    np.testing.assert_array_equal(fields["instance_id"], instances.labels)


def test_what_is_sent_can_be_a_map():
    instances, _ = small_result()
    cloud = clouds.map_cloud(clouds.instance_cloud(instances, instances.colors, STAMP, "map"), 10_000)
    np.testing.assert_array_equal(cloud.points, instances.points)
    np.testing.assert_array_equal(cloud.colors, instances.colors)


def make_cloud(
    xyz, rgb=None, order=("x", "y", "z", "rgb"), kind="f4", big=False, height=1, gap=0, row_gap=0, color="rgb"
):
    """Return a PointCloud2-like message with fields in any order, `gap` bytes between them, padded rows."""
    end, offset, layout = ">" if big else "<", 0, {}
    datatypes = {"f4": PointField.FLOAT32, "f8": PointField.FLOAT64}
    fields = []
    for name in order:
        code = kind if name in "xyz" else "u4"
        if name == "rgb" and rgb is None:
            continue
        offset += gap
        layout[name] = (end + code, offset)
        datatype = datatypes[kind] if name in "xyz" else PointField.UINT32 if color == "rgba" else PointField.FLOAT32
        fields.append(PointField(name=color if name == "rgb" else name, offset=offset, datatype=datatype, count=1))
        offset += np.dtype(code).itemsize
    step = offset + gap
    rows = np.zeros(
        len(xyz),
        {
            "names": list(layout),
            "formats": [f for f, _ in layout.values()],
            "offsets": [o for _, o in layout.values()],
            "itemsize": step,
        },
    )
    for k, axis in enumerate("xyz"):
        rows[axis] = xyz[:, k]
    if rgb is not None:
        rows["rgb"] = [r << 16 | g << 8 | b | 0xFF000000 for r, g, b in rgb.tolist()]
    width = len(xyz) // height
    raw = np.frombuffer(rows.tobytes(), np.uint8).reshape(height, width * step)
    raw = np.concatenate([raw, np.full((height, row_gap), 0x55, np.uint8)], axis=1)
    return SimpleNamespace(
        fields=fields,
        height=height,
        width=width,
        is_bigendian=big,
        point_step=step,
        row_step=width * step + row_gap,
        data=array("B", raw.tobytes()),
    )


@settings(max_examples=60, deadline=None)
@given(
    order=st.permutations(["x", "y", "z", "rgb"]),
    kind=st.sampled_from(["f4", "f8"]),
    big=st.booleans(),
    height=st.sampled_from([1, 2, 3]),
    gap=st.integers(0, 5),
    row_gap=st.integers(0, 9),
    color=st.sampled_from(["rgb", "rgba", None]),
    seed=st.integers(0, 99),
)
def test_any_layout_of_a_cloud_is_read(order, kind, big, height, gap, row_gap, color, seed):
    rng = np.random.default_rng(seed)
    xyz = rng.normal(size=(12, 3)).astype(np.float32)
    rgb = rng.integers(0, 256, (12, 3)) if color else None
    bad = rng.random(12) < 0.3
    bad[0] = False
    holed = xyz.copy()
    holed[bad, rng.integers(3)] = rng.choice([np.nan, np.inf, -np.inf])
    cloud = clouds.map_cloud(make_cloud(holed, rgb, order, kind, big, height, gap, row_gap, color or "rgb"), 12)
    np.testing.assert_array_equal(cloud.points, xyz[~bad])
    np.testing.assert_array_equal(cloud.colors, np.full((12, 3), 128)[~bad] if rgb is None else rgb[~bad])


def test_points_that_are_left_out_are_counted(caplog):
    xyz = np.zeros((5, 3), np.float32)
    xyz[1:3, 0] = np.nan
    with caplog.at_level(logging.WARNING):
        clouds.map_cloud(make_cloud(xyz), 5)
    assert "2 of 5 points of the map cloud are not finite" in caplog.text


def broken(**changes):
    message = make_cloud(np.ones((4, 3), np.float32))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (lambda: broken(fields=make_cloud(np.ones((4, 3))).fields[:2]), "no x y z; its fields are x, y"),
        (lambda: broken(fields=[]), "no x y z; its fields are none"),
        (lambda: broken(data=array("B", bytes(40))), "holds 40 bytes; 4×1 points of 12 bytes .* need 48"),
        (lambda: broken(row_step=40), "row step of 40"),
        (lambda: broken(point_step=8, row_step=32), "field 'z' at byte 8 exceeds the points of 8 bytes"),
        (lambda: broken(width=0, data=array("B")), "none of the 0 points"),
        (lambda: broken(width=6, row_step=72), "need 72"),
        (lambda: make_cloud(np.full((4, 3), np.nan)), "none of the 4 points of the map cloud is finite"),
        (lambda: make_cloud(np.ones((30, 3))), r"30 points; at most 20 \(map.max_points\)"),
        (
            lambda: broken(fields=[PointField(name=n, offset=0, datatype=PointField.INT16, count=1) for n in "xyz"]),
            "field 'x' of the map cloud is of kind i2; expected one of f4, f8",
        ),
    ],
)
def test_clouds_that_are_no_map_are_refused(message, says):
    with pytest.raises(InputError, match=says):
        clouds.map_cloud(message(), 20)


def test_markers_clear_the_old_and_draw_box_outline_and_label_of_every_object():
    instances, _ = small_result()
    sent = markers.markers(instances, STAMP, "map")
    got = deserialize_message(serialize_message(sent), MarkerArray).markers

    assert got[0].action == Marker.DELETEALL
    assert [(m.ns, m.id) for m in got[1:]] == [(ns, k) for k in (1, 2) for ns in ("boxes", "outlines", "labels")]
    for m in got:
        assert (m.header.frame_id, m.header.stamp.sec) == ("map", STAMP // 10**9)
        assert (m.lifetime.sec, m.lifetime.nanosec) == (0, 0)
    for m in got[1:]:
        assert (m.action, m.pose.orientation.w, m.color.a) == (Marker.ADD, 1.0, 1.0)
        np.testing.assert_allclose([m.color.r, m.color.g, m.color.b], colors_of(np.array([m.id]))[0] / 255, atol=1e-6)
    for m, instance in zip(got[1::3], instances.instances, strict=True):
        assert m.type == Marker.LINE_LIST
        ends = np.array([[p.x, p.y, p.z] for p in m.points]).reshape(12, 2, 3)
        lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        np.testing.assert_allclose(np.sort(lengths), np.sort(np.repeat(instance.box.size, 4)), atol=1e-9)
        corners = np.unique(ends.reshape(-1, 3).round(9), axis=0)
        np.testing.assert_allclose(corners, np.unique(instance.box.corners.round(9), axis=0))
    for m, instance in zip(got[2::3], instances.instances, strict=True):
        assert m.type == Marker.LINE_LIST  # a cube's outline is its box
        ends = np.array([[p.x, p.y, p.z] for p in m.points]).reshape(12, 2, 3)
        np.testing.assert_allclose(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1), 0.1, atol=1e-6)
        low, high = instance.aabb
        np.testing.assert_allclose(np.unique(ends.reshape(-1, 3), axis=0)[[0, -1]], [low, high], atol=1e-6)
    for m, instance in zip(got[3::3], instances.instances, strict=True):
        assert m.type == Marker.TEXT_VIEW_FACING
        assert m.text == f"{instance.id}: {instance.score:.2f}"
        assert m.pose.position.z > instance.aabb[1, 2]
        assert m.scale.z > 0


@settings(max_examples=60)
@given(st.integers(1, 300), st.booleans(), st.integers(0, 10**6))
def test_an_outline_is_the_convex_hull_or_lies_closely_within_it(count, round_, seed):
    rng = np.random.default_rng(seed)
    xy = rng.normal(size=(count, 2)) + [500.0, -300.0]
    if round_:
        angle = rng.uniform(0, 2 * np.pi, count)
        xy = np.stack([np.cos(angle), np.sin(angle)], axis=1) + [500.0, -300.0]
    corners = markers.outline(xy)
    assert 1 <= len(corners) <= 24
    assert {tuple(c) for c in corners} <= {tuple(c) for c in xy}
    edges = np.roll(corners, -1, axis=0) - corners
    if len(corners) > 2:  # convex: it turns one way only, once around
        nextward = np.roll(edges, -1, axis=0)
        turns = np.arctan2(edges[:, 0] * nextward[:, 1] - edges[:, 1] * nextward[:, 0], (edges * nextward).sum(1))
        assert (np.sign(turns) == np.sign(turns[0])).all()
        assert abs(turns.sum()) == pytest.approx(2 * np.pi)
    angle = np.linspace(0, 2 * np.pi, 360)
    directions = np.stack([np.cos(angle), np.sin(angle)])
    short = ((xy @ directions).max(0) - (corners @ directions).max(0)).max()
    left_out = len(ConvexHull(xy).vertices) > 24 if count > 2 else False
    # a corner left out lies over an edge whose ends are farthest out in directions 15° apart
    assert short <= 1e-5 + left_out * np.tan(np.deg2rad(7.5)) / 2 * np.linalg.norm(edges, axis=1).max()


def test_an_l_shaped_object_has_its_hull_for_an_outline():
    xy = np.array([[0, 0], [3, 0], [3, 1], [1, 1], [1, 2], [0, 2], [0.5, 0.5]])
    assert {tuple(c) for c in markers.outline(xy)} == {(0, 0), (3, 0), (3, 1), (1, 2), (0, 2)}


def test_the_outline_of_a_line_and_of_a_point():
    line = np.linspace([0, 0], [2, 1], 9)
    assert {tuple(c) for c in markers.outline(line)} == {(0.0, 0.0), (2.0, 1.0)}
    assert markers.outline(np.full((5, 2), 7.0)).tolist() == [[7.0, 7.0]]
