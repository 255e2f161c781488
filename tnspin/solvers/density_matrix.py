"""Density matrices as matrix product states, under Trotter steps of a Lindbladian or by TDVP.

Where nothing reaches beyond neighbours, the generator of every bond, its part of -i[H, rho] and of
the jumps on its sites, is a Lindbladian of its own, so that every gate of orders 1 and 2 is a
physical map: positive, trace-preserving.  What reaches over three neighbours, as jump operators of
windows of three spins do, becomes gates on pairs of sites (`paired`).  Order 4 has steps back in
time, in which damping is growth; it is refused where that is not small.  Couplings of any range go
through two-site TDVP of the Lindbladian, whose projection is one more error.

Truncation is in the Hilbert-Schmidt norm and keeps neither trace nor positivity: both are reported
(`DensityMPS.trace`, ``trace_error``, ``smallest_eigenvalue``), and what is measured is divided by
the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tnspin.errors import InputError
from tnspin.models.purified import Purified
from tnspin.mps.density import DensityMPS
from tnspin.mps.ledger import Ledger
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import Tebd
from tnspin.numerics.trotter import schedule
from tnspin.observables.snapshot import Progress, Snapshot, output_times
from tnspin.operators.bonds import BondTerms, bonds
from tnspin.operators.dissipator import dissipator
from tnspin.operators.lindbladian import is_long, lindbladian
from tnspin.operators.operator_sum import OperatorSum
from tnspin.solvers.pair_gates import LARGEST, PairedTebd, paired_terms, states_of_a_bond
from tnspin.solvers.pair_gates import conserved as conserved_charges

if TYPE_CHECKING:
    from tnspin.models import Model
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["evolve"]

# Largest growth exponent of one step back in time: 0.2 is a factor of 1.2.
_MOST_GROWTH = 0.2
ENGINES = ("auto", "tebd", "tdvp")
Runner: TypeAlias = Tebd | Tdvp | PairedTebd


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
    jump_tolerance: float = 1e-6,
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
        As matrices or as matrix product operators.
    dt, order
        Largest step, and 1, 2 or 4 (TDVP: 2).
    bond_dim, cutoff
        As for `tnspin.solvers.tebd`, of the vector of matrix elements.
    threads, method, ledger, on_step
        As for `tnspin.solvers.tebd`.
    engine
        "tebd", "tdvp", or "auto": the former where terms and jumps reach no further than
        neighbours, or the next ones in chains of spins 1/2.
    tolerance
        As for `tnspin.solvers.tdvp`.
    jump_tolerance
        Relative error of the dissipators of jumps on more than three sites, as matrix product
        operators.

    Yields
    ------
    Snapshot
        Its state is a `DensityMPS`, its model the bare one of a purified one.

    Raises
    ------
    InputError
        For electrons, charges that the Hamiltonian does not conserve, jumps or terms that reach
        too far for the engine, damping too strong for the order, or times that do not ascend.
    """
    points = output_times(times)
    model = model.model if isinstance(model, Purified) else model
    charged = _charges(model, state)
    if engine not in ENGINES:
        raise InputError(f"solver.engine: {engine!r} is not one of {', '.join(ENGINES)}")
    generator, long, conserved = _generator(model, jumps, charged, engine)
    if isinstance(generator, BondTerms):
        _check_growth(generator, order, min(dt, max(np.diff(points), default=dt)))
    elif order != 2:
        raise InputError(f"solver.order: {order} is not possible beyond neighbours; TDVP has 2")
    names = [name for name in charged if name in conserved]
    rho = DensityMPS.from_state(state, model.local_sites, names, bond_dim=bond_dim)
    limits: dict[str, Any] = {
        "bond_dim": bond_dim, "cutoff": cutoff, "threads": threads, "ledger": ledger
    }  # fmt: skip
    run: Runner
    if isinstance(generator, BondTerms):
        run = _by_gates(rho, generator, order=order, method=method, **limits)
    else:
        constant = dissipator(model.local_sites, long, jump_tolerance) if long else None
        limits |= {"tolerance": tolerance, "constant": constant}
        run = Tdvp(rho.mps, generator, factor=1.0, hermitian=False, **limits)
    run.log_norm = rho.log_norm
    try:
        yield Snapshot(points[0], model, rho, run.ledger.copy())
        for start, stop in pairwise(points):
            for time in _interval(run, start, stop, dt):
                if on_step is not None:
                    discarded = float(run.ledger.discarded.sum())
                    on_step(Progress(time, _bond_dim(run), discarded))
            mps = run.state.copy()  # of pairs, taken apart first
            rho = DensityMPS(model.local_sites, mps, run.log_norm)
            yield Snapshot(stop, model, rho, run.ledger.copy())
    finally:
        run.close()


