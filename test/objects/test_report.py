"""The report's structure: valid, self-contained, escaped, bounded; what it holds is what was found."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from small_result import SIDE, small_result

from any3dis_ros.config import Config, MergingConfig, OutputConfig
from any3dis_ros.errors import InputError
from any3dis_ros.objects.instances import Instances, colors_of
from any3dis_ros.objects.report import page as page_module
from any3dis_ros.objects.report import render_report, write_report
from any3dis_ros.objects.report.views import View, view_payload
from any3dis_ros.scene.frames import Camera, Frame

VOID = {"meta", "input", "img", "br", "link", "hr"}
HOSTILE = '</script><script>alert(1)</script><img src="http://evil.example/x.png">&{{data}}'


class Page(HTMLParser):
    """Elements and texts of a page; complains of tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], {}
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        assert self.open[-1][0] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        tag, name = self.open[-1] if self.open else ("", None)
        self.texts[name or tag] = self.texts.get(name or tag, "") + data

    def data(self):
        return json.loads(self.texts["data"])


@pytest.fixture(scope="module")
def rendered():
    instances, frames = small_result(names=("first", HOSTILE))
    config = Config(merging=MergingConfig(duplicate_iou=0.7))
    return render_report(instances, frames, config, HOSTILE, ["two poses < needed", HOSTILE])


@pytest.fixture(scope="module")
def page(rendered):
    return Page(rendered)


def uint16(text):
    return np.frombuffer(base64.b64decode(text), "<u2")


def image(text):
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def test_page_is_well_formed(rendered, page):
    assert rendered.startswith("<!DOCTYPE html>")
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {"scene", "instances", "keyframes", "stages", "parameters", "run", "data"} <= set(ids)
    wanted = set(re.findall(r"""\$\("([\w-]+)"\)""", page_module._asset("report.js")))
    assert wanted - set(ids) == set(), "the script asks for elements that the page lacks"
    places = set(re.findall(r"{{(\w+)}}", page_module._asset("page.html")))
    left = set(re.findall(r"{{(\w+)}}", rendered))
    assert places & left == {"data"}, "only the hostile title says so"


def test_page_loads_nothing(page):
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    for tag, attrs in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "href", "srcset", "data", "action", "poster"} & set(attrs), (tag, attrs)
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
    for name in ("report.css", "report.js", "page.html"):
        text = page_module._asset(name)
        assert not re.search(r"https?:|//\w+\.\w+/|@import|url\(|innerHTML|insertAdjacentHTML|fetch\(|XMLHttp", text), (
            name
        )


def test_texts_are_escaped(page):
    assert sum(tag == "script" for tag, _ in page.elements) == 3  # data, plotly, ours: none that a name brought in
    assert not any(tag == "img" for tag, _ in page.elements)  # made by the script
    assert page.texts["h1"].strip() == HOSTILE
    assert page.data()["keyframes"][1]["name"] == HOSTILE
    assert "two poses < needed" in page.texts["li"]
    assert HOSTILE in page.texts["li"]


def test_cloud(page):
    instances, _ = small_result()
    cloud = page.data()["cloud"]
    assert cloud["total"] == cloud["shown"] == 3 * SIDE**3
    xyz = np.array(cloud["low"]) + uint16(cloud["xyz"]).reshape(-1, 3) * np.array(cloud["step"])
    np.testing.assert_allclose(xyz, instances.points, atol=2e-5)
    np.testing.assert_array_equal(uint16(cloud["rank"]), np.repeat([1, 2, 0], SIDE**3))
    assert set(uint16(cloud["rgb"]).tolist()) == {(10 >> 4) << 8 | (20 >> 4) << 4 | (250 >> 4)}


def test_table(page):
    first, second = page.data()["instances"]
    assert (first["id"], first["score"], first["points"], first["size"]) == (1, 0.9, SIDE**3, [10, 10, 10])
    assert second["centroid"] == [0.55, 0.05, 0.05]
    assert first["color"] == "#" + bytes(colors_of(np.array([1]))[0]).hex()
    assert first["view"] == HOSTILE
    assert second["view"] == "first"
    assert first["eye"] == [0.5, -1.5, 1.6]
    np.testing.assert_allclose(np.min(second["corners"], 0), [0.5, 0, 0], atol=1e-3)
    assert image(first["thumbnail"]).shape == (72, 96, 3)


