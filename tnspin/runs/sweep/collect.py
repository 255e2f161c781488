"""Results of a sweep as one dataset, whose first dimensions are the swept keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.results.result import Result, Variable
from tnspin.results.toml_text import dumps, flatten, literal
from tnspin.runs.record import provenance
from tnspin.runs.sweep.grid import COLLECTION, Axis, Grid, Run, failure, finished, result_path

if TYPE_CHECKING:
    import xarray

#: Facts of each run that become variables; all but the first two are attributes of its result.
_FACTS = {
    "run": ("1", "name of the result file"),
    "run_state": ("1", "1 done, 0 missing, -1 failed"),
    "wall_time_s": ("s", "wall time of the run"),
    "cpu_time_s": ("s", "processor time of the run"),
    "converged_until": ("hbar/energy unit", "time up to which the run is certified"),
}
# Times that differ by rounding alone are the same.
_DIGITS = 9


def collect(folder: Path, grid: Grid) -> Result:
    """Gather the results that are there and write them to ``sweep.nc``.

    Raises
    ------
    InputError
        If a result is of other parameters.
    RunError
        If the file cannot be written.
    """
    done = {
        run: Result.load(result_path(folder, run.name))
        for run in grid.runs
        if finished(result_path(folder, run.name), run.config)
    }
    failed = [run for run in grid.runs if run not in done and failure(folder, run.name) is not None]
    result = gather(grid, done, failed)
    result.save(folder / COLLECTION)
    return result


def gather(grid: Grid, results: Mapping[Run, Result], failed: Sequence[Run] = ()) -> Result:
    """Put results into one, with NaN where a run is missing or has no such time, site or bond.

    Returns
    -------
    Result
        The variables of all runs with the swept keys as first dimensions, their values as
        coordinates (lists as TOML text); ``run`` (name of each), ``run_state`` (1 done, 0
        missing, -1 failed), times taken.  Labels such as ``time`` are the union of those of the
        runs.  Its attribute ``sweep`` lists the keys, in JSON.
    """
    import xarray

    kinds: dict[str, Variable] = {}
    for result in results.values():
        kinds = {**result.variables, **kinds}
    keys = [axis.key for axis in grid.axes]
    datasets = np.empty(grid.shape, object)
    for run in grid.runs:
        state = 1 if run in results else -1 if run in failed else 0
        facts = {"run": run.name, "run_state": np.int8(state)}
        datasets[run.place] = _dataset(facts, results.get(run), kinds)
    joined = xarray.combine_nested(
        datasets.tolist(), keys,
        data_vars="all", coords="minimal", compat="override", join="outer", combine_attrs="drop",
        fill_value={name: "" for name, v in kinds.items() if v.data.dtype.kind in "UO"},
    ).transpose(*keys, ...)  # fmt: skip
    about = {name: (v.units, v.long_name) for name, v in kinds.items()}
    about |= {name: text for name, text in _FACTS.items() if joined[name].notnull().any()}
    variables = {axis.key: _coordinate(axis) for axis in grid.axes}
    for name, (units, long_name) in about.items():
        dims, data = joined[name].dims, joined[name].values
        data = data.astype(str) if data.dtype.kind == "O" else data
        variables[name] = Variable(tuple(map(str, dims)), data, units, long_name)
    return Result(variables, _attrs(grid, results))


def _dataset(
    facts: dict[str, Any], result: Result | None, kinds: Mapping[str, Variable]
) -> xarray.Dataset:
    """Dataset of one run, with a label for every entry of every dimension."""
    import xarray

    variables: dict[str, Any] = dict.fromkeys(_FACTS, ((), np.nan))
    labels: dict[str, np.ndarray] = {}
    if result is not None:
        facts = {name: result.attrs[name] for name in _FACTS if name in result.attrs} | facts
        for name, v in result.variables.items():
            if v.dims == (name,):
                labels[name] = np.round(v.data, _DIGITS) if v.data.dtype.kind == "f" else v.data
            elif v.dims == kinds[name].dims:
                text = v.data.dtype.kind in "UO"
                data = v.data if text else v.data.astype(np.result_type(v.data.dtype, float))
                variables[name] = v.dims, data
            for dim, size in zip(v.dims, v.data.shape, strict=True):
                labels.setdefault(dim, np.arange(size))
    return xarray.Dataset(variables | {name: ((), one) for name, one in facts.items()}, labels)


def _attrs(grid: Grid, results: Mapping[Run, Result]) -> dict[str, Any]:
    every = [result.attrs for result in results.values()]
    shared = {
        name: value
        for attrs in every[:1]
        for name, value in attrs.items()
        if name in ("coordinates", "energy_ev", "representation")
        and all(a.get(name) == value for a in every)
    }
    kept = [json.loads(attrs["conserved"]) for attrs in every if "conserved" in attrs]
    if kept and len(kept) == len(every):
        by_all = [name for name in kept[0] if all(name in names for names in kept)]
        shared["conserved"] = json.dumps(by_all)
    return provenance(dumps(_shared(grid))) | shared | {
        "sweep": json.dumps([axis.key for axis in grid.axes]),
        "complete": int(len(results) == len(grid.runs)),
        "wall_time_s": float(sum(attrs.get("wall_time_s", 0.0) for attrs in every)),
        "cpu_time_s": float(sum(attrs.get("cpu_time_s", 0.0) for attrs in every)),
    }  # fmt: skip


def _shared(grid: Grid) -> dict[str, Any]:
    """The configuration without what the runs differ in."""
    first, *others = (run.config.as_dict() for run in grid.runs)
    every = [flatten(tables) for tables in others]
    return {
        section: {
            key: value for key, value in table.items()
            if all(one.get(f"{section}.{key}", one) == value for one in every)
        }
        for section, table in first.items()
    }  # fmt: skip


def _coordinate(axis: Axis) -> Variable:
    values: tuple[Any, ...] = axis.values
    if not {type(value) for value in values} <= {int, float}:
        values = tuple(value if isinstance(value, str) else literal(value) for value in values)
    return Variable((axis.key,), np.array(values), "1", f"{axis.key}, swept")
