"""Every parameter of the method: one dataclass a stage, the single home of every default.

YAML files, command-line options, the parameter table of the README and ROS parameter descriptors are derived from
the fields here. A field carries its description (unit first, then source), its range or its choices.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class SeedingConfig(Section):
    """Seeds, pivot views and point prompts (paper, Sec. 3.1)."""

    pivot: str = param(
        "3d_aware",
        "which views prompt a seed: 3d_aware = those of the highest ψ (Eq. 2), first_seen = the earliest (Tab. 7)",
        choices=("3d_aware", "first_seen"),
    )
    scale_neighbours: int = param(32, "κ of Eq. 2: superpoints whose visibility scales a view's score", low=1)
    prompt_points: int = param(3, "farthest-point prompts in the pivot view (paper: 3)", low=1, high=16)
    min_seen_points: int = param(3, "points; a superpoint that no view sees by this many is no seed", low=1)


@dataclass(frozen=True)
class GeometricConfig(Section):
    """The engine that needs no network."""

    seeds_per_round: int = param(
        4096, "farthest-point seeds a round; with few its large masks swallow small things before they are seeds", low=1
    )
    width_px: int = param(480, "pixels; frames are reduced to about this width before tracking", low=80, high=1920)
    pivot_views: int = param(2, "pivot views tried for every seed", low=1, high=8)
    masks_per_prompt: int = param(3, "nested candidate masks kept of every prompt", low=1, high=8)
    min_score: float = param(0.0, "candidates scoring less are dropped", low=0.0, high=1.0)
    noise_base_m: float = param(0.0012, "metres; depth noise at 0.4 m (Nguyen et al. 2012, Kinect)", low=0.0, high=0.1)
    noise_quadratic: float = param(0.0019, "1/m; depth noise adds this × (z - 0.4 m)²", low=0.0, high=0.1)
    superpixel_px: int = param(9, "pixels at tracking size; side of a superpixel, about", low=4, high=64)
    depth_edge_sigmas: float = param(8.0, "depth noises that a step must exceed to be a clear edge", low=1.0)
    convex_weight: float = param(
        0.2, "a convex crease's strength as an edge, relative to a concave one", low=0.0, high=1.0
    )
    color_weight: float = param(0.55, "a colour edge's strength where geometry shows none", low=0.0, high=2.0)
    color_bonus: float = param(0.15, "a colour edge's addition to a geometric one", low=0.0, high=2.0)
    color_contrast: float = param(0.006, "border strength for each unit of Lab between two superpixels", low=0.0)
    cheap_area_px: float = param(150.0, "pixels of a 320×240 view; regions under this are cheap to absorb", low=1.0)
    min_area_share: float = param(0.0007, "of the view; a candidate mask is no smaller", low=0.0, high=1.0)
    max_area_share: float = param(0.35, "of the view; a candidate mask is no larger", low=0.0, high=1.0)
    distinct_iou: float = param(0.85, "nested candidates that overlap more are one", low=0.0, high=1.0)
    tolerance_m: float = param(0.015, "metres; a point this far off the measured surface is still seen", low=0.0)
    tolerance_sigmas: float = param(4.0, "depth noises added to that", low=0.0)
    accept_agreement: float = param(0.55, "IoU with the evidence above which a tree node is taken", low=0.0, high=1.0)
    learn_agreement: float = param(
        0.6, "IoU with the evidence above which a view extends the memory", low=0.0, high=1.0
    )
    abstain_agreement: float = param(0.3, "IoU with the evidence under which a view says nothing", low=0.0, high=1.0)
    unseen_cost: float = param(0.05, "of a pixel on the wrong side: what one that nobody saw costs", low=0.0, high=1.0)
    contrast_say: float = param(0.3, "how much of a node's score its contrast decides", low=0.0, high=1.0)
    plausible_share: float = param(
        0.7, "of the best score; pixels of a larger node that reaches it stay undecided", low=0.0, high=1.0
    )
    margin_share: float = param(
        0.2, "of a mask's width: how far around it the surroundings are learnt", low=0.0, high=1.0
    )
    min_pixels: float = param(15.0, "pixels of a 320×240 view; less evidence is none", low=1.0)
    min_in_view_share: float = param(
        0.02, "of the object's known points; fewer in the image are none", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class Sam2Config(Section):
    """The engine that runs SAM 2 (Ravi et al. 2024)."""

    seeds_per_round: int = param(
        4096,
        "farthest-point seeds a round; 512, as the authors' code on ScanNet200, follows three fifths of the objects "
        "and leaves more mistakes unmended (harsh simulated tracks: -16 AP50)",
        low=1,
    )
    pivot_views: int = param(
        2,
        "views in which every seed is prompted; small things share one or two and are lost where that one's track errs "
        "(harsh simulated tracks: 1 -3.6 AP50, a fifth of the tracks saved)",
        low=1,
        high=8,
    )
    image_size: int = param(
        1024,
        "pixels; side of the square that the network sees, a multiple of 32 (512: a fifth of the work to encode a "
        "keyframe, a twelfth to follow an object)",
        low=256,
        high=1024,
    )
    device: str = param("auto", "auto = cuda where there is one, else cpu", choices=("auto", "cuda", "cpu"))
    precision: str = param("auto", "auto = bf16 on cuda, fp32 on cpu", choices=("auto", "fp32", "bf16"))
    compile: bool = param(False, "compile the network by torch.compile; the first run takes minutes more")
    batch_size: int = param(64, "objects run at once; halved where the device runs out of memory", low=1, high=1024)
    min_score: float = param(
        0.6, "prompts whose mask SAM 2 trusts less are dropped (authors' code: 0.6)", low=0.0, high=1.0
    )
    same_mask_iou: float = param(
        0.9, "IoU; prompts of a keyframe whose masks overlap by as much are one object", low=0.5, high=1.0
    )
    features_device_mb: float = param(
        4000.0, "megabytes of keyframe features on the device (8.4 a keyframe at 1024 pixels in bf16)", low=0.0
    )
    features_host_mb: float = param(
        4000.0, "megabytes of them in main memory beyond that; what exceeds both is computed again", low=0.0
    )


@dataclass(frozen=True)
class TrackerConfig(Section):
    """Which engine follows the masks."""

    engine: str = param(
        "auto", "auto = sam2 where a checkpoint is given, else geometric", choices=("auto", "geometric", "sam2")
    )
    checkpoint: str = param(
        "", "SAM 2.1 checkpoint: a path, or tiny, small, base_plus, large once downloaded; empty = none"
    )
    geometric: GeometricConfig = field(default_factory=GeometricConfig)
    sam2: Sam2Config = field(default_factory=Sam2Config)


@dataclass(frozen=True)
class RefinementConfig(Section):
    """Lifting (Eq. 3) and mask optimisation (Eq. 4)."""

    strategy: str = param(
        "robust_exact",
        "how a track's superpoints are chosen (Tab. 8 and beyond)",
        choices=("all_lifted", "top_1_views", "top_5_views", "top_10_views", "view_dp", "exact", "iou", "robust_exact"),
    )
    coverage: float = param(0.5, "τ of Eq. 3: share of a superpoint's seen points inside the mask", low=0.0, high=1.0)
    min_seen_points: int = param(3, "points of a superpoint that a view must see to count in Eq. 3", low=1)


@dataclass(frozen=True)
class MergingConfig(Section):
    """From redundant proposals to ranked ones, and to one label a point."""

    consensus_iou: float = param(
        0.4,
        "IoU; where no learnt objectness judges, proposals that overlap by as much vote on their superpoints, 1 = each "
        "keeps its own",
        low=0.0,
        high=1.0,
    )
    duplicate_iou: float = param(
        0.3, "IoU; a proposal overlapping a better one by more is its duplicate", low=0.0, high=1.0
    )
    containment: float = param(
        0.8, "a proposal inside a better one by more is its part, 1 = keep parts", low=0.0, high=1.0
    )
    part_ratio: float = param(
        5.0, "times its part's points; a larger whole leaves it alone (simulated SAM 2, harsh: 4 -7 precision)", low=1.0
    )
    scrap_share: float = param(
        0.1, "of the whole's confidence; a part that reaches less goes, however large the whole", low=0.0, high=1.0
    )
    confidence: str = param(
        "own",
        "own = evidence, with learnt objectness where fitted on the engine; evidence alone; constant = 1 for all",
        choices=("own", "evidence", "constant"),
    )
    min_points: int = param(30, "points; smaller proposals are dropped", low=1)
    min_share: float = param(
        0.08, "of the scene's best confidence; proposals that reach less are dropped, 0 = keep all", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class NetworkConfig(Section):
    """3D proposals of a supervised network, where a file gives them (paper, "3D + SAM2-L" of Tab. 2)."""

    coverage: float = param(
        0.3, "share of a superpoint's points inside a network's mask that takes it", low=0.0, high=1.0
    )
    seed_covered: bool = param(True, "superpoints in a network's proposal are seeds too")
    max_distance_m: float = param(
        0.05, "metres; masks with points of their own reach map points this near to them", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class IterationConfig(Section):
    """Iterative sampling (paper, Sec. 3.2, end), bounded for a robot."""

    max_rounds: int = param(10, "sampling rounds at most", low=1)
    max_seconds: float = param(600.0, "seconds; no new round starts after this", low=1.0)


@dataclass(frozen=True)
class AssociationConfig(Section):
    """How an object keeps its id from one run to the next."""

    min_iou: float = param(
        0.25, "overlap in space; an object is an earlier one from here on (ScanNet's weakest match)", low=0.0, high=1.0
    )
    max_objects: int = param(2000, "objects remembered; beyond it, longest not found are forgotten", low=1, high=10000)


@dataclass(frozen=True)
class OutputConfig(Section):
    """Bounds of what is written."""

    scannet_max_mb: float = param(500.0, "megabytes; ScanNet's text masks are left out above it, 0 = never", low=0.0)
    report_points: int = param(200_000, "points drawn in the report; a larger cloud is thinned evenly", low=1000)
    report_keyframes: int = param(24, "keyframes shown in the report, chosen evenly", low=0, high=100)
    report_max_mb: float = param(15.0, "megabytes of report.html; keyframes are coarsened, then left out", low=8.0)


@dataclass(frozen=True)
class EvaluationConfig(Section):
    """ScanNet's protocol, class-agnostic; no part of a segmentation, hence not in Config."""

    min_points: int = param(100, "points; smaller predictions and ground truth are ignored (ScanNet: 100)", low=1)
    confidence: str = param("own", "own = the proposals'; constant = 1 for all (peers)", choices=("own", "constant"))
    max_distance_m: float = param(0.05, "metres; ground truth farther from the predicted cloud is unlabelled", low=0.0)


