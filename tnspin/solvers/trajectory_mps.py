"""Quantum trajectories of matrix product states: Trotter steps of H, decay as an MPO.

The decay exp(-i (H - i/2 sum L+L) t) is split symmetrically into steps of H and factors
exp(-s/2 sum L+L) of each group of spins, applied to the matrix product state as operators and
compressed.  The error is second order in the step.  Decay is much slower than everything else, so
that its step may be longer than that of H for the same error.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.compile import bonds
from tnspin.errors import InputError
from tnspin.executors import threads_here
from tnspin.mps.apply import Operator, joined, spin_mpo
from tnspin.mps.spin_operator import SpinOperator
from tnspin.mps.state import MPS
from tnspin.mps.tebd import Tebd
from tnspin.solvers.open_system import damping, reduced_rates, remembered
from tnspin.solvers.trajectory_products import ProductBackend, Walk

if TYPE_CHECKING:
    from tnspin.baths import JumpOperator
    from tnspin.models import Model
    from tnspin.solvers.trajectory_walk import Backend

__all__ = ["MPSBackend", "backend"]

# Step lengths whose gates and decay factors are kept; looking for a jump time uses many others.
_REMEMBERED = 4
_LONGEST_STRIDE = 10


def backend(
    model: Model, jumps: Sequence[JumpOperator], names: Sequence[str], **options: Any
) -> Backend:
    """Return what moves matrix product states.

    By TDVP if a jump operator is a matrix product operator or a term of H reaches beyond
    neighbours, else by Trotter steps.
    """
    long = any(isinstance(jump.form, SpinOperator) for jump in jumps)
    if model.hamiltonian.reach <= 1 and not long:
        return MPSBackend(model, jumps, names, **options)
    from tnspin.solvers.trajectory_tdvp import TdvpBackend

    if options.pop("order", 2) != 2:
        raise InputError("solver.order: beyond neighbours TDVP takes over, which has order 2")
    options.pop("method", None)
    return TdvpBackend(model, jumps, names, **options)


class MPSBackend(ProductBackend):
    """Moves and measures matrix product states for `tnspin.solvers.trajectory_walk`.

    Parameters
    ----------
    model : Model
        With on-site and nearest-neighbour terms that are constant in time.
    jumps : sequence of JumpOperator
        What may happen to its localized spins.
    names, tolerance
        See `ProductBackend`.
    dt, order, bond_dim, cutoff, method
        As for `tnspin.solvers.tebd`.  The decay is applied every ``stride`` steps: h being the
        largest norm of a bond term and D that of the damping, the Trotter error goes as h^3 dt^2,
        that of the decay as h^2 D (stride dt)^2, and the stride makes them equal.
    """

    def __init__(
        self,
        model: Model,
        jumps: Sequence[JumpOperator],
        names: Sequence[str],
        *,
        tolerance: float = 1e-8,
        dt: float = 0.1,
        order: int = 2,
        bond_dim: int = 400,
        cutoff: float = 1e-7,
        method: str = "auto",
    ) -> None:
        super().__init__(jumps, names, tolerance=tolerance, dt=dt, bond_dim=bond_dim, cutoff=cutoff)
        self._options = {"order": order, "method": method, "threads": threads_here(), **self.limits}
        self._terms = bonds(model.hamiltonian)
        self._spectra = {sites: np.linalg.eigh(m) for sites, m in damping(jumps).items()}
        self.stride = self._stride()
        self._engines: OrderedDict[float, Tebd] = OrderedDict()
        self._factors: OrderedDict[float, list[Operator]] = OrderedDict()

    def _stride(self) -> int:
        count = self._terms.length - 1
        strength = max(np.linalg.norm(self._terms.matrix(k, 0.0), 2) for k in range(count))
        decay = max((float(rates[-1]) / 2 for rates, _ in self._spectra.values()), default=0.0)
        if decay <= 0.0:
            return _LONGEST_STRIDE
        return int(np.clip(np.sqrt(strength / decay), 1, _LONGEST_STRIDE))

    def _steps(self, walk: Walk, step: float, steps: int) -> Walk:
        if not self.jumps:
            return self._move(walk, step, steps)
        # Stretches between two decays, as equal as whole steps allow.
        count = ceil(steps / self.stride)
        parts = [steps // count + (k < steps % count) for k in range(count)]
        walk = self._decay(walk, parts[0] * step / 2)
        for part, following in zip(parts, [*parts[1:], 0], strict=True):
            walk = self._move(walk, step, part)
            # The second half of one stretch and the first half of the next.
            walk = self._decay(walk, (part + following) * step / 2)
        return walk

    def rates(self, walk: Walk) -> Iterator[float]:
        """``||L psi||^2`` of each jump operator in the normalized state."""
        return reduced_rates(walk.state, self.jumps)

    def _move(self, walk: Walk, step: float, steps: int) -> Walk:
        """Trotter steps of H alone."""
        make = partial(self._engine, walk.state)
        engine = remembered(self._engines, step, make, _REMEMBERED)
        engine.state, engine.ledger = walk.state.copy(), walk.ledger.copy()
        for _ in engine.advance(0.0, step, steps):
            pass
        return Walk(engine.state, walk.norm2, engine.ledger)

    def _engine(self, state: MPS) -> Tebd:
        driven = [False] * (self._terms.length - 1)
        return Tebd(state, self._terms.matrix, driven, **self._options)

    def _decay(self, walk: Walk, span: float) -> Walk:
        """exp(-span/2 sum L+L), group by group."""

        def operators() -> list[Operator]:
            found = []
            for sites, (rates, vectors) in self._spectra.items():
                matrix = (vectors * np.exp(-span / 2 * rates)) @ vectors.conj().T
                found.append(spin_mpo(matrix, sites, walk.state.sites, walk.state.code))
            return joined(found, list(self._spectra))

        for operator in remembered(self._factors, span, operators, _REMEMBERED):
            walk = self._apply(walk, operator, min(self._spectra)[0])
        return walk
