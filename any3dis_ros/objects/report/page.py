"""The page itself: template, style and script around the data, within a bound."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from any3dis_ros.config import Config
from any3dis_ros.errors import InputError
from any3dis_ros.objects.instances import Instances
from any3dis_ros.objects.report.cloud import BYTES_PER_POINT, Legend, cloud_payload, table_rows
from any3dis_ros.objects.report.views import View, choose, make_views, view_payload
from any3dis_ros.parameters import dotted, parameters
from any3dis_ros.scene.frames import Frame

log = logging.getLogger(__name__)

_IMAGE_SIZES = ((480, 82), (360, 75), (240, 70))  # pixels wide and JPEG quality, tried in this order
_CLOUD_SHARE = 0.5  # of the page's room that the cloud may take; keyframes and thumbnails share the rest


def write_report(
    path: Path,
    instances: Instances,
    frames: Sequence[Frame],
    config: Config,
    title: str,
    warnings: Sequence[str] = (),
) -> Path:
    """Write report.html whole or not at all, and return its path; arguments as for :func:`render_report`.

    Raises:
        InputError: the file cannot be written.
    """
    page = render_report(instances, frames, config, title, warnings)
    try:
        with tempfile.TemporaryDirectory(prefix=".any3dis-", dir=path.parent) as folder:
            staged = Path(folder) / path.name
            staged.write_text(page, encoding="utf-8")
            return staged.replace(path)
    except OSError as error:
        raise InputError(f"cannot write the report {path}: {error.strerror or error}") from error


def render_report(
    instances: Instances, frames: Sequence[Frame], config: Config, title: str, warnings: Sequence[str] = ()
) -> str:
    """Return the report as one HTML file that loads nothing.

    Args:
        instances: the segmentation.
        frames: the keyframes it was made from.
        config: the parameters that were used; `config.output` bounds the page.
        title: name of the scene.
        warnings: what went wrong on the way, a sentence each.
    """
    from plotly.offline import get_plotlyjs  # reads megabytes

    legend = Legend.of(instances)
    views, thumbnails = make_views(
        instances, legend, frames, config.visibility, config.output.report_keyframes, _IMAGE_SIZES[0][0]
    )
    rows = table_rows(instances, legend, frames)
    for rank, row in enumerate(rows, start=1):
        row["thumbnail"] = thumbnails.get(rank, "")
    plotly, most = get_plotlyjs(), int(config.output.report_max_mb * 1e6)
    fitting_points = int((most - len(plotly)) * _CLOUD_SHARE / BYTES_PER_POINT)
    cloud = cloud_payload(instances, legend, max(min(config.output.report_points, fitting_points), 0))
    data: dict[str, Any] = {"cloud": cloud, "instances": rows, "keyframes": []}
    parts = {
        "title": escape(title),
        "style": _asset("report.css"),
        "plotly": plotly,
        "script": _asset("report.js"),
        "summary": _summary(instances, frames, cloud),
        "stages": _stages(instances.statistics.get("seconds")),
        "warnings": _warnings(warnings),
        "run": _run({k: v for k, v in instances.statistics.items() if k != "seconds"}),
        "parameters": _parameters(config),
    }
    room = most - len(_page(parts, data).encode())
    data["keyframes"] = _fitting(views, room)
    parts["keyframes_note"] = f"{len(data['keyframes'])} of {len(frames)}" if frames else "none given"
    return _page(parts, data)


def _fitting(views: Sequence[View], room: int) -> list[dict[str, object]]:
    """Return the views as large as `room` bytes allow; where even the smallest do not fit, fewer of them."""
    for width, quality in _IMAGE_SIZES:
        out = [view_payload(view, width, quality) for view in views]
        if len(json.dumps(out)) <= room:
            return out
    while out and len(json.dumps(out)) > room:
        out = [out[i] for i in choose(len(out), len(out) - 1)] if len(out) > 1 else []
    log.warning("the report shows %d of %d keyframes (output.report_max_mb)", len(out), len(views))
    return out


def _page(parts: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """Fill the template in one pass, so that what is filled in is never searched for places."""
    # "<" is escaped so that no name in the data can end the script element
    filled = {"keyframes_note": "", **parts, "data": json.dumps(data, allow_nan=False).replace("<", "\\u003c")}
    head, *rest = _asset("page.html").split("{{")
    return head + "".join(filled[name] + text for name, text in (piece.split("}}", 1) for piece in rest))


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _summary(instances: Instances, frames: Sequence[Frame], cloud: Mapping[str, Any]) -> str:
    labelled = float((instances.labels > 0).mean()) if len(instances.labels) else 0.0
    seconds = instances.statistics.get("seconds")
    cells = {
        "instances": str(len(instances.instances)),
        "points": f"{cloud['total']:,}",
        "labelled": f"{labelled:.0%}",
        "keyframes": str(len(frames)),
        "engine": str(instances.statistics.get("engine", "unknown")),
    }
    if isinstance(seconds, Mapping) and seconds:
        cells["time"] = _duration(sum(float(v) for v in seconds.values()))
    return "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in cells.items())


def _stages(seconds: object) -> str:
    """Return a bar for each stage, in the order in which they ran."""
    if not isinstance(seconds, Mapping) or not seconds:
        return '<p class="note">No times were recorded.</p>'
    values = {str(k): float(v) for k, v in seconds.items()}
    longest, total = max(max(values.values()), 1e-9), max(sum(values.values()), 1e-9)
    bars = ""
    for name, value in values.items():
        bar = f'<span class="track"><i style="width:{100 * value / longest:.1f}%"></i></span>'
        share = f"<span>{_duration(value)}</span><span>{value / total:.0%}</span>"
        bars += f'<div class="stage"><span>{escape(name)}</span>{bar}{share}</div>'
    return bars


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {seconds % 60:.0f} s"


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return '<p class="note">None.</p>'
    return "<ul>" + "".join(f"<li>{escape(w)}</li>" for w in warnings) + "</ul>"


def _run(statistics: Mapping[str, object]) -> str:
    return '<dl class="facts">' + "".join(_fact(name, value) for name, value in dotted(statistics)) + "</dl>"


def _fact(name: str, value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    return f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"


def _parameters(config: Config) -> str:
    """Return all parameters; those that differ from the default are marked."""
    out = ""
    for p in parameters(Config):
        value: Any = config
        for part in p.name.split("."):
            value = getattr(value, part)
        mark, note = "", ""
        if value != p.default:
            mark, note = ' class="changed"', f"<small>default {escape(str(p.default) or 'empty')}</small>"
        shown = escape(str(value) or "—")
        out += f'<div{mark} title="{escape(p.doc)}"><dt>{escape(p.name)}</dt><dd>{shown}{note}</dd></div>'
    return f'<dl class="facts">{out}</dl>'
