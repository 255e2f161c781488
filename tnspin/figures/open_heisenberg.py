"""The figure of an open Heisenberg chain beside its mean field (OHM Figs. 3, 5 and 6)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.common import (
    BLACK,
    BLUE,
    ORANGE,
    PURPLE,
    components,
    localized_sites,
    times,
    title,
)
from tnspin.figures.stack import Panel, stacked
from tnspin.results.facts import parameters
from tnspin.results.result import Result

__all__ = ["connected_correlation", "open_heisenberg_figure", "statement"]

# Pairs with a line of their own.
_MOST_PAIRS = 4
# A concurrence below this is round-off.
_NOTHING = 1e-9


def open_heisenberg_figure(result: Result) -> Figure:
    """Magnetization, exact and mean field; their difference; correlations; concurrence."""
    panels: list[tuple[float, Panel]] = [(1.6, _magnetization), (1.0, _difference)]
    if "correlation_matrix" in result:
        panels.append((1.0, _correlations))
    if "concurrence" in result:
        panels.append((1.0, _concurrence))
    return stacked(result, f"{title(result)}, {statement(result)}", panels)[0]


def connected_correlation(result: Result, axis: int = 0) -> np.ndarray:
    """(time, pair) correlation of one component of both spins (OHM Eq. 21)."""
    sites = localized_sites(result).tolist()
    pairs = [[sites.index(k) for k in _sites(label)] for label in result["pair"]]
    product = np.stack(
        [result["spin"][:, i, axis] * result["spin"][:, j, axis] for i, j in pairs], axis=1
    )
    return np.asarray(result["correlation_matrix"][:, :, axis, axis] - product)


def statement(result: Result) -> str:
    """Couplings, field and bath in words; a component of the field that is swept as "swept"."""
    tables = parameters(result)
    model, bath = tables.get("model", {}), tables.get("bath", {})
    vectors = {name: [f"{x:g}" for x in model[name]] for name in ("V", "field") if name in model}
    if "hysteresis" in tables and "field" in vectors:
        vectors["field"]["xyz".index(tables["hysteresis"]["axis"])] = "swept"
    parts = [
        f"{'B' if name == 'field' else name} = ({', '.join(v)})" for name, v in vectors.items()
    ]
    if "gamma" in bath:
        gamma = bath["gamma"]
        parts.append(f"Γ = {gamma:g}" if isinstance(gamma, int | float) else f"Γ = {gamma}")
    if "neighbour" in bath:
        parts.append(f"g = {bath['neighbour']}")
    elif "neighbour_ratio" in bath:
        parts.append(f"g/γ = {bath['neighbour_ratio']:g}")
    return ", ".join(parts)


def _magnetization(ax: Axes, result: Result) -> None:
    exact, mean_field = (result[name].mean(axis=1) for name in ("spin", "classical_spin"))
    components(ax, result, exact, mean_field)
    variant = result.attrs.get("classical_variant", "")
    ax.plot([], [], "--", color=BLACK, lw=1.2, label=f"mean field,\n{variant}")
    ax.set(ylabel=r"$M = \frac{1}{N}\sum_j \langle\sigma_j\rangle$", ylim=(-1.06, 1.06))
    ax.set_title("magnetization: quantum (solid), mean field (dashed)")


def _difference(ax: Axes, result: Result) -> None:
    apart = result["spin"] - result["classical_spin"]
    mean = np.square(apart.mean(axis=1)).sum(axis=-1)
    worst = np.square(apart).sum(axis=-1).max(axis=1)
    ax.plot(times(result), mean, color=PURPLE, label="of M")
    ax.plot(times(result), worst, ":", color=BLACK, lw=1.2, label="largest of\nany spin")
    ax.set(ylabel=r"$|M_{MF} - M|^2$", title="difference squared")
    ax.set_ylim(bottom=0)


def _correlations(ax: Axes, result: Result) -> None:
    values = connected_correlation(result)
    for k, style in _lines(result):
        ax.plot(times(result), values[:, k], label=_name(result, k), **style)
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    ax.set_ylabel(r"$C_{xx}$")
    ax.set_title(
        r"two-point correlation $\langle\sigma_x\sigma_x\rangle"
        r" - \langle\sigma_x\rangle\langle\sigma_x\rangle$"
    )


def _concurrence(ax: Axes, result: Result) -> None:
    values = result["concurrence"]
    for k, style in _lines(result):
        ax.plot(times(result), values[:, k], label=_name(result, k), **style)
    moment, pair = np.unravel_index(values.argmax(), values.shape)
    largest, when = values[moment, pair], times(result)[moment]
    top = max(1.15 * float(largest), 1e-2)
    # Down to a little below zero, so that a concurrence of zero is seen.
    ax.set_ylim(-0.03 * top, top)
    ax.set(ylabel="concurrence")
    found = f", at most {largest:.3g} at t = {when:.4g}" if largest > _NOTHING else ": none"
    ax.set_title(f"concurrence{found}")


def _lines(result: Result) -> list[tuple[int, dict[str, Any]]]:
    """Pairs with a line of their own, evenly from the list of pairs, with its style."""
    count = len(result["pair"])
    chosen = np.unique(np.linspace(0, count - 1, min(count, _MOST_PAIRS)).astype(int)).tolist()
    # Pairs that mirror each other have the same values.
    styles: list[dict[str, Any]] = [
        {"color": BLUE, "lw": 2.4}, {"color": ORANGE}, {"color": BLACK, "ls": ":"},
        {"color": PURPLE, "ls": "--", "lw": 1.2},
    ]  # fmt: skip
    return list(zip(chosen, styles, strict=False))


def _name(result: Result, pair: int) -> str:
    return "sites " + ", ".join(str(k) for k in _sites(result["pair"][pair]))


def _sites(label: str) -> list[int]:
    """Sites of a pair from its label, "0-1"."""
    return [int(part) for part in str(label).split("-")]
