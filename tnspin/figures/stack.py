"""Panels below each other with one time axis, legends beside them and the ledger at the bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.common import beside, letter, new_figure, time_axis
from tnspin.figures.ledger import footer
from tnspin.figures.panels import (
    discarded_panel,
    mark_unconverged,
    unconverged_from,
    unconverged_text,
)
from tnspin.results.result import Result

__all__ = ["Panel", "stacked"]

Panel = Callable[[Axes, Result], None]


def stacked(
    result: Result, heading: str, panels: Sequence[tuple[float, Panel]]
) -> tuple[Figure, list[Axes]]:
    """Draw panels below each other, each of a given relative height.

    Where something has been truncated, a panel of the discarded weight comes last, and times that
    are not converged are grey in the others.

    Returns
    -------
    Figure, list of Axes
        The axes are those of ``panels``.
    """
    every = list(panels)
    if "discarded_weight" in result:
        every.append((0.9, discarded_panel))
    heights = [height for height, _ in every]
    drawing = new_figure(8.2, 2.5 * sum(heights) + 0.9)
    late = "" if unconverged_from(result) is None else unconverged_text(result)
    drawing.suptitle("\n".join(filter(None, (heading, late))), fontsize=11)
    axes: list[Axes] = list(
        drawing.subplots(len(every), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    )
    for ax, (_, panel) in zip(axes, every, strict=True):
        panel(ax, result)
        if panel is not discarded_panel:
            beside(ax)
            mark_unconverged(ax, result, note=False)
    letter(axes)
    time_axis(axes[-1:], result)
    footer(drawing, [result])
    return drawing, axes[: len(panels)]