def test_keyframe_shows_the_tracked_mask(page):
    second = page.data()["keyframes"][1]
    runs = uint16(second["runs"]).reshape(-1, 2)
    rank = np.repeat(runs[:, 0], runs[:, 1]).reshape(second["height"], second["width"])
    expected = np.zeros((48, 64), bool)
    expected[10:20, 5:25] = True
    assert ((rank == 1) ^ expected).sum() <= 12  # the smoothing takes the corners
    (name, x, y), *_ = [tag for tag in second["tags"] if tag[0] == 1]
    assert (name, 9 <= x <= 20, 14 <= y <= 15) == (1, True, True)
    np.testing.assert_allclose(image(second["jpeg"]), 80, atol=4)


def test_stages_parameters_and_statistics(rendered, page):
    assert "1.5 s" in rendered
    assert "250 ms" in rendered
    assert [a["style"] for tag, a in page.elements if tag == "i"] == ["width:100.0%", "width:16.7%"]
    changed = re.findall(r'<div class="changed".*?</div>', rendered)
    assert len(changed) == 1
    assert "merging.duplicate_iou" in changed[0]
    assert f"<dd>0.7<small>default {Config().merging.duplicate_iou:g}" in changed[0]


def test_nothing_found_and_nothing_given():
    data = Page(render_report(Instances.empty(), [], Config(), "empty")).data()
    assert (data["instances"], data["keyframes"], data["cloud"]["shown"]) == ([], [], 0)
    instances, frames = small_result()
    none = dataclasses.replace(instances, labels=np.zeros_like(instances.labels))
    assert Page(render_report(none, frames, Config(), "none")).data()["instances"] == []
    bare = dataclasses.replace(instances, best_views=(), masks=(), statistics={})
    assert [row["view"] for row in Page(render_report(bare, [], Config(), "bare")).data()["instances"]] == ["", ""]


def noise(count):
    """Frames that JPEG cannot compress."""
    rng = np.random.default_rng(0)
    camera = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
    depth = np.zeros((480, 640), np.uint16)
    colors = rng.integers(0, 255, (count, 480, 640, 3), np.uint8)
    return [Frame(i, color, depth, camera, np.eye(4), str(i)) for i, color in enumerate(colors)]


def test_size_is_bounded():
    instances, _ = small_result()
    large = dataclasses.replace(
        instances,
        points=np.repeat(instances.points, 400, axis=0),
        colors=np.repeat(instances.colors, 400, axis=0),
        superpoint=np.repeat(instances.superpoint, 400),
        labels=np.repeat(instances.labels, 400),
    )
    frames = noise(40)
    output = OutputConfig(report_max_mb=8.0, report_keyframes=100, report_points=10**6)
    page = render_report(large, frames, Config(output=output), "noise")
    assert len(page.encode()) <= 8.0e6
    data = Page(page).data()
    assert 50_000 < data["cloud"]["shown"] < data["cloud"]["total"] == len(large.points)
    assert data["keyframes"][0]["width"] < 480
    few = Page(render_report(instances, frames, Config(output=OutputConfig(report_keyframes=5)), "few")).data()
    assert [k["name"] for k in few["keyframes"]] == ["0", "10", "20", "29", "39"]
    assert few["keyframes"][0]["width"] == 480


def test_keyframes_are_left_out_last(caplog):
    views = [View(f.name, f.color, np.zeros((480, 640), np.uint16)) for f in noise(6)]
    smallest = len(json.dumps([view_payload(views[0], 240, 70)]))
    shown = page_module._fitting(views, 3 * smallest + 500)
    assert [v["name"] for v in shown][:1] == ["0"]
    assert (len(shown), shown[0]["width"]) == (3, 240)
    assert "the report shows 3 of 6 keyframes (output.report_max_mb)" in caplog.text
    assert page_module._fitting(views, 100) == []


def test_written_whole_or_not_at_all(tmp_path, monkeypatch):
    instances, frames = small_result()
    path = write_report(tmp_path / "report.html", instances, frames, Config(), "room")
    before = path.read_bytes()
    assert Page(before.decode()).texts["h1"] == "room"
    with pytest.raises(InputError, match="cannot write the report"):
        write_report(tmp_path / "absent" / "report.html", instances, frames, Config(), "room")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(page_module, "_page", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_report(path, instances, frames, Config(), "other")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert path.read_bytes() == before
