"""The figure of a certificate: errors against time, what they come from, and the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.common import BLACK, GREEN, PALETTE, beside, letter, new_figure, save
from tnspin.figures.ledger import settings, write_below
from tnspin.units import EnergyScale

__all__ = ["certificate_figure", "save_certificate_figure"]

_COLOURS = (*PALETTE, "0.5")
_STYLES = {"coarser": ":", "finer": "-", "exact": "-"}
#: Errors below the tolerance by more than this are not shown.
_DECADES = 1e-6


def save_certificate_figure(facts: Mapping[str, Any], path: Path) -> None:
    """Draw what `Certificate.to_dict` gives and write it (format from the suffix).

    Raises
    ------
    InputError
        If the suffix is not a format that matplotlib writes.
    """
    save(path, lambda: certificate_figure(facts))


def certificate_figure(facts: Mapping[str, Any]) -> Figure:
    """Errors of the judged observables; if estimated, what they come from, and the rungs."""
    rows = 1 if facts["known"] else 3
    drawing = new_figure(8.6, 1.2 + 2.9 * rows)
    drawing.suptitle(_title(facts), fontsize=12)
    axes = drawing.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    name = facts["limited_by"][0]
    _errors(axes[0], facts)
    if not facts["known"]:
        _contributions(axes[1], facts, name)
        _rungs(axes[2], facts, name)
    for ax in axes:
        _frame(ax, facts)
    letter(axes)
    _label_times(axes[-1], facts)
    how = "known" if facts["known"] else "estimated"
    count = sum(rung["axis"] != "base" for rung in facts["rungs"])
    runs = f"errors {how} from {count} other run" + "s" * (count != 1)
    write_below(drawing, f"accuracy: {settings(facts['config'].get('solver', {}))}; {runs}")
    return drawing


def _title(facts: Mapping[str, Any]) -> str:
    about = facts["config"].get("about", {}).get("title", "")
    until, tolerance = facts["converged_until"], facts["tolerance"]
    if facts.get("field") is not None:
        word, part = "refused", f"the first {until or 0:g} of {facts['stop']:g}"
        word, part = ("certified", f"all {facts['stop']:g}") if facts["granted"] else (word, part)
        verdict = f"{word}: {tolerance:g} holds at {part} fields"
    elif until is None:
        verdict = f"refused: no time at which {tolerance:g} holds"
    else:
        word = "certified" if facts["granted"] else "refused beyond"
        x = _times(facts, np.array([until, facts["stop"]]))
        unit = "" if facts["energy_ev"] is None else " fs"
        verdict = f"{tolerance:g} holds up to t = {x[0]:.4g}{unit}: {word}"
        verdict = f"{verdict}, run ends at {x[1]:.4g}{unit}" if not facts["granted"] else verdict
    return (about[:1].upper() + about[1:] + "\n" if about else "") + verdict


def _label_times(ax: Axes, facts: Mapping[str, Any]) -> None:
    """Label the axis of times; of a loop with the fields, in the order in which they are taken."""
    if facts.get("field") is None:
        unit = r"$\hbar$/energy unit" if facts["energy_ev"] is None else "fs"
        ax.set_xlabel(f"time ({unit})")
        return
    half = len(facts["field"]) // 2
    quarters = np.linspace(0, half - 1, 5 if half >= 5 else 2).round().astype(int)
    ticks = [*quarters, *(half + quarters[1:])]  # one label for the end of both branches
    ax.set_xticks([facts["time"][k] for k in ticks], [f"{facts['field'][k]:.3g}" for k in ticks])
    axis = facts["config"]["hysteresis"]["axis"]
    ax.set_xlabel(rf"$B_{axis}$ (energy unit), first falling, then rising")


def _times(facts: Mapping[str, Any], values: Any) -> np.ndarray:
    """Times on the axis: femtoseconds if the run knows its energy unit; of a loop fields done."""
    times = np.asarray(values, float)
    if facts["energy_ev"] is None or facts.get("field") is not None:
        return times
    scale = EnergyScale(facts["energy_ev"])
    return np.array([scale.time_fs(t) for t in times])


def _errors(ax: Axes, facts: Mapping[str, Any]) -> None:
    how = "known from the exact solver" if facts["known"] else "estimated"
    ax.set_title(f"errors, {how}: of what is judged (solid), of the rest (grey)")
    judged = [name for name in facts["observables"] if name in facts["judged"]]
    for name, one in facts["observables"].items():
        if name not in judged and name not in facts["conservation"]:
            _line(ax, facts, one["error"], color="0.8", lw=0.8, zorder=1)
    for name, colour in zip(judged, _COLOURS * len(judged), strict=False):
        one = facts["observables"][name]
        _line(ax, facts, one["error"], color=colour, label=name.replace("_", " "))


def _contributions(ax: Axes, facts: Mapping[str, Any], name: str) -> None:
    ax.set_title(f"{name.replace('_', ' ')}: what its error comes from")
    one = facts["observables"][name]
    for (axis, values), colour in zip(one["contributions"].items(), _COLOURS, strict=False):
        _line(ax, facts, values, color=colour, label=axis)
    _line(ax, facts, one["error"], color=BLACK, lw=1.0, ls="--", label="sum")


def _rungs(ax: Axes, facts: Mapping[str, Any], name: str) -> None:
    ax.set_title(f"{name.replace('_', ' ')}: difference from coarser (dotted), finer (solid) runs")
    sides = {rung["name"]: (rung["axis"], rung["side"]) for rung in facts["rungs"]}
    axes = list(dict.fromkeys(axis for axis, _ in sides.values() if axis != "base"))
    for rung, values in facts["observables"][name]["differences"].items():
        axis, side = sides[rung]
        colour = _COLOURS[axes.index(axis) % len(_COLOURS)]
        _line(ax, facts, values, color=colour, ls=_STYLES[side], label=rung)


def _line(ax: Axes, facts: Mapping[str, Any], values: Any, **style: Any) -> None:
    """A line on a logarithmic axis: zeros and what is unknown are left out."""
    numbers = np.array([np.nan if v is None else v for v in values], float)
    times = _times(facts, facts["time"][: numbers.size])
    ax.plot(times, np.where(numbers > 0, numbers, np.nan), **style)


def _frame(ax: Axes, facts: Mapping[str, Any]) -> None:
    """Logarithmic axis, tolerance, and the certified span."""
    tolerance = facts["tolerance"]
    ax.axhline(tolerance, color=BLACK, lw=1.0, ls=":")
    stop = float(_times(facts, [facts["stop"]])[0])
    first = float(_times(facts, facts["time"][:1])[0])
    if facts["converged_until"] is not None:
        until = float(_times(facts, [facts["converged_until"]])[0])
        ax.axvspan(first, until, color=GREEN, alpha=0.1, lw=0, zorder=0)
    top = max(ax.dataLim.y1 if np.isfinite(ax.dataLim.y1) else tolerance, tolerance)
    # Limits first: lines without a point above 0 leave none from which to take a logarithm.
    ax.set_ylim(tolerance * _DECADES, 10 * top)
    ax.set_yscale("log")
    ax.set_xlim(first, max(stop, first + 1e-9))
    ax.set_ylabel("largest error so far")
    beside(ax)
