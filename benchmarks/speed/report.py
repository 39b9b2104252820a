"""Tables of speed: ratios to the reference at each load, and exponents of growth along each axis."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from benchmarks import tables

AXES = ("points", "keyframes", "tracks")
SHORTEST = 0.1  # CPU seconds at the largest size under which an exponent is noise
LIBRARIES = ("numpy", "numba", "scipy")
ALTERNATIVE = "Algorithm 1"  # in place of the default refinement


@dataclass(frozen=True)
class Result:
    """One load as measured.

    Attributes:
        sizes: points, keyframes, tracks and what else was counted.
        axes: along which it belongs to a series.
        product: by stage, seconds on the wall, seconds of the CPU, peak megabytes.
        reference: the same of the published formulation, of the part that it did.
        share: that part of the stage's work, 0-1.
        subset: the same in words.
    """

    sizes: dict[str, int]
    axes: list[str]
    product: dict[str, list[float]]
    reference: dict[str, list[float]]
    share: dict[str, float]
    subset: dict[str, str]


def median_of(rounds: Sequence[Result]) -> Result:
    """Return the first round of a load with the product's costs as they were in the median of all."""
    costs = {s: np.median([r.product[s] for r in rounds], axis=0).tolist() for s in rounds[0].product}
    return replace(rounds[0], product=costs)


def text(results: Sequence[Result]) -> str:
    """Return all tables with what they were measured on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    machine = f"Python {platform.python_version()}, {libraries}; {platform.machine()}"
    parts = [f"## Speed of each stage\n\n{machine}. Seconds are of the CPU over all threads unless they say wall."]
    parts += [against(r) for r in results if r.reference]
    parts += [growth(axis, results) for axis in AXES if sum(axis in r.axes for r in results) > 1]
    return "\n\n".join(parts)


def against(r: Result) -> str:
    """Return one load's stages beside their references."""
    head = [
        "stage",
        "wall s",
        "CPU s",
        "peak MB",
        "reference wall s",
        "CPU s",
        "peak MB",
        "run on",
        "ratio, wall",
        "CPU",
    ]
    body = []
    for stage, (wall, cpu, peak) in r.product.items():
        cells = [stage, f"{wall:.2f}", f"{cpu:.2f}", f"{peak:.0f}"]
        if stage in r.reference:
            its_wall, its_cpu, its_peak = r.reference[stage]
            share = r.share[stage]
            told = f"{its_wall / share:.4g}" + (" (scaled)" if share < 1 else "")
            cells += [told, f"{its_cpu / share:.4g}", f"{its_peak:.0f}", r.subset[stage]]
            cells += [ratio(its_wall / share, wall), ratio(its_cpu / share, cpu)]
        else:
            cells += ["–"] * 6
        body.append(cells)
    sizes = ", ".join(f"{n:,} {name}" for name, n in r.sizes.items())
    return f"### {sizes}\n\n{tables.markdown(head, body)}"


def ratio(reference: float, product: float) -> str:
    """Return how many times faster, two digits."""
    times = reference / max(product, 1e-4)
    return f"{times:.1f}×" if times < 10 else f"{float(f'{times:.2g}'):,.0f}×"


def growth(axis: str, results: Sequence[Result]) -> str:
    """Return CPU seconds and memory of each stage along one axis."""
    own = sorted((r for r in results if axis in r.axes), key=lambda r: r.sizes[axis])
    x = [float(r.sizes[axis]) for r in own]
    head = ["stage", *(f"CPU s, {v:,.0f}" for v in x), "exponent", *(f"MB, {v:,.0f}" for v in x)]
    body = []
    for stage in own[0].product:
        seconds = [r.product[stage][1] for r in own]
        memory = [f"{r.product[stage][2]:.0f}" for r in own]
        body.append([stage, *(f"{s:.2f}" for s in seconds), exponent(x, seconds, SHORTEST), *memory])
    whole = [sum(cost[1] for stage, cost in r.product.items() if stage != ALTERNATIVE) for r in own]
    body.append(["a whole run", *(f"{s:.2f}" for s in whole), exponent(x, whole, SHORTEST), *["–"] * len(own)])
    held = ", ".join(f"{own[0].sizes[k]:,} to {own[-1].sizes[k]:,} {k}" for k in own[0].sizes if k != axis)
    return f"### Growing {axis} ({held})\n\n{tables.markdown(head, body)}"


def exponent(x: Sequence[float], y: Sequence[float], least: float) -> str:
    """Return the slope of log y over log x, or a dash where the largest y is too small to tell."""
    if max(y) < least or min(y) <= 0:
        return "–"
    return f"{np.polyfit(np.log(x), np.log(y), 1)[0]:.2f}"


def rows(results: Sequence[Result]) -> list[dict[str, object]]:
    """Return one row for each stage of each load."""
    out: list[dict[str, object]] = []
    for r in results:
        for stage, (wall, cpu, peak) in r.product.items():
            theirs = r.reference.get(stage)
            out.append(
                {"stage": stage, **r.sizes, "wall_s": round(wall, 4), "cpu_s": round(cpu, 4), "peak_mb": round(peak, 1)}
                | {
                    "reference_wall_s": round(theirs[0], 4) if theirs else "",
                    "reference_cpu_s": round(theirs[1], 4) if theirs else "",
                    "reference_share": r.share.get(stage, ""),
                    "reference_peak_mb": round(theirs[2], 1) if theirs else "",
                }
            )
    return out
