"""Figures that consist of panels: below each other, or in two columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.accuracy import unconverged_text, write_accuracy
from tnspin.figures.errors import DISCARDED
from tnspin.figures.labels import set_times, time_label, times
from tnspin.figures.palette import GREEN
from tnspin.figures.panel import Panel, draw
from tnspin.figures.style import legend_right, letter, new_figure
from tnspin.results.distance import Verdict
from tnspin.results.result import Result


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
