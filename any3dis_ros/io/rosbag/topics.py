"""Which topics of a bag are the colour and the depth of one camera: by type, content and name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from any3dis_ros.errors import InputError
from any3dis_ros.io.rosbag.bagfile import COMPRESSED_IMAGE, IMAGE
from any3dis_ros.io.rosbag.messages import DEPTH_ENCODINGS

_TRANSPORTS = ("compressed", "compressedDepth")
_NO_CAMERA = {"mask", "masks", "seg", "segmentation", "debug", "overlay", "annotated", "result", "confidence"}
_NO_DEPTH = _NO_CAMERA | {"ir", "infra", "infra1", "infra2", "infrared", "disparity"}
_NO_COLOR = _NO_DEPTH | {"depth"}


@dataclass(frozen=True)
class ImageTopic:
    """An image topic as its first message shows it.

    Attributes:
        name: topic.
        encoding: of the pixels, or the format of a compressed image.
        frame_id: of the header, without a leading slash.
    """

    name: str
    encoding: str
    frame_id: str

    @property
    def is_depth(self) -> bool:
        """Whether the pixels are depth."""
        encoding = self.encoding.partition(";")[0].strip()
        if encoding == "mono16":  # infrared as a rule
            return "depth" in _tokens(self.name)
        return "compressedDepth" in self.encoding or encoding in DEPTH_ENCODINGS

    @property
    def is_rectified(self) -> bool:
        """Whether the name says that distortion has been taken out (image_rect, image_rect_color, image_rect_raw)."""
        return any(token.startswith("rect") for token in _tokens(base_name(self.name).rpartition("/")[2]))


def choose_images(images: list[ImageTopic], color_topic: str, depth_topic: str) -> tuple[ImageTopic, ImageTopic]:
    """Return the topics of colour and of depth.

    Every pair is scored by what the names say and by how much of the namespace and whether the frame is shared; two
    pairs that score the same are for the user to choose from.

    Raises:
        InputError: nothing to choose from, more than one best pair, or a topic that is not in the bag.
    """
    colors = _candidates(images, color_topic, "colour", depth=False)
    depths = _candidates(images, depth_topic, "depth", depth=True)
    scored = sorted(
        ((_pair_score(c, d), c.name, d.name, c, d) for c, d in product(colors, depths)), key=lambda x: x[:3]
    )
    best = [entry for entry in scored if entry[0] == scored[-1][0]]
    if len(best) > 1:
        names = "; ".join(f"{c} with {d}" for _, c, d, _, _ in best)
        raise InputError(f"the bag holds several cameras: {names}; choose one (--color-topic, --depth-topic)")
    return best[0][3], best[0][4]


def choose_info(image: ImageTopic, infos: Mapping[str, str], wanted: str) -> str | None:
    """Return the camera_info topic of an image topic, or None.

    Args:
        image: the image topic.
        infos: camera_info topics and the frame_id of their first message.
        wanted: the user's choice, or empty.

    Raises:
        InputError: `wanted` is not among `infos`.
    """
    if wanted:
        if wanted not in infos:
            raise InputError(f"the bag has no camera_info on '{wanted}'; it has {_listed(infos)}")
        return wanted
    sibling = base_name(image.name).rpartition("/")[0] + "/camera_info"
    if sibling in infos:
        return sibling
    same_frame = [name for name, frame_id in infos.items() if frame_id == image.frame_id]
    return same_frame[0] if len(same_frame) == 1 else None


def base_name(topic: str) -> str:
    """Return the topic without image_transport's suffix."""
    base, _, last = topic.rpartition("/")
    return base if last in _TRANSPORTS and base else topic


def _candidates(images: list[ImageTopic], wanted: str, kind: str, depth: bool) -> list[ImageTopic]:
    if wanted:
        chosen = [i for i in images if i.name == wanted] or [i for i in images if base_name(i.name) == wanted]
        if not chosen:
            raise InputError(f"the bag has no image on '{wanted}'; it has {_listed(i.name for i in images)}")
        return chosen[:1]
    found = [i for i in images if i.is_depth == depth]
    if not found:
        other = _listed(f"{i.name} ({i.encoding})" for i in images)
        types = f"{IMAGE} or {COMPRESSED_IMAGE}"
        expected = "encoding 16UC1 or 32FC1, raw or compressedDepth" if depth else "a colour encoding"
        raise InputError(f"the bag has no {kind} images ({types}, {expected}); its images are {other}")
    top = max(_score(i) for i in found)
    return [i for i in found if _score(i) > top - 4]  # what the name speaks against is no rival


def _pair_score(color: ImageTopic, depth: ImageTopic) -> int:
    shared = 0
    for a, b in zip(color.name.split("/")[1:-1], depth.name.split("/")[1:-1], strict=False):
        if a != b:
            break
        shared += 1
    return _score(color) + _score(depth) + 2 * shared + (3 if color.frame_id == depth.frame_id else 0)


def _score(image: ImageTopic) -> int:
    tokens = set(_tokens(image.name))
    score = 2 * image.is_rectified + (not image.name.endswith(_TRANSPORTS))
    if image.is_depth:
        score += 4 * ("depth" in tokens) + 3 * bool(tokens & {"aligned", "registered"}) - 4 * bool(tokens & _NO_DEPTH)
    else:
        score += 4 * bool(tokens & {"rgb", "color", "colour"}) - 4 * bool(tokens & _NO_COLOR)
        score -= 2 * image.encoding.startswith("mono")
    return score


def _tokens(name: str) -> list[str]:
    return [token for token in re.split(r"[^a-z0-9]+", name.lower()) if token]


def _listed(names: object) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"  # type: ignore[attr-defined]
