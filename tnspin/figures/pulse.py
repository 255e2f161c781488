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
from tnspin.result import Result


def pulse_figure(result: Result) -> Figure:
    """Space-time maps of the pulse, the localized spins, entropy, and the error ledger."""
    drawing = Figure(figsize=(12.5, 10.0), layout="constrained")
    FigureCanvasAgg(drawing)
    grid = drawing.add_gridspec(3, 2, height_ratios=(1.25, 1.0, 0.8))
    first = drawing.add_subplot(grid[0, 0])
    axes = [first] + [drawing.add_subplot(grid[k // 2, k % 2], sharex=first) for k in range(1, 6)]
    axis = polarization(result)
    drawing.suptitle(title(result), fontsize=13)
    site_map(axes[0], result, "electron_density", None, "electrons per site", "inferno")
    spin_label = f"electron spin, {'xyz'[axis]} (ħ/2 per site)"
    site_map(axes[1], result, "electron_spin", axis, spin_label, "RdBu_r")
    localized_panel(axes[2], result)
    entropy_panel(axes[3], result)
    discarded_panel(axes[4], result)
    drift_panel(axes[5], result)
    for ax in axes[2:4]:
        mark_unconverged(ax, result)
    for k, ax in enumerate(axes):
        ax.set_title(f"({'abcdef'[k]})  {ax.get_title(loc='left')}")
        if k >= 4:
            ax.set_xlabel(time_label(result))
        else:
            ax.tick_params(labelbottom=False)
    first.set_xlim(times(result)[0], max(times(result)[-1], times(result)[0] + 1e-9))
    return drawing
