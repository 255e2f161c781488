"""Sampling of trajectories in chunks, and the averages and errors of what they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, replace
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
from tnspin.solvers.evolution.motion import kept_charges
from tnspin.solvers.trajectories.averages import Averaged
from tnspin.solvers.trajectories.layout import Layout
from tnspin.solvers.trajectories.mps import network_backend
from tnspin.solvers.trajectories.one_electron import OneElectronBackend
from tnspin.solvers.trajectories.store import Sample, Store
from tnspin.solvers.trajectories.trajectory import Backend, Piece, SampledRun, forget
from tnspin.solvers.trajectories.vector import VectorBackend
from tnspin.states.one_electron import OneElectronState
from tnspin.states.vector import VectorState

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
    jumps: Sequence[JumpOperator] = (),
    observables: Observables = (),
    options: Options | None = None,
    executor: Executor | Factory | None = None,
    store: str | Path | None = None,
    on_step: OnStep | None = None,
) -> Iterator[Snapshot]:
    """Take the whole sample, then yield its average at each time; see `Trajectories.evolve`.

    Parameters
    ----------
    jumps
        None for a closed system.
    observables
        Variables to give errors of: names, or a mapping from names to functions of a snapshot,
        as for `tnspin.record`.  Those named decide what is kept of each state; a mapping, and
        none, keep everything but the entropies of cuts.
    options
        For the observables.
    executor
        See `tnspin.numerics.parallel.run_tasks`.
    store
        Folder for finished chunks.  A run that finds its own chunks there continues, with the
        same numbers; so does one with more trajectories.
    on_step
        Called with a `Progress` whose time is the share of the work that is done; may raise to
        stop.
    """
    if model.hamiltonian.is_time_dependent:
        raise InputError("solver.kind: trajectories need a Hamiltonian that is constant in time")
    measured = _functions(observables)
    members = state.members if isinstance(state, State) else ((1.0, state),)
    weights, states = zip(*members, strict=True)
    kind = type(states[0])
    if kind not in _BACKENDS:
        raise InputError(
            f"state: a {kind.__name__} is no matrix product state, vector or one electron"
        )
    names = kept_charges(model, states[0].charge_names, jumps)
    chunk = min(solver.chunk, max(1, solver.trajectories // _FEWEST_CHUNKS))
    run = SampledRun(
        model, tuple(jumps), tuple(points), states, weights, _layout(model, names, observables),
        max(1, chunk // len(states)), solver, *_BACKENDS[kind],
    )  # fmt: skip
    averages = _Averages(model, run.times, run.layout, measured, options)
    count = max(2, ceil(solver.trajectories / (run.share * len(states))))
    done = 0

    def report(more: int = 0) -> None:
        nonlocal done
        done += more
        if on_step is not None:
            share = min(1.0, done / (len(states) + count))
            on_step(Progress(points[0] + share * (points[-1] - points[0]), 0, 0.0))

    def finished(pieces: Sequence[Piece]) -> Iterator[tuple[int, Any]]:
        for index, result in completed(
            Piece.result, pieces, executor=executor, workers=solver.workers, on_wait=report
        ):
            yield pieces[index].number, result
            report(1)

    with ExitStack() as stack:
        place = Store(store or stack.enter_context(TemporaryDirectory(prefix="tnspin-")))
        place.open(run)
        try:
            numbers = _sample(place, run, count, finished, averages)
        finally:
            forget()
        yield from averages.snapshots(place.samples(numbers))


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
    first = places[0]
    yield from _Averages(
        model, first.times, first.layout(model), _functions(observables), options
    ).snapshots(samples)


def _sample(
    place: Store,
    run: SampledRun,
    count: int,
    finished: Callable[[Sequence[Piece]], Iterator[tuple[int, Any]]],
    averages: _Averages,
) -> list[int]:
    """Compute what the store lacks; return the numbers of the chunks to average."""
    members, target = range(len(run.states)), run.solver.target_error
    lacking = [member for member in members if place.probability(member) is None]
    for member, no_jump in finished([Piece(run, member) for member in lacking]):
        place.add_no_jump(member, run.weights[member], no_jump)
    probabilities = tuple(float(place.probability(member) or 0.0) for member in members)
    if all(1.0 - p <= run.never for p in probabilities):
        return []
    numbers: list[int] = []
    while len(numbers) < count:
        size = min(_ROUND, count - len(numbers)) if target > 0 else count
        numbers += range(len(numbers), len(numbers) + size)
        there = set(place.chunks())
        todo = [Piece(run, k, probabilities) for k in numbers if k not in there]
        for number, rows in finished(todo):
            place.add_chunk(number, rows)
        if target > 0 and averages.largest_error(place.samples(numbers)) <= target:
            break
    return numbers


@dataclass(frozen=True, eq=False)
class _Averages:
    """Snapshots with averages and errors, from samples.

    Attributes
    ----------
    measured
        Functions of a snapshot to give errors of, by name.
    options
        For observables.
    """

    model: Model
    times: Sequence[float]
    layout: Layout
    measured: Mapping[str, Function]
    options: Options | None

    def snapshots(self, samples: Iterator[Sample]) -> Iterator[Snapshot]:
        """Average at each time, with errors."""
        for time, sample in zip(self.times, samples, strict=True):
            mean = sample.base
            parts: list[np.ndarray] = []
            if sample.chunks:
                mean = mean + np.mean(sample.chunks, axis=0)
                parts = [sample.base + part for part in leave_one_out(sample.chunks)]
            whole = self._snapshot(time, mean, sample.trajectories)
            yield replace(whole, errors=self._errors(whole, parts))

    def largest_error(self, samples: Iterator[Sample]) -> float:
        """Largest error of the negativity over time."""
        negativity = replace(self, measured=_functions(("log_negativity",)))
        snapshots = negativity.snapshots(samples)
        return max(float(np.max((one.errors or {})["log_negativity"])) for one in snapshots)

    def _snapshot(self, time: float, vector: np.ndarray, trajectories: int = 0) -> Snapshot:
        state = Averaged(self.layout, vector, trajectories)
        # To first order, as long as little is lost.
        ledger = Ledger(state.discarded, -float(state.discarded.sum()))
        return Snapshot(time, self.model, state, ledger, self.options or Options())

    def _errors(self, whole: Snapshot, parts: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Spread and bias together of each function; zeros if nothing was sampled."""
        values: dict[str, list[Any]] = {name: [] for name in self.measured}
        for part in parts if self.measured else ():
            snapshot = self._snapshot(whole.time, part)
            for name, function in self.measured.items():
                values[name].append(function(snapshot))
        errors = {}
        for name, function in self.measured.items():
            value, without = function(whole), values[name]
            spread = np.zeros(np.shape(value))
            if without:
                spread = np.hypot(jackknife_error(without), jackknife_bias(without, value))
            errors[name] = spread
        return errors


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
    """Layout that keeps what some observables need."""
    everything = isinstance(observables, Mapping) or not observables
    wanted = () if everything else tuple(observables)
    needed = {need for name in wanted for need in OBSERVABLES[name].needs}
    return Layout(
        model.local_sites, names, model.groups,
        bonds=everything or not needed.isdisjoint(_OF_BONDS), cuts="cuts" in needed,
    )  # fmt: skip


#: Class of states -> what moves them, and the keys of the solver that matter for it.
_BACKENDS: dict[type[State], tuple[Callable[..., Backend], tuple[str, ...]]] = {
    VectorState: (VectorBackend, ("tolerance",)),
    OneElectronState: (OneElectronBackend, ("tolerance",)),
    MPS: (network_backend, ("tolerance", "dt", "order", "bond_dim", "cutoff", "method")),
}
