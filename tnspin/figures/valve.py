"""The figure of a spin valve: what a pulse does to two ferromagnets and to their entanglement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.common import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    above,
    band,
    beside,
    letter,
    localized_sites,
    log_lines,
    new_figure,
    shades,
    steps,
    time_axis,
    time_label,
    times,
    title,
)
from tnspin.figures.ledger import footer
from tnspin.figures.panels import (
    audit_panel,
    discarded_panel,
    mark_unconverged,
    site_map,
    unconverged_from,
    unconverged_text,
)
from tnspin.results.facts import group_members
from tnspin.results.onsets import onsets
from tnspin.results.result import Result

__all__ = ["valve_figure"]

Panel = Callable[[Axes, Result], None]
# Weight lost by compressing the groups from which on the negativity misses a per cent.
_COMPRESSED = 1e-5
# Probabilities below this are round-off.
_LEAST = 1e-6


def valve_figure(result: Result) -> Figure:
    """Pulse, localized spins, entropies, mutual information, negativity, magnons, errors."""
    panels = [panel for names, panel in _PANELS if names <= set(result)]
    rows = -(-len(panels) // 2)
    # A last panel without a neighbour takes the whole width.
    alone = len(panels) % 2
    drawing = new_figure(12.5, 2.9 * rows + 0.8)
    # Once above all panels: beside their titles there is no room.
    drawing.suptitle("\n".join((title(result), *_notes(result))), fontsize=13)
    grid = drawing.add_gridspec(rows, 2)
    axes: list[Axes] = []
    for k, panel in enumerate(panels):
        place = grid[-1, :] if alone and k == len(panels) - 1 else grid[k // 2, k % 2]
        ax = drawing.add_subplot(place, sharex=axes[0] if axes else None)
        panel(ax, result)
        if panel not in _UNSHADED:
            mark_unconverged(ax, result, note=False)
        if k < len(panels) - 2 - alone:
            ax.tick_params(labelbottom=False)
        else:
            ax.set_xlabel(time_label(result))
        axes.append(ax)
    letter(axes)
    time_axis(axes[-1:], result)
    footer(drawing, [result])
    return drawing


def _notes(result: Result) -> list[str]:
    """What is not exact, and how that is drawn."""
    notes = [] if unconverged_from(result) is None else [unconverged_text(result)]
    if "group_discarded" in result and result["group_discarded"].max() > _COMPRESSED:
        lost = result["group_discarded"].max()
        notes.append(f"groups cut down to their Schmidt spaces for the negativity: {lost:.1g} lost")
    return notes


def _charge(ax: Axes, result: Result) -> None:
    site_map(ax, result, "electron_density", None, "electrons per site", "inferno")


def _polarization(ax: Axes, result: Result) -> None:
    values = result["electron_polarization"]
    for axis, colour in zip(range(3), (PURPLE, GREEN, BLUE), strict=True):
        ax.plot(times(result), values[:, :, axis] if values.ndim > 2 else values[:, axis],
                color=colour, label="xyz"[axis])  # fmt: skip
    ax.set_title("spin of the electrons")
    ax.set_ylabel(r"$\langle s_e\rangle / N_e$ ($\hbar/2$)")
    above(ax, share=0.15, ncols=3)


def _spins(ax: Axes, result: Result) -> None:
    spins, sites = result["spin"], localized_sites(result)
    found = onsets(result)
    scale = times(result)[-1] / result["time"][-1] if result["time"][-1] else 1.0
    for k, members in enumerate(group_members(result)):
        colours = shades((BLUE, ORANGE, GREEN, PURPLE)[k % 4], len(members))
        for site, colour in zip(members, colours, strict=True):
            ends = site in (members[0], members[-1])
            label = f"{sites[site]}" if ends else None
            ax.plot(times(result), spins[:, site, 2], color=colour, label=label)
        start = found.get(f"spin_{k + 1}")
        if start is not None:
            ax.axvline(start * scale, color=colours[0], lw=1, ls=":")
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    ax.set_ylim(-1.06, 1.06)
    ax.set_ylabel(r"$\langle S^z_i\rangle / S$")
    ax.set_title("localized spins; dotted: onset of each group")
    beside(ax, title="site", handlelength=1.0, labelspacing=0.3)


def _entropies(ax: Axes, result: Result) -> None:
    names = ("both ferromagnets", "first (polarizer)", "second (analyzer)")
    styles = ((BLACK, "-"), (BLUE, "-."), (ORANGE, ":"))
    for k, (name, (colour, style)) in enumerate(zip(names, styles, strict=True)):
        _with_error(ax, result, "group_entropy", colour, name, style, k)
    if "half_chain_entropy" in result:
        ax.plot(
            times(result), result["half_chain_entropy"], color=GREEN, ls="--",
            label="left half of the chain",
        )  # fmt: skip
    ax.set_title("von Neumann entropies")
    ax.set_ylabel("entropy (nat)")
    ax.set_ylim(0, 1.02 * max(ax.dataLim.y1, 1e-3))
    above(ax, share=0.28, ncols=2)


def _information(ax: Axes, result: Result) -> None:
    _with_error(ax, result, "mutual_information", BLUE)
    ax.set_title("mutual information of the ferromagnets")
    ax.set_ylabel("mutual information (nat)")
    ax.set_ylim(bottom=0)


def _negativity(ax: Axes, result: Result) -> None:
    _with_error(ax, result, "log_negativity", ORANGE)
    ax.set_title("logarithmic negativity of the ferromagnets")
    ax.set_ylabel("negativity (nat)")
    # Down to a little below zero: many electrons leave no negativity, and that line must be seen.
    top = 1.1 * max(ax.dataLim.y1, 1e-3)
    ax.set_ylim(-0.03 * top, top)


def _magnons(ax: Axes, result: Result) -> None:
    probability = result["magnon_probability"]
    shown = np.flatnonzero(probability.max(axis=0) > _LEAST)
    lines: list[Any] = [
        (probability[:, m], colour, f"{m}")
        for m, colour in zip(shown, steps(shown.size, 0.92), strict=True)
    ]
    log_lines(ax, times(result), *lines)
    if "w_probability" in result:
        ax.plot(times(result), result["w_probability"], color=PURPLE, ls=":", label="W")
    # Room for the legend above 1: the lines of late times fill everything below.
    ax.set_ylim(_LEAST, 40)
    ax.set_yticks([1e-6, 1e-4, 1e-2, 1])
    ax.minorticks_off()
    ax.set_title("probability of m flipped spins, and of the W state")
    ax.set_ylabel("probability")
    ax.legend(fontsize=8.5, ncols=10, loc="upper left", columnspacing=0.8, handlelength=0.9,
              handletextpad=0.4)  # fmt: skip


def _fisher(ax: Axes, result: Result) -> None:
    waves = result["wavevector"]
    for k, colour in zip(
        range(len(waves)), (BLUE, ORANGE, GREEN, PURPLE) * len(waves), strict=False
    ):
        wave = f"k = {waves[k] / np.pi:.3g} π/a"
        values = result["quantum_fisher_information"][:, k]
        ax.plot(times(result), values, color=colour, ls="--", label=f"{wave}, Eq. 29 (variance)")
        if "quantum_fisher_information_mixed" in result:
            values = result["quantum_fisher_information_mixed"][:, k]
            ax.plot(times(result), values, color=colour, label=f"{wave}, of the mixed state")
    ax.set_title("quantum Fisher information")
    ax.set_ylabel("Fisher information per spin")
    ax.set_ylim(0, 1.02 * max(ax.dataLim.y1, 1e-3))
    above(ax, share=0.32, ncols=2)


def _with_error(
    ax: Axes, result: Result, name: str, colour: str, label: str | None = None, style: str = "-",
    column: int | None = None,
) -> None:  # fmt: skip
    """A line, with a band of one standard error where the run was sampled."""
    values = result[name] if column is None else result[name][:, column]
    ax.plot(times(result), values, color=colour, ls=style, label=label)
    if f"{name}_error" in result:
        error = result[f"{name}_error"]
        error = error if column is None else error[:, column]
        band(ax, result, values, error, colour)


_PANELS: tuple[tuple[set[str], Panel], ...] = (
    ({"electron_density"}, _charge),
    ({"electron_polarization"}, _polarization),
    ({"spin"}, _spins),
    ({"group_entropy"}, _entropies),
    ({"mutual_information"}, _information),
    ({"log_negativity"}, _negativity),
    ({"magnon_probability"}, _magnons),
    ({"quantum_fisher_information", "wavevector"}, _fisher),
    ({"discarded_weight"}, discarded_panel),
    ({"energy"}, audit_panel),
)
# Maps, whose colours grey would change, and what says itself how far a run is converged.
_UNSHADED: tuple[Panel, ...] = (_charge, discarded_panel, audit_panel)
