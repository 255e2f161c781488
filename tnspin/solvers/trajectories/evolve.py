"""Open systems by quantum trajectories: averages of density matrices, with error bars.

Averages are taken of density matrices, and what is not linear in them (negativity, entropies) is
computed from the average.  The mean of the trajectories' own negativities is something else: it
depends on how the environment is thought to be watched, and rises where the true one does not.
Errors are those of the jackknife over chunks of trajectories, spread and bias together: the
negativity of a small sample is too large on average, and the bias, about 1/trajectories, is the
larger part where many states are mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial, singledispatch
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.mps.ledger import Ledger
from tnspin.mps.state import MPS
from tnspin.numerics.jackknife import jackknife_bias, jackknife_error, leave_one_out
from tnspin.numerics.parallel import Factory, completed
from tnspin.observables.base import OBSERVABLES, Observable
from tnspin.observables.snapshot import Options, Progress, Snapshot, output_times
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.state import State
from tnspin.solvers.lindblad.jumps_on_states import kept_charges
from tnspin.solvers.trajectories.averages import Averaged
from tnspin.solvers.trajectories.layout import Layout
from tnspin.solvers.trajectories.store import Sample, Store
from tnspin.solvers.trajectories.walk import Plan, Task, forget, walk
from tnspin.states.one_electron import OneElectronState
from tnspin.states.vector import VectorState

__all__ = ["evolve", "merge"]

OnStep = Callable[[Progress], None]
Function = Callable[[Snapshot], Any]
Observables = Sequence[str] | Mapping[str, Function]

#: Needs of observables that density matrices of neighbours satisfy.
_OF_BONDS = ("bonds", "energy", "currents")
# Chunks between two looks at the error; fixed, so that results do not depend on the workers.
_ROUND = 8
_FEWEST_CHUNKS = 4


def evolve(
    model: Model,
    state: Any,
    times: Sequence[float],
    *,
    jumps: Sequence[JumpOperator] = (),
    trajectories: int = 200,
    chunk: int = 10,
    seed: int = 0,
    target_error: float = 0.0,
    observables: Observables = (),
    options: Options | None = None,
    executor: Executor | Factory | None = None,
    workers: int = 0,
    tolerance: float = 1e-8,
    dt: float = 0.1,
    order: int = 2,
    bond_dim: int = 400,
    cutoff: float = 1e-7,
    method: str = "auto",
    store: str | Path | None = None,
    on_step: OnStep | None = None,
) -> Iterator[Snapshot]:
    """Sample trajectories and yield their average at each of ``times``.

    The whole sample is taken before the first snapshot is yielded.

    Parameters
    ----------
    model : Model
        Its Hamiltonian must be constant.
    state
        `VectorState`, `MPS` or `OneElectronState`, or an `Ensemble` of one of these, every chunk
        then holding equally many trajectories of each member.
    times : sequence of float
        Ascending; the first is that of ``state``.
    jumps : sequence of JumpOperator
        From `tnspin.baths.jump_operators`; none for a closed system.
    trajectories, chunk : int
        How many in all (rounded up to whole chunks) and per piece of work, which is also the unit
        of the jackknife; chunks are smaller where there would be fewer than four.
    seed : int
        The numbers depend on it, and on neither the executor nor the number of workers.
    target_error : float
        Above 0: stop sampling as soon as the largest error of ``log_negativity`` at any time is
        below it; ``trajectories`` is then the most.
    observables : sequence of str, or mapping of str to callable
        Variables to give errors of, as for `tnspin.runs.record.record`.  Those named decide what is
        kept of each state; a mapping, and none, keep everything but the entropies of cuts.
    options : Options, optional
        For the observables.
    executor, workers
        See `tnspin.numerics.parallel.completed`.
    tolerance : float
        Of state vectors and of the times of jumps.
    dt, order, bond_dim, cutoff, method
        Of matrix product states, as for `tnspin.solvers.tebd`; ``dt`` is also the step of the
        decay.
    store : path, optional
        Folder for finished chunks.  A run that finds its own chunks there continues, with the
        same numbers; so does one with more trajectories.
    on_step : callable, optional
        Told how much of the work is done, as a time; may raise to stop.

    Yields
    ------
    Snapshot
        With an `Averaged` state and ``errors`` of the observables.

    Raises
    ------
    InputError
        For a time-dependent Hamiltonian, charges that are not conserved, or bad numbers.
    RunError
        If a piece of work fails.
    """
    points = output_times(times)
    _check(model, trajectories, chunk, target_error)
    pure = state.members
    if not 1e-15 <= tolerance <= 1e-2:
        raise InputError(f"solver.tolerance: {tolerance!r} is not between 1e-15 and 1e-2")
    steps = {"dt": dt, "order": order, "bond_dim": bond_dim, "cutoff": cutoff, "method": method}
    names = kept_charges(model, pure[0][1].charge_names, jumps)
    layout = _layout(model, names, observables)
    chunk = min(chunk, max(1, trajectories // _FEWEST_CHUNKS))
    plan = Plan(
        model, tuple(jumps), tuple(points), tuple(one for _, one in pure),
        tuple(weight for weight, _ in pure), layout, max(1, chunk // len(pure)), int(seed),
        *_backend(pure[0][1], tolerance, steps),
    )  # fmt: skip
    measured = _functions(observables)
    options = options or Options()
    count = max(2, ceil(trajectories / (plan.share * len(pure))))
    run = partial(completed, walk, executor=executor, workers=workers)
    with _opened(store) as folder:
        place = Store(folder)
        place.open(plan)
        bar = _Bar(plan.times, len(pure) + count, on_step)
        try:
            numbers = _sample(place, plan, count, target_error, run, bar, options)
        finally:
            forget()
        yield from _snapshots(model, plan.times, layout, place.samples(numbers), measured, options)


def merge(
    model: Model,
    stores: Sequence[str | Path],
    *,
    observables: Observables = (),
    options: Options | None = None,
) -> Iterator[Snapshot]:
    """Yield the averages over several runs that differ in their seeds only, as `evolve` does.

    Parameters
    ----------
    model : Model
        That of the runs.
    stores : sequence of path
        Their folders (``store``).
    observables, options
        As for `evolve`; the runs must have kept what the observables need.

    Raises
    ------
    InputError
        If the runs differ in more than their seeds, or two have the same seed.
    """
    places = [Store(folder) for folder in stores]
    if not places:
        raise InputError("stores: none given")
    marks = [place.marks() for place in places]
    seeds = [mark.pop("seed") for mark in marks]
    if len(set(seeds)) != len(seeds):
        raise InputError(f"stores: the seeds {seeds} are not all different")
    for place, mark in zip(places, marks, strict=True):
        different = [key for key in mark if mark[key] != marks[0][key]]
        if different or place.times != places[0].times:
            raise InputError(
                f"stores: {place.folder} is not a run like {places[0].folder}: "
                f"{(different or ['times'])[0]} differs"
            )
    if repr(model) != marks[0]["model"]:
        raise InputError(f"stores: {places[0].folder} is of another model")
    samples = (
        Sample(
            parts[0].base,
            [one for part in parts for one in part.chunks],
            sum(part.trajectories for part in parts),
        )
        for parts in zip(*(place.samples(place.chunks()) for place in places), strict=True)
    )
    yield from _snapshots(
        model, places[0].times, places[0].layout(model), samples, _functions(observables),
        options or Options(),
    )  # fmt: skip


# ---------------------------------------------------------------------- sampling


class _Bar:
    """Progress of all tasks together, told as a time."""

    def __init__(self, times: Sequence[float], tasks: int, on_step: OnStep | None) -> None:
        self.first, self.last = times[0], times[-1]
        self.tasks = tasks
        self.on_step = on_step
        self.done = 0

    def advance(self) -> None:
        self.done += 1
        self.report()

    def report(self) -> None:
        if self.on_step is not None:
            share = min(1.0, self.done / self.tasks)
            self.on_step(Progress(self.first + share * (self.last - self.first), 0, 0.0))


def _sample(
    place: Store,
    plan: Plan,
    count: int,
    target: float,
    run: Callable[..., Iterator[tuple[int, Any]]],
    bar: _Bar,
    options: Options,
) -> list[int]:
    """Compute what the store lacks; return the numbers of the chunks to average."""
    lacking = [m for m in range(len(plan.states)) if place.probability(m) is None]
    stills = [Task(plan, member) for member in lacking]
    for index, still in run(tasks=stills, on_wait=bar.report):
        place.add_still(lacking[index], plan.weights[lacking[index]], still)
        bar.advance()
    probabilities = [place.probability(member) for member in range(len(plan.states))]
    still = tuple(float(p or 0.0) for p in probabilities)
    if all(1.0 - p <= plan.never for p in still):
        return []
    numbers: list[int] = []
    while len(numbers) < count:
        size = min(_ROUND, count - len(numbers)) if target > 0 else count
        numbers += range(len(numbers), len(numbers) + size)
        todo = [k for k in numbers if k not in set(place.chunks())]
        tasks = [Task(plan, k, still) for k in todo]
        for index, rows in run(tasks=tasks, on_wait=bar.report):
            place.add_chunk(todo[index], rows)
            bar.advance()
        if target > 0 and _error(place, plan, numbers, options) <= target:
            break
    return numbers


def _error(place: Store, plan: Plan, numbers: list[int], options: Options) -> float:
    """Largest error of the negativity over time."""
    measured = _functions(("log_negativity",))
    samples = place.samples(numbers)
    snapshots = _snapshots(plan.model, plan.times, plan.layout, samples, measured, options)
    return max(float(np.max((one.errors or {})["log_negativity"])) for one in snapshots)


# ---------------------------------------------------------------------- averages and errors


def _snapshots(
    model: Model,
    times: Sequence[float],
    layout: Layout,
    samples: Iterator[Sample],
    measured: Mapping[str, Function],
    options: Options,
) -> Iterator[Snapshot]:
    for time, sample in zip(times, samples, strict=True):
        snapshot = partial(_snapshot, time, model, layout, options)
        mean = sample.base
        parts: list[np.ndarray] = []
        if sample.chunks:
            mean = mean + np.mean(sample.chunks, axis=0)
            parts = [sample.base + part for part in leave_one_out(sample.chunks)]
        errors = _errors(measured, snapshot(mean), map(snapshot, parts))
        yield snapshot(mean, errors, sample.trajectories)


def _errors(
    measured: Mapping[str, Function], whole: Snapshot, parts: Iterable[Snapshot]
) -> dict[str, np.ndarray]:
    """Spread and bias together of each function; zeros if nothing was sampled."""
    values: dict[str, list[Any]] = {name: [] for name in measured}
    for part in parts if measured else ():
        for name, function in measured.items():
            values[name].append(function(part))
    errors = {}
    for name, function in measured.items():
        value, without = function(whole), values[name]
        errors[name] = (
            np.hypot(jackknife_error(without), jackknife_bias(without, value))
            if without
            else np.zeros(np.shape(value))
        )
    return errors


def _snapshot(
    time: float,
    model: Model,
    layout: Layout,
    options: Options,
    vector: np.ndarray,
    errors: Mapping[str, np.ndarray] | None = None,
    trajectories: int = 0,
) -> Snapshot:
    state = Averaged(layout, vector, trajectories)
    # To first order, as long as little is lost.
    ledger = Ledger(state.discarded, -float(state.discarded.sum()))
    return Snapshot(time, model, state, ledger, options, errors)


def _functions(observables: Observables) -> dict[str, Function]:
    """Functions of a snapshot by name."""
    if isinstance(observables, Mapping):
        # A mapping may hold `Observable`s, as for `record`.
        return {
            name: one.measure if isinstance(one, Observable) else one
            for name, one in observables.items()
        }
    for name in observables:
        if name not in OBSERVABLES:
            raise InputError(f"observables: {name!r} is not one of {', '.join(OBSERVABLES)}")
    return {name: OBSERVABLES[name].measure for name in observables}


def _layout(model: Model, names: Sequence[str], observables: Observables) -> Layout:
    everything = isinstance(observables, Mapping) or not observables
    wanted = () if everything else tuple(observables)
    needed = {need for name in wanted for need in OBSERVABLES[name].needs}
    return Layout(
        model.local_sites, names, model.groups,
        bonds=everything or not needed.isdisjoint(_OF_BONDS), cuts="cuts" in needed,
    )  # fmt: skip


# ---------------------------------------------------------------------- input


def _check(model: Model, trajectories: int, chunk: int, target: float) -> None:
    for key, value in (("trajectories", trajectories), ("chunk", chunk)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < 1:
            raise InputError(f"solver.{key}: {value!r} is not an integer of at least 1")
    if not 0 <= target < np.inf:
        raise InputError(f"solver.target_error: {target!r} is not a number of at least 0")
    if model.hamiltonian.is_time_dependent:
        raise InputError("solver.kind: trajectories need a Hamiltonian that is constant in time")


@singledispatch
def _backend(state: State, tolerance: float, steps: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What moves states of this representation, and those of the options that matter for it."""
    raise InputError(f"state: a {state.noun} is no matrix product state, vector or one electron")


@_backend.register
def _(state: MPS, tolerance: float, steps: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from tnspin.solvers.trajectories.mps import backend

    return backend, {"tolerance": tolerance, **steps}


@_backend.register
def _(state: VectorState, tolerance: float, steps: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from tnspin.solvers.trajectories.vector import VectorBackend

    return VectorBackend, {"tolerance": tolerance}


@_backend.register
def _(
    state: OneElectronState, tolerance: float, steps: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    from tnspin.solvers.trajectories.one_electron import OneElectronBackend

    return OneElectronBackend, {"tolerance": tolerance}


class _opened:
    """The folder of the caller, or a temporary one."""

    def __init__(self, folder: str | Path | None) -> None:
        self.temporary = TemporaryDirectory(prefix="tnspin-") if folder is None else None
        self.folder = Path(self.temporary.name if self.temporary else str(folder))

    def __enter__(self) -> Path:
        return self.folder

    def __exit__(self, *error: object) -> None:
        if self.temporary is not None:
            self.temporary.cleanup()
