"""What the models of the catalogue are good for in a room: by name, place and size, since its categories are rooms.

Left out are doors, windows and stairs, what hangs (an elevation of its own, or by name), vehicles, people, animals, and
what is too large or too small for the rooms made here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.rooms.catalogue import Entry

TABLE, COFFEE_TABLE, DESK, CHAIR, ARMCHAIR, STOOL = "table", "coffee table", "desk", "chair", "armchair", "stool"
SOFA, BED, STORAGE, NIGHT_TABLE = "sofa", "bed", "storage", "night table"
FLOOR_THING, SURFACE_THING = "floor thing", "surface thing"

INDOORS = ("Bathroom", "Bedroom", "Kitchen", "Lights", "Living room", "Miscellaneous", "Office")
HANGING = re.compile(
    r"\b(hang\w*|wall|ceiling|pendant|chandelier|curtain|blind|shower|towel rack|dispenser|plug|socket|switch|detector|"
    r"hood|urinal|radiator|antenna|meter|faucet|conditioning|extractor|alarm box|fluorescent|spotlight|mirror|hanger|"
    r"coathanger|poster|painting|photo|frame|picture|dart\w*|whiteboard|board)\b",
    re.IGNORECASE,
)
OUTDOORS = re.compile(
    r"\b(street|outdoor|lamp ?post|porch|mower|container|tent|bath|toilets?|bidet|tatami|rug|carpet|bathmat|doormat|"
    r"park|mattress|futon|sleeping|fireplace|chimney|boiler|escalator|elevator|ramp|pool|cone|grill|treadmill|"
    r"water heater|sink|washbasin|lavatory|vanity|urinal|cooktop|induction cooker|bunk|mezzanine|hospital|road|"
    r"barrier|stove)\b",
    re.IGNORECASE,
)
# Garments lie as flat as they are modelled for a wardrobe; what comes as a set is no single thing.
FLAT_OR_SET = re.compile(
    r"\b(jacket|skirt|trousers|dress|short|glove|socket|sock|watch|ring|cutlery|slippers|shoes|sneakers|mocassin|"
    r"billet|note|coin|keys|puzzle|chessboard|card game|logs|ustensils|pencil|needle|towel|suit|clothes|set)\b",
    re.IGNORECASE,
)

# Role, its name in the catalogue, and the largest (and least) width, depth, height that a room takes, metres.
_FURNITURE: tuple[tuple[str, str, tuple[float, float, float], float], ...] = (
    (NIGHT_TABLE, r"bedside table|nightstand", (0.7, 0.6, 0.8), 0.3),
    (ARMCHAIR, r"armchair|modern armchair", (1.1, 1.0, 1.15), 0.6),
    (CHAIR, r"chair|office chair|chair with cushion|oak chair|osaka chair|folding chair|plastic chair|class seat",
     (0.8, 0.8, 1.2), 0.7),
    (STOOL, r"stool|bar stool|piano bench|puff", (0.95, 0.9, 0.85), 0.35),
    (DESK, r"desk|wooden desk|desk table", (1.65, 0.9, 1.1), 0.65),
    (COFFEE_TABLE, r"coffee table|table|glass table|children table", (1.5, 0.9, 0.56), 0.3),
    (TABLE, r"[\w ]*\btable", (1.8, 1.25, 0.8), 0.6),
    (SOFA, r"[\w ]*\b(sofa|couch)( \d seats)?", (2.3, 1.1, 1.1), 0.6),
    (BED, r"bed|child bed|iron bed|captain's bed|day bed", (1.75, 2.2, 1.2), 0.4),
    (STORAGE, r"[\w ]*\b(bookcase|shelves|cupboard|wardrobe|dresser|dresser with drawers|chest|cabinet|drawers|"
     r"fridge|refrigerator|washing machine|dryer machine|freezer|safe|upright piano|workbench|trunck|changing table|"
     r"dressing table|box)", (1.75, 0.75, 2.3), 0.4),
)  # fmt: skip
_NO_TABLE = re.compile(r"\b(fan|lamp|tennis|football|technical|pool|bar)\b", re.IGNORECASE)
MAX_SURFACE_M, MAX_SURFACE_HEIGHT_M, MIN_SURFACE_M = 0.48, 0.5, 0.05
MAX_FLOOR_M, MAX_FLOOR_HEIGHT_M = 1.1, 2.0


def role(entry: Entry) -> str | None:
    """Return what `entry` is good for, None where it is left out."""
    width, depth, height = entry.size
    if entry.opening or entry.elevation > 0 or entry.category not in INDOORS:
        return None
    if any(words.search(entry.name) for words in (HANGING, OUTDOORS)):
        return None
    for kind, name, (w, d, h), least in _FURNITURE:
        named = re.fullmatch(name, entry.name, re.IGNORECASE) and not _NO_TABLE.search(entry.name)
        fits = least <= height <= h and width <= w and depth <= d and (kind != STORAGE or width >= 0.35)
        if named and fits:
            return kind
    if FLAT_OR_SET.search(entry.name):
        return None
    if max(width, depth) <= MAX_SURFACE_M and height <= MAX_SURFACE_HEIGHT_M:
        # A pencil or a bank note is thinner than what the sensor resolves.
        thin, middle, long = sorted(entry.size)
        return SURFACE_THING if thin >= 0.005 and middle >= 0.03 and long >= MIN_SURFACE_M else None
    if max(width, depth) <= MAX_FLOOR_M and 0.25 <= height <= MAX_FLOOR_HEIGHT_M and entry.movable:
        return FLOOR_THING
    return None


def by_role(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the entries of each role, in their order."""
    out: dict[str, list[Entry]] = {}
    for entry in entries:
        if kind := role(entry):
            out.setdefault(kind, []).append(entry)
    return out
