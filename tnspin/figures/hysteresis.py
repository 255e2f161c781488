"""The figure of a hysteresis loop (OHM Figs. 2 and 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.common import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    beside,
    letter,
    new_figure,
    title,
)
from tnspin.figures.ledger import footer
from tnspin.figures.open_heisenberg import statement
from tnspin.results.facts import parameters
from tnspin.results.result import Result

__all__ = ["hysteresis_figure"]

# A component smaller than this is drawn on this scale.
_SMALL = 0.1
_BRANCHES = ((0, BLUE, "field falling"), (1, ORANGE, "field rising"))


def hysteresis_figure(result: Result) -> Figure:
    """Swept component of the magnetization, the largest other one, and what was still moving."""
    swept = "xyz".index(parameters(result)["hysteresis"]["axis"])
    across = [axis for axis in range(3) if axis != swept]
    # NaN: a loop that was stopped has not come to these fields.
    sizes = [np.nan_to_num(np.abs(result["magnetization"][..., axis])).max() for axis in across]
    other = across[int(np.argmax(sizes))]
    drawing = new_figure(8.2, 9.0)
    axes = drawing.subplots(3, 1, sharex=True, height_ratios=(1.6, 1.2, 0.7))
    heading = f"{title(result)}, {statement(result)}\n{_solver(result)}"
    drawing.suptitle(heading, fontsize=11)
    for ax, axis in zip(axes, (swept, other), strict=False):
        _loop(ax, result, axis)
    _residual(axes[2], result)
    area = f"area {result.attrs['loop_area']:.3g}" if result.complete else "stopped before its end"
    axes[0].set_title(f"along the field: {_crossings(result)}; {area}")
    axes[1].set_title("across it")
    if sizes[across.index(other)] < _SMALL:
        axes[1].set_ylim(-_SMALL, _SMALL)
    axes[2].set_title("change in the last twentieth of the time at each field")
    beside(axes[0])
    letter(axes)
    axes[2].set_xlabel(rf"$B_{'xyz'[swept]}$ (energy unit)")
    margin = 0.01 * np.ptp(result["field"])  # so that the last points are seen whole
    axes[2].set_xlim(result["field"].min() - margin, result["field"].max() + margin)
    footer(drawing, [result])
    return drawing


def _crossings(result: Result) -> str:
    """Where the component along the field passes zero, to half a step of the field."""
    # Adding zero takes the sign from what is rounded to zero.
    found = [
        f"{round(value, 3) + 0.0:.3f}" for value in result["coercive_field"] if np.isfinite(value)
    ]
    if not found:
        return "never zero"
    half = np.diff(result["field"]).max() / 2
    return f"zero at {' and '.join(found)} ± {half:.2g}"


def _solver(result: Result) -> str:
    """What was swept, and what stands beside it."""
    tables = parameters(result)
    return _equation(tables["solver"]) + (
        f"; dashed: {_equation(tables['classical'])}" if "loop_classical_spin" in result else ""
    )


def _equation(keys: dict[str, Any]) -> str:
    words = str(keys["kind"]).replace("_", " ")
    if keys["kind"] == "mean_field":
        words += f" ({keys['variant']})"
    if keys.get("damping"):
        words += f", α = {keys['damping']:g}"
    return words


def _loop(ax: Axes, result: Result, axis: int) -> None:
    field, values = result["field"], result["magnetization"][..., axis]
    for branch, colour, label in _BRANCHES:
        # The rising branch may lie exactly on the falling one.
        style: dict[str, Any] = {"lw": 2.6, "alpha": 0.6} if branch == 0 else {"lw": 1.3}
        ax.plot(field, values[branch], color=colour, label=label, **style)
    if "loop_classical_spin" in result:
        mean_field = result["loop_classical_spin"].mean(axis=2)[..., axis]
        for branch, colour, _ in _BRANCHES:
            label = "mean field" if branch == 1 else "_"
            ax.plot(field, mean_field[branch], "--", color=colour if branch else BLACK, lw=1.1,
                    label=label)  # fmt: skip
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
    ax.set_ylabel("change of a spin")
