"""Mixtures under any solver of pure states: all members advance from snapshot to snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tnspin.errors import InputError
from tnspin.mps.ledger import MergedLedger
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.states.ensemble import Ensemble


def evolve(
    model: Any,
    state: Ensemble,
    times: Sequence[float],
    *,
    evolve_one: Callable[..., Iterator[Snapshot]],
    ledger: MergedLedger | None = None,
    on_step: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Iterator[Snapshot]:
    """Evolve every member of a mixture and yield the mixture at each of ``times``.

    Continuing from a yielded mixture and its ledger gives the same numbers, if the members' own
    solver does.

    Parameters
    ----------
    model, times, options
        As for ``evolve_one``, which evolves one pure state.
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
        Whatever ``evolve_one`` refuses.
    """
    points = [float(time) for time in times]
    # Solvers without truncation know no ledger.
    ledgers: list[dict[str, Any]] = [{} for _ in state.states]
    if ledger is not None:
        if ledger.weights != state.weights:
            raise InputError("ledger: it is of another mixture")
        ledgers = [{"ledger": one} for one in ledger.members]
    meter = _Meter(points, state.weights, on_step) if on_step is not None else None
    runs = [
        evolve_one(
            model,
            member,
            points,
            on_step=None if meter is None else meter.of(k),
            **own,
            **options,
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
            if hasattr(run, "close"):
                run.close()


def _merged(snapshots: Sequence[Snapshot], weights: Sequence[float]) -> Snapshot:
    """Snapshots of all members at one time as one of the mixture."""
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
        self.latest = [Progress(points[0], 0, 0.0)] * len(weights)

    def of(self, member: int) -> Callable[[Progress], None]:
        """What one member calls after each of its steps."""

        def on_step(progress: Progress) -> None:
            self.latest[member] = progress
            start = self.points[max(self.interval - 1, 0)]
            # Members move one after the other, so those behind still stand at the start.
            ahead = sum(max(one.time - start, 0.0) for one in self.latest)
            self.report(
                Progress(
                    start + ahead / len(self.latest),
                    max(one.bond_dim for one in self.latest),
                    sum(
                        w * one.discarded for w, one in zip(self.weights, self.latest, strict=True)
                    ),
                )
            )

        return on_step
