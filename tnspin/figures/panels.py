"""Panels that several figures share: maps along the chain, localized spins, the error ledger."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from tnspin.figures.common import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    above,
    beside,
    edges,
    localized_sites,
    log_lines,
    polarization,
    steps,
    times,
)
from tnspin.results.facts import conserved, group_members
from tnspin.results.result import Result

#: Summed discarded weight from which on a figure says that it is not converged.  For eight
#: electrons local spins are then wrong by a few 1e-3, and the error grows in proportion.
CONVERGED = 1e-2
#: Error of the trace, which the equation of motion keeps, from which on it says so as well: errors
#: of density matrices go with the square root of the discarded weight.  What is measured is divided
#: by the trace and off by less.
TRACE = 1e-2


def site_map(
    ax: Axes, result: Result, name: str, axis: int | None, label: str, colours: str
) -> None:
    """Space-time map with the localized spins between two lines."""
    values = result[name] if axis is None else result[name][:, :, axis]
    sites = np.arange(values.shape[1])
    top = max(float(np.abs(values).max()), 1e-12)
    # The bunch in the well is ten times denser than the pulse that leaves it: a square root
    # keeps both visible in the charge, a clipped linear scale keeps the sign of the spin.
    if axis is None:
        style: dict[str, Any] = {"norm": PowerNorm(0.5, vmin=0.0, vmax=top)}
    else:
        clip = max(float(np.quantile(np.abs(values), 0.97)), 1e-12)
        style = {"vmin": -clip, "vmax": clip}
    image = ax.pcolormesh(
        edges(times(result)), edges(sites), values.T, cmap=colours, rasterized=True, **style
    )
    extend = "neither" if axis is None else "both"
    # Inset, so that the bar does not change the width of the panel: all share one time axis.
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.015, 0, 0.025, 1)), extend=extend)
    bar.outline.set_visible(False)
    ax.set_title(label)
    ax.set_ylabel("site")
    localized = localized_sites(result)
    if localized.size:
        groups = [localized[members] for members in group_members(result)]
        for edge in (side for g in groups for side in (g.min() - 0.5, g.max() + 0.5)):
            ax.axhline(edge, color="white" if axis is None else BLACK, lw=0.9, ls=(0, (4, 3)))
        ax.annotate(
            "localized spins", (0.99, localized.max() + 1), xycoords=("axes fraction", "data"),
            ha="right", va="bottom", fontsize=9, color="white" if axis is None else BLACK,
        )  # fmt: skip


def localized_panel(ax: Axes, result: Result) -> None:
    """Each localized spin against time."""
    spins, sites = result["spin"], localized_sites(result)
    axis = polarization(result)
    shown = [2] if axis == 2 else [2, axis]
    colours = steps(spins.shape[1])
    for a, style in zip(shown, ("-", "--"), strict=False):
        for k, colour in enumerate(colours):
            label = f"{sites[k]}" if style == "-" else None
            ax.plot(times(result), spins[:, k, a], style, color=colour, label=label)
    low, high = _range(spins[..., shown])
    if low < 0 < high:
        ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    ax.set(ylim=(low, high), ylabel=r"$\langle S^z_i\rangle / S$")
    ax.set_title("localized spins")
    if axis != 2:
        ax.set_ylabel(r"$\langle S_i\rangle / S$")
        # Short: what is not converged is said on the same line.
        ax.set_title(f"localized spins, {'xyz'[axis]} dashed")
    if spins.shape[1] <= 12:
        beside(ax, title="site", handlelength=1.0, labelspacing=0.3)


def _range(spins: np.ndarray) -> tuple[float, float]:
    """From -1 to 1, or closer if all spins stay within a quarter of that."""
    low, high = (float(spins.min()), float(spins.max())) if spins.size else (-1.0, 1.0)
    span = max(high - low, 0.02)
    return (low - 0.06 * span, high + 0.06 * span) if span < 0.5 else (-1.06, 1.06)


def entropy_panel(ax: Axes, result: Result) -> None:
    """Entropy of the half chain and of the worst cut, and the global entanglement."""
    ax.set_title("entanglement entropy")
    ax.set_ylabel("entropy (nat)")
    if "entropy" not in result:
        return
    entropy = result["entropy"]
    middle = (entropy.shape[1] - 1) // 2 + (entropy.shape[1] + 1) % 2
    ax.plot(times(result), entropy[:, middle], color=BLUE, label=f"cut {middle}|{middle + 1}")
    ax.plot(times(result), entropy.max(axis=1), color=ORANGE, ls="--", label="largest of all cuts")
    if "meyer_wallach" in result:
        ax.plot(
            times(result),
            result["meyer_wallach"],
            color=GREEN,
            ls="-.",
            label="Meyer-Wallach Q (0 to 1)",
        )
    ax.set_ylim(0, 1.02 * max(ax.dataLim.y1, 1e-3))
    above(ax, share=0.18, ncols=3)


def mark_unconverged(ax: Axes, result: Result, *, note: bool = True) -> None:
    """Shade the times that are not converged.

    With ``note``, the title on the right says what the shading means.
    """
    start = unconverged_from(result)
    if start is None:
        return
    ax.axvspan(start, times(result)[-1], color="0.5", alpha=0.13, lw=0, zorder=0)
    if note:
        ax.set_title(unconverged_text(result), loc="right", fontsize=8.5, color="0.25")


def unconverged_text(result: Result) -> str:
    """What the shading of times that are not converged means."""
    if "converged_until" in result.attrs:
        return f"grey: errors above {result.attrs['certified_tolerance']:g} (certificate)"
    discarded, trace = _too_much(result)
    if trace < discarded:
        return f"grey: trace off by more than {TRACE:g}, not converged"
    return f"grey: discarded > {CONVERGED:g}, not converged"


def unconverged_from(result: Result) -> float | None:
    """First time on the axis that is not converged, if any.

    After the time that a certificate says; without one, once more than `CONVERGED` has been
    discarded, or the trace is off by more than `TRACE`.
    """
    if "converged_until" in result.attrs:
        late = np.flatnonzero(result["time"] > float(result.attrs["converged_until"]) + 1e-9)
        return float(times(result)[max(late[0] - 1, 0)]) if late.size else None
    first = min(_too_much(result))
    return float(times(result)[first]) if first < times(result).size else None


def _too_much(result: Result) -> tuple[int, int]:
    """First time with too much discarded, and with a wrong trace; their count if there is none."""
    lost, trace = np.zeros(times(result).size), np.zeros(times(result).size)
    if "discarded_weight" in result:
        lost = result["discarded_weight"].sum(axis=1)
    if "trace_error" in result:
        trace = result["trace_error"]
    first, second = (
        int(np.argmax(late)) if late.any() else late.size
        for late in (lost > CONVERGED, trace > TRACE)
    )
    return first, second


def discarded_panel(ax: Axes, result: Result) -> None:
    """Truncation: discarded weight and bond dimension."""
    ax.set_title("discarded weight, and bond dimension (dotted)")
    if "discarded_weight" in result:
        total = result["discarded_weight"].sum(axis=1)
        worst = result["discarded_weight"].max(axis=1)
        log_lines(ax, times(result), (total, BLUE, "all bonds"), (worst, ORANGE, "worst bond"))
        above(ax, share=0.2, ncols=2)
    ax.set_ylabel("discarded weight since t = 0")
    if "bond_dim" in result:
        other = ax.twinx()
        sizes = result["bond_dim"].max(axis=1)
        other.plot(times(result), sizes, color=BLACK, ls=":", lw=1.4)
        other.set_ylabel("largest bond dimension")
        other.set_ylim(0, 1.3 * max(float(sizes.max()), 1.0))  # below the legend
        other.spines["right"].set_visible(True)


def drift_panel(ax: Axes, result: Result) -> None:
    """How far what the equation of motion conserves has moved."""
    ax.set_title("drift of conserved quantities")
    ax.set_ylabel("|value - initial value|\n(energy unit, ħ, 1)")
    colours = {"energy": BLUE, "particle_number": ORANGE, "total_sz": GREEN, "norm": PURPLE}
    kept = conserved(result)
    lines = []
    for name, colour in colours.items():
        if name in kept:
            moved = np.abs(result[name] - result[name][0])
            still = "" if moved.any() else ": 0"
            lines.append((moved, colour, name.replace("_", " ").replace("sz", "$S^z$") + still))
    log_lines(ax, times(result), *lines)
    if not any(moved.any() for moved, _, _ in lines):
        ax.set_yticks([])
    above(ax, share=0.2, ncols=4)


def sampling_panel(ax: Axes, result: Result) -> None:
    """Statistical errors of a sampled run: of the worst spin, and of entanglement."""
    ax.set_title("standard errors of sampling")
    ax.set_ylabel("standard error (nat; spins: 1)")
    names = {"spin": BLUE, "log_negativity": ORANGE, "mutual_information": GREEN}
    lines = [
        (result[f"{name}_error"].reshape(times(result).size, -1).max(axis=1), colour,
         name.replace("_", " "))
        for name, colour in names.items() if f"{name}_error" in result
    ]  # fmt: skip
    log_lines(ax, times(result), *lines)
    # Before anything happens errors are round-off, which would take up most of the axis.
    ax.set_ylim(bottom=max(ax.get_ylim()[0], 1e-6 * ax.get_ylim()[1]))
    above(ax, share=0.2, ncols=3)


def audit_panel(ax: Axes, result: Result) -> None:
    """Drift of what is conserved; in a sampled run that conserves no energy, sampling errors."""
    sampled = "spin_error" in result or "log_negativity_error" in result
    (sampling_panel if sampled and "energy" not in conserved(result) else drift_panel)(ax, result)
