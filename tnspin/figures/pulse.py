"""The figure of a current pulse through one ferromagnet."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tnspin.figures.common import polarization, time_label, times, title
from tnspin.figures.panels import (
    discarded_panel,
    drift_panel,
    entropy_panel,
    localized_panel,
    mark_unconverged,
    site_map,
)
from tnspin.figures.torque import (
    beside_panel,
    compares,
    gap_panel,
    torque_panel,
    totals_panel,
)
from tnspin.result import Result


def pulse_figure(result: Result) -> Figure:
    """Space-time maps of the pulse, the localized spins, entropy, and the error ledger.

    Below, where the run has classical spins beside the quantum ones: motion and torque of the
    first spin in both, and what they differ by.
    """
    heights = (1.25, 1.0, 0.8) + (1.0, 0.8) * compares(result)
    rows = len(heights)
    drawing = Figure(figsize=(12.5, 3.3 * sum(heights)), layout="constrained")
    FigureCanvasAgg(drawing)
    grid = drawing.add_gridspec(rows, 2, height_ratios=heights)
    first = drawing.add_subplot(grid[0, 0])
    others = range(1, 2 * rows)
    axes = [first] + [drawing.add_subplot(grid[k // 2, k % 2], sharex=first) for k in others]
    axis = polarization(result)
    drawing.suptitle(title(result), fontsize=13)
    site_map(axes[0], result, "electron_density", None, "electrons per site", "inferno")
    spin_label = f"electron spin, {'xyz'[axis]} (ħ/2 per site)"
    site_map(axes[1], result, "electron_spin", axis, spin_label, "RdBu_r")
    localized_panel(axes[2], result)
    classical = "entropy" not in result and {"torque", "localized_spin_total"} <= set(result)
    (torque_panel if classical else entropy_panel)(axes[3], result)
    (totals_panel if classical else discarded_panel)(axes[4], result)
    drift_panel(axes[5], result)
    for k, name in enumerate(("spin", "torque")) if compares(result) else ():
        beside_panel(axes[6 + k], result, name)
        gap_panel(axes[8 + k], result, name)
    for ax in [*axes[2:4], *axes[6:]]:
        mark_unconverged(ax, result, note=ax in axes[2:4])
    for k, ax in enumerate(axes):
        ax.set_title(f"({'abcdefghij'[k]})  {ax.get_title(loc='left')}")
        if k >= len(axes) - 2:
            ax.set_xlabel(time_label(result))
        else:
            ax.tick_params(labelbottom=False)
    first.set_xlim(times(result)[0], max(times(result)[-1], times(result)[0] + 1e-9))
    return drawing