@dataclass(frozen=True)
class NodeConfig(Section):
    """What the ROS 2 node alone needs; no part of a segmentation, hence not in Config."""

    autostart: bool = param(True, "configure and activate at the start, without a lifecycle manager")
    global_frame: str = param("map", "frame of the map and of all results")
    camera_frame: str = param("", "optical frame of the colour camera; empty = the images' frame_id")
    color_transport: str = param("raw", "how rgb/image is published", choices=("raw", "compressed"))
    depth_transport: str = param("raw", "how depth/image is published", choices=("raw", "compressedDepth"))
    sensor_reliability: str = param(
        "auto",
        "auto = as the publishers offer; best_effort loses most images at 30 Hz, reliable hears reliable ones alone",
        choices=("auto", "reliable", "best_effort"),
    )
    preload: bool = param(True, "load and warm up the engine when the node is configured, not at the first run")
    map_source: str = param(
        "fused", "fused = from the keyframes, topic = the last cloud on map_cloud", choices=("fused", "topic")
    )
    fuse_live: bool = param(True, "fuse keyframes as they come; off = all of them when a run begins")
    tf_timeout_s: float = param(1.0, "seconds to wait for the pose of an image", low=0.0, high=10.0)
    tf_buffer_s: float = param(10.0, "seconds of transforms kept", low=1.0, high=600.0)
    sync_queue_size: int = param(
        30, "messages of each topic that wait to be taken, and for their partner", low=2, high=1000
    )
    queue_size: int = param(90, "pairs of images that wait for their pose (1.5 MB a VGA pair)", low=1, high=10000)
    cloud_colors: str = param(
        "objects",
        "of ~/instance_cloud: one for each object as in ~/markers, or the camera's",
        choices=("objects", "camera"),
    )
    point_indices: bool = param(False, "list each object's points in ~/instances, 4 bytes a point")
    diagnostics_period_s: float = param(
        1.0, "seconds between two messages on /diagnostics, read once at the start", low=0.1, high=60.0
    )


@dataclass(frozen=True)
class Config(Section):
    """All parameters of a segmentation."""

    input: InputConfig = field(default_factory=InputConfig)
    keyframes: KeyframeConfig = field(default_factory=KeyframeConfig)
    map: MapConfig = field(default_factory=MapConfig)
    superpoints: SuperpointConfig = field(default_factory=SuperpointConfig)
    visibility: VisibilityConfig = field(default_factory=VisibilityConfig)
    seeding: SeedingConfig = field(default_factory=SeedingConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    refinement: RefinementConfig = field(default_factory=RefinementConfig)
    merging: MergingConfig = field(default_factory=MergingConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    iteration: IterationConfig = field(default_factory=IterationConfig)
    association: AssociationConfig = field(default_factory=AssociationConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
