"""Figures against a parameter: hysteresis loops, and edge spins against the number of spins."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.accuracy import write_accuracy
from tnspin.figures.labels import title
from tnspin.figures.spins import statement
from tnspin.figures.style import BLACK, BLUE, GREEN, ORANGE, legend_right, letter, new_figure
from tnspin.results.facts import parameters
from tnspin.results.result import Result

# A component smaller than this is drawn on this scale.
_SMALL = 0.1
_BRANCHES = ((0, BLUE, "field falling"), (1, ORANGE, "field rising"))


def hysteresis_figure(result: Result) -> Figure:
    """Swept component of the magnetization, the largest other one, and what was still moving."""
    swept = "xyz".index(parameters(result)["hysteresis"]["axis"])
    # NaN: a loop that was stopped has not come to these fields.
    sizes = np.nan_to_num(np.abs(result["magnetization"])).max(axis=(0, 1))
    other = max({0, 1, 2} - {swept}, key=lambda axis: sizes[axis])
    drawing = new_figure(8.2, 9.0)
    axes = drawing.subplots(3, 1, sharex=True, height_ratios=(1.6, 1.2, 0.7))
    drawing.suptitle(f"{title(result)}, {statement(result)}\n{_solvers(result)}", fontsize=11)
    for ax, axis in zip(axes, (swept, other), strict=False):
        _loop(ax, result, axis)
    area = f"area {result.attrs['loop_area']:.3g}" if result.complete else "stopped before its end"
    axes[0].set_title(f"along the field: {_crossings(result)}; {area}")
    axes[1].set_title("across it")
    if sizes[other] < _SMALL:
        axes[1].set_ylim(-_SMALL, _SMALL)
    _residual(axes[2], result)
    legend_right(axes[0])
    letter(axes)
    field, margin = result["field"], 0.01 * np.ptp(result["field"])  # to see the last points whole
    limits = (field.min() - margin, field.max() + margin)
    axes[2].set(xlabel=rf"$B_{'xyz'[swept]}$ (energy unit)", xlim=limits)
    write_accuracy(drawing, [result])
    return drawing


def _crossings(result: Result) -> str:
    """Fields at which the component along the field passes zero, to half a step of the field."""
    # Adding zero takes the sign from what is rounded to zero.
    finite = (value for value in result["coercive_field"] if np.isfinite(value))
    found = [f"{round(value, 3) + 0.0:.3f}" for value in finite]
    half = np.diff(result["field"]).max() / 2
    return f"zero at {' and '.join(found)} ± {half:.2g}" if found else "never zero"


def _solvers(result: Result) -> str:
    """Equation of the loop, and of its classical counterpart."""
    tables = parameters(result)
    counterpart = "loop_classical_spin" in result
    dashed = f"; dashed: {_equation(tables['classical'])}" if counterpart else ""
    return _equation(tables["solver"]) + dashed


def _equation(keys: dict[str, Any]) -> str:
    words = str(keys["kind"]).replace("_", " ")
    variant = f" ({keys.get('variant')})" * (keys["kind"] == "mean_field")
    return words + variant + (f", α = {keys['damping']:g}" if keys.get("damping") else "")


def _loop(ax: Axes, result: Result, axis: int) -> None:
    field, values = result["field"], result["magnetization"][..., axis]
    for branch, colour, label in _BRANCHES:
        # The rising branch may lie exactly on the falling one.
        style: dict[str, Any] = {"lw": 2.6, "alpha": 0.6} if branch == 0 else {"lw": 1.3}
        ax.plot(field, values[branch], color=colour, label=label, **style)
    if "loop_classical_spin" in result:
        mean_field = result["loop_classical_spin"].mean(axis=2)[..., axis]
        for branch, colour, label in ((0, BLACK, "_"), (1, ORANGE, "mean field")):
            ax.plot(field, mean_field[branch], "--", color=colour, lw=1.1, label=label)
    if "steady_spin" in result:
        steady = result["steady_spin"].mean(axis=1)[:, axis]
        ax.plot(field, steady, "o", mfc="none", color=GREEN, ms=4, label="steady state")
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    ax.axvline(0, color="0.85", lw=0.8, zorder=0)
    ax.set_ylabel(rf"$M_{'xyz'[axis]}$")


def _residual(ax: Axes, result: Result) -> None:
    for branch, colour, _ in _BRANCHES:
        values = result["residual"][branch]
        ax.plot(result["field"], np.where(values > 0, values, np.nan), ".", color=colour, ms=4)
    if (result["residual"] > 0).any():
        ax.set_yscale("log")
    ax.set(
        ylabel="change of a spin", title="change in the last twentieth of the time at each field"
    )


def edge_figure(result: Result) -> Figure:
    """Mutual information of the edge spins against the length of the ferromagnet."""
    drawing = new_figure(7.0, 4.6)
    ax = drawing.add_subplot(
        title="edge spins of a ferromagnet", xlabel="number of localized spins, as many electrons",
        ylabel="mutual information of the edge spins (nat)",
    )  # fmt: skip
    letter([ax])
    sizes = result["n_localized"]
    ax.plot(sizes, result["mutual_information_closed_form"], color=BLUE, label="closed form")
    ax.plot(
        sizes, result["mutual_information"], "o", mfc="none", color=ORANGE, markersize=5,
        label="from the density matrix",
    )  # fmt: skip
    ax.axhline(np.log(2) / 2, color=BLACK, ls="--", lw=1, label="limit, (ln 2)/2")
    ax.set_xscale("log")
    marks = [n * 10**k for k in range(6) for n in (1, 2, 5) if 2 <= n * 10**k <= sizes[-1]]
    ax.set_xticks(marks, [str(mark) for mark in marks])
    ax.minorticks_off()
    ax.legend()
    write_accuracy(drawing, [result])
    return drawing
