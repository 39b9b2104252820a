"""What makes a thing hard to find: six tags, each decided by a number that is measured on the exact scene.

| tag | a thing has it where |
| --- | --- |
| `clutter` | at least 3 other things have visible surface within 10 cm of its own visible surface |
| `occlusion` | other things hide at least 30 % of the pixels that it would fill if it were alone, over all keyframes |
| `thin` | at least half of its outline's area is narrower than 3 cm, or the shortest side of its box is at most 3 cm |
| `small` | the longest side of its box is at most 15 cm |
| `touching` | another thing is within 1 cm of it, more than 1 cm above where either of them stands |
| `same-looking` | the scene holds another thing of the same model |

The box is the model's own, upright. What carries a thing does not touch it by these words: they stand on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

CLUTTER, OCCLUSION, THIN, SMALL, TOUCHING, SAME_LOOKING = TAGS = (
    "clutter", "occlusion", "thin", "small", "touching", "same-looking",
)  # fmt: skip

NEAR_M, CROWD = 0.10, 3
HIDDEN = 0.3
THIN_M, NARROW = 0.03, 0.5
SMALL_M = 0.15
TOUCH_M = 0.01


@dataclass(frozen=True)
class Measures:
    """The numbers that decide the tags of one thing.

    Attributes:
        neighbours: other things with visible surface within NEAR_M of its own.
        hidden: share 0..1 of its pixels that other things hide, over all keyframes; 0 where it is never in view.
        narrow: share 0..1 of its outline's area that no disc of THIN_M across fits into.
        shortest_m, longest_m: sides of its box, metres.
        gap_m: to the nearest other thing, above where both stand; at most NEAR_M.
        copies: other things of the same model.
    """

    neighbours: int
    hidden: float
    narrow: float
    shortest_m: float
    longest_m: float
    gap_m: float
    copies: int

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of a thing with these measures, in the order of TAGS."""
        holds = (
            self.neighbours >= CROWD,
            self.hidden >= HIDDEN,
            self.narrow >= NARROW or self.shortest_m <= THIN_M,
            self.longest_m <= SMALL_M,
            self.gap_m <= TOUCH_M,
            self.copies > 0,
        )
        return tuple(tag for tag, held in zip(TAGS, holds, strict=True) if held)
