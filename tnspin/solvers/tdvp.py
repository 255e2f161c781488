"""Matrix product states under Hamiltonians of any range: two-site TDVP, snapshot by snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from tnspin.errors import InputError
from tnspin.mps.ledger import Ledger
from tnspin.mps.state import MPS
from tnspin.mps.tdvp import Tdvp
from tnspin.observables.snapshot import Progress, Snapshot, output_times

if TYPE_CHECKING:
    from tnspin.models import Model


def evolve(
    model: Model,
    state: MPS,
    times: Sequence[float],
    *,
    dt: float = 0.1,
    bond_dim: int = 400,
    cutoff: float = 1e-10,
    tolerance: float = 1e-9,
    threads: int | None = None,
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
        Its Hamiltonian may have terms of any range on any number of sites; coefficients that
        depend on time are taken at the middle of each step.
    state
        Initial state; its charges must be conserved by the Hamiltonian.
    times
        Ascending, in units of hbar over the model's energy unit.
    dt
        Largest step; each interval is divided evenly.  The error of a step is of third order.
    bond_dim, cutoff
        A split keeps as few Schmidt values as the cutoff of its discarded weight allows, and
        never more than ``bond_dim``.  With a cutoff below 1e-12 the first 64 are dropped only if
        their weight is below the cutoff squared.
    tolerance
        Error of each local exponential, of which a step has four per site.
    threads
        Threads that share each product; default all processors.  The numbers do not depend on
        it.
    ledger
        Errors so far, when continuing.
    on_step
        Called with the progress after every step; may raise to stop.

    Raises
    ------
    InputError
        For charges that are not conserved, a single site, a sum that is not Hermitian, or times
        that do not ascend.
    """
    points = output_times(times)
    hamiltonian = model.hamiltonian
    broken = set(state.charge_names) - set(hamiltonian.conserved())
    if broken:
        raise InputError(f"state: the Hamiltonian does not conserve {sorted(broken)}")
    if not hamiltonian.is_hermitian(t=points[0]):
        raise InputError("hamiltonian: not Hermitian")
    engine = Tdvp(
        state, hamiltonian, bond_dim=bond_dim, cutoff=cutoff, tolerance=tolerance,
        threads=threads, ledger=ledger,
    )  # fmt: skip
    try:
        yield Snapshot(points[0], model, engine.state.copy(), engine.ledger.copy())
        for start, stop in pairwise(points):
            # An interval that is a whole number of steps up to round-off gets that number.
            steps = max(1, ceil((stop - start) / dt - 1e-9))
            for time in engine.advance(start, (stop - start) / steps, steps):
                if on_step is not None:
                    discarded = float(engine.ledger.discarded.sum())
                    on_step(Progress(time, int(engine.bond_dims().max()), discarded))
            yield Snapshot(stop, model, engine.state.copy(), engine.ledger.copy())
    finally:
        engine.close()
