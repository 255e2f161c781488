"""Panels of errors: truncation, drift of conserved quantities, and statistical errors."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from tnspin.figures.labels import times
from tnspin.figures.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE
from tnspin.figures.panel import Curve, Panel
from tnspin.results.facts import conserved
from tnspin.results.result import Result


def _discarded(result: Result) -> list[Curve]:
    if "discarded_weight" not in result:
        return []
    weight = result["discarded_weight"]
    return [Curve(weight.sum(axis=1), BLUE, "all bonds"),
            Curve(weight.max(axis=1), ORANGE, "worst bond")]  # fmt: skip


def _bond_dimension(ax: Axes, result: Result) -> None:
    if "bond_dim" not in result:
        return
    other, sizes = ax.twinx(), result["bond_dim"].max(axis=1)
    other.plot(times(result), sizes, color=BLACK, ls=":", lw=1.4)
    other.set_ylabel("largest bond dimension")
    other.set_ylim(0, 1.3 * max(float(sizes.max()), 1.0))  # below the legend
    other.spines["right"].set_visible(True)


def _drifts(result: Result) -> list[Curve]:
    colours = {"energy": BLUE, "particle_number": ORANGE, "total_sz": GREEN, "norm": PURPLE}
    kept, curves = conserved(result), []
    for name in (name for name in colours if name in kept):
        moved = np.abs(result[name] - result[name][0])
        words = name.replace("_", " ").replace("sz", "$S^z$")
        curves.append(Curve(moved, colours[name], words + ("" if moved.any() else ": 0")))
    return curves


def _no_ticks(ax: Axes, result: Result) -> None:
    if ax.get_yscale() != "log":  # nothing has moved
        ax.set_yticks([])


def _standard_errors(result: Result) -> list[Curve]:
    """Statistical errors of a sampled run: of the worst spin, and of entanglement."""
    colours = {"spin": BLUE, "log_negativity": ORANGE, "mutual_information": GREEN}
    found = {name: result[f"{name}_error"] for name in colours if f"{name}_error" in result}
    return [
        Curve(error.reshape(len(error), -1).max(axis=1), colours[name], name.replace("_", " "))
        for name, error in found.items()
    ]


def _above_round_off(ax: Axes, result: Result) -> tuple[float, float]:
    # Before anything happens errors are round-off, which would take up most of the axis.
    low, high = ax.get_ylim()
    return max(low, 1e-6 * high), high


DISCARDED = Panel(
    "discarded weight, and bond dimension (dotted)", "discarded weight since t = 0", _discarded,
    needs=("discarded_weight",), extra=_bond_dimension, log=True,
    legend={"share": 0.2, "ncols": 2}, shading="", height=0.9,
)  # fmt: skip
DRIFT = Panel(
    "drift of conserved quantities", "|value - initial value|\n(energy unit, ħ, 1)", _drifts,
    extra=_no_ticks, log=True, legend={"share": 0.2, "ncols": 4}, shading="",
)  # fmt: skip
_SAMPLING = Panel(
    "standard errors of sampling", "standard error (nat; spins: 1)", _standard_errors,
    limits=_above_round_off, log=True, legend={"share": 0.2, "ncols": 3}, shading="",
)  # fmt: skip


def drift_or_sampling(result: Result) -> Panel:
    """Drift of conserved quantities; of a sampled run without them, its statistical errors."""
    sampled = "spin_error" in result or "log_negativity_error" in result
    return _SAMPLING if sampled and "energy" not in conserved(result) else DRIFT
