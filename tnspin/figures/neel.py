"""The figure of an entangled chain that meets its baths (FATE Fig. 3)."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.chain import negativity_panel
from tnspin.figures.common import GREEN, localized_sites, times, title
from tnspin.figures.stack import stacked
from tnspin.result import Result

__all__ = ["neel_figure"]

_STYLES = ("-", "--", ":", "-.")


def neel_figure(result: Result) -> Figure:
    """Spins along z, negativity of the halves and probability of the Neel states."""
    return stacked(
        result, title(result), ((1.0, _spins), (1.0, negativity_panel), (1.0, _overlap))
    )[0]


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


def _overlap(ax: Axes, result: Result) -> None:
    ax.plot(times(result), result["neel_overlap"], color=GREEN)
    ax.set(ylabel=r"$\mathrm{Tr}\,\rho P$", title="probability of the Néel states", ylim=(0, 1.05))
