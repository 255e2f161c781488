"""The figure of a certificate: errors against time, their parts, and the levels of accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.accuracy import settings, write_below
from tnspin.figures.labels import about
from tnspin.figures.style import BLACK, GREEN, PALETTE, legend_right, letter, new_figure, save
from tnspin.units import EnergyScale

#: Certificate as plain values, from `Certificate.to_dict`.
Facts = Mapping[str, Any]
#: A panel: its title, and errors with the style of their lines.
Lines = list[tuple[Any, dict[str, Any]]]

_COLOURS = (*PALETTE, "0.5")
_STYLES = {"coarser": ":", "finer": "-", "exact": "-"}
#: Errors below the tolerance by more than this are not shown.
_DECADES = 1e-6


def save_certificate_figure(facts: Facts, path: Path) -> None:
    """Draw a certificate, as `Certificate.to_dict` gives it, and write the figure.

    Raises
    ------
    InputError
        If the suffix is not a format that matplotlib writes.
    """
    save(path, lambda: certificate_figure(facts))


def certificate_figure(facts: Facts) -> Figure:
    """Draw the errors of the judged observables; if estimated, their parts and the levels."""
    panels = [_errors(facts)] if facts["known"] else [
        _errors(facts), _contributions(facts), _levels(facts)
    ]  # fmt: skip
    drawing = new_figure(8.6, 1.2 + 2.9 * len(panels))
    drawing.suptitle(about(facts["config"]) + _verdict(facts), fontsize=12)
    axes = drawing.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (title, lines) in zip(axes, panels, strict=True):
        ax.set_title(title)
        for values, style in lines:
            numbers = np.array([np.nan if v is None else v for v in values], float)
            moments = _times(facts, facts["time"][: numbers.size])
            ax.plot(moments, np.where(numbers > 0, numbers, np.nan), **style)
        _frame(ax, facts)
    letter(axes)
    _label_times(axes[-1], facts)
    how = "known" if facts["known"] else "estimated"
    count = sum(rung["axis"] != "base" for rung in facts["rungs"])
    runs = f"errors {how} from {count} other run" + "s" * (count != 1)
    write_below(drawing, f"accuracy: {settings(facts['config'].get('solver', {}))}; {runs}")
    return drawing


def _verdict(facts: Facts) -> str:
    until, tolerance, granted = (facts[k] for k in ("converged_until", "tolerance", "granted"))
    if facts.get("field") is not None:
        part = "all" if granted else f"the first {until or 0:g} of"
        word = "certified" if granted else "refused"
        return f"{word}: {tolerance:g} holds at {part} {facts['stop']:g} fields"
    if until is None:
        return f"refused: no time at which {tolerance:g} holds"
    holds, end = _times(facts, [until, facts["stop"]])
    unit = "" if facts["energy_ev"] is None else " fs"
    verdict = "certified" if granted else f"refused beyond, run ends at {end:.4g}{unit}"
    return f"{tolerance:g} holds up to t = {holds:.4g}{unit}: {verdict}"


def _label_times(ax: Axes, facts: Facts) -> None:
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


def _times(facts: Facts, values: Any) -> np.ndarray:
    """Times on the axis: in femtoseconds if the run has an energy unit; of a loop, fields done."""
    if facts["energy_ev"] is None or facts.get("field") is not None:
        return np.asarray(values, float)
    scale = EnergyScale(facts["energy_ev"])
    return np.array([scale.time_fs(t) for t in values])


def _errors(facts: Facts) -> tuple[str, Lines]:
    how = "known from the exact solver" if facts["known"] else "estimated"
    every, skipped = facts["observables"], {*facts["judged"], *facts["conservation"]}
    grey = {"color": "0.8", "lw": 0.8, "zorder": 1}
    lines: Lines = [(one["error"], grey) for name, one in every.items() if name not in skipped]
    judged = [name for name in every if name in facts["judged"]]
    lines += [
        (every[name]["error"], {"color": colour, "label": name.replace("_", " ")})
        for name, colour in zip(judged, _COLOURS * len(judged), strict=False)
    ]
    return f"errors, {how}: of what is judged (solid), of the rest (grey)", lines


def _contributions(facts: Facts) -> tuple[str, Lines]:
    name = facts["limited_by"][0]
    one = facts["observables"][name]
    parts = zip(one["contributions"].items(), _COLOURS, strict=False)
    lines: Lines = [(values, {"color": c, "label": axis}) for (axis, values), c in parts]
    lines.append((one["error"], {"color": BLACK, "lw": 1.0, "ls": "--", "label": "sum"}))
    return f"{name.replace('_', ' ')}: what its error comes from", lines


def _levels(facts: Facts) -> tuple[str, Lines]:
    name = facts["limited_by"][0]
    sides = {rung["name"]: (rung["axis"], rung["side"]) for rung in facts["rungs"]}
    axes = list(dict.fromkeys(axis for axis, _ in sides.values() if axis != "base"))
    colours = {axis: _COLOURS[k % len(_COLOURS)] for k, axis in enumerate(axes)}
    looks = {rung: (colours.get(axis), _STYLES.get(side)) for rung, (axis, side) in sides.items()}
    lines: Lines = [
        (values, {"color": looks[rung][0], "ls": looks[rung][1], "label": rung})
        for rung, values in facts["observables"][name]["differences"].items()
    ]
    words = "difference from coarser (dotted), finer (solid) runs"
    return f"{name.replace('_', ' ')}: {words}", lines


def _frame(ax: Axes, facts: Facts) -> None:
    """Logarithmic axis, tolerance, and the certified span."""
    tolerance, until = facts["tolerance"], facts["converged_until"]
    ax.axhline(tolerance, color=BLACK, lw=1.0, ls=":")
    first, stop = _times(facts, [facts["time"][0], facts["stop"]])
    if until is not None:
        ax.axvspan(first, _times(facts, [until])[0], color=GREEN, alpha=0.1, lw=0, zorder=0)
    top = max(ax.dataLim.y1 if np.isfinite(ax.dataLim.y1) else tolerance, tolerance)
    # Limits first: lines without a point above 0 leave none from which to take a logarithm.
    ax.set_ylim(tolerance * _DECADES, 10 * top)
    ax.set_yscale("log")
    ax.set(xlim=(first, max(stop, first + 1e-9)), ylabel="largest error so far")
    legend_right(ax)
