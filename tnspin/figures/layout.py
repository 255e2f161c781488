"""Figures that consist of panels, and the panels of errors that they end with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.accuracy import unconverged_text, write_accuracy
from tnspin.figures.labels import set_times, time_label, times
from tnspin.figures.panel import Curve, Panel, draw
from tnspin.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    legend_right,
    letter,
    new_figure,
)
from tnspin.results.distance import Verdict
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
    kept = set(conserved(result))
    moved = {name: np.abs(result[name] - result[name][0]) for name in colours if name in kept}
    words = {name: name.replace("_", " ").replace("sz", "$S^z$") for name in moved}
    return [Curve(v, colours[k], words[k] + ": 0" * (not v.any())) for k, v in moved.items()]


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


# ---------------------------------------------------------------------- figures of panels


def stack(
    result: Result, heading: str, panels: Sequence[Panel], found: Verdict | None = None,
    compared: int = 0,
) -> Figure:  # fmt: skip
    """Draw the panels that apply below each other, with legends on the right.

    Where something has been truncated, the discarded weight comes last.

    Parameters
    ----------
    result, heading, panels
        Result, title of the figure, and its panels.
    found, compared
        Verdict on the classical spins, and the number of panels in which the times at which they
        describe the quantum ones are green.
    """
    every = (*panels, DISCARDED)
    shown = [panel for panel in every if result.variables.keys() >= set(panel.needs)]
    heights = [panel.height for panel in shown]
    drawing = new_figure(8.2, 2.5 * sum(heights) + 0.9)
    drawing.suptitle("\n".join(filter(None, (heading, unconverged_text(result)))), fontsize=11)
    axes = drawing.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for ax, panel in zip(axes, shown, strict=True):
        draw(ax, result, panel)
        if panel.legend is None:
            legend_right(ax)
    letter(axes)
    set_times(axes[-1], result)
    write_accuracy(drawing, [result])
    if found is not None and found.since is not None:
        first = int(np.searchsorted(result["time"], found.since))
        for ax in axes[:compared]:
            ax.axvspan(*times(result)[[first, -1]], color=GREEN, alpha=0.1, lw=0, zorder=0)
    return drawing


def two_columns(
    result: Result, heading: str, rows: Sequence[tuple[float, Sequence[Panel]]], height: float, *,
    fontsize: float = 13, wide: bool = False,
) -> Figure:  # fmt: skip
    """Draw rows of one or two panels with one time axis.

    Parameters
    ----------
    result, heading, rows
        Result, title of the figure, and the relative height and the panels of each row.
    height
        Height of the figure in inches.
    wide
        Whether a panel that is alone in the last row takes its whole width.
    """
    drawing = new_figure(12.5, height)
    drawing.suptitle(heading, fontsize=fontsize)
    grid = drawing.add_gridspec(len(rows), 2, height_ratios=[relative for relative, _ in rows])
    wide = wide and len(rows[-1][1]) == 1
    axes: list[Axes] = []
    for k, (_, row) in enumerate(rows):
        for column, panel in enumerate(row):
            last = k + 1 == len(rows)
            place = grid[k, :] if wide and last else grid[k, column]
            ax = drawing.add_subplot(place, sharex=axes[0] if axes else None)
            draw(ax, result, panel)
            if last or column >= len(rows[k + 1][1]) or (wide and k + 2 == len(rows)):
                ax.set_xlabel(time_label(result))
            else:
                ax.tick_params(labelbottom=False)
            axes.append(ax)
    letter(axes)
    set_times(axes[-1], result)
    write_accuracy(drawing, [result])
    return drawing
