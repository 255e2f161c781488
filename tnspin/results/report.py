"""What a result says about itself: parameters, provenance, conservation, error ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from tnspin.results.distance import Verdict
from tnspin.results.facts import classical_verdict, conserved
from tnspin.results.onsets import THRESHOLD, onsets
from tnspin.results.result import Result
from tnspin.results.toml_text import flatten, loads
from tnspin.units import EnergyScale

_SAMPLED = ("log_negativity", "mutual_information")
_DEVIATIONS = ("trace_error", "hermiticity_error", "smallest_eigenvalue")
#: Of files of earlier versions, which do not say what the equation of motion conserves.
_AUDITED = ("norm", "particle_number", "total_sz", "energy", "purity", *_DEVIATIONS)


def info(result: Result) -> dict[str, Any]:
    """All that ``tnspin info --json`` prints, as plain values.

    Returns
    -------
    dict
        ``parameters`` (nested tables), ``provenance``, ``complete``, ``conservation`` (initial
        and final value and largest drift of each audited quantity), ``onsets`` (when localized
        spins and their entanglement begin to change, see `onsets`; in fs too if the file
        knows its energy unit), ``classical`` (whether and from when on classical spins describe the
        quantum ones, with which damping), ``ledger`` (per time: summed discarded weight and
        largest bond dimension), ``variables``.
    """
    attrs = dict(result.attrs)
    parameters = loads(str(attrs.pop("config", "")))
    complete = bool(attrs.pop("complete", 1))
    for name in ("versions", "user_files"):
        if name in attrs:
            attrs[name] = json.loads(attrs[name])
    # Of a collection of runs there is no single time evolution to judge.
    measured = Result({}, result.attrs) if "sweep" in result.attrs else result
    return {
        "complete": complete,
        "parameters": parameters,
        "provenance": attrs,
        "conservation": conservation(measured),
        "onsets": _onsets(measured),
        "classical": _classical(measured),
        "ledger": _ledger(measured),
        "variables": {
            name: {
                "dims": list(v.dims),
                "shape": list(v.data.shape),
                "units": v.units,
                "long_name": v.long_name,
            }
            for name, v in result.variables.items()
        },
    }


def info_text(result: Result) -> str:
    """Return what `info` finds as text: tables of parameters, conservation, onsets, errors."""
    facts = info(result)
    files = facts["provenance"].get("user_files", {})
    if files:  # the texts are for --json
        facts["provenance"]["user_files"] = {name: one["sha256"] for name, one in files.items()}
    parts = [
        _table("parameters", flatten(facts["parameters"]).items()),
        _table("provenance", ((k, _shown(v)) for k, v in facts["provenance"].items())),
    ]
    if "certified" in facts["provenance"]:
        parts.insert(0, str(facts["provenance"].pop("certified")))
    if not facts["complete"]:
        parts.insert(0, "INCOMPLETE: the run was stopped before its end")
    if facts["conservation"]:
        rows = (
            (name, f"{row['initial']:.8g} -> {row['final']:.8g}, largest drift {row['drift']:.1e}")
            for name, row in facts["conservation"].items()
        )
        parts.append(_table("conservation", rows))
    if facts["onsets"]:
        rows = ((name, _onset_text(row)) for name, row in facts["onsets"].items())
        parts.append(_table(f"onsets (change by more than {THRESHOLD})", rows))
    if facts["classical"]:
        parts.append(_table("classical spins", facts["classical"].items()))
    if facts["ledger"]:
        parts.append(_ledger_text(facts["ledger"]))
    rows = ((n, f"({', '.join(v['dims'])}) [{v['units']}] {v['long_name']}")
            for n, v in facts["variables"].items())  # fmt: skip
    parts.append(_table("variables", rows))
    return "\n\n".join(parts)


def summary(result: Result, file: str) -> str:
    """Return the short table printed at the end of a run."""
    rows: list[tuple[str, str]] = []
    if "time" in result:
        rows.append(("time", f"{result['time'][-1]:g} ({result['time'].size} points)"))
    if "coercive_field" in result:
        values = ", ".join(f"{value:+.4f}" for value in result["coercive_field"])
        rows.append(("M passes zero (down, up)", values))
        rows.append(("area of the loop", f"{result.attrs['loop_area']:.4g}"))
        rows.append(("largest change at the end", f"{result['residual'].max():.1e}"))
    if "spin" in result:
        values = " ".join(f"{value:+.4f}" for value in result["spin"][-1, :10, 2])
        rows.append(("S^z of the localized spins", values))
    if "entropy" in result and result["entropy"].size:
        rows.append(("largest entropy of a cut", f"{result['entropy'][-1].max():.4f}"))
    for name, onset in _onsets(result).items():
        if onset["time"] is not None:
            rows.append((f"onset of {name}", _onset_text(onset)))
    for name in _SAMPLED:
        if f"{name}_error" in result:
            value, errors = result[name][-1], result[f"{name}_error"]
            text = f"{value:.5f} +- {errors[-1]:.5f} (largest error {errors.max():.5f})"
            rows.append((name, text))
        elif name in result and "time" in result and result[name].size:
            value, peak = result[name], int(result[name].argmax())
            text = f"{value[-1]:.5f} (largest {value[peak]:.5f} at t = {result['time'][peak]:g})"
            rows.append((name, text))
    judged = _classical(result)
    if judged:
        rows.append(("classical spins", judged["verdict"]))
        if "damping_text" in judged:
            rows.append(("Gilbert damping", judged["damping_text"]))
        else:
            rows.append(("compared with", judged["equation"]))
    for name in ("block_log_negativity", "renyi_negativity"):
        if name in result:
            text = f"{result[name][-1]:.5f} (largest {result[name].max():.5f})"
            rows.append((name.replace("_", " "), text))
    for name, row in conservation(result).items():
        rows.append((name, f"{row['final']:.8g} (largest drift {row['drift']:.1e})"))
    ledger = _ledger(result)
    if "bond_dim" in ledger:
        rows.append(("largest bond dimension", str(max(ledger["bond_dim"]))))
    if "discarded_weight" in ledger:
        rows.append(("discarded weight, summed", f"{ledger['discarded_weight'][-1]:.2e}"))
    attrs = result.attrs
    if "jump_error" in attrs:
        rows.append(("jump operators, windows", f"off by {attrs['jump_error']:.1e}"))
    rows.append(("wall / CPU time", f"{attrs['wall_time_s']:.1f} s / {attrs['cpu_time_s']:.1f} s"))
    if "peak_memory_bytes" in attrs:
        rows.append(("peak memory", f"{attrs['peak_memory_bytes'] / 2**20:.0f} MiB"))
    return _table(file, rows)


def reached(result: Result) -> str:
    """Return the last time, or number of fields, of a run in words."""
    if "loop_done" in result.attrs:
        return f"after {result.attrs['loop_done']} of {2 * result['field'].size} fields"
    return f"at t = {result['time'][-1]:g}"


def conservation(result: Result) -> dict[str, dict[str, float]]:
    """Initial and final value and largest drift of each recorded quantity that is conserved."""
    audit = {}
    names = (*conserved(result), *_DEVIATIONS) if "conserved" in result.attrs else _AUDITED
    for name in names:
        if name in result and result[name].size:
            values = np.asarray(result[name], float)
            drift = float(np.abs(values - values[0]).max())
            audit[name] = {
                "initial": float(values[0]), "final": float(values[-1]), "drift": drift
            }  # fmt: skip
    return audit


def _onsets(result: Result) -> dict[str, dict[str, float | None]]:
    """Time of each onset, and the same in fs if the file knows its energy unit."""
    ev = result.attrs.get("energy_ev")
    scale = None if ev is None else EnergyScale(float(ev))
    found: dict[str, dict[str, float | None]] = {}
    for name, time in onsets(result).items():
        found[name] = {"time": time}
        if scale is not None:
            found[name]["time_fs"] = None if time is None else scale.time_fs(time)
    return found


def _onset_text(onset: dict[str, float | None]) -> str:
    if onset["time"] is None:
        return "none"
    femtoseconds = onset.get("time_fs")
    return f"t = {onset['time']:.4g}" + (f" ({femtoseconds:.4g} fs)" if femtoseconds else "")


def _classical(result: Result) -> dict[str, Any]:
    """The comparison with classical spins as plain values, empty without any."""
    if not {"spin", "classical_spin"} <= set(result) or not result["time"].size:
        return {}
    found = classical_verdict(result)
    variant = str(result.attrs.get("classical_variant", ""))
    word = "classical" if not variant else "described by the mean field"
    facts = {
        "verdict": found.text(float(result["time"][0]), word) + _negativity_text(result, found),
        "since": found.since,
        "within": found.within,
        "at_end": found.at_end,
        "aligned_since": found.aligned_since,
        "tolerance": found.tolerance,
        "rms": float(result.attrs["classical_rms"]),
        "damping": np.asarray(result.attrs["classical_damping"], float).tolist(),
    }
    if variant:
        return facts | {"equation": f"mean field, {variant}"}
    how = "fitted" if result.attrs.get("classical_fitted") else "given"
    if result.attrs.get("classical_bounded"):
        how += "; at the end of its range, none fits"
    damping = ", ".join(f"{value:.4g}" for value in np.ravel(facts["damping"]))
    return facts | {"damping_text": f"{damping} ({how})"}


def _negativity_text(result: Result, found: Verdict) -> str:
    """What entanglement there is while the spins are classical."""
    if found.since is None or "log_negativity" not in result:
        return ""
    largest = float(result["log_negativity"][result["time"] >= found.since].max())
    return f" (log-negativity up to {largest:.2g} meanwhile)"


def _ledger(result: Result) -> dict[str, list[Any]]:
    ledger: dict[str, list[Any]] = {}
    if "discarded_weight" in result:
        ledger["discarded_weight"] = result["discarded_weight"].sum(axis=1).tolist()
    if "bond_dim" in result:
        ledger["bond_dim"] = result["bond_dim"].max(axis=1).tolist()
    return {"time": result["time"].tolist(), **ledger} if ledger else {}


def _ledger_text(ledger: dict[str, list[Any]], rows: int = 12) -> str:
    size = len(ledger["time"])
    chosen = np.unique(np.linspace(0, size - 1, min(rows, size)).astype(int))
    lines = ["error ledger", "  " + "  ".join(f"{name:>17}" for name in ledger)]
    for k in chosen:
        cells = (f"{ledger[name][k]:>17.6g}" for name in ledger)
        lines.append("  " + "  ".join(cells))
    return "\n".join(lines)


def _table(title: str, rows: Iterable[tuple[str, Any]]) -> str:
    pairs = [(str(name), _shown(value)) for name, value in rows]
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in pairs)])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)
