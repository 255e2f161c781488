"""The figure of a chain of spins beside its classical counterpart (FATE Figs. 1 and 2)."""

from __future__ import annotations

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tnspin.classical.judgement import Verdict, verdict
from tnspin.figures.common import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    localized_sites,
    parameters,
    time_label,
    times,
    title,
)
from tnspin.result import Result

_COLOURS = (BLUE, ORANGE, GREEN)
# Characters that fit above the panels.
_WIDTH = 84


def chain_figure(result: Result) -> Figure:
    """First spin, quantum and classical; their difference; the negativity below."""
    entangled = "log_negativity" in result
    heights = (1.5, 1.0, 1.0) if entangled else (1.5, 1.0)
    drawing = Figure(figsize=(8.2, 3.0 * sum(heights) - 1.0), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    within = float(parameters(result).get("classical", {}).get("within", 0.05))
    found = verdict(result["time"], result["spin"], result["classical_spin"], within)
    # Above the panels: a verdict may be longer than a panel's title has room for.
    words = fill(found.text(float(result["time"][0])), _WIDTH)
    drawing.suptitle("\n".join(filter(None, (title(result), words))), fontsize=11)
    spin_panel(axes[0], result)
    difference_panel(axes[1], result, found)
    if entangled:
        negativity_panel(axes[2], result)
    for k, ax in enumerate(axes):
        ax.set_title(f"({'abc'[k]})  {ax.get_title(loc='left')}")
        mark(ax, result, found)
    axes[-1].set_xlabel(time_label(result))
    axes[-1].set_xlim(times(result)[0], max(times(result)[-1], times(result)[0] + 1e-9))
    return drawing


def spin_panel(ax: Axes, result: Result) -> None:
    """Components and length of the first spin, quantum solid and classical, if any, dashed."""
    t, quantum = times(result), result["spin"][:, 0]
    ax.plot(t, np.linalg.norm(quantum, axis=1), color="0.6", lw=1.1, label="length")
    for axis, colour in enumerate(_COLOURS):
        ax.plot(t, quantum[:, axis], color=colour, label="xyz"[axis])
    sites = localized_sites(result)
    heading = f"spin on site {sites[0] if sites.size else 0}"
    if "classical_spin" in result:
        _classical_lines(ax, result)
        heading += ": quantum (solid), classical (dashed)"
    ax.set(ylabel=r"$\langle \mathbf{S} \rangle / S$, $\mathbf{n}$", ylim=(-1.06, 1.06))
    ax.set_title(heading)
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    # Beside the panel: curves that turn leave no corner free.
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)


def _classical_lines(ax: Axes, result: Result) -> None:
    for axis, colour in enumerate(_COLOURS):
        ax.plot(times(result), result["classical_spin"][:, 0, axis], "--", color=colour, lw=1.2)
    damping = float(result.attrs.get("classical_damping", 0.0))
    how = "fitted" if result.attrs.get("classical_fitted") else "given"
    label = f"classical,\ndamping\n{damping:.3g} ({how})"
    ax.plot([], [], "--", color=BLACK, lw=1.2, label=label)


def difference_panel(ax: Axes, result: Result, found: Verdict) -> None:
    """Distance of quantum and classical spins: of the first, and the largest of all."""
    t = times(result)
    apart = np.linalg.norm(result["spin"] - result["classical_spin"], axis=-1)
    ax.plot(t, apart.max(axis=1), color=PURPLE, lw=2.4, label="largest of all")
    ax.plot(t, apart[:, 0], "--", color=BLACK, lw=1.1, label="this spin")
    ax.axhline(found.tolerance, color="0.5", ls=":", lw=1, label=f"{found.tolerance:g}")
    ax.set(ylabel=r"$|\langle \mathbf{S} \rangle / S - \mathbf{n}|$", title="difference")
    ax.set_ylim(bottom=0)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)


def negativity_panel(ax: Axes, result: Result) -> None:
    """Logarithmic negativity of the two halves, from zero on."""
    ax.plot(times(result), result["log_negativity"], color=BLUE)
    ax.set(ylabel="log-negativity (nat)", title="entanglement")
    if "log_negativity_error" in result:
        low, high = (
            result["log_negativity"] + sign * result["log_negativity_error"] for sign in (-1, 1)
        )
        ax.fill_between(times(result), low, high, color=BLUE, alpha=0.25, lw=0)
    top = max(1.05 * float(result["log_negativity"].max()), 1e-3)
    ax.set_ylim(-0.03 * top, top)  # so that a negativity of zero is seen


def mark(ax: Axes, result: Result, found: Verdict) -> None:
    """Shade the times at which classical spins describe the quantum ones."""
    if found.since is None:
        return
    t = times(result)
    first = int(np.searchsorted(result["time"], found.since))
    ax.axvspan(t[first], t[-1], color=GREEN, alpha=0.1, lw=0, zorder=0)
