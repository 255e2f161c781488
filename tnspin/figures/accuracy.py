"""Accuracy of what is drawn: the line below each figure, and times that are not converged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.labels import times
from tnspin.results.facts import conserved, parameters
from tnspin.results.result import Result

#: Summed discarded weight above which a figure says that it is not converged.  For eight electrons
#: local spins are then wrong by a few 1e-3, and the error grows in proportion.
CONVERGED = 1e-2
#: Error of the trace above which it says so as well: errors of density matrices go with the square
#: root of the discarded weight.  Measured values are divided by the trace and off by less.
TRACE = 1e-2
_GATES = ("dt", "order", "bond_dim", "cutoff")
#: Accuracy keys of each kind of solver; of others the tolerance.
_KEYS = {
    "tebd": _GATES,
    "tdvp": ("dt", "bond_dim", "cutoff", "tolerance"),
    "density_matrix": _GATES,
    "purification": (*_GATES, "kraus_dim", "kraus_cutoff"),
    "llg": ("dt", "order"),
    "hybrid": ("dt", "order"),
}
_NAMES = {"llg": "LLG", "quantum_llg": "quantum LLG", "quantum_ll": "quantum LL",
          "tebd": "TEBD", "tdvp": "TDVP"}  # fmt: skip
#: Errors that a result holds as variables or attributes, their names, and the largest of them.
_ERRORS: tuple[tuple[str, str, Callable[[np.ndarray], Any]], ...] = (
    ("discarded_weight", "discarded weight", lambda weight: weight.sum(axis=1).max()),
    ("trace_error", "trace off by", np.max),
    ("hermiticity_error", "not Hermitian by", np.max),
    ("group_discarded", "lost in cutting the groups down", np.max),
    ("smallest_eigenvalue", "eigenvalues negative by", lambda values: max(0.0, -values.min())),
    ("jump_error", "jump operators off by", np.max),
    ("classical_energy_drift", "energy of the classical run drifts by", np.max),
    ("classical_norm_drift", "its norm by", np.max),
    ("residual", "spins still moving by", lambda change: np.nan_to_num(change).max()),
    ("spin_error", "standard error of spin", np.max),
    ("mutual_information_error", "standard error of mutual information", np.max),
    ("log_negativity_error", "standard error of log negativity", np.max),
)
#: Those that are shown even if they are zero.
_ALWAYS = ("discarded_weight", "spin_error", "mutual_information_error", "log_negativity_error")
# Characters of the line in an inch, and inches of a line of it.
_CHARACTERS, _LINE, _SIZE = 15.5, 0.155, 8.0


def mark_unconverged(ax: Axes, result: Result, *, note: bool = True) -> None:
    """Shade the times that are not converged; with ``note``, the title explains the shading."""
    start = unconverged_from(result)
    if start is None:
        return
    ax.axvspan(start, times(result)[-1], color="0.5", alpha=0.13, lw=0, zorder=0)
    if note:
        ax.set_title(unconverged_text(result), loc="right", fontsize=8.5, color="0.25")


def unconverged_text(result: Result) -> str:
    """Explanation of the shading of times that are not converged; empty if there are none."""
    if unconverged_from(result) is None:
        return ""
    if "converged_until" in result.attrs:
        return f"grey: errors above {result.attrs['certified_tolerance']:g} (certificate)"
    discarded, trace = _first_errors(result)
    if trace < discarded:
        return f"grey: trace off by more than {TRACE:g}, not converged"
    return f"grey: discarded > {CONVERGED:g}, not converged"


def unconverged_from(result: Result) -> float | None:
    """First time on the axis that is not converged, None if there is none.

    It is given by the certificate; without one, by `CONVERGED` and `TRACE`.
    """
    if "time" not in result:
        return None
    if "converged_until" in result.attrs:
        late = np.flatnonzero(result["time"] > float(result.attrs["converged_until"]) + 1e-9)
        return float(times(result)[max(late[0] - 1, 0)]) if late.size else None
    first = min(_first_errors(result))
    return float(times(result)[first]) if first < times(result).size else None


def _first_errors(result: Result) -> tuple[int, int]:
    """First time with too much discarded, and with a wrong trace; their count if there is none."""
    count, first = times(result).size, []
    for name, limit in (("discarded_weight", CONVERGED), ("trace_error", TRACE)):
        errors = result[name].reshape(count, -1).sum(axis=1) if name in result else np.zeros(count)
        first.append(int(np.argmax(errors > limit)) if (errors > limit).any() else count)
    return first[0], first[1]


# ---------------------------------------------------------------------- the line below a figure


def accuracy_text(results: Sequence[Result]) -> str:
    """Accuracy of runs in words; of several, the largest error of each kind."""
    parts = list(dict.fromkeys(text for result in results for text in _solvers(result)))
    parts = parts if len(parts) <= 4 else [*parts[:3], f"{len(parts) - 3} other settings"]
    drifts, errors = _largest(map(_drifts, results)), _largest(map(_errors, results))
    if drifts:
        parts.append("largest drift: " + ", ".join(f"{n} {_short(v)}" for n, v in drifts.items()))
    parts += [f"{name} {_short(value)}" for name, value in errors.items()]
    counts = {int(r.attrs["trajectories"]) for r in results if "trajectories" in r.attrs}
    if counts:
        parts.append(" and ".join(map(str, sorted(counts))) + " trajectories")
    parts += filter(None, map(_certificate, results[:1] if len(results) == 1 else ()))
    stopped = sum(not result.complete for result in results)
    if stopped:
        parts.append("STOPPED before the end" + f" ({stopped} runs)" * (len(results) > 1))
    return "accuracy: " + ("; ".join(parts) or "the file holds no measure of it")


def _solvers(result: Result) -> list[str]:
    """Solver and its accuracy keys, also of the classical counterpart."""
    tables = parameters(result)
    classical = {"kind": "llg", **tables.get("classical", {})}
    compared = "classical_spin" in result or "loop_classical_spin" in result
    found = [settings(tables.get("solver", {})), f"beside it {settings(classical)}" * compared]
    return list(filter(None, found))


def settings(table: Mapping[str, Any]) -> str:
    """Kind of a solver and the keys that set its accuracy, in words."""
    kind = str(table.get("kind", ""))
    keys = _KEYS.get("tebd" if table.get("engine") == "tebd" else kind, ("tolerance",))
    if kind == "quantum_llg" and table.get("temperature"):
        keys = ("dt",)
    values = [f"{key.replace('_', ' ')} {_plain(table[key])}" for key in keys if table.get(key)]
    name = _NAMES.get(kind, kind.replace("_", " "))
    return f"{name} ({', '.join(values)})" if values else name


def _plain(value: float | str) -> str:
    """A value as it is typed: 400, 0.1, 1e-7, 0.1 fs."""
    return value if isinstance(value, str) else f"{value:g}".replace("e-0", "e-")


def _drifts(result: Result) -> dict[str, float]:
    drifts = {name: np.abs(result[name] - result[name][0]).max() for name in conserved(result)}
    return {name.replace("_", " ").replace("sz", "Sz"): float(v) for name, v in drifts.items()}


def _errors(result: Result) -> dict[str, float]:
    """Largest error of each kind that the file holds."""
    sources = {**result.attrs, **{name: v.data for name, v in result.variables.items()}}
    found = {}
    for name, text, largest in _ERRORS:
        value = float(largest(np.asarray(sources[name]))) if np.size(sources.get(name, ())) else 0.0
        if value or (name in _ALWAYS and name in sources):
            found[text] = value
    if "mutual_information_closed_form" in result:
        apart = result["mutual_information"] - result["mutual_information_closed_form"]
        found["formula and density matrix differ by"] = float(np.abs(apart).max())
    return found


def _certificate(result: Result) -> str:
    """Tolerance of the certificate, and the time up to which it is met."""
    if "certified_tolerance" not in result.attrs:
        return ""
    until = float(result.attrs["converged_until"])
    if "loop_done" in result.attrs:
        span = f"at the first {max(until, 0):g} of {result.attrs['loop_done']} fields"
    else:
        end = np.interp(until, result["time"], times(result))
        unit = " fs" if "time_fs" in result else ""
        span = f"up to t = {end:.4g}{unit}" if until >= 0 else "at no time"
    return f"certificate: errors below {result.attrs['certified_tolerance']:g} {span}"


def _short(value: float) -> str:
    """A number with two digits, as 1.5e-7."""
    number, _, power = f"{value:.1e}".partition("e")
    return f"{number}e{int(power)}" if value else "0"


def _largest(every: Iterable[dict[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in every:
        found |= {name: max(value, found.get(name, 0.0)) for name, value in one.items()}
    return found


def write_accuracy(drawing: Figure, results: Sequence[Result], *, room: float = 0.0) -> float:
    """Write the accuracy of results below all panels; see `write_below`."""
    return write_below(drawing, accuracy_text(results), room=room)


def write_below(drawing: Figure, text: str, *, room: float = 0.0) -> float:
    """Write a text below all panels, for which the figure grows.

    Parameters
    ----------
    drawing, text
        Figure with constrained layout, and the text.
    room
        Inches above the text that are left free as well.

    Returns
    -------
    float
        Where that room begins, as a share of the height.
    """
    lines = wrap(text, int(_CHARACTERS * drawing.get_figwidth()))
    inches = _LINE * len(lines) + 0.08
    height = drawing.get_figheight() + inches + room
    drawing.set_figheight(height)
    engine: Any = drawing.get_layout_engine()
    engine.set(rect=(0, (inches + room) / height, 1, 1 - (inches + room) / height))
    drawing.text(0.1 / drawing.get_figwidth(), 0.04 / height, "\n".join(lines), fontsize=_SIZE,
                 color="0.3", va="bottom", ha="left", linespacing=1.2)  # fmt: skip
    return inches / height
