"""Density matrices as matrix product states, under Trotter steps of a Lindbladian.

The generator of every bond, its part of -i[H, rho] and of the jumps on its sites, is a Lindbladian
of its own, so that every gate of orders 1 and 2 is a physical map: positive, trace-preserving.
Order 4 has steps back in time, in which damping is growth; it is refused where that is not small.
Truncation is in the Hilbert-Schmidt norm and keeps neither trace nor positivity: both are reported
(`DensityMPS.trace`, ``trace_error``, ``smallest_eigenvalue``), and what is measured is divided by
the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compile import BondTerms, bonds
from ..errors import InputError
from ..lindbladian import lindbladian
from ..models import Purified
from ..mps.density import DensityMPS
from ..mps.ledger import Ledger
from ..mps.tebd import Tebd
from ..mps.trotter import schedule
from ..snapshot import Progress, Snapshot

if TYPE_CHECKING:
    from ..baths import JumpOperator
    from ..models import Model

__all__ = ["evolve"]

# Largest growth exponent of one step back in time: 0.2 is a factor of 1.2.
_MOST_GROWTH = 0.2


def evolve(
    model: Model,
    state: Any,
    times: Sequence[float],
    *,
    jumps: Sequence[JumpOperator] = (),
    dt: float = 0.1,
    order: int = 2,
    bond_dim: int = 200,
    cutoff: float = 1e-10,
    threads: int | None = None,
    method: str = "auto",
    ledger: Ledger | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[Snapshot]:
    """Evolve a density matrix and yield it at each of ``times``.

    The first time is that of ``state``.  Calling again with the last yielded state, its ledger and
    the remaining times continues the run with the same numbers.

    Parameters
    ----------
    model
        Spins and bosons with on-site and nearest-neighbour terms.
    state
        `MPS` (also of `models.Purified`, whose ancillas are traced out), `Ensemble` of them, or
        `DensityMPS`.  Charges that the jumps break are dropped.
    times
        Ascending, in units of hbar over the model's energy unit.
    jumps
        On one site or two neighbouring ones.
    dt, order
        Largest Trotter step, and 1, 2 or 4.
    bond_dim, cutoff
        As for `tnspin.solvers.tebd`, of the vector of matrix elements.
    threads, method, ledger, on_step
        As for `tnspin.solvers.tebd`.

    Yields
    ------
    Snapshot
        Its state is a `DensityMPS`, its model the bare one of a purified one.

    Raises
    ------
    InputError
        For electrons, charges that the Hamiltonian does not conserve, jumps or terms beyond
        neighbours, or damping too strong for the order.
    """
    model = model.model if isinstance(model, Purified) else model
    # Members of a mixture may differ in charges that the density matrix keeps its blocks of.
    charged = state.states[0].charge_names if hasattr(state, "states") else state.charge_names
    broken = set(charged) - set(model.hamiltonian.conserved())
    if broken:
        raise InputError(f"state: the Hamiltonian does not conserve {sorted(broken)}")
    generator = lindbladian(model.hamiltonian, jumps)
    terms = bonds(generator * 1j)
    conserved = generator.conserved()
    names = [name for name in charged if name in conserved]
    rho = DensityMPS.from_state(state, model.local_sites, names, bond_dim=bond_dim)
    engine = Tebd(
        rho.mps, terms.matrix, [terms.time_dependent(k) for k in range(terms.length - 1)],
        order=order, bond_dim=bond_dim, cutoff=cutoff, method=method, threads=threads,
        ledger=ledger,
    )  # fmt: skip
    _check_growth(terms, order, min(dt, max(np.diff(times), default=dt)), any(engine.driven))
    engine.log_norm = rho.log_norm
    try:
        yield Snapshot(times[0], model, rho, engine.ledger.copy())
        for start, stop in pairwise(times):
            steps = max(1, ceil((stop - start) / dt - 1e-9))
            span = (stop - start) / steps
            for step in range(steps):
                # Gates that are not unitary spoil the canonical form: restored after every step.
                for time in engine.advance(start + step * span, span, 1):
                    if on_step is not None:
                        on_step(_progress(engine, time))
            rho = DensityMPS(model.local_sites, engine.state.copy(), engine.log_norm)
            yield Snapshot(stop, model, rho, engine.ledger.copy())
    finally:
        engine.close()


def _check_growth(terms: BondTerms, order: int, dt: float, driven: bool) -> None:
    """Refuse steps back in time where they would let errors grow."""
    back = max(0.0, -min(layer.fraction for layer in schedule(order, driven)))
    if back == 0.0:
        return
    # H is Hermitian and does not damp, so that the time does not matter.
    rates = (np.linalg.eigvals(matrix).imag.min() for matrix in terms.static)
    growth = back * dt * max(0.0, -min(rates, default=0.0))
    if growth > _MOST_GROWTH:
        raise InputError(
            f"solver.order: {order} takes steps back in time, in which this damping grows by a "
            f"factor of {np.exp(growth):.3g}; use order 2, or dt = {dt * _MOST_GROWTH / growth:.2g}"
        )


def _progress(engine: Tebd, time: float) -> Progress:
    discarded = float(engine.ledger.discarded.sum())
    return Progress(time, int(engine.state.bond_dims().max()), discarded)
