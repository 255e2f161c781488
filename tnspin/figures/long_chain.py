"""The figure of a long chain with baths, whose density matrix is a matrix product state."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.common import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    above,
    edges,
    letter,
    log_lines,
    new_figure,
    time_axis,
    times,
    title,
)
from tnspin.figures.ledger import footer
from tnspin.figures.panels import discarded_panel, mark_unconverged
from tnspin.results.facts import parameters
from tnspin.results.result import Result


def long_chain_figure(result: Result) -> Figure:
    """Spins, energy, entanglement and operator entropy; below, what truncation has cost."""
    drawing = new_figure(12.5, 10.6)
    axes = drawing.subplots(3, 2, sharex=True)
    drawing.suptitle(f"{title(result)}\n{_bath(result)}", fontsize=12)
    panels = (
        _spin_map, _means_panel, _entanglement_panel, _operator_panel, discarded_panel,
        _audit_panel,
    )  # fmt: skip
    for ax, panel in zip(axes.flat, panels, strict=True):
        panel(ax, result)
        if panel in (_means_panel, _entanglement_panel, _operator_panel):
            mark_unconverged(ax, result, note=panel is _means_panel)
    letter(axes.flat)
    time_axis(axes[-1], result)
    footer(drawing, [result])
    return drawing


def _bath(result: Result) -> str:
    """The bath in words, and what its windows cost."""
    keys = parameters(result).get("bath", {})
    names = {"gamma": r"\Gamma", "omega_max": r"\omega_m"}
    parts = [rf"${names[k]} = {keys[k]:g}$" for k in names if k in keys]
    error = float(result.attrs.get("jump_error", 0.0))
    if error:
        parts.append(f"windows of the baths change their jump operators by {error:.1%}")
    return ", ".join(parts)


def _spin_map(ax: Axes, result: Result) -> None:
    values = result["spin"][:, :, 2]
    image = ax.pcolormesh(
        edges(times(result)), np.arange(values.shape[1] + 1) - 0.5, values.T, cmap="RdBu_r",
        vmin=-1, vmax=1, rasterized=True,
    )  # fmt: skip
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.015, 0, 0.025, 1)))
    bar.outline.set_visible(False)
    ax.set(ylabel="site", title=r"$\langle S^z_i\rangle / S$")


def _means_panel(ax: Axes, result: Result) -> None:
    """Magnetization, uniform and staggered, and the energy per spin."""
    spins = result["spin"][:, :, 2]
    signs = (-1.0) ** np.arange(spins.shape[1])
    ax.plot(times(result), spins @ signs / signs.size, color=BLUE, label="staggered $S^z/S$")
    ax.plot(times(result), spins.mean(axis=1), color=ORANGE, label="mean $S^z/S$")
    if "energy" in result:
        label = "energy per spin"
        ax.plot(times(result), result["energy"] / signs.size, "--", color=GREEN, label=label)
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    ax.set(title="means over the chain", ylabel=r"$S^z/S$, energy (energy unit)")
    above(ax, share=0.15, ncols=3)


def _entanglement_panel(ax: Axes, result: Result) -> None:
    t = times(result)
    block = result["block_log_negativity"]
    ax.plot(t, block, color=BLUE, label="log-negativity, central block")
    if "renyi_negativity" in result:
        ax.plot(t, result["renyi_negativity"], "--", color=PURPLE,
                label="Rényi negativity of order 3, halves of the chain")  # fmt: skip
    gone = np.flatnonzero(block > 1e-6)
    if gone.size and gone[-1] + 1 < t.size:
        end = t[gone[-1] + 1]
        ax.axvline(end, color=BLACK, ls=":", lw=1, label=f"block: none from t = {end:g} on")
    top = max(1.02 * float(np.nanmax(ax.dataLim.intervaly)), 1e-3)
    ax.set(ylim=(-0.03 * top, top), title="entanglement of the two sides")
    ax.set_ylabel("negativity (nat)")
    above(ax, share=0.28)


def _operator_panel(ax: Axes, result: Result) -> None:
    """Operator entropy of every bond: what the bond dimension has to follow."""
    entropy = result["operator_entropy"]
    middle = (entropy.shape[1] - 1) // 2
    t = times(result)
    ax.fill_between(
        t, entropy.min(axis=1), entropy.max(axis=1), color=SKY, alpha=0.35, lw=0, label="all bonds"
    )
    ax.plot(t, entropy[:, middle], color=BLUE, label=f"cut {middle}|{middle + 1}")
    ax.set(ylim=(0, 1.02 * max(float(entropy.max()), 1e-3)), ylabel="operator entropy (nat)")
    ax.set_title("operator entropy of the density matrix")
    above(ax, share=0.15, ncols=2)


def _audit_panel(ax: Axes, result: Result) -> None:
    """Trace, Hermiticity and positivity, which truncation does not keep."""
    lines = [
        (np.abs(result[name]), colour, label)
        for name, colour, label in (
            ("trace_error", BLUE, "trace"),
            ("hermiticity_error", ORANGE, "Hermiticity"),
        )
        if name in result
    ]
    if "block_smallest_eigenvalue" in result:
        below = np.maximum(0.0, -result["block_smallest_eigenvalue"])
        if below.any():
            lines.append((below, GREEN, "negative eigenvalue, central block"))
    ax.set(title="errors of truncation", ylabel="deviation")
    log_lines(ax, times(result), *lines)
    above(ax, share=0.25, ncols=3)
