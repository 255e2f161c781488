"""The figure of a current pulse through one ferromagnet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.common import letter, new_figure, polarization, time_axis, time_label, title
from tnspin.figures.ledger import footer
from tnspin.figures.panels import (
    discarded_panel,
    drift_panel,
    entropy_panel,
    localized_panel,
    mark_unconverged,
    site_map,
)
from tnspin.figures.torque import beside_panel, compares, gap_panel, torque_panel, totals_panel
from tnspin.results.result import Result

Panel = Callable[[Axes, Result], None]
# A row of panels: its height, and each with what the shading of late times says there.
Row = tuple[float, list[tuple[Panel, bool | None]]]


def pulse_figure(result: Result) -> Figure:
    """Space-time maps of the pulse, the localized spins, entropy, and the error ledger.

    Below, where the run has classical spins beside the quantum ones: motion and torque of the
    first spin in both, and what they differ by.
    """
    rows = _rows(result)
    heights = [height for height, _ in rows]
    drawing = new_figure(12.5, 3.3 * sum(heights))
    grid = drawing.add_gridspec(len(rows), 2, height_ratios=heights)
    drawing.suptitle(title(result), fontsize=13)
    axes: list[Axes] = []
    for k, (_, panels) in enumerate(rows):
        for column, (panel, shaded) in enumerate(panels):
            ax = drawing.add_subplot(grid[k, column], sharex=axes[0] if axes else None)
            panel(ax, result)
            if shaded is not None:
                mark_unconverged(ax, result, note=shaded)
            # The last of its column.
            if k + 1 < len(rows) and column < len(rows[k + 1][1]):
                ax.tick_params(labelbottom=False)
            else:
                ax.set_xlabel(time_label(result))
            axes.append(ax)
    letter(axes)
    time_axis(axes[-1:], result)
    footer(drawing, [result])
    return drawing


def _rows(result: Result) -> list[Row]:
    """The panels of what the result holds, two in a row."""
    axis = polarization(result)
    spin_label = f"electron spin, {'xyz'[axis]} (ħ/2 per site)"
    charge: Panel = partial(
        site_map, name="electron_density", axis=None, label="electrons per site", colours="inferno"
    )
    spin: Panel = partial(
        site_map, name="electron_spin", axis=axis, label=spin_label, colours="RdBu_r"
    )
    quantum, torques = "entropy" in result, "torque" in result
    rows: list[Row] = [(1.25, [(charge, None), (spin, None)])]
    middle: list[tuple[Panel, bool | None]] = [(localized_panel, True)]
    if quantum or torques:
        middle.append((entropy_panel if quantum else torque_panel, True))
    rows.append((1.0, middle))
    ledger: list[tuple[Panel, bool | None]] = []
    if "discarded_weight" in result:
        ledger.append((discarded_panel, None))
    elif {"electron_spin_total", "localized_spin_total"} <= set(result):
        ledger.append((totals_panel, None))
    rows.append((0.8, [*ledger, (drift_panel, None)]))
    if compares(result):
        for height, panel in ((1.0, beside_panel), (0.8, gap_panel)):
            both = [partial(panel, name=name) for name in ("spin", "torque")]
            rows.append((height, [(one, False) for one in both]))
    return rows
