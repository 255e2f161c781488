"""How exact what is drawn is: a line below each figure, whatever made its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tnspin.figures.common import times
from tnspin.results.facts import conserved, parameters
from tnspin.results.result import Result

__all__ = ["footer", "ledger_text", "settings", "write_below"]

Tables = Mapping[str, Any]

#: Accuracy keys of each kind of solver; of others those of `_ANY`.
_KEYS = {
    "tebd": ("dt", "order", "bond_dim", "cutoff"),
    "tdvp": ("dt", "bond_dim", "cutoff", "tolerance"),
    "density_matrix": ("dt", "order", "bond_dim", "cutoff"),
    "purification": ("dt", "order", "bond_dim", "cutoff", "kraus_dim", "kraus_cutoff"),
    "llg": ("dt", "order"),
    "hybrid": ("dt", "order"),
}  # fmt: skip
_ANY = ("tolerance",)
_NAMES = {"llg": "LLG", "quantum_llg": "quantum LLG", "quantum_ll": "quantum LL",
          "tebd": "TEBD", "tdvp": "TDVP"}  # fmt: skip
#: Errors that a result holds at each time, and what they are called.
_ERRORS = {
    "trace_error": "trace off by",
    "hermiticity_error": "not Hermitian by",
    "group_discarded": "lost in cutting the groups down",
}
#: Errors that are attributes of a result.
_ATTRIBUTES = {
    "jump_error": "jump operators off by",
    "classical_energy_drift": "energy of the classical run drifts by",
    "classical_norm_drift": "its norm by",
}
# Characters of the footer in an inch, and inches of a line of it.
_CHARACTERS, _LINE, _SIZE = 15.5, 0.155, 8.0


def ledger_text(results: Sequence[Result]) -> str:
    """How exact runs are, in words; of several the largest error of each kind."""
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
    """Equation and accuracy keys, also of the classical one beside it."""
    tables = parameters(result)
    found = [settings(tables.get("solver", {}))]
    if "classical_spin" in result or "loop_classical_spin" in result:
        found.append(f"beside it {settings({'kind': 'llg', **tables.get('classical', {})})}")
    return list(filter(None, found))


def settings(table: Tables) -> str:
    """Kind of a solver, and the keys that set its accuracy, in words."""
    kind = str(table.get("kind", ""))
    keys = _KEYS.get(kind, _ANY)
    if kind == "trajectories" and table.get("engine") == "tebd":
        keys = _KEYS["tebd"]
    if kind == "quantum_llg" and table.get("temperature"):
        keys = ("dt",)
    values = [f"{key.replace('_', ' ')} {_plain(table[key])}" for key in keys if table.get(key)]
    name = _NAMES.get(kind, kind.replace("_", " "))
    return f"{name} ({', '.join(values)})" if values else name


def _plain(value: float | str) -> str:
    """As it is typed: 400, 0.1, 1e-7, 0.1 fs."""
    return value if isinstance(value, str) else f"{value:g}".replace("e-0", "e-")


def _drifts(result: Result) -> dict[str, float]:
    found = {}
    for name in conserved(result):
        values = np.asarray(result[name], float)
        words = name.replace("_", " ").replace("sz", "Sz")
        found[words] = float(np.abs(values - values[0]).max())
    return found


def _errors(result: Result) -> dict[str, float]:
    """Largest error of each kind that the file holds."""
    found: dict[str, float] = {}
    if "discarded_weight" in result:
        found["discarded weight"] = float(result["discarded_weight"].sum(axis=1).max())
    for name, text in _ERRORS.items():
        if name in result and result[name].size and np.any(result[name]):
            found[text] = float(np.abs(result[name]).max())
    if "smallest_eigenvalue" in result and np.min(result["smallest_eigenvalue"]) < 0:
        found["eigenvalues negative by"] = -float(np.min(result["smallest_eigenvalue"]))
    for name, text in _ATTRIBUTES.items():
        if result.attrs.get(name):
            found[text] = float(result.attrs[name])
    if "residual" in result and np.isfinite(result["residual"]).any():  # nan: not come to yet
        found["spins still moving by"] = float(np.nanmax(result["residual"]))
    if "mutual_information_closed_form" in result:
        apart = result["mutual_information"] - result["mutual_information_closed_form"]
        found["formula and density matrix differ by"] = float(np.abs(apart).max())
    for name in ("spin", "mutual_information", "log_negativity"):
        if f"{name}_error" in result:
            words = name.replace("_", " ")
            found[f"standard error of {words}"] = float(np.max(result[f"{name}_error"]))
    return found


def _certificate(result: Result) -> str:
    """What a certificate says, with its time as on the axis."""
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
    """Two digits, as 1.5e-7."""
    number, _, power = f"{value:.1e}".partition("e")
    return f"{number}e{int(power)}" if value else "0"


def _largest(every: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in every:
        for name, value in one.items():
            found[name] = max(value, found.get(name, 0.0))
    return found


def footer(drawing: Figure, results: Sequence[Result], *, room: float = 0.0) -> float:
    """Write the ledger of results below all panels; see `write_below`."""
    return write_below(drawing, ledger_text(results), room=room)


def write_below(drawing: Figure, text: str, *, room: float = 0.0) -> float:
    """Write a text below all panels, for which the figure grows.

    Parameters
    ----------
    drawing, text
        Figure with constrained layout, and what is written into it.
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
