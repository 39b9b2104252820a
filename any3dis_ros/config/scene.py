"""From a recording to superpoints, and which keyframe sees them."""

from __future__ import annotations

from dataclasses import dataclass

from any3dis_ros.parameters import Section, param


@dataclass(frozen=True)
class InputConfig(Section):
    """How recorded messages become posed frames."""

    sync_max_interval_s: float = param(
        0.02, "seconds; colour and depth farther apart are no pair (33 ms would be the next image)", low=0.0, high=1.0
    )
    tf_max_gap_s: float = param(
        1.0, "seconds; poses are interpolated between transforms this close, and never extrapolated", low=0.001
    )
    time_jump_s: float = param(
        1.0, "seconds; stamps that fall back by more start a new recording in the same bag", low=0.01
    )
    max_width_px: int = param(1280, "pixels; wider images are reduced, which bounds a keyframe's memory", low=64)


@dataclass(frozen=True)
class KeyframeConfig(Section):
    """Which frames are kept."""

    stride: int = param(10, "every n-th synchronised frame is a keyframe (paper, Sec. 4.1: every 10th)", low=1)
    folder_stride: int = param(1, "the same for exported folders, which are thinned already as a rule", low=1)
    min_translation_m: float = param(0.0, "metres; a keyframe needs this motion since the last, 0 = none", low=0.0)
    min_rotation_deg: float = param(0.0, "degrees; or this rotation since the last, 0 = none", low=0.0, high=180.0)
    max_keyframes: int = param(300, "bound of the buffer (1.6 MB a VGA keyframe); beyond it, thinned evenly", low=2)


@dataclass(frozen=True)
class MapConfig(Section):
    """How keyframes are fused into the map cloud."""

    voxel_size_m: float = param(
        0.0, "metres; spacing of the fused cloud, 0 = four pixels at the median depth, 5 to 12 mm", low=0.0, high=0.5
    )
    depth_min_m: float = param(0.3, "metres; nearer depth is ignored", low=0.0)
    depth_max_m: float = param(5.0, "metres; farther depth is ignored (Kinect noise grows with the square)", low=0.1)
    truncation_voxels: float = param(4.0, "voxels; truncation distance of the signed distance", low=2.0, high=16.0)
    min_weight: float = param(1.0, "keyframes that must have measured a surface point", low=1.0)
    max_points: int = param(4_000_000, "bound of the map; the run stops above it and names the voxel size", low=1000)


@dataclass(frozen=True)
class SuperpointConfig(Section):
    """Graph cut of the map cloud by normals and colour (paper, Sec. 3; Felzenszwalb and Huttenlocher 2004)."""

    normal_neighbours: int = param(16, "nearest points of the plane fit behind a normal", low=3, high=64)
    edge_neighbours: int = param(8, "graph edges a point where the map is a cloud without mesh", low=3, high=32)
    threshold: float = param(0.03, "kThresh of the graph cut; flat from 0.005 to 0.2 on fused depth", low=0.0)
    color_weight: float = param(
        1.0,
        "× the squared difference of an edge's colours (hundreds of CIE Lab) is added; 0 = normals alone, as the paper",
        low=0.0,
    )
    min_points: int = param(10, "points; smaller superpoints join a neighbour (20: -7, 50: -22 AP50)", low=1)
    max_edge_voxels: float = param(3.0, "point spacings; longer graph edges are left out", low=1.0)


@dataclass(frozen=True)
class VisibilityConfig(Section):
    """The depth test behind visible[t]."""

    occlusion_threshold_m: float = param(0.1, "metres; largest |z - depth| of a visible point (paper, 0.1)", low=0.001)
