"""Record: measure named observables at each snapshot of a run, and keep them safe."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from tnspin.errors import InputError, Interrupted, nearest
from tnspin.results.result import Result, Variable
from tnspin.runs.checkpoint import Checkpoint
from tnspin.runs.facts import facts_of_snapshot, with_parts
from tnspin.version import __version__

_LIBRARIES = ("numpy", "scipy", "numba", "quimb", "h5py", "h5netcdf", "xarray")


@dataclass(frozen=True)
class _Column:
    name: str
    function: Callable[[Any], Any]
    dims: tuple[str, ...] | None  # without time; None: to be numbered
    units: str
    long_name: str


def record(
    snapshots: Iterable[Any],
    observables: Iterable[str] | Mapping[str, Callable[[Any], Any]],
    *,
    config: Any = None,
    checkpoint: Path | Checkpoint | None = None,
    previous: Result | None = None,
    on_snapshot: Callable[[Any], None] | None = None,
) -> Result:
    """Run an evolution to its end and return what was measured.

    Parameters
    ----------
    snapshots
        Iterator that a solver returns.
    observables
        Names from `tnspin.observables.OBSERVABLES`, or a mapping from names of your choice to
        functions of a snapshot that return a number or an array.
    config
        The `Config` of the run (or its text), kept in the result.
    checkpoint
        File (or `Checkpoint`) to save to, now and then and at the end.
    previous
        Result to continue; snapshots at its times are not measured again.
    on_snapshot
        Called with each new snapshot, once it is measured.

    Returns
    -------
    Result
        Its attribute ``complete`` is 0 if the run was interrupted (`Interrupted`).

    Raises
    ------
    InputError
        If an observable does not exist.
    RunError
        If a checkpoint cannot be written.
    """
    saver = Checkpoint(checkpoint) if isinstance(checkpoint, Path) else checkpoint
    rows = _Rows(_columns(observables), config, previous)
    complete = True
    try:
        for snapshot in snapshots:
            if not rows.add(snapshot):
                continue
            if saver is not None:
                saver.offer(snapshot, partial(rows.result, False, len(rows.times)))
            if on_snapshot is not None:
                on_snapshot(snapshot)
    except Interrupted:
        complete = False
    finally:
        # Whatever ended the run, the last point that was measured is worth keeping.
        if saver is not None:
            saver.flush()
    return rows.result(complete)


class _Rows:
    """Rows measured so far, one list per column."""

    def __init__(self, columns: list[_Column], config: Any, previous: Result | None) -> None:
        self.columns = columns
        self.config = config
        self.times: list[float] = [] if previous is None else list(previous["time"])
        self.data: dict[str, list[np.ndarray]] = {
            column.name: [] if previous is None else list(previous[column.name])
            for column in columns
        }
        # Statistical errors, of the columns that come with any.
        self.errors: dict[str, list[np.ndarray]] = {
            column.name: list(previous[_error(column.name)])
            for column in columns
            if previous is not None and _error(column.name) in previous
        }
        self.snapshot: Any = None
        self.watch = Stopwatch(previous)

    def add(self, snapshot: Any) -> bool:
        self.snapshot = snapshot
        if self.times and snapshot.time <= self.times[-1]:
            return False
        values = {column.name: np.array(column.function(snapshot)) for column in self.columns}
        for name, value in values.items():
            self.data[name].append(value)
        for name, error in (getattr(snapshot, "errors", None) or {}).items():
            if name in values:
                self.errors.setdefault(name, []).append(np.array(error))
        self.times.append(float(snapshot.time))
        return True

    def result(self, complete: bool, count: int | None = None) -> Result:
        """Everything measured, or the first ``count`` rows of it."""
        times = np.array(self.times[:count], float)
        variables = {"time": Variable(("time",), times, "hbar/energy unit", "time")}
        for column in self.columns:
            data = np.array(self.data[column.name][:count])
            dims = column.dims
            if dims is None:
                dims = tuple(f"{column.name}_{k}" for k in range(data.ndim - 1))
            variables[column.name] = Variable(("time", *dims), data, column.units, column.long_name)
            if column.name in self.errors:
                error = np.array(self.errors[column.name][:count])
                text = f"statistical error of {column.name}"
                variables[_error(column.name)] = Variable(
                    ("time", *dims), error, column.units, text
                )
        attrs = self._attrs(complete) | facts_of_snapshot(self.snapshot, variables)
        variables = with_parts(variables, self.snapshot)
        return Result(_coordinates(variables, self.snapshot) | variables, attrs)

    def _attrs(self, complete: bool) -> dict[str, Any]:
        sampled = getattr(getattr(self.snapshot, "state", None), "trajectories", None)
        return provenance(self.config) | {
            **({} if sampled is None else {"trajectories": sampled}),
            **self.watch.attrs(complete),
        }


class Stopwatch:
    """What a run has taken since now, and before in what it continues."""

    def __init__(self, previous: Result | None = None) -> None:
        self._old = {} if previous is None else previous.attrs
        self._start = time.perf_counter(), cpu_time()

    def attrs(self, complete: bool) -> dict[str, Any]:
        """Attributes of a result: times, memory, how often it was continued, whether it is done."""
        old, (wall, cpu) = self._old, self._start
        return {
            "wall_time_s": time.perf_counter() - wall + old.get("wall_time_s", 0.0),
            "cpu_time_s": cpu_time() - cpu + old.get("cpu_time_s", 0.0),
            "peak_memory_bytes": peak_memory(),
            "resumed": int(old.get("resumed", -1)) + 1 if old else 0,
            "complete": int(complete),
        }


def provenance(config: Any) -> dict[str, Any]:
    """Attributes that say what made a result: configuration, users' files, versions, date.

    Parameters
    ----------
    config
        `Config` of the run, or its text.
    """
    known = hasattr(config, "to_toml")
    files = config.user_files if known else {}
    versions = {"python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in _LIBRARIES}
    return {
        "config": config.to_toml() if known else config or "",
        **({"user_files": json.dumps(files)} if files else {}),
        "tnspin_version": __version__,
        "versions": json.dumps(versions),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def cpu_time() -> float:
    """Processor time of this process and of the workers that it has waited for, in seconds."""
    return sum(os.times()[:4])


def peak_memory() -> int:
    """Largest resident memory so far of this process or one of its workers, in bytes."""
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return peak if sys.platform == "darwin" else 1024 * peak


def _columns(observables: Iterable[str] | Mapping[str, Callable[[Any], Any]]) -> list[_Column]:
    if isinstance(observables, Mapping):
        return [_custom(name, function) for name, function in observables.items()]
    from tnspin.observables import OBSERVABLES

    columns = []
    for name in observables:
        if name not in OBSERVABLES:
            hint = nearest(name, OBSERVABLES)
            allowed = ", ".join(OBSERVABLES)
            raise InputError(
                f"record.observables = {name!r}: no such observable; allowed: {allowed}{hint}"
            )
        columns.append(_custom(name, OBSERVABLES[name]))
    return columns


def _custom(name: str, function: Any) -> _Column:
    """A column from an `Observable`, or from any function of a snapshot."""
    from tnspin.observables import Observable

    if isinstance(function, Observable):
        dims = tuple(dim for dim in function.dims if dim != "time")
        return _Column(name, function.measure, dims, function.units, function.long_name)
    return _Column(name, function, None, "1", name)


def _error(name: str) -> str:
    """Name of the variable that holds the statistical error of another."""
    return f"{name}_error"


def _coordinates(variables: Mapping[str, Variable], snapshot: Any) -> dict[str, Variable]:
    """Labels of the axes, where they are more than numbers of sites and bonds."""
    sizes = {
        dim: size
        for variable in variables.values()
        for dim, size in zip(variable.dims, variable.data.shape, strict=True)
    }
    labels: dict[str, Variable] = {}
    if "axis" in sizes:
        labels["axis"] = Variable(("axis",), np.array(["x", "y", "z"]), "1", "direction of spin")
    if "localized" in sizes and snapshot is not None:
        sites = np.array(snapshot.model.localized_sites, dtype=np.int64)
        labels["localized"] = Variable(("localized",), sites, "1", "site of the localized spin")
    if "other_axis" in sizes:
        second = np.array(["x", "y", "z"])
        labels["other_axis"] = Variable(("other_axis",), second, "1", "direction of the other spin")
    if "pair" in sizes and snapshot is not None:
        names = np.array([f"{i}-{j}" for i, j in snapshot.pairs])
        labels["pair"] = Variable(("pair",), names, "1", "sites of the two spins")
    if "part" in sizes:
        parts = np.array(["ab", "a", "b"])
        labels["part"] = Variable(("part",), parts, "1", "both groups, the first, the second")
    if "order" in sizes:
        orders = np.arange(2, 2 + sizes["order"])
        labels["order"] = Variable(("order",), orders, "1", "order of the moment")
    if "magnons" in sizes:
        counts = np.arange(sizes["magnons"])
        labels["magnons"] = Variable(("magnons",), counts, "1", "number of flipped spins")
    if "wavevector" in sizes and snapshot is not None:
        k = np.array(snapshot.options.wavevectors, float)
        labels["wavevector"] = Variable(("wavevector",), k, "1/site", "wavevector")
    return labels
