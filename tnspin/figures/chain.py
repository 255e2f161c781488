"""The figure of a chain of spins beside its classical counterpart (FATE Figs. 1 and 2)."""

from __future__ import annotations

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.common import (
    BLACK,
    BLUE,
    GREEN,
    PURPLE,
    band,
    components,
    localized_sites,
    times,
    title,
)
from tnspin.figures.stack import Panel, stacked
from tnspin.results.facts import classical_verdict
from tnspin.results.result import Result
from tnspin.results.verdict import Verdict

__all__ = ["chain_figure", "difference_panel", "judged", "mark", "negativity_panel", "spin_panel"]

# Characters that fit above the panels.
_WIDTH = 84


def chain_figure(result: Result) -> Figure:
    """First spin, quantum and classical; their difference; the negativity below."""
    found, words = judged(result)
    panels: list[tuple[float, Panel]] = [(1.5, spin_panel), (1.0, difference_panel)]
    if "log_negativity" in result:
        panels.append((1.0, negativity_panel))
    heading = "\n".join(filter(None, (title(result), words)))
    drawing, axes = stacked(result, heading, panels)
    for ax in axes:
        mark(ax, result, found)
    return drawing


def judged(result: Result) -> tuple[Verdict, str]:
    """Verdict on the classical spins, and its words as lines that fit above the panels."""
    found = classical_verdict(result)
    return found, fill(found.text(float(result["time"][0])), _WIDTH)


def spin_panel(ax: Axes, result: Result) -> None:
    """Components and length of the first spin, quantum solid and classical, if any, dashed."""
    quantum = result["spin"][:, 0]
    length = np.linalg.norm(quantum, axis=1)
    ax.plot(times(result), length, color="0.6", lw=1.1, label="length")
    error = result["spin_error"][:, 0] if "spin_error" in result else None
    sites = localized_sites(result)
    heading = f"spin on site {sites[0] if sites.size else 0}"
    if "classical_spin" in result:
        components(ax, result, quantum, result["classical_spin"][:, 0], error)
        damping = float(result.attrs.get("classical_damping", 0.0))
        how = "fitted" if result.attrs.get("classical_fitted") else "given"
        label = f"classical,\ndamping\n{damping:.3g} ({how})"
        ax.plot([], [], "--", color=BLACK, lw=1.2, label=label)
        heading += ": quantum (solid), classical (dashed)"
    else:
        components(ax, result, quantum, error=error)
    ax.set(ylabel=r"$\langle \mathbf{S} \rangle / S$, $\mathbf{n}$", ylim=(-1.06, 1.06))
    ax.set_title(heading)


def difference_panel(ax: Axes, result: Result) -> None:
    """Distance of quantum and classical spins: of the first, and the largest of all."""
    t, tolerance = times(result), judged(result)[0].tolerance
    apart = np.linalg.norm(result["spin"] - result["classical_spin"], axis=-1)
    ax.plot(t, apart.max(axis=1), color=PURPLE, lw=2.4, label="largest of all")
    ax.plot(t, apart[:, 0], "--", color=BLACK, lw=1.1, label="this spin")
    ax.axhline(tolerance, color="0.5", ls=":", lw=1, label=f"{tolerance:g}")
    ax.set(ylabel=r"$|\langle \mathbf{S} \rangle / S - \mathbf{n}|$", title="difference")
    ax.set_ylim(bottom=0)


def negativity_panel(ax: Axes, result: Result) -> None:
    """Logarithmic negativity of the two halves, from zero on."""
    value = result["log_negativity"]
    ax.plot(times(result), value, color=BLUE)
    ax.set(ylabel="log-negativity (nat)", title="entanglement")
    if "log_negativity_error" in result:
        band(ax, result, value, result["log_negativity_error"], BLUE)
    top = max(1.05 * float(result["log_negativity"].max()), 1e-3)
    ax.set_ylim(-0.03 * top, top)  # so that a negativity of zero is seen


def mark(ax: Axes, result: Result, found: Verdict) -> None:
    """Shade the times at which classical spins describe the quantum ones."""
    if found.since is None:
        return
    t = times(result)
    first = int(np.searchsorted(result["time"], found.since))
    ax.axvspan(t[first], t[-1], color=GREEN, alpha=0.1, lw=0, zorder=0)


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
