"""Seeds, their prompts, and the engine that follows the masks."""

from __future__ import annotations

from dataclasses import dataclass, field

from any3dis_ros.parameters import Section, param


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
    prompt_share: float = param(
        0.5,
        "of a superpoint's pixels, those nearest its middle, take the prompts; 1 = all, as the paper, and on the rim",
        low=0.0,
        high=1.0,
    )
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
