"""The catalogue's archives: what is read of them, what is left out, how a model becomes a thing of a room."""

import subprocess
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from furniture_archive import CHAIR, MODELS, write_archive
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.errors import InputError
from benchmarks.rooms import catalogue, catalogue_layout, roles
from benchmarks.rooms.catalogue import Entry, edition, installed, parse, read_catalogue
from benchmarks.rooms.imported import UnfitError, import_model
from benchmarks.rooms.layout import overlaps


@pytest.fixture(scope="module")
def entries(tmp_path_factory) -> dict[str, Entry]:
    folder = tmp_path_factory.mktemp("furniture")
    write_archive(folder)
    return {e.key.split("/")[1]: e for e in read_catalogue(folder)}


def test_every_model_is_read_with_its_size_in_metres_and_its_maker(entries):
    assert set(entries) == set(MODELS)
    table = entries["desk1"]
    assert table.size == (1.4, 0.8, 0.75)
    assert (table.name, table.thing, table.category, table.creator) == ("Table", "table", "Living room", "Ann")
    assert table.licence == "Creative Commons Attribution © Tests"
    assert entries["lamp"].elevation == 1.9
    assert entries["door1"].opening
    assert not table.opening
    credit = table.credit()
    assert credit["by"] == "Ann"
    assert "Attribution" in credit["licence"]


NAMES = st.text(st.characters(codec="ascii", categories=("Ll", "Lu")), min_size=1, max_size=8)
VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0xFFFF, exclude_categories=("Cs", "Zs", "Cc")), max_size=9
)


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(st.integers(1, 999), st.dictionaries(NAMES, VALUES, min_size=1)))
def test_properties_read_back(common, models):
    def line(name, value):
        return f"{name} = " + "".join(c if c.isascii() and c != "\\" else f"\\u{ord(c):04x}" for c in value)

    lines = [line(n, v) for n, v in common.items()]
    lines += [line(f"{n}#{k}", v) for k, about in models.items() for n, v in about.items()]
    assert parse("\n".join(["# comment = 1", "", *lines])) == (common, models)


@pytest.mark.parametrize(
    ("key", "role"),
    [
        ("desk1", roles.TABLE),
        ("seat", roles.CHAIR),
        ("shelf", roles.STORAGE),
        ("cup", roles.SURFACE_THING),
        ("lamp", None),
        ("door1", None),
    ],
)
def test_roles(entries, key, role):
    assert roles.role(entries[key]) == role


def test_a_model_has_its_true_size_and_stands_on_the_floor(entries):
    model = import_model(entries["desk1"], True)
    assert model.name == "table"
    np.testing.assert_allclose(np.concatenate([p.vertices for p in model.parts]).min(0), [-0.7, -0.4, 0], atol=1e-6)
    np.testing.assert_allclose(np.concatenate([p.vertices for p in model.parts]).max(0), [0.7, 0.4, 0.75], atol=1e-6)
    np.testing.assert_allclose(model.parts[0].texture.a, (0.8, 0.2, 0.1), atol=1e-6)
    (top,) = model.supports
    assert top.z == pytest.approx(0.75, abs=1e-4)
    assert top.width * top.depth == pytest.approx(1.4 * 0.8, rel=0.08)


def test_the_back_of_a_model_is_away_from_its_front(entries):
    model = import_model(entries["seat"], False)
    high = np.concatenate([p.vertices for p in model.parts])
    back = high[high[:, 2] > 0.6]
    assert (back[:, 1] > 0.15).all()  # the file's z, to the front, is -y here


def test_a_rotation_is_applied_before_the_size(entries):
    # The chair's file has y up; "1 0 0 0 0 1 0 -1 0" lays it on its back, which was at z = 0 to 0.4.
    model = import_model(entries["lying"], False)
    vertices = np.concatenate([p.vertices for p in model.parts])
    np.testing.assert_allclose(np.ptp(vertices, axis=0), [0.10, 0.30, 0.20], atol=1e-6)
    corners = np.array(
        [(x + i * w, y + j * h, z + k * d) for x, y, z, w, h, d in CHAIR for i, j, k in np.ndindex(2, 2, 2)]
    )
    size = np.ptp(corners, axis=0)
    # up is the file's z; the model's y points away from its front, as the file's y does
    expected = np.stack([corners[:, 0] / size[0] * 0.10 - 0.05, corners[:, 1] / size[1] * 0.30 - 0.15,
                         corners[:, 2] / size[2] * 0.20], axis=1)  # fmt: skip
    assert {tuple(v) for v in np.round(vertices, 4) + 0.0} == {tuple(v) for v in np.round(expected, 4) + 0.0}


