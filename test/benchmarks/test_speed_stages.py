from __future__ import annotations

from any3dis_ros.config import MapConfig
from any3dis_ros.scene.mapping import fuse
from benchmarks.speed.stages import measure


def test_every_reference_runs_beside_its_stage(two_boxes) -> None:
    frames, _ = two_boxes
    cloud = fuse(frames, MapConfig(voxel_size_m=0.03))
    m = measure(frames, cloud, 6, with_reference=True)
    assert set(m.reference.costs) == {
        "superpoints",
        "visibility",
        "seeds, views",
        "tracking",
        "lifting",
        "Algorithm 1",
        "merging",
    }
    assert set(m.reference.costs) < set(m.product.costs)
    assert all(0 < share <= 1 for share in m.share.values())
    assert m.share["superpoints"] == 1
    assert m.sizes["proposals"] % 4 == 0
    assert 0 < m.sizes["tracks"] <= 6
    # So short that they are repeated: nine times beside a reference, three times without.
    assert [len(meter.costs["lifting"]) for meter in (m.product, m.reference)] == [9, 9]
    assert len(measure(frames, cloud, 6, with_reference=False).product.costs["lifting"]) == 3
