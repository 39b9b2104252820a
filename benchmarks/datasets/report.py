"""The table of a data set: AP pooled over all scenes in Markdown, scene by scene in CSV, with what it was made with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from any3dis_ros.config import Config, EvaluationConfig
from any3dis_ros.objects.evaluation import Evaluation, evaluate_both
from any3dis_ros.parameters import parameters
from benchmarks import tables
from benchmarks.datasets.kept import SceneResult

POOLED = ("ap", "ap_to_90", "ap50", "ap25", "rc", "rc_to_90", "rc50", "rc25", "precision50")
SINGLE = ("ap", "ap50", "ap25", "rc", "rc50", "rc25", "precision50")


def report(
    settings: Mapping[str, Any], results: Mapping[str, SceneResult], failed: Mapping[str, str], folder: Path
) -> None:
    """Print the pooled table and keep it in `folder` as `table.md`, with every scene as `table.csv`."""
    pooled = evaluate_both([r.overlap for r in results.values()])
    head = ["confidence", *POOLED, "proposals", "objects"]
    body = [[name, *_cells(e, POOLED), str(e.count), str(len(e.objects))] for name, e in pooled.items()]
    text = "\n\n".join(
        [
            f"## {settings['title']}",
            f"Percent, class-agnostic, ScanNet's rules: {len(results)} scenes pooled, objects of at least "
            f"{EvaluationConfig().min_points} vertices of the annotated mesh. ap and rc over IoU 0.50:0.05:0.95, to_90 "
            "over 0.50:0.05:0.90 as the peers' script has it; own = the proposals' confidence, constant = 1 for all, "
            "as peers have it.",
            tables.markdown(head, body),
            _made_with(settings),
            *([_left_out(failed)] if failed else []),
        ]
    )
    tables.keep("table", text, [_row(name, r) for name, r in results.items()], folder)


def _row(name: str, result: SceneResult) -> dict[str, object]:
    by_confidence = evaluate_both([result.overlap])
    own = by_confidence["own"]
    return {
        "scene": name,
        **{metric: getattr(own, metric) for metric in SINGLE},
        "ap50_constant": by_confidence["constant"].ap50,
        "objects": len(own.objects),
        "proposals": own.count,
        **result.told,
    }


def _cells(evaluation: Evaluation, metrics: tuple[str, ...]) -> list[str]:
    return [tables.cell(metric, getattr(evaluation, metric)) for metric in metrics]


def _made_with(settings: Mapping[str, Any]) -> str:
    """Return what the figures depend on: options, parameters that are not the defaults, versions."""
    plain = {k: v for k, v in settings.items() if k not in ("title", "versions", "parameters")}
    changed = {}
    for parameter in parameters(Config):
        value = settings["parameters"]
        for part in parameter.name.split("."):
            value = value[part]
        if value != parameter.default:
            changed[parameter.name] = value
    lines = [
        "- " + ", ".join(f"{name}: {value}" for name, value in plain.items()),
        "- parameters: " + (", ".join(f"{n}={v}" for n, v in changed.items()) or "defaults"),
        "- versions: " + ", ".join(f"{name} {version}" for name, version in settings["versions"].items()),
    ]
    return "\n".join(lines)


def _left_out(failed: Mapping[str, str]) -> str:
    return "\n".join([f"Left out, {len(failed)} scenes:", "", *(f"- {name}: {why}" for name, why in failed.items())])
