"""Density matrices as matrix product states: the Lindbladian as gates, or for TDVP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tnspin.errors import InputError
from tnspin.models.purified import Purified
from tnspin.mps.density import DensityMPS
from tnspin.mps.ledger import Ledger
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import Tebd
from tnspin.numerics.trotter import schedule
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.operators.bonds import BondTerms, bonds
from tnspin.operators.dissipator import dissipator
from tnspin.operators.lindbladian import is_long, lindbladian
from tnspin.operators.operator_sum import OperatorSum
from tnspin.solvers.density_matrix.pair_gates import (
    LARGEST,
    PairedTebd,
    paired_terms,
    states_of_a_bond,
)
from tnspin.solvers.density_matrix.pair_gates import conserved as conserved_charges
from tnspin.solvers.solver import check_charges, equal_steps
from tnspin.solvers.tebd import NetworkMotion

if TYPE_CHECKING:
    from tnspin.models import Model
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["DensityMotion", "motion"]

# Largest growth exponent of one step back in time: 0.2 is a factor of 1.2.
_MOST_GROWTH = 0.2
Engine: TypeAlias = Tebd | Tdvp | PairedTebd


def motion(
    solver: Any,
    model: Model,
    state: Any,
    times: Sequence[float],
    jumps: Sequence[JumpOperator],
    ledger: Ledger | None,
) -> DensityMotion:
    """The evolution of a density matrix, see `tnspin.solvers.density_matrix.solver`."""
    model = model.model if isinstance(model, Purified) else model
    charged = _charges(model, state)
    generator, long, conserved = _generator(model, jumps, charged, solver.engine)
    if isinstance(generator, BondTerms):
        longest = max(np.diff(times), default=solver.dt)
        _check_growth(generator, solver.order, min(solver.dt, longest))
    elif solver.order != 2:
        raise InputError(
            f"solver.order: {solver.order} is not possible beyond neighbours; TDVP has 2"
        )
    names = [name for name in charged if name in conserved]
    rho = DensityMPS.from_state(state, model.local_sites, names, bond_dim=solver.bond_dim)
    engine: Engine
    if isinstance(generator, BondTerms):
        engine = _by_gates(
            rho, generator, order=solver.order, method=solver.method, ledger=ledger, **solver.limits
        )
    else:
        constant = dissipator(model.local_sites, long, solver.jump_tolerance) if long else None
        engine = Tdvp(
            rho.mps, generator, factor=1.0, hermitian=False, tolerance=solver.tolerance,
            constant=constant, ledger=ledger, **solver.limits,
        )  # fmt: skip
    engine.log_norm = rho.log_norm
    return DensityMotion(model, rho, engine, solver.dt)


class DensityMotion(NetworkMotion):
    """A density matrix in one of the engines."""

    def snapshot(self, time: float) -> Snapshot:
        """The density matrix, and a copy of the ledger."""
        return Snapshot(time, self.model, self.state, self.engine.ledger.copy())

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move by equal steps.

        Gates that are not unitary spoil the canonical form: it is restored after every step.
        """
        steps, span = equal_steps(start, stop, self.dt)
        stride = steps if isinstance(self.engine, Tdvp) else 1
        for step in range(0, steps, stride):
            for time in self.engine.advance(start + step * span, span, stride):
                discarded = float(self.engine.ledger.discarded.sum())
                yield Progress(time, self.bond_dim(), discarded)
        mps = self.engine.state.copy()  # of pairs, taken apart first
        self.state = DensityMPS(self.model.local_sites, mps, self.engine.log_norm)

    def bond_dim(self) -> int:
        """Largest bond dimension."""
        engine = self.engine
        if isinstance(engine, PairedTebd):
            return engine.bond_dim()
        dims = engine.bond_dims() if isinstance(engine, Tdvp) else engine.state.bond_dims()
        return int(dims.max())


def _charges(model: Model, state: Any) -> Sequence[str]:
    """Names of the charges of a state, all of them conserved by the Hamiltonian."""
    # Members of a mixture may differ in charges that the density matrix keeps its blocks of.
    charged: Sequence[str] = state.members[0][1].charge_names
    check_charges(model, charged)
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
