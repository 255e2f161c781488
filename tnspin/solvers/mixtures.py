"""Mixtures under any solver of pure states: all members advance from snapshot to snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    points = [float(time) for time in times]
    # Solvers without truncation know no ledger.
    ledgers: list[dict[str, Any]] = [{} for _ in state.states]
    if ledger is not None:
        if ledger.weights != state.weights:
            raise InputError("ledger: it is of another mixture")
        ledgers = [{"ledger": one} for one in ledger.members]
    meter = _Meter(points, state.weights, on_step) if on_step is not None else None
    runs: list[Any] = [
        solver.evolve(
            model, member, points, on_step=None if meter is None else meter.of(k), **own, **context
        )
        for k, (member, own) in enumerate(zip(state.states, ledgers, strict=True))
    ]
    try:
        for snapshots in zip(*runs, strict=True):
            yield _merged(snapshots, state.weights)
            if meter is not None:
                meter.interval += 1
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


class _Meter:
    """Progress of all members together; ``interval`` is the number of snapshots yielded."""

    def __init__(
        self,
        points: Sequence[float],
        weights: Sequence[float],
        report: Callable[[Progress], None],
    ) -> None:
        self.points = points
        self.weights = weights
        self.report = report
        self.interval = 0
        self.latest: dict[int, Progress] = {}

    def of(self, member: int) -> Callable[[Progress], None]:
        """The function that one member calls after each of its steps."""

        def on_step(progress: Progress) -> None:
            self.latest[member] = progress
            start = self.points[max(self.interval - 1, 0)]
            # Members move one after the other; those that have not moved are still at the start.
            ahead = sum(max(one.time - start, 0.0) for one in self.latest.values())
            self.report(
                progress._replace(
                    time=start + ahead / len(self.weights),
                    bond_dim=max(one.bond_dim for one in self.latest.values()),
                    discarded=sum(
                        self.weights[k] * one.discarded for k, one in self.latest.items()
                    ),
                )
            )

        return on_step
