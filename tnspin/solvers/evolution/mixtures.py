"""Mixtures under any solver of pure states: all members advance from snapshot to snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from tnspin.errors import InputError
from tnspin.mps.ledger import MergedLedger
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.solvers.solver import Solver
from tnspin.states.ensemble import Ensemble


def evolve_mixture(
    solver: Solver,
    model: Any,
    state: Ensemble,
    times: Sequence[float],
    *,
    ledger: MergedLedger | None = None,
    on_step: Callable[[Progress], None] | None = None,
    **context: Any,
) -> Iterator[Snapshot]:
    """Evolve every member of a mixture and yield the mixture at each of ``times``.

    Continuing from a yielded mixture and its ledger gives the same numbers, if the members' own
    solver does.

    Parameters
    ----------
    solver
        Solver of one pure state.
    model, times, context
        As for `Solver.evolve`.
    state
        The mixture at ``times[0]``.
    ledger
        Errors so far, when continuing.
    on_step
        Called with the progress of the whole: its time stands between two snapshots by the share
        of the members' steps that is done.

    Raises
    ------
    InputError
        Whatever the solver refuses.
    """
    points, weights = [float(time) for time in times], state.weights
    # Solvers without truncation know no ledger.
    own: list[dict[str, Any]] = [{} for _ in state.states]
    if ledger is not None:
        if ledger.weights != weights:
            raise InputError("ledger: it is of another mixture")
        own = [{"ledger": one} for one in ledger.members]
    latest: dict[int, Progress] = {}
    start = points[0]

    def moved(member: int, progress: Progress) -> None:
        """Report the progress of all members together after a step of one."""
        latest[member] = progress
        if on_step is None:
            return
        # Members move one after the other; those that have not moved are still at the start.
        ahead = sum(max(one.time - start, 0.0) for one in latest.values())
        on_step(
            progress._replace(
                time=start + ahead / len(weights),
                bond_dim=max(one.bond_dim for one in latest.values()),
                discarded=sum(weights[k] * one.discarded for k, one in latest.items()),
            )
        )

    runs: list[Any] = [
        solver.evolve(model, member, points, on_step=partial(moved, k), **own[k], **context)
        for k, member in enumerate(state.states)
    ]
    try:
        for snapshots in zip(*runs, strict=True):
            start = snapshots[0].time
            yield _merged(snapshots, weights)
    finally:
        for run in runs:
            run.close()


def _merged(snapshots: Sequence[Snapshot], weights: Sequence[float]) -> Snapshot:
    """Snapshots of all members at one time as one of the mixture."""
    from tnspin.mps.ledger import MergedLedger
    from tnspin.observables.snapshot import Snapshot
    from tnspin.states.ensemble import Ensemble

    first = snapshots[0]
    ledgers = [one.ledger for one in snapshots if one.ledger is not None]
    return Snapshot(
        first.time,
        first.model,
        Ensemble(tuple(one.state for one in snapshots), tuple(weights)),
        MergedLedger.of(ledgers, weights) if len(ledgers) == len(snapshots) else None,
    )
