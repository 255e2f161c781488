"""Density matrices as matrix product states: the Lindbladian as gates, or for TDVP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.models.purified import Purified
from tnspin.mps.density import DensityMPS
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import Tebd
from tnspin.numerics.trotter import schedule
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.operators.bonds import BondTerms, bonds
from tnspin.operators.dissipator import dissipator
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.lindbladian import is_long, lindbladian
from tnspin.operators.operator_sum import OperatorSum
from tnspin.solvers.density_matrix.pair_gates import (
    LARGEST,
    PairedTebd,
    conserved,
    paired_terms,
    states_of_a_bond,
)
from tnspin.solvers.evolution.motion import NetworkMotion, equal_steps, kept_charges
from tnspin.solvers.start import definite_charges

# Largest growth exponent of one step back in time: 0.2 is a factor of 1.2.
_MOST_GROWTH = 0.2


class DensityMotion(NetworkMotion):
    """A density matrix as a matrix product state, moved by gates or by TDVP of the Lindbladian.

    It begins with an `MPS` (also of `models.Purified`, whose ancillas are traced out), an
    `Ensemble` of them, or a `DensityMPS`.  Charges that the jumps break are dropped.
    """

    evolves = DensityMPS

    def begin(self, state: Any) -> DensityMPS:
        """Check the state and compile the Lindbladian.

        Raises
        ------
        InputError
            For electrons, charges that the Hamiltonian does not conserve, jumps or terms that
            reach too far for the engine, or damping too strong for the order.
        """
        self.model = self.model.model if isinstance(self.model, Purified) else self.model
        keys, sites = self.solver, self.model.local_sites
        # Members of a mixture may differ in charges that the density matrix keeps its blocks of.
        charged = state.members[0][1].charge_names
        kept_charges(self.model, charged)
        generator, long, conserved = self._generator(charged)
        if isinstance(generator, BondTerms):
            longest = max(np.diff(self.times), default=keys.dt)
            _check_growth(generator, keys.order, min(keys.dt, longest))
        elif keys.order != 2:
            raise InputError(
                f"solver.order: {keys.order} is not possible beyond neighbours; TDVP has 2"
            )
        names = [name for name in charged if name in conserved]
        rho = DensityMPS.from_state(state, sites, names, bond_dim=keys.bond_dim)
        if isinstance(generator, BondTerms):
            make = PairedTebd if generator.length < rho.length else Tebd
            self.engine = self.by_gates(make, rho.mps, generator, keys.order)
        else:
            constant = dissipator(sites, long, keys.jump_tolerance) if long else None
            self.engine = Tdvp(
                rho.mps, generator, factor=1.0, hermitian=False, tolerance=keys.tolerance,
                constant=constant, **self.limits,
            )  # fmt: skip
        self.engine.log_norm = rho.log_norm
        return rho

    def snapshot(self, time: float) -> Snapshot:
        """The density matrix, and a copy of the ledger."""
        return Snapshot(time, self.model, self.state, self.engine.ledger.copy())

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move by equal steps.

        Gates that are not unitary spoil the canonical form: it is restored after every step.
        """
        steps, span = equal_steps(start, stop, self.solver.dt)
        stride = steps if isinstance(self.engine, Tdvp) else 1
        for step in range(0, steps, stride):
            for time in self.engine.advance(start + step * span, span, stride):
                yield Progress(time, self.bond_dim(), float(self.engine.ledger.discarded.sum()))
        mps = self.engine.state.copy()  # of pairs, taken apart first
        self.state = DensityMPS(self.model.local_sites, mps, self.engine.log_norm)

    def bond_dim(self) -> int:
        """Largest bond dimension."""
        engine = self.engine
        dims = engine.state.bond_dims() if isinstance(engine, Tebd) else engine.bond_dims()
        return int(dims.max(initial=1))

    def _generator(
        self, charged: Sequence[str]
    ) -> tuple[BondTerms | OperatorSum, list[JumpOperator], Sequence[str]]:
        """The Lindbladian for gates of bonds or of bonds between pairs, or for TDVP.

        Also the jumps that are too long for it, and the charges among ``charged`` that stay.
        """
        model, engine = self.model, self.solver.engine
        jump_reach = (max(jump.sites) - min(jump.sites) for jump in self.jumps)
        reach = max(model.hamiltonian.reach, *jump_reach, 0)
        if reach == 2 and engine != "tdvp" and states_of_a_bond(model) <= LARGEST:
            terms = paired_terms(model, self.jumps)
            return terms, [], conserved(model, terms, charged)
        long = [jump for jump in self.jumps if is_long(jump, model.local_sites)]
        whole = lindbladian(model.hamiltonian, [jump for jump in self.jumps if jump not in long])
        kept = [name for name in whole.conserved() if name in charged]
        if engine == "tebd" and long:
            raise InputError(
                f"solver.engine: 'tebd' takes no jumps on {len(long[0].sites)} sites like "
                f"{long[0].name!r}; use 'tdvp' or a smaller bath.window"
            )
        trotter = engine == "tebd" or (engine == "auto" and reach <= 1)
        return bonds(whole * 1j) if trotter else whole, long, definite_charges(kept, long)


def _check_growth(terms: BondTerms, order: int, dt: float) -> None:
    """Refuse steps back in time where they would let errors grow."""
    layers = schedule(order, any(terms.driven))
    back = max(0.0, -min(layer.fraction for layer in layers))
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
