"""All results of a sweep as one: the swept keys are the first dimensions of every variable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tnspin.results.result import Result, Variable
from tnspin.results.toml_text import dumps, flatten
from tnspin.runs.record import provenance
from tnspin.runs.sweep.folder import COLLECTION, failure, finished, result_path
from tnspin.runs.sweep.grid import Axis, Grid, Run

__all__ = ["collect", "gather"]

#: Attributes of the results that become variables.
_FACTS = {
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
    keys, shape = tuple(axis.key for axis in grid.axes), grid.shape
    variables = {axis.key: _coordinate(axis) for axis in grid.axes}
    labels = _labels(results.values())
    sizes = _sizes(results.values()) | {dim: label.data.size for dim, label in labels.items()}
    variables |= labels
    names = np.empty(shape, object)
    state = np.zeros(shape, np.int8)
    for run in grid.runs:
        names[run.place] = run.name
        state[run.place] = 1 if run in results else -1 if run in failed else 0
    variables["run"] = Variable(keys, names.astype(str), "1", "name of the result file")
    variables["run_state"] = Variable(keys, state, "1", "1 done, 0 missing, -1 failed")
    for name in dict.fromkeys(name for result in results.values() for name in result):
        if name not in labels:
            variables[name] = _stacked(name, keys, shape, sizes, labels, results)
    for name, (units, text) in _FACTS.items():
        values = np.full(shape, np.nan)
        for run, result in results.items():
            values[run.place] = result.attrs.get(name, np.nan)
        if not np.isnan(values).all():
            variables[name] = Variable(keys, values, units, text)
    return Result(variables, _attrs(grid, results))


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
    kinds = {type(value) for value in axis.values}
    numbers = kinds <= {int, float}
    data = np.array(axis.values) if numbers else np.array([_text(value) for value in axis.values])
    return Variable((axis.key,), data, "1", f"{axis.key}, swept")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dumps({"x": {"v": value}}).split("= ", 1)[1].strip()


def _labels(results: Any) -> dict[str, Variable]:
    """The coordinates: labels of each dimension that has any, of all runs together."""
    labels: dict[str, Variable] = {}
    for result in results:
        for name, variable in result.variables.items():
            if variable.dims != (name,):
                continue
            values = _rounded(variable.data)
            if name in labels:
                old = labels[name].data
                values = np.concatenate((old, values[~np.isin(values, old)]))
                values = np.sort(values) if values.dtype.kind in "if" else values
            labels[name] = Variable((name,), values, variable.units, variable.long_name)
    return labels


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.round(values, _DIGITS) if values.dtype.kind == "f" else values


def _sizes(results: Any) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for result in results:
        for variable in result.variables.values():
            for dim, size in zip(variable.dims, variable.data.shape, strict=True):
                sizes[dim] = max(size, sizes.get(dim, 0))
    return sizes


def _stacked(
    name: str,
    keys: tuple[str, ...],
    shape: tuple[int, ...],
    sizes: Mapping[str, int],
    labels: Mapping[str, Variable],
    results: Mapping[Run, Result],
) -> Variable:
    """One variable of all runs."""
    first = next(result.variables[name] for result in results.values() if name in result)
    dims = first.dims
    whole = shape + tuple(sizes[dim] for dim in dims)
    text = first.data.dtype.kind in "UO"
    number = np.result_type(first.data.dtype, float) if not text else None
    data = np.full(whole, "", object) if text else np.full(whole, np.nan, number)
    for run, result in results.items():
        variable = result.variables.get(name)
        if variable is None or variable.dims != dims:
            continue
        where = [
            _places(result, dim, size, labels)
            for dim, size in zip(dims, variable.data.shape, strict=True)
        ]
        target = data[run.place]
        if where:
            target[np.ix_(*where)] = variable.data
        else:
            data[run.place] = variable.data
    return Variable(
        (*keys, *dims), data.astype(str) if text else data, first.units, first.long_name
    )


def _places(result: Result, dim: str, size: int, labels: Mapping[str, Variable]) -> np.ndarray:
    """Where the entries of a dimension of one run stand among those of all."""
    if dim not in labels or dim not in result:
        return np.arange(size)
    every = labels[dim].data
    order = np.argsort(every)
    return order[np.searchsorted(every, _rounded(result[dim]), sorter=order)]
