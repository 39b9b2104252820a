"""Tags on scenes built so that their measures are known."""

import numpy as np
import pytest

from benchmarks.rooms import tags
from benchmarks.rooms.capture import pinhole
from benchmarks.rooms.difficulty import Seen, alike, measure, narrow_area, thinned
from benchmarks.rooms.furniture import chair
from benchmarks.rooms.ground_truth import SurfaceAccumulator
from benchmarks.rooms.layout import Placed
from benchmarks.rooms.meshes import Part, box, transform
from benchmarks.rooms.models import Model
from benchmarks.rooms.rendering import Renderer
from benchmarks.rooms.room import FIRST_THING, FLOOR, Room, merge
from benchmarks.rooms.tags import Measures
from benchmarks.rooms.textures import plain

CAMERA = pinhole(320, 240)
EASY = Measures(neighbours=2, hidden=0.29, narrow=0.49, shortest_m=0.031, longest_m=0.151, gap_m=0.0101, copies=0)


@pytest.mark.parametrize(
    ("change", "tag"),
    [
        ({"neighbours": 3}, tags.CLUTTER),
        ({"hidden": 0.3}, tags.OCCLUSION),
        ({"narrow": 0.5}, tags.THIN),
        ({"shortest_m": 0.03}, tags.THIN),
        ({"longest_m": 0.15}, tags.SMALL),
        ({"gap_m": 0.01}, tags.TOUCHING),
        ({"copies": 1}, tags.SAME_LOOKING),
    ],
)
def test_each_tag_begins_at_its_stated_limit(change, tag):
    assert EASY.tags == ()
    assert Measures(**{**EASY.__dict__, **change}).tags == (tag,)


def block(name: str, *size: float, color: float = 0.5) -> Model:
    return Model(name, (box(size, (0, 0, 0), plain((color, 0.2, 0.2))),))


def room_of(*things: Placed) -> Room:
    pieces = [(FLOOR, box((4, 4, 0.01), (2, 2, -0.01), plain((0.6, 0.6, 0.6))), np.eye(4))]
    for k, thing in enumerate(things):
        pieces += [(FIRST_THING + k, part, thing.T_room_model) for part in thing.model.parts]
    return Room((4.0, 4.0, 2.5), things, merge(pieces))


def measured(*things: Placed) -> list[Measures]:
    """Measures as seen by one camera at (2, 0, 0.5) that looks along +y."""
    room = room_of(*things)
    renderer = Renderer(room.mesh, np.array([(2.0, 2.0, 2.4)]))
    T = transform((2.0, 0.0, 0.5), roll=-np.pi / 2)
    view = renderer.view(CAMERA, T)
    surface = SurfaceAccumulator(0.01)
    surface.add(view, CAMERA, T, (0.4, 5.0))
    found = measure(room, CAMERA, [Seen(T, thinned(view.instance, CAMERA))], surface.result(FIRST_THING))
    return [found[FIRST_THING + k] for k in range(len(things))]


def test_a_thing_half_behind_another_is_half_hidden():
    # Seen along y: the front block, at half the distance and half as wide, covers the right half of the back one.
    front = Placed(block("front", 0.25, 0.02, 1.0), 2.125, 1.0, 0.0, 0.0)
    back = Placed(block("back", 1.0, 0.02, 1.0), 2.0, 2.0, 0.0, 0.0)
    in_front, behind = measured(front, back)
    assert in_front.hidden == pytest.approx(0, abs=0.01)
    assert behind.hidden == pytest.approx(0.5, abs=0.03)
    assert tags.OCCLUSION in behind.tags
    assert tags.OCCLUSION not in in_front.tags


def test_a_post_is_thin_and_a_block_is_not():
    post, wide = measured(
        Placed(block("post", 0.02, 0.02, 0.8), 1.6, 1.5, 0.0, 0.0), Placed(block("wide", 0.3, 0.3, 0.8), 2.3, 1.5, 0, 0)
    )
    assert post.narrow > 0.9
    assert wide.narrow < 0.05
    assert tags.THIN in post.tags
    assert tags.THIN not in wide.tags
    assert wide.longest_m == pytest.approx(0.8)


def test_touching_is_beside_not_on_top():
    table = Placed(block("table", 0.6, 0.4, 0.3), 2.0, 1.5, 0.0, 0.0)
    cup = Placed(block("cup", 0.08, 0.08, 0.1), 1.9, 1.4, 0.3, 0.0)
    beside = Placed(block("can", 0.08, 0.08, 0.1, color=0.9), 1.9 + 0.084, 1.4, 0.3, 0.0)
    away = Placed(block("jar", 0.09, 0.09, 0.12), 1.9 + 0.084 + 0.085 + 0.05, 1.4, 0.3, 0.0)
    found = measured(table, cup, beside, away)
    assert found[0].gap_m == pytest.approx(0.1)
    assert found[1].gap_m == pytest.approx(0.004, abs=1e-3)
    assert found[2].gap_m == pytest.approx(0.004, abs=1e-3)
    assert found[3].gap_m == pytest.approx(0.05, abs=1e-3)
    assert [tags.TOUCHING in m.tags for m in found] == [False, True, True, False]
    assert [m.neighbours for m in found] == [3, 2, 3, 2]  # from the cup to the jar it is 13 cm
    assert tags.SMALL in found[1].tags
    assert tags.SMALL not in found[0].tags


def test_copies_are_of_the_same_shape_and_colour():
    one, other = block("cup", 0.1, 0.1, 0.1), block("cup", 0.1, 0.1, 0.1)
    red, large = block("cup", 0.1, 0.1, 0.1, color=0.9), block("cup", 0.1, 0.1, 0.11)
    assert alike(one, other)
    assert not alike(one, red)
    assert not alike(one, large)
    same_seed = [chair(np.random.default_rng(4)) for _ in range(2)]
    assert alike(*same_seed)
    assert not alike(same_seed[0], chair(np.random.default_rng(5)))
    part: Part = one.parts[0]
    assert alike(Model("a", (part,), source="x"), Model("a", (), source="x"))
    assert not alike(Model("a", (part,), source="x"), Model("a", (part,), source="y"))
    found = measured(*(Placed(m, 1.0 + 0.5 * k, 1.5, 0.0, 0.0) for k, m in enumerate((one, other, red))))
    assert [m.copies for m in found] == [1, 1, 0]


@pytest.mark.parametrize("width", [3, 6, 9, 14])
def test_a_strip_is_narrow_where_no_disc_fits(width):
    outline = np.zeros((60, 80), bool)
    outline[20 : 20 + width, 5:75] = True
    narrow = narrow_area(outline, 9) / outline.sum()
    assert narrow == pytest.approx(1.0 if width < 9 else 0.0, abs=0.03)


def test_a_spoon_is_narrow_at_its_handle():
    outline = np.zeros((60, 120), bool)
    outline[20:44, 10:34] = True  # the bowl, 24 × 24
    outline[30:34, 34:110] = True  # the handle, 4 × 76
    assert narrow_area(outline, 10) == pytest.approx(4 * 76, rel=0.1)
