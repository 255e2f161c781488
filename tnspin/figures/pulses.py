"""Figures of current pulses: through one ferromagnet, and through a spin valve."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from tnspin.figures.accuracy import unconverged_text
from tnspin.figures.labels import edges, localized_sites, polarization, times, title
from tnspin.figures.layout import DISCARDED, DRIFT, drift_or_sampling, two_columns
from tnspin.figures.panel import Curve, Panel, color_map, components, each_spin, from_zero, key
from tnspin.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, shades, steps
from tnspin.results.facts import group_members
from tnspin.results.onsets import onsets
from tnspin.results.result import Result

# Weight lost by compressing the groups above which the negativity misses a per cent.
_COMPRESSED = 1e-5
# Probabilities below this are round-off.
_LEAST = 1e-6
_TORQUE = "torque (energy unit/ħ)"


def pulse_figure(result: Result) -> Figure:
    """Space-time maps of the pulse, the localized spins, entropy, and errors.

    Below, where the run has classical spins beside the quantum ones: motion and torque of the
    first spin in both, and their difference.
    """
    present = result.variables.keys()
    spins = [_localized(result)]
    spins += [_ENTROPY] if "entropy" in present else [_TORQUES] if "torque" in present else []
    totals = present >= set(_TOTALS.needs) and "discarded_weight" not in present
    errors = [DISCARDED] * ("discarded_weight" in present) + [_TOTALS] * totals
    rows = [(1.25, [_CHARGE, _electron_spin(result)]), (1.0, spins), (0.8, [*errors, DRIFT])]
    if present >= {"spin", "torque", "classical_spin", "classical_torque"}:
        rows += [(1.0, [_counterpart("spin"), _counterpart("torque")]),
                 (0.8, [_difference("spin"), _difference("torque")])]  # fmt: skip
    return two_columns(result, title(result), rows, 3.3 * sum(height for height, _ in rows))


def valve_figure(result: Result) -> Figure:
    """Pulse, localized spins, entropies, mutual information, negativity, magnons, errors."""
    panels = [one for one in _VALVE if result.variables.keys() >= set(one.needs)]
    panels += [drift_or_sampling(result)] * ("energy" in result)
    rows = [(1.0, panels[k : k + 2]) for k in range(0, len(panels), 2)]
    notes = [unconverged_text(result)]
    if "group_discarded" in result and (lost := result["group_discarded"].max()) > _COMPRESSED:
        notes.append(f"groups cut down to their Schmidt spaces for the negativity: {lost:.1g} lost")
    # Once above all panels: next to their titles there is no room.
    heading = "\n".join(filter(None, (title(result), *notes)))
    return two_columns(result, heading, rows, 2.9 * len(rows) + 0.8, wide=True)


# ---------------------------------------------------------------------- maps along the chain


def _site_map(ax: Axes, result: Result, name: str, axis: int | None) -> None:
    """Space-time map with the localized spins between two lines."""
    values = result[name] if axis is None else result[name][:, :, axis]
    # The bunch in the well is ten times denser than the pulse that leaves it: a square root
    # keeps both visible in the charge, a clipped linear scale keeps the sign of the spin.
    if axis is None:
        top = max(float(np.abs(values).max()), 1e-12)
        line, colours = "white", "inferno"
        style: dict[str, Any] = {"norm": PowerNorm(0.5, vmin=0.0, vmax=top)}
    else:
        clip = max(float(np.quantile(np.abs(values), 0.97)), 1e-12)
        line, colours, style = BLACK, "RdBu_r", {"vmin": -clip, "vmax": clip, "extend": "both"}
    color_map(ax, result, values, edges(np.arange(values.shape[1])), colours, **style)
    localized = localized_sites(result)
    if not localized.size:
        return
    for group in (localized[members] for members in group_members(result)):
        for edge in (group.min() - 0.5, group.max() + 0.5):
            ax.axhline(edge, color=line, lw=0.9, ls=(0, (4, 3)))
    ax.annotate(
        "localized spins", (0.99, localized.max() + 1), xycoords=("axes fraction", "data"),
        ha="right", va="bottom", fontsize=9, color=line,
    )  # fmt: skip


def _electron_spin(result: Result) -> Panel:
    axis = polarization(result)
    drawn = partial(_site_map, name="electron_spin", axis=axis)
    return Panel(f"electron spin, {'xyz'[axis]} (ħ/2 per site)", "site", extra=drawn, shading="")


_CHARGE = Panel(
    "electrons per site", "site", needs=("electron_density",), shading="",
    extra=partial(_site_map, name="electron_density", axis=None),
)  # fmt: skip


# ---------------------------------------------------------------------- one ferromagnet


def _localized(result: Result) -> Panel:
    """z component of the localized spins, and dashed that along which electrons are polarized."""
    spins, axis = result["spin"], polarization(result)
    shown = [2] if axis == 2 else [2, axis]
    styles = zip(shown, ("-", "--"), strict=False)
    curves = [one for a, style in styles for one in each_spin(result, spins[..., a], style)]
    low, high = -1.0, 1.0
    if spins.size:
        low, high = float(spins[..., shown].min()), float(spins[..., shown].max())
    # From -1 to 1, or closer if all spins stay within a quarter of that.
    span = max(high - low, 0.02)
    limits = (low - 0.06 * span, high + 0.06 * span) if span < 0.5 else (-1.06, 1.06)
    # Short: what is not converged is said on the same line.
    words = "localized spins" + f", {'xyz'[axis]} dashed" * (axis != 2)
    label = r"$\langle S" + "^z" * (axis == 2) + r"_i\rangle / S$"
    return Panel(words, label, curves, limits=limits, zero="0.8", sites=True, shading="explained")


def _entropy(result: Result) -> list[Curve]:
    """Entropy of the half chain and of the worst cut, and the global entanglement."""
    entropy = result["entropy"]
    middle = (entropy.shape[1] - 1) // 2 + (entropy.shape[1] + 1) % 2
    return [
        Curve(entropy[:, middle], BLUE, f"cut {middle}|{middle + 1}"),
        Curve(entropy.max(axis=1), ORANGE, "largest of all cuts", "--"),
        Curve("meyer_wallach", GREEN, "Meyer-Wallach Q (0 to 1)", "-."),
    ]


def _lengths(result: Result, name: str) -> list[Curve]:
    return each_spin(result, np.linalg.norm(result[name], axis=-1))


def _totals(result: Result) -> list[Curve]:
    """Total spin of the electrons and of the localized spins, between which it is exchanged."""
    electrons, localized = result["electron_spin_total"], result["localized_spin_total"]
    return [*components(electrons, localized, width=1.6), key("localized", BLACK, "--")]


_ENTROPY = Panel(
    "entanglement entropy", "entropy (nat)", _entropy, limits=from_zero(),
    legend={"share": 0.18, "ncols": 3}, shading="explained",
)  # fmt: skip
_TORQUES = Panel(
    "torque of the electrons on each spin", "|torque| (energy unit/ħ)",
    partial(_lengths, name="torque"), limits=from_zero(1.2, 1.2e-6), shading="explained",
)  # fmt: skip
_TOTALS = Panel(
    "total spin of electrons, and of localized spins (dashed)", "total spin (ħ/2)", _totals,
    needs=("electron_spin_total", "localized_spin_total"), legend={"ncols": 4}, shading="",
)  # fmt: skip


# ---------------------------------------------------------------------- against classical spins


def _counterpart(name: str) -> Panel:
    """Components of ``spin`` or ``torque`` of the first spin, classical ones dashed."""

    def curves(result: Result) -> list[Curve]:
        damping = np.ravel(result.attrs.get("classical_damping", 0.0))
        label = f"classical, damping {', '.join(f'{a:.3g}' for a in damping)}"
        both = components(result[name][:, 0], result[f"classical_{name}"][:, 0])
        return [*both, key("quantum", BLACK), key(label, BLACK, "--", 1.3)]

    words = {"spin": "spin", "torque": "torque of the electrons on the spin"}[name]
    label = _TORQUE if name == "torque" else r"$\langle \mathbf{S} \rangle / S$, $\mathbf{n}$"
    heading = lambda result: f"{words} on site {localized_sites(result)[0]}"  # noqa: E731
    return Panel(heading, label, curves, zero="0.85", legend={"ncols": 5})


def _difference(name: str) -> Panel:
    """Length of the difference of quantum and classical vectors, of each spin."""

    def curves(result: Result) -> list[Curve]:
        quantum, classical = result[name], result[f"classical_{name}"]
        return each_spin(result, np.linalg.norm(quantum - classical, axis=-1))

    label = "|difference|" + _TORQUE.removeprefix("torque") * (name == "torque")
    words = f"{name} on each site: quantum minus classical"
    return Panel(words, label, curves, limits=from_zero(1.05, 1.05e-6), sites=True)


# ---------------------------------------------------------------------- two ferromagnets


def _polarization(result: Result) -> list[Curve]:
    values = result["electron_polarization"]
    return [Curve(values[:, k], colour, "xyz"[k]) for k, colour in enumerate((PURPLE, GREEN, BLUE))]


def _groups(result: Result) -> list[Curve]:
    """z component of every spin; of each group in shades of one colour, its ends in the legend."""
    sites = localized_sites(result)
    return [
        Curve(result["spin"][:, site, 2], colour,
              f"{sites[site]}" if site in (members[0], members[-1]) else None)
        for k, members in enumerate(group_members(result))
        for site, colour in zip(members, shades(_GROUPS[k % 4], len(members)), strict=True)
    ]  # fmt: skip


def _onsets(ax: Axes, result: Result) -> None:
    scale = times(result)[-1] / result["time"][-1] if result["time"][-1] else 1.0
    found = onsets(result)
    for k, members in enumerate(group_members(result)):
        start = found.get(f"spin_{k + 1}")
        if start is not None:
            colour = shades(_GROUPS[k % 4], len(members))[0]
            ax.axvline(start * scale, color=colour, lw=1, ls=":")


def _magnons(result: Result) -> list[Curve]:
    probability = result["magnon_probability"]
    shown = np.flatnonzero(probability.max(axis=0) > _LEAST)
    colours = steps(shown.size, 0.92)
    return [Curve(probability[:, m], c, f"{m}") for m, c in zip(shown, colours, strict=True)]


def _w_state(ax: Axes, result: Result) -> None:
    if "w_probability" in result:
        ax.plot(times(result), result["w_probability"], color=PURPLE, ls=":", label="W")
    # Room for the legend above 1: the lines of late times fill everything below.
    ax.set_ylim(_LEAST, 40)
    ax.set_yticks([1e-6, 1e-4, 1e-2, 1])
    ax.minorticks_off()
    ax.legend(fontsize=8.5, ncols=10, loc="upper left", columnspacing=0.8, handlelength=0.9,
              handletextpad=0.4)  # fmt: skip


def _fisher(result: Result) -> list[Curve]:
    curves, mixed = [], "quantum_fisher_information_mixed"
    for k, wave in enumerate(result["wavevector"]):
        colour, words = _GROUPS[k % 4], f"k = {wave / np.pi:.3g} π/a"
        bound = result["quantum_fisher_information"][:, k]
        curves.append(Curve(bound, colour, f"{words}, Eq. 29 (variance)", "--"))
        if mixed in result:
            curves.append(Curve(result[mixed][:, k], colour, f"{words}, of the mixed state"))
    return curves


_GROUPS = (BLUE, ORANGE, GREEN, PURPLE)
#: Down to a little below zero: many electrons leave no negativity, and that line must be seen.
_VALVE = (
    _CHARGE,
    Panel("spin of the electrons", r"$\langle s_e\rangle / N_e$ ($\hbar/2$)", _polarization,
          needs=("electron_polarization",), legend={"share": 0.15, "ncols": 3}),
    Panel("localized spins; dotted: onset of each group", r"$\langle S^z_i\rangle / S$", _groups,
          needs=("spin",), extra=_onsets, limits=(-1.06, 1.06), zero="0.8", sites=True),
    Panel("von Neumann entropies", "entropy (nat)",
          (Curve("group_entropy", BLACK, "both ferromagnets", column=0),
           Curve("group_entropy", BLUE, "first (polarizer)", "-.", column=1),
           Curve("group_entropy", ORANGE, "second (analyzer)", ":", column=2),
           Curve("half_chain_entropy", GREEN, "left half of the chain", "--")),
          needs=("group_entropy",), limits=from_zero(), legend={"share": 0.28, "ncols": 2}),
    Panel("mutual information of the ferromagnets", "mutual information (nat)",
          (Curve("mutual_information", BLUE),), needs=("mutual_information",), limits=(0, None)),
    Panel("logarithmic negativity of the ferromagnets", "negativity (nat)",
          (Curve("log_negativity", ORANGE),), needs=("log_negativity",),
          limits=from_zero(1.1, 1.1e-3, 0.03)),
    Panel("probability of m flipped spins, and of the W state", "probability", _magnons,
          needs=("magnon_probability",), extra=_w_state, log=True),
    Panel("quantum Fisher information", "Fisher information per spin", _fisher,
          needs=("quantum_fisher_information", "wavevector"), limits=from_zero(),
          legend={"share": 0.32, "ncols": 2}),
    DISCARDED,
)  # fmt: skip
