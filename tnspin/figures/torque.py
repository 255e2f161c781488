"""Panels of the torque of a pulse on spins, and of a quantum pulse beside classical spins."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from tnspin.figures.common import (
    AXES,
    BLACK,
    above,
    beside,
    components,
    localized_sites,
    steps,
    times,
)
from tnspin.results.result import Result

__all__ = ["beside_panel", "compares", "gap_panel", "torque_panel", "totals_panel"]

_TITLES = {"spin": "spin", "torque": "torque of the electrons on the spin"}
_LABELS = {
    "spin": r"$\langle \mathbf{S} \rangle / S$, $\mathbf{n}$",
    "torque": "torque (energy unit/ħ)",
}


def compares(result: Result) -> bool:
    """Whether a result has classical spins among quantum electrons beside quantum ones."""
    return {"spin", "torque", "classical_spin", "classical_torque"} <= set(result)


def beside_panel(ax: Axes, result: Result, name: str) -> None:
    """Components of ``spin`` or ``torque`` of the first spin, classical ones dashed."""
    components(ax, result, result[name][:, 0], result[f"classical_{name}"][:, 0])
    ax.plot([], [], color=BLACK, label="quantum")
    damping = ", ".join(f"{a:.3g}" for a in np.ravel(result.attrs.get("classical_damping", 0.0)))
    ax.plot([], [], "--", color=BLACK, lw=1.3, label=f"classical, damping {damping}")
    ax.set(ylabel=_LABELS[name], title=f"{_TITLES[name]} on site {localized_sites(result)[0]}")
    above(ax, ncols=5)


def torque_panel(ax: Axes, result: Result) -> None:
    """Length of the torque of the electrons on each spin."""
    sites, size = localized_sites(result), np.linalg.norm(result["torque"], axis=-1)
    for k, colour in enumerate(steps(size.shape[1])):
        ax.plot(times(result), size[:, k], color=colour, label=f"{sites[k]}")
    units = _LABELS["torque"].partition(" ")[2]
    ax.set(ylabel=f"|torque| {units}", title="torque of the electrons on each spin")
    ax.set_ylim(0, 1.2 * max(float(size.max(initial=0.0)), 1e-6))


def totals_panel(ax: Axes, result: Result) -> None:
    """Total spin of the electrons and of the localized spins: what goes from one to the other."""
    for axis, colour in enumerate(AXES):
        for name, style in (("electron_spin_total", "-"), ("localized_spin_total", "--")):
            ax.plot(times(result), result[name][:, axis], style, color=colour,
                    label="xyz"[axis] if style == "-" else None)  # fmt: skip
    ax.plot([], [], "--", color=BLACK, label="localized")
    ax.set(
        ylabel="total spin (ħ/2)", title="total spin of electrons, and of localized spins (dashed)"
    )
    above(ax, ncols=4)


def gap_panel(ax: Axes, result: Result, name: str) -> None:
    """Length of the difference of quantum and classical vectors, of each spin."""
    apart = np.linalg.norm(result[name] - result[f"classical_{name}"], axis=-1)
    sites, count = localized_sites(result), apart.shape[1]
    for k, colour in enumerate(steps(count)):
        ax.plot(times(result), apart[:, k], color=colour, label=f"{sites[k]}")
    units = _LABELS[name].partition(" ")[2] if name == "torque" else ""
    ax.set(
        ylabel=f"|difference| {units}".rstrip(),
        title=f"{name} on each site: quantum minus classical",
    )
    ax.set_ylim(0, 1.05 * max(float(apart.max(initial=0.0)), 1e-6))
    if count <= 12:
        beside(ax, title="site", handlelength=1.0, labelspacing=0.3)
