"""From the runs of a ladder to a certificate.

The error of a run is the sum of one contribution for each thing that was varied:

bond_dim, kraus_dim, cutoff, kraus_cutoff, levels, steps
    What a finer run changes, times the factor of a geometric series (`estimate.geometric`); for
    bond dimensions also the distance to the extrapolation in discarded weight plus its error bar,
    where it is justified and larger.  Zero up to where the bond dimension was not reached.
dt, order
    What a shorter step changes, with Richardson's factor for the order that is observed, or what
    the fourth order changes, whichever is larger; with the finer cutoff, lest truncating more
    often be taken for an error of the step.
tolerance
    Twice what a tenfold tighter one changes, or all that a hundred times looser one does.
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
from tnspin.runs.certify.ladder import own_step
from tnspin.runs.certify.loops import fields_taken
from tnspin.runs.certify.runner import Course

__all__ = ["compared", "default_judged", "judge"]

#: Local expectation values, which decide unless others are named.
_LOCAL = ("spin", "electron_density", "electron_spin", "loop_spin")
#: What describes the method, not the physics.
_OF_THE_METHOD = (
    "time", "time_fs", "bond_dim", "discarded_weight", "norm_lost", "kraus_dim", "kraus_discarded",
    "group_discarded", "trace_error", "hermiticity_error", "smallest_eigenvalue",
)  # fmt: skip
#: What is not compared with the base, but with the finer run of another axis.
_BESIDE = {"dt": "cutoff", "order": "cutoff", "hold": "settled"}
#: Factors between neighbouring errors that theory allows.
_BEST = {"cutoff": 10.0, "kraus_cutoff": 10.0}
_STANDARD_ERRORS = 2.0


def compared(base: Result) -> list[str]:
    """Names of the variables of a result whose errors can be told."""
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
    courses: Mapping[str, Course], tolerance: float, judged: Sequence[str] = (), stopped: str = ""
) -> Certificate:
    """Estimate the errors of the base from all that has been run.

    Parameters
    ----------
    courses
        By the names of their rungs, "base" among them.
    tolerance, judged
        See `Certificate`; none named: local expectation values.
    stopped
        Why the ladder was stopped.

    Raises
    ------
    InputError
        If a judged observable was not recorded.
    """
    base = courses["base"].result
    assert base is not None
    names = compared(base)
    for name in judged:
        if name not in names:
            raise InputError(
                f"--observables {name}: not compared in this run; allowed: {', '.join(names)}"
                f"{nearest(name, names)}"
            )
    others = [c for c in courses.values() if c.rung.axis != "base" and c.result is not None]
    config = courses["base"].rung.config
    observables = {name: _observed(name, base, others, config) for name in names}
    count = min((len(c.result["time"]) for c in others if c.result is not None), default=None)
    kept = {
        name: _cut(one, base["time"].size if count is None else count)
        for name, one in observables.items()
        if one.contributions
    }
    missing = [name for name in judged if name not in kept]
    if missing or not kept:
        what = ", ".join(missing) or "all observables"
        raise InputError(f"solver.kind = {config.solver.kind!r}: nothing tells the error of {what}")
    first = next(iter(kept.values())).error.size
    return Certificate(
        config=config.as_dict(), tolerance=tolerance,
        judged=tuple(judged) or tuple(n for n in default_judged(base) if n in kept),
        times=base["time"][:first], observables=kept,
        rungs=[_facts(course) for course in courses.values()],
        conserved=conservation(base), stop=float(config.length), stopped=stopped,
        fields=fields_taken(config),
    )  # fmt: skip


def _observed(name: str, base: Result, courses: Sequence[Course], config: Any) -> Observed:
    """Errors of one observable from all rungs that recorded it too."""
    differences, sides = {}, {}
    values: dict[tuple[str, str], tuple[Course, Array]] = {}
    for course in courses:
        other = course.result
        if other is None or name not in other or other[name].shape[1:] != base[name].shape[1:]:
            continue
        apart = difference(_same(course.rung.axis, courses, config, base)[name], other[name])
        differences[course.rung.name] = apart
        sides[course.rung.axis, course.rung.side] = apart
        values[course.rung.axis, course.rung.side] = course, other[name]
    contributions: dict[str, Array] = {}
    extrapolation = None
    for axis in dict.fromkeys(axis for axis, _ in sides):
        if axis == "hold":  # differences are told from errors that the solver makes anywhere
            solver = (error[-1] for other, error in contributions.items() if other != "settled")
            coarse, fine = sides[axis, "coarser"], sides[axis, "finer"]
            contributions[axis] = relaxation(coarse, fine, float(sum(solver)))
        else:
            contributions[axis] = _contribution(axis, sides, values, config)
    if {("bond_dim", "coarser"), ("bond_dim", "finer")} <= set(values):
        extrapolation = _extrapolation(base, name, values)
        if extrapolation is not None:
            shift = np.abs(base[name][: len(extrapolation.values)] - extrapolation.values)
            off = np.where(extrapolation.justified, shift + extrapolation.error, 0.0)
            off = np.maximum.accumulate(off.reshape(len(off), -1).max(axis=1, initial=0.0))
            contributions["bond_dim"] = np.maximum(contributions["bond_dim"][: len(off)], off)
    if "order" in contributions and "dt" in contributions:  # two measures of the same error
        contributions["dt"] = np.maximum(contributions["dt"], contributions.pop("order"))
    if f"{name}_error" in base and "exact" not in contributions:
        error = np.abs(base[f"{name}_error"])
        contributions["sample"] = _STANDARD_ERRORS * np.maximum.accumulate(
            error.reshape(len(error), -1).max(axis=1, initial=0.0)
        )
    return Observed(contributions, differences, base.variables[name].units, extrapolation)


def _same(axis: str, courses: Sequence[Course], config: Any, base: Result) -> Result:
    """The run that differs from those of an axis in nothing else: the base, or a finer one."""
    beside = _BESIDE.get(axis)
    if beside is None or (beside == "cutoff" and "kraus_cutoff" in config.solver.key_values()):
        return base
    sides = ((c.result, c.rung.axis, c.rung.side) for c in courses)
    found = [result for result, *rung in sides if rung == [beside, "finer"] and result is not None]
    return found[0] if found else base


def _contribution(
    axis: str,
    sides: Mapping[tuple[str, str], Array],
    values: Mapping[tuple[str, str], tuple[Course, Array]],
    config: Any,
) -> Array:
    coarse, fine = sides.get((axis, "coarser")), sides.get((axis, "finer"))
    if axis == "exact":
        return sides[axis, "exact"]
    if fine is None:  # all that a looser run is worse bounds what this one is
        assert coarse is not None
        return coarse
    if axis in ("order", "settled"):
        return fine
    if axis == "tolerance":
        return 2 * fine
    if axis == "dt":
        longer = values.get(("dt", "coarser"))
        steps = (
            None if longer is None else float(longer[0].rung.value), own_step(config),
            float(values["dt", "finer"][0].rung.value),
        )  # fmt: skip
        return richardson(coarse, fine, steps, getattr(config.solver, "order", 2))
    return geometric(coarse, fine, _BEST.get(axis, np.inf))


def _extrapolation(
    base: Result, name: str, values: Mapping[tuple[str, str], tuple[Course, Array]]
) -> Extrapolation | None:
    """Extrapolate in the discarded weight of three bond dimensions."""
    (coarse, low), (fine, high) = values["bond_dim", "coarser"], values["bond_dim", "finer"]
    results = [coarse.result, base, fine.result]
    if any(one is None or "discarded_weight" not in one for one in results):
        return None
    count = min(len(low), len(base[name]), len(high))
    weights = [one["discarded_weight"][:count].sum(axis=1) for one in results if one is not None]
    series = [one[:count] for one in (low, base[name], high)]
    return extrapolate(np.array(weights), np.array(series))


def _cut(one: Observed, count: int) -> Observed:
    """The same up to a time that all have reached."""
    found = one.extrapolation
    if found is not None:
        found = Extrapolation(found.values[:count], found.error[:count], found.justified[:count])
    return Observed(
        {axis: values[:count] for axis, values in one.contributions.items()},
        {name: values[:count] for name, values in one.differences.items()},
        one.units, found,
    )  # fmt: skip


def _facts(course: Course) -> dict[str, Any]:
    rung, result = course.rung, course.result
    facts: dict[str, Any] = {
        "name": rung.name, "axis": rung.axis, "side": rung.side, "value": rung.value,
        "solver": flatten({"solver": rung.config.as_dict()["solver"]}), "note": course.note,
    }  # fmt: skip
    if result is None:
        return facts | {"reached": None, "note": course.note or "was not needed"}
    facts["reached"] = float(result["time"][-1])
    for key in ("wall_time_s", "cpu_time_s"):
        facts[key] = float(result.attrs[key])
    if "bond_dim" in result:
        facts["bond_dim"] = int(result["bond_dim"].max(initial=0))
    if "discarded_weight" in result:
        facts["discarded_weight"] = float(result["discarded_weight"][-1].sum())
    return facts
