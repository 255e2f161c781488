"""Certificate from the runs of a ladder: the error of each observable.

The error of a run is the sum of one contribution for each thing that was varied:

bond_dim, kraus_dim, cutoff, kraus_cutoff, levels, steps
    Difference to a finer run, times the factor of a geometric series (`estimate.geometric`); for
    bond dimensions also the distance to the extrapolation in discarded weight plus its error bar,
    where it is justified and larger.  Zero up to where the bond dimension was not reached.
dt, order
    Difference to a shorter step, with Richardson's factor for the order that is observed, or what
    the fourth order changes, whichever is larger; with the finer cutoff, lest truncating more
    often be taken for an error of the step.
tolerance
    Twice the difference to a tenfold tighter one, or all of that to a hundred times looser one.
settled
    What holding every field of a loop to its end changes.
hold
    What holding it for twice as long changes, times the factor of a relaxation, or of a geometric
    series where that is larger (`estimate.relaxation`).
sample
    Two standard errors of sampled runs.
exact
    If the exact solver fits, the difference from it, instead of all that is the solver's: known,
    not estimated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tnspin.errors import InputError, nearest
from tnspin.results.report import conservation
from tnspin.results.result import Result
from tnspin.results.toml_text import flatten
from tnspin.runs.certify.certificate import Certificate, Observed
from tnspin.runs.certify.estimate import (
    Array,
    Extrapolation,
    difference,
    extrapolate,
    geometric,
    relaxation,
    richardson,
)
from tnspin.runs.certify.ladder import LevelResult, own_step
from tnspin.runs.config.config import Config
from tnspin.runs.hysteresis.run import fields_taken

#: Local expectation values, which decide unless others are named.
_LOCAL = ("spin", "electron_density", "electron_spin", "loop_spin")
#: Variables that describe the method, not the physics.
_OF_THE_METHOD = (
    "time", "time_fs", "bond_dim", "discarded_weight", "norm_lost", "kraus_dim", "kraus_discarded",
    "group_discarded", "trace_error", "hermiticity_error", "smallest_eigenvalue",
)  # fmt: skip
#: Axis -> axis whose finer run is the one to compare with; for others it is the base.
_REFERENCE = {"dt": "cutoff", "order": "cutoff", "hold": "settled"}
#: Factors between neighbouring errors that theory allows.
_BEST = {"cutoff": 10.0, "kraus_cutoff": 10.0}
_STANDARD_ERRORS = 2.0

Levels = Mapping[tuple[str, str], LevelResult]


def compared(base: Result) -> list[str]:
    """Names of the variables of a result whose errors are estimated."""
    return [
        name
        for name, v in base.variables.items()
        if v.dims[:1] == ("time",) and v.data.dtype.kind == "f" and name not in _OF_THE_METHOD
        and not name.startswith("classical_")
        and not (name.endswith("_error") and name.removesuffix("_error") in base)
        and (v.data.size or not base["time"].size)
    ]  # fmt: skip


def default_judged(base: Result) -> tuple[str, ...]:
    """Local expectation values, or all that is compared if there are none."""
    names = compared(base)
    return tuple(name for name in names if name in _LOCAL) or tuple(names)


def judge(
    results: Mapping[str, LevelResult],
    tolerance: float,
    judged: Sequence[str] = (),
    stopped: str = "",
) -> Certificate:
    """Estimate the errors of the base from all levels that were run.

    Parameters
    ----------
    results
        By the names of their levels, "base" among them.
    tolerance, judged
        See `Certificate`; none named: local expectation values.
    stopped
        Why the ladder was stopped.

    Raises
    ------
    InputError
        If a judged observable was not recorded.
    """
    whole, config = results["base"].series, results["base"].level.config
    names = compared(whole)
    for name in judged:
        if name not in names:
            raise InputError(
                f"--observables {name}: not compared in this run; allowed: {', '.join(names)}"
                f"{nearest(name, names)}"
            )
    others = [one for one in results.values() if one.run is not None and one.level.axis != "base"]
    # Up to a time that all have reached.
    rows = slice(min((one.series["time"].size for one in others), default=None))
    base = whole.at_times(rows)
    levels = {
        (one.level.axis, one.level.side): replace(one, series=one.series.at_times(rows))
        for one in others
    }
    observed = {name: _observed(name, base, levels, config) for name in names}
    kept = {name: one for name, one in observed.items() if one.contributions}
    missing = [name for name in judged if name not in kept]
    if missing or not kept:
        what = ", ".join(missing) or "all observables"
        raise InputError(f"solver.kind = {config.solver.kind!r}: nothing tells the error of {what}")
    return Certificate(
        config=config.as_dict(), tolerance=tolerance,
        judged=tuple(judged) or tuple(n for n in default_judged(base) if n in kept),
        times=base["time"], observables=kept,
        levels=[_facts(one) for one in results.values()],
        conserved=conservation(whole), stop=float(config.length), stopped=stopped,
        fields=fields_taken(config),
    )  # fmt: skip


def _observed(name: str, base: Result, levels: Levels, config: Config) -> Observed:
    """Errors of one observable from all levels that recorded it too."""
    differences: dict[str, Array] = {}
    axes: dict[str, dict[str, Array]] = {}
    for (axis, side), one in levels.items():
        if name in one.series and one.series[name].shape[1:] == base[name].shape[1:]:
            apart = difference(_reference(axis, base, levels, config)[name], one.series[name])
            differences[one.level.name] = axes.setdefault(axis, {})[side] = apart
    contributions: dict[str, Array] = {}
    for axis, sides in axes.items():
        contributions[axis] = _contribution(axis, sides, levels, contributions, config)
    extrapolation = None
    if {"coarser", "finer"} <= axes.get("bond_dim", {}).keys():
        extrapolation = _extrapolation(base, name, levels)
    if extrapolation is not None:
        off = np.abs(base[name] - extrapolation.values) + extrapolation.error
        off = _running_maximum(np.where(extrapolation.justified, off, 0.0))
        contributions["bond_dim"] = np.maximum(contributions["bond_dim"], off)
    if "order" in contributions and "dt" in contributions:  # two measures of the same error
        contributions["dt"] = np.maximum(contributions["dt"], contributions.pop("order"))
    if f"{name}_error" in base and "exact" not in contributions:
        error = _running_maximum(np.abs(base[f"{name}_error"]))
        contributions["sample"] = _STANDARD_ERRORS * error
    return Observed(contributions, differences, base.variables[name].units, extrapolation)


def _running_maximum(values: Array) -> Array:
    """(n,) largest component so far of (n, ...) values."""
    largest = values.reshape(len(values), -1).max(axis=1, initial=0.0)
    return np.asarray(np.maximum.accumulate(largest))


def _reference(axis: str, base: Result, levels: Levels, config: Config) -> Result:
    """The run that differs from those of an axis in nothing else: the base, or a finer one."""
    other = _REFERENCE.get(axis)
    if other == "cutoff" and "kraus_cutoff" in config.solver.key_values():
        return base
    found = levels.get((other or "", "finer"))
    return base if found is None else found.series


def _contribution(
    axis: str,
    sides: Mapping[str, Array],
    levels: Levels,
    others: Mapping[str, Array],
    config: Config,
) -> Array:
    """Error that one axis contributes, from the differences of its coarser and finer level."""
    coarse, fine = sides.get("coarser"), sides.get("finer")
    if fine is None:  # the exact solver, or a looser run: all that it is worse bounds this one
        (only,) = sides.values()
        return only
    if axis in ("order", "settled"):
        return fine
    if axis == "tolerance":
        return 2 * fine
    if axis == "hold" and coarse is not None:
        # Only differences above the errors of the solver say anything about relaxation.
        solver = (error[-1] for other, error in others.items() if other != "settled")
        return relaxation(coarse, fine, float(sum(solver)))
    if axis == "dt":
        longer = None if coarse is None else float(levels["dt", "coarser"].level.value)
        steps = longer, own_step(config), float(levels["dt", "finer"].level.value)
        return richardson(coarse, fine, steps, getattr(config.solver, "order", 2))
    return geometric(coarse, fine, _BEST.get(axis, np.inf))


def _extrapolation(base: Result, name: str, levels: Levels) -> Extrapolation | None:
    """Extrapolate in the discarded weight of three bond dimensions."""
    runs = [levels["bond_dim", "coarser"].series, base, levels["bond_dim", "finer"].series]
    if any("discarded_weight" not in one for one in runs):
        return None
    weights = [one["discarded_weight"].sum(axis=1) for one in runs]
    return extrapolate(np.array(weights), np.array([one[name] for one in runs]))


def _facts(one: LevelResult) -> dict[str, Any]:
    level = one.level
    facts: dict[str, Any] = {
        "name": level.name, "axis": level.axis, "side": level.side, "value": level.value,
        "solver": flatten({"solver": level.config.as_dict()["solver"]}), "note": one.note,
    }  # fmt: skip
    if one.run is None:
        return facts | {"reached": None, "note": one.note or "was not needed"}
    series = one.series
    facts["reached"] = float(series["time"][-1])
    facts |= {key: float(series.attrs[key]) for key in ("wall_time_s", "cpu_time_s")}
    if "bond_dim" in series:
        facts["bond_dim"] = int(series["bond_dim"].max(initial=0))
    if "discarded_weight" in series:
        facts["discarded_weight"] = float(series["discarded_weight"][-1].sum())
    return facts