def test_a_picture_is_found_though_its_name_ends_in_a_tab(entries):
    (part,) = import_model(entries["cup"], False).parts
    assert part.image is not None
    assert part.image.uv.shape == (len(part.triangles), 3, 2)
    row = part.image.texels[len(part.image.texels) // 2].astype(int)
    assert row[0, 1] > 240
    assert row[-1, 2] > 240


@pytest.mark.parametrize(("key", "why"), [("goblet", "see-through"), ("pair", "several"), ("lean", "fall over")])
def test_models_that_are_no_use_are_left_out(entries, key, why):
    with pytest.raises(UnfitError, match=why):
        import_model(entries[key], False)


def test_the_edition_is_what_the_archives_name(tmp_path):
    assert edition(tmp_path) == ""
    write_archive(tmp_path, "A")
    write_archive(tmp_path, "B")
    assert edition(tmp_path) == "0.7"
    with zipfile.ZipFile(tmp_path / "C.sh3f", "w") as zipped:
        zipped.writestr("PluginFurnitureCatalog.properties", "id=C\n")
    assert edition(tmp_path) == "0.7, not stated"


def test_damaged_archives_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no furniture archive \(\.sh3f\)"):
        read_catalogue(tmp_path)
    (tmp_path / "torn.sh3f").write_bytes(b"PK not a zip")
    with pytest.raises(InputError, match=r"torn\.sh3f is no furniture archive"):
        read_catalogue(tmp_path)
    with zipfile.ZipFile(tmp_path / "torn.sh3f", "w") as zipped:
        zipped.writestr("PluginFurnitureCatalog.properties", "name#1=Chair\n")
    with pytest.raises(InputError, match="model 1 is not described fully"):
        read_catalogue(tmp_path)


def test_an_absent_package_is_installed_by_root_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue.os, "geteuid", lambda: 1000)
    with pytest.raises(InputError, match="sudo apt-get install -y --no-install-recommends sweethome3d-furniture"):
        installed(tmp_path)
    asked = []

    def run(words, **_):
        asked.append(words[1])
        if len(asked) == 3:
            write_archive(tmp_path)
        return SimpleNamespace(stdout="", stderr="E: not found")

    monkeypatch.setattr(catalogue.os, "geteuid", lambda: 0)
    monkeypatch.setattr(catalogue.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(subprocess, "run", run)
    assert installed(tmp_path) == tmp_path
    assert asked == ["install", "update", "install"]
    assert installed(tmp_path) == tmp_path
    assert len(asked) == 3
    with pytest.raises(InputError, match="failed: E: not found"):
        installed(tmp_path / "other")


@pytest.fixture
def small_stock(entries, monkeypatch):
    stock = roles.by_role(list(entries.values()))
    monkeypatch.setattr(catalogue_layout, "stock_of_package", lambda: stock)


@pytest.mark.parametrize("lay", [catalogue_layout.catalogue_room, catalogue_layout.catalogue_tabletop])
def test_things_stand_on_something_and_do_not_meet(small_stock, lay):
    plan = lay(np.random.default_rng(5))
    again = lay(np.random.default_rng(5))
    assert [(p.model.name, p.x, p.y, p.yaw) for p in plan.placed] == [
        (p.model.name, p.x, p.y, p.yaw) for p in again.placed
    ]
    names = [p.model.name for p in plan.placed]
    assert "table" in names
    assert {"cup", "book", "toaster"} & set(names)
    for i, a in enumerate(plan.placed):
        assert (
            a.z == 0 or a.model.name == "picture" or any(abs(a.z - p.z - p.model.high[2]) < 0.01 for p in plan.placed)
        )
        for b in plan.placed[i + 1 :]:
            assert not overlaps(a.boxes, b.boxes, 0.002).any(), (a.model.name, b.model.name)


def test_those_who_made_the_models_are_named_once(small_stock, entries):
    found = catalogue_layout.credits_for({"", entries["desk1"].key, entries["seat"].key})
    assert [c["by"] for c in found] == ["Ann", "Ben"]
    assert catalogue_layout.credits_for({""}) == []
