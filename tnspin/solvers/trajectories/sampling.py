"""Sampling of trajectories in chunks, and the averages and errors of what they give."""

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
from tnspin.observables.snapshot import Options, Progress, Snapshot
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.state import State
from tnspin.solvers.lindblad.jumps_on_states import kept_charges
from tnspin.solvers.trajectories.averages import Averaged
from tnspin.solvers.trajectories.layout import Layout
from tnspin.solvers.trajectories.store import Sample, Store
from tnspin.solvers.trajectories.walk import Plan, Task, forget, walk
from tnspin.states.one_electron import OneElectronState
from tnspin.states.vector import VectorState

__all__ = ["merge", "sampled"]

OnStep = Callable[[Progress], None]
Function = Callable[[Snapshot], Any]
Observables = Sequence[str] | Mapping[str, Function]

#: Needs of observables that density matrices of neighbours satisfy.
_OF_BONDS = ("bonds", "energy", "currents")
# Chunks between two looks at the error; fixed, so that results do not depend on the workers.
_ROUND = 8
_FEWEST_CHUNKS = 4


def sampled(
    solver: Any,
    model: Model,
    state: Any,
    points: Sequence[float],
    *,
    jumps: Sequence[JumpOperator],
    observables: Observables,
    options: Options | None,
    executor: Executor | Factory | None,
    store: str | Path | None,
    on_step: OnStep | None,
) -> Iterator[Snapshot]:
    """Take the whole sample, then yield its average at each time; see `Trajectories.evolve`."""
    if model.hamiltonian.is_time_dependent:
        raise InputError("solver.kind: trajectories need a Hamiltonian that is constant in time")
    pure = state.members
    names = kept_charges(model, pure[0][1].charge_names, jumps)
    layout = _layout(model, names, observables)
    chunk = min(solver.chunk, max(1, solver.trajectories // _FEWEST_CHUNKS))
    plan = Plan(
        model, tuple(jumps), tuple(points), tuple(one for _, one in pure),
        tuple(weight for weight, _ in pure), layout, max(1, chunk // len(pure)), solver.seed,
        *_backend(pure[0][1], solver),
    )  # fmt: skip
    measured = _functions(observables)
    options = options or Options()
    count = max(2, ceil(solver.trajectories / (plan.share * len(pure))))
    run = partial(completed, walk, executor=executor, workers=solver.workers)
    with _opened(store) as folder:
        place = Store(folder)
        place.open(plan)
        bar = _Bar(plan.times, len(pure) + count, on_step)
        try:
            numbers = _sample(place, plan, count, solver.target_error, run, bar, options)
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
    """Yield the averages over several runs that differ in their seeds only.

    Parameters
    ----------
    model : Model
        That of the runs.
    stores : sequence of path
        Their folders (``store``).
    observables, options
        As for `Trajectories.evolve`; the runs must have kept what the observables need.

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


@singledispatch
def _backend(state: State, solver: Any) -> tuple[Any, dict[str, Any]]:
    """What moves states of this representation, and those of the options that matter for it."""
    raise InputError(f"state: a {state.noun} is no matrix product state, vector or one electron")


@_backend.register
def _(state: MPS, solver: Any) -> tuple[Any, dict[str, Any]]:
    from tnspin.solvers.trajectories.mps import backend

    names = ("tolerance", "dt", "order", "bond_dim", "cutoff", "method")
    return backend, {name: getattr(solver, name) for name in names}


@_backend.register
def _(state: VectorState, solver: Any) -> tuple[Any, dict[str, Any]]:
    from tnspin.solvers.trajectories.vector import VectorBackend

    return VectorBackend, {"tolerance": solver.tolerance}


@_backend.register
def _(state: OneElectronState, solver: Any) -> tuple[Any, dict[str, Any]]:
    from tnspin.solvers.trajectories.one_electron import OneElectronBackend

    return OneElectronBackend, {"tolerance": solver.tolerance}


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
