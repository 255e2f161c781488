"""Matrix product states under Trotter steps: tDMRG as an iterator of snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from tnspin.errors import InputError
from tnspin.mps.ledger import Ledger
from tnspin.mps.state import MPS
from tnspin.mps.tebd import Tebd
from tnspin.observables.snapshot import Progress, Snapshot, output_times
from tnspin.operators.bonds import bonds

if TYPE_CHECKING:
    from tnspin.models import Model


def evolve(
    model: Model,
    state: MPS,
    times: Sequence[float],
    *,
    dt: float = 0.1,
    order: int = 2,
    bond_dim: int = 400,
    cutoff: float = 1e-7,
    threads: int | None = None,
    method: str = "auto",
    ledger: Ledger | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[Snapshot]:
    """Evolve a matrix product state and yield it at each of ``times``.

    The first time is that of ``state``.  Every yielded state is canonical and normalized.
    Calling again with the last yielded state, its ledger and the remaining times continues
    the run with the same numbers.

    Parameters
    ----------
    model
        Its Hamiltonian must have only on-site and nearest-neighbour terms.
    state
        Initial state; its charges must be conserved by the Hamiltonian.
    times
        Ascending, in units of hbar over the model's energy unit.
    dt
        Largest Trotter step; each interval is divided evenly.
    order
        1, 2 or 4.
    bond_dim, cutoff
        An update keeps as few Schmidt values as the cutoff of its discarded weight allows, and
        never more than ``bond_dim``.  With a cutoff below 1e-12 the first 64 are dropped only if
        their weight is below the cutoff squared.
    threads
        Parallel updates; default all processors.  The numbers do not depend on it.
    method
        "auto", or one decomposition for all blocks: "svd", "gram", "range".
    ledger
        Errors so far, when continuing.
    on_step
        Called with the progress several times per step; may raise to stop.

    Raises
    ------
    InputError
        For charges that are not conserved, long-range terms, bad orders or methods, or times that
        do not ascend.
    """
    points = output_times(times)
    hamiltonian = model.hamiltonian
    broken = set(state.charge_names) - set(hamiltonian.conserved())
    if broken:
        raise InputError(f"state: the Hamiltonian does not conserve {sorted(broken)}")
    terms = bonds(hamiltonian)
    engine = Tebd(
        state, terms.matrix, [terms.time_dependent(k) for k in range(terms.length - 1)],
        order=order, bond_dim=bond_dim, cutoff=cutoff, method=method, threads=threads,
        ledger=ledger,
    )  # fmt: skip
    try:
        yield Snapshot(points[0], model, engine.state.copy(), engine.ledger.copy())
        for start, stop in pairwise(points):
            # An interval that is a whole number of steps up to round-off gets that number.
            steps = max(1, ceil((stop - start) / dt - 1e-9))
            for time in engine.advance(start, (stop - start) / steps, steps):
                if on_step is not None:
                    on_step(_progress(engine, time))
            yield Snapshot(stop, model, engine.state.copy(), engine.ledger.copy())
    finally:
        engine.close()


def _progress(engine: Tebd, time: float) -> Progress:
    discarded = float(engine.ledger.discarded.sum())
    return Progress(time, int(engine.state.bond_dims().max()), discarded)