def _charges(model: Model, state: Any) -> Sequence[str]:
    """Names of the charges of a state, all of them conserved by the Hamiltonian."""
    # Members of a mixture may differ in charges that the density matrix keeps its blocks of.
    charged: Sequence[str] = state.members[0][1].charge_names
    broken = set(charged) - set(model.hamiltonian.conserved())
    if broken:
        raise InputError(f"state: the Hamiltonian does not conserve {sorted(broken)}")
    return charged


def _by_gates(rho: DensityMPS, generator: BondTerms, **options: Any) -> Tebd | PairedTebd:
    """Trotter steps of bonds, or of bonds between pairs of sites."""
    if generator.length < rho.length:
        return PairedTebd(rho.mps, generator, **options)
    driven = [generator.time_dependent(k) for k in range(generator.length - 1)]
    return Tebd(rho.mps, generator.matrix, driven, **options)


def _generator(
    model: Model, jumps: Sequence[JumpOperator], charged: Sequence[str], engine: str
) -> tuple[BondTerms | OperatorSum, list[JumpOperator], Sequence[str]]:
    """For gates of bonds, or of bonds between pairs, or for TDVP: the Lindbladian.

    Also the jumps that are too long for it, and the charges among ``charged`` that stay.
    """
    reach = _reach(model, jumps)
    if reach == 2 and engine != "tdvp" and states_of_a_bond(model) <= LARGEST:
        terms = paired_terms(model, jumps)
        return terms, [], conserved_charges(model, terms, charged)
    long = [jump for jump in jumps if is_long(jump, model.local_sites)]
    whole = lindbladian(model.hamiltonian, [jump for jump in jumps if jump not in long])
    conserved = [name for name in whole.conserved() if name in charged]
    if any(jump.charge is None for jump in long):
        conserved = [name for name in conserved if name != "2Sz"]
    if engine == "tebd" and long:
        raise InputError(
            f"solver.engine: 'tebd' takes no jumps on {len(long[0].sites)} sites like "
            f"{long[0].name!r}; use 'tdvp' or a smaller bath.window"
        )
    trotter = engine == "tebd" or (engine == "auto" and reach <= 1)
    return bonds(whole * 1j) if trotter else whole, long, conserved


def _interval(run: Runner, start: float, stop: float, dt: float) -> Iterator[float]:
    """Make the steps from one output time to the next."""
    steps = max(1, ceil((stop - start) / dt - 1e-9))
    span = (stop - start) / steps
    # Gates that are not unitary spoil the canonical form: restored after every step.
    stride = steps if isinstance(run, Tdvp) else 1
    for step in range(0, steps, stride):
        yield from run.advance(start + step * span, span, stride)


def _bond_dim(run: Runner) -> int:
    if isinstance(run, PairedTebd):
        return run.bond_dim()
    dims = run.bond_dims() if isinstance(run, Tdvp) else run.state.bond_dims()
    return int(dims.max())


def _reach(model: Model, jumps: Sequence[JumpOperator]) -> int:
    """Largest distance between sites of one term or jump."""
    return max([model.hamiltonian.reach, *(max(j.sites) - min(j.sites) for j in jumps)])


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
