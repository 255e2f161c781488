"""What of a result is a line: the quantities that figures of several runs compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tnspin.figures.common import localized_sites, times, unit
from tnspin.figures.panels import unconverged_from
from tnspin.results.result import Result

__all__ = ["Line", "draw", "lines_of"]

#: Panels of a figure, at most.
_MOST = 9
# A mean that moves no more than this is conserved, and no news.
_STILL = 1e-9
#: The most telling variables first; of those of cuts or pairs the largest, see `_LARGEST`.
_FIRST = (
    "entropy", "log_negativity", "bell_nonlocality", "concurrence", "mutual_information",
    "block_log_negativity", "renyi_negativity", "meyer_wallach",
    "quantum_fisher_information_mixed", "neel_overlap", "purity",
)  # fmt: skip
#: Conserved in closed systems; their drift says more than they do.
_AUDIT = ("norm", "particle_number", "total_sz", "trace_error", "hermiticity_error",
          "smallest_eigenvalue")  # fmt: skip
#: Names that underscores do not make.
_NAMED = {
    "bell_nonlocality": "Bell nonlocality",
    "meyer_wallach": "Meyer-Wallach Q",
    "neel_overlap": "overlap with the Néel states",
    "renyi_negativity": "Rényi negativity",
}
#: Of these the largest of all cuts or pairs.
_LARGEST = {
    "entropy": "largest entropy of a cut",
    "concurrence": "largest concurrence of a pair",
    "bell_nonlocality": "largest Bell nonlocality of a pair",
}


@dataclass(frozen=True)
class Line:
    """A quantity against x, and how to take it from a result.

    Attributes
    ----------
    title, label
        Of the panel and of its vertical axis.
    value
        Gives the numbers of a result.
    error
        Gives their statistical errors, None if a result has none.
    log
        Whether the axis is logarithmic; zeros are left out.
    """

    title: str
    label: str
    value: Callable[[Result], np.ndarray]
    error: Callable[[Result], np.ndarray | None] = lambda result: None
    log: bool = False


def lines_of(results: Sequence[Result]) -> list[Line]:
    """Lines against time that all results have."""
    common = [name for name in results[0] if all(name in result for result in results)]
    found = _spins(results) if "spin" in common else []
    others = [name for name in common if name not in (*_FIRST, *_AUDIT, "energy")]
    for name in (*_FIRST, *others):
        if name in common and name in _LARGEST and _worth_a_line(results, name):
            found.append(_largest(results, name))
        elif name in common and _plain(results, name):
            found.append(_of(results, name))
    found = found[: _MOST - 3]
    if "discarded_weight" in common:
        found.append(Line("discarded weight, all bonds", "summed since t = 0",
                          lambda r: r["discarded_weight"].sum(axis=1), log=True))  # fmt: skip
    if "bond_dim" in common:
        found.append(Line("largest bond dimension", "bond dimension",
                          lambda r: r["bond_dim"].max(axis=1)))  # fmt: skip
    if "energy" in common:
        found.append(Line("change of the energy", "|E - E(0)| (energy unit)",
                          lambda r: np.abs(r["energy"] - r["energy"][0]), log=True))  # fmt: skip
    return found


def _spins(results: Sequence[Result]) -> list[Line]:
    """The component of the first spin that moves most, and its mean over all spins."""
    moved = [np.ptp(result["spin"][:, 0], axis=0) for result in results if result["spin"].size]
    axis = int(np.argmax(np.max(moved, axis=0))) if moved else 2
    sites = {int(localized_sites(r)[0]) if localized_sites(r).size else 0 for r in results}
    site = f"spin on site {sites.pop()}" if len(sites) == 1 else "first localized spin"
    label = rf"$\langle S^{'xyz'[axis]}\rangle / S$"

    def error(result: Result) -> np.ndarray | None:
        return result["spin_error"][:, 0, axis] if "spin_error" in result else None

    found = [Line(f"{site}, {'xyz'[axis]}", label, lambda r: r["spin"][:, 0, axis], error)]
    means = [result["spin"][..., axis].mean(axis=1) for result in results]
    if any(r["spin"].shape[1] > 1 for r in results) and max(map(np.ptp, means)) > _STILL:
        title = f"mean of the localized spins, {'xyz'[axis]}"
        found.append(Line(title, label, lambda r: r["spin"][..., axis].mean(axis=1)))
    return found


def _worth_a_line(results: Sequence[Result], name: str) -> bool:
    """Whether there are cuts or pairs at all, and something in them."""
    return all(r[name].ndim == 2 and r[name].size for r in results) and any(
        r[name].any() for r in results
    )


def _largest(results: Sequence[Result], name: str) -> Line:
    return Line(_LARGEST[name], _label(results, name), lambda result: result[name].max(axis=1))


def _plain(results: Sequence[Result], name: str) -> bool:
    variables = [result.variables[name] for result in results]
    single = all(v.dims == ("time",) and v.data.dtype.kind in "fi" for v in variables)
    return single and name not in ("time", "time_fs") and not name.endswith("_error")


def _of(results: Sequence[Result], name: str) -> Line:
    def error(result: Result) -> np.ndarray | None:
        found = result.variables.get(f"{name}_error")
        return None if found is None else found.data

    return Line(_words(name), _label(results, name), lambda result: result[name], error)


def _words(name: str) -> str:
    return _NAMED.get(name, name.replace("_", " "))


def _label(results: Sequence[Result], name: str) -> str:
    return _words(name) + unit(results[0].variables[name])


def draw(ax: Axes, line: Line, result: Result, x: np.ndarray | None = None, **style: Any) -> None:
    """Draw one line of one result; faint from where on it is not converged."""
    at = times(result) if x is None else x
    values = np.asarray(line.value(result), float)
    if line.log:
        values = np.where(values > 0, values, np.nan)
    start = unconverged_from(result) if x is None else None
    late = at > start if start is not None else np.zeros(at.size, bool)
    (drawn,) = ax.plot(at, np.where(late, np.nan, values), **style)
    if late.any():
        first = int(np.argmax(late))
        tail = slice(max(first - 1, 0), None)
        ax.plot(at[tail], values[tail], **{**style, "label": None, "alpha": 0.3})
    error = line.error(result)
    if error is not None:
        colour = drawn.get_color()
        ax.fill_between(at, values - error, values + error, color=colour, alpha=0.2, lw=0)
