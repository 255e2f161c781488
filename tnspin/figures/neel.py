"""The figure of an entangled chain that meets its baths (FATE Fig. 3)."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tnspin.figures.chain import negativity_panel
from tnspin.figures.common import GREEN, localized_sites, time_label, times, title
from tnspin.result import Result

__all__ = ["neel_figure"]

_STYLES = ("-", "--", ":", "-.")


def neel_figure(result: Result) -> Figure:
    """Spins along z, negativity of the halves and probability of the Neel states."""
    drawing = Figure(figsize=(8.2, 8.0), layout="constrained")
    FigureCanvasAgg(drawing)
    drawing.suptitle(title(result), fontsize=11)
    axes = drawing.subplots(3, 1, sharex=True)
    _spins(axes[0], result)
    negativity_panel(axes[1], result)
    _overlap(axes[2], result)
    for k, ax in enumerate(axes):
        ax.set_title(f"({'abc'[k]})  {ax.get_title(loc='left')}")
    axes[-1].set_xlabel(time_label(result))
    axes[-1].set_xlim(times(result)[0], max(times(result)[-1], times(result)[0] + 1e-9))
    return drawing


def _spins(ax: Axes, result: Result) -> None:
    """One component of every spin; equal spins lie on each other, hence the dashes."""
    spins = result["spin"][..., 2]
    sites = localized_sites(result)
    for k in range(spins.shape[1]):
        site = sites[k] if sites.size else k
        style = _STYLES[k % len(_STYLES)]
        ax.plot(times(result), spins[:, k], style, lw=1.6 + 0.3 * (k < 2), label=f"site {site}")
    top = max(1.2 * float(abs(spins).max()), 1e-3)
    ax.set(ylabel=r"$\langle S^z \rangle / S$", title="spins", ylim=(-top, top))
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)


def _overlap(ax: Axes, result: Result) -> None:
    ax.plot(times(result), result["neel_overlap"], color=GREEN)
    ax.set(ylabel=r"$\mathrm{Tr}\,\rho P$", title="probability of the Néel states", ylim=(0, 1.05))
