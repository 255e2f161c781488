"""Density matrices as matrix product states, under Trotter steps of a Lindbladian or by TDVP.

Where nothing reaches beyond neighbours, the generator of every bond, its part of -i[H, rho] and of
the jumps on its sites, is a Lindbladian of its own, so that every gate of orders 1 and 2 is a
physical map: positive, trace-preserving.  Order 4 has steps back in time, in which damping is
growth; it is refused where that is not small.  Couplings of any range, and jumps on up to three
sites, go through two-site TDVP of the Lindbladian, whose projection is one more error.

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
from ..mps.tdvp import Tdvp
from ..mps.tebd import Tebd
from ..mps.trotter import schedule
from ..snapshot import Progress, Snapshot
from ..terms import OperatorSum

if TYPE_CHECKING:
    from ..baths import JumpOperator
    from ..models import Model

__all__ = ["evolve"]

# Largest growth exponent of one step back in time: 0.2 is a factor of 1.2.
_MOST_GROWTH = 0.2
ENGINES = ("auto", "tebd", "tdvp")


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
    engine: str = "auto",
    tolerance: float = 1e-10,
    ledger: Ledger | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[Snapshot]:
    """Evolve a density matrix and yield it at each of ``times``.

    The first time is that of ``state``.  Calling again with the last yielded state, its ledger and
    the remaining times continues the run with the same numbers.

    Parameters
    ----------
    model
        Spins and bosons, no electrons.
    state
        `MPS` (also of `models.Purified`, whose ancillas are traced out), `Ensemble` of them, or
        `DensityMPS`.  Charges that the jumps break are dropped.
    times
        Ascending, in units of hbar over the model's energy unit.
    jumps
        Each on at most three sites.
    dt, order
        Largest step, and 1, 2 or 4 (TDVP: 2).
    bond_dim, cutoff
        As for `tnspin.solvers.tebd`, of the vector of matrix elements.
    threads, method, ledger, on_step
        As for `tnspin.solvers.tebd`.
    engine
        "tebd", "tdvp", or "auto": the former where terms and jumps reach no further than
        neighbours.
    tolerance
        As for `tnspin.solvers.tdvp`.

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
    conserved = generator.conserved()
    names = [name for name in charged if name in conserved]
    longest = min(dt, max(np.diff(times), default=dt))
    if engine not in ENGINES:
        raise InputError(f"solver.engine: {engine!r} is not one of {', '.join(ENGINES)}")
    trotter = engine == "tebd" or (engine == "auto" and _reach(generator) <= 1)
    if trotter:
        terms = bonds(generator * 1j)
        _check_growth(terms, order, longest)
    elif order != 2:
        raise InputError(f"solver.order: {order} is not possible beyond neighbours; TDVP has 2")
    rho = DensityMPS.from_state(state, model.local_sites, names, bond_dim=bond_dim)
    limits: dict[str, Any] = {
        "bond_dim": bond_dim, "cutoff": cutoff, "threads": threads, "ledger": ledger
    }  # fmt: skip
    run: Tebd | Tdvp
    if trotter:
        driven = [terms.time_dependent(k) for k in range(terms.length - 1)]
        run = Tebd(rho.mps, terms.matrix, driven, order=order, method=method, **limits)
    else:
        run = Tdvp(rho.mps, generator, factor=1.0, hermitian=False, tolerance=tolerance, **limits)
    run.log_norm = rho.log_norm
    try:
        yield Snapshot(times[0], model, rho, run.ledger.copy())
        for start, stop in pairwise(times):
            for time in _interval(run, start, stop, dt):
                if on_step is not None:
                    discarded = float(run.ledger.discarded.sum())
                    on_step(Progress(time, _bond_dim(run), discarded))
            rho = DensityMPS(model.local_sites, run.state.copy(), run.log_norm)
            yield Snapshot(stop, model, rho, run.ledger.copy())
    finally:
        run.close()


def _interval(run: Tebd | Tdvp, start: float, stop: float, dt: float) -> Iterator[float]:
    """Make the steps from one output time to the next."""
    steps = max(1, ceil((stop - start) / dt - 1e-9))
    span = (stop - start) / steps
    # Gates that are not unitary spoil the canonical form: restored after every step.
    stride = 1 if isinstance(run, Tebd) else steps
    for step in range(0, steps, stride):
        yield from run.advance(start + step * span, span, stride)


def _bond_dim(run: Tebd | Tdvp) -> int:
    dims = run.bond_dims() if isinstance(run, Tdvp) else run.state.bond_dims()
    return int(dims.max())


def _reach(generator: OperatorSum) -> int:
    """Largest distance between sites of one term."""
    supports = (list(term.matrices) for term in generator.local_terms())
    return max((max(sites) - min(sites) for sites in supports if sites), default=0)


def _check_growth(terms: BondTerms, order: int, dt: float) -> None:
    """Refuse steps back in time where they would let errors grow."""
    driven = any(terms.time_dependent(k) for k in range(terms.length - 1))
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
