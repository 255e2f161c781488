"""Quantum trajectories of matrix product states: Trotter steps of H, decay as an MPO.

The decay exp(-i (H - i/2 sum L+L) t) is split symmetrically into steps of H and factors
exp(-s/2 sum L+L) of each group of spins, applied to the matrix product state as operators and
compressed.  The error is second order in the step.  Decay is much slower than everything else, so
that its step may be longer than that of H for the same error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, exp
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.algebra import joined
from tnspin.mps.expectation import Expectation
from tnspin.mps.ledger import Ledger
from tnspin.mps.state import MPS
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import Tebd, single_threaded_blas
from tnspin.numerics.parallel import threads_here
from tnspin.operators.bonds import bonds
from tnspin.operators.dissipator import decay
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.spin_mpo import Operator, SpinOperator
from tnspin.solvers.lindblad.jumps_on_states import damping, reduced_rates, remembered

if TYPE_CHECKING:
    from tnspin.models import Model
    from tnspin.operators.jump_operator import JumpOperator
    from tnspin.solvers.trajectories.walk import Backend

__all__ = ["MPSBackend", "ProductBackend", "TdvpBackend", "Walk", "backend"]

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

    if options.pop("order", 2) != 2:
        raise InputError("solver.order: beyond neighbours TDVP takes over, which has order 2")
    options.pop("method", None)
    return TdvpBackend(model, jumps, names, **options)


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnspin.operators.jump_operator import JumpOperator

# Of the logarithm of the norm squared: jump times are no better than the Trotter step anyway.
_JUMP_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Walk:
    """A normalized state, the norm squared it stands for, and what truncation has cost."""

    state: MPS
    norm2: float
    ledger: Ledger


class ProductBackend(ABC):
    """Matrix product states for `tnspin.solvers.trajectories.walk`, but for how they move.

    Parameters
    ----------
    jumps : sequence of JumpOperator
        What may happen to the localized spins.
    names : sequence of str
        Charges that are definite on every trajectory.
    tolerance : float
        Of the logarithm of the norm squared at which a jump happens, but not below 1e-5.
    dt : float
        Longest step.
    bond_dim, cutoff
        Limits of every truncation.
    """

    def __init__(
        self,
        jumps: Sequence[JumpOperator],
        names: Sequence[str],
        *,
        tolerance: float,
        dt: float,
        bond_dim: int,
        cutoff: float,
    ) -> None:
        self.jumps = tuple(jumps)
        self.names = tuple(names)
        self.tolerance = max(tolerance, _JUMP_TOLERANCE)
        self.dt = dt
        self.limits: dict[str, Any] = {"cutoff": cutoff, "bond_dim": bond_dim}
        self._operators: dict[int, Operator] = {}

    def start(self, state: MPS) -> Walk:
        """The normalized state with the charges that stay definite."""
        kept = state.with_charges(self.names).copy()
        kept.canonicalize()
        return Walk(kept, 1.0, Ledger.empty(kept.length))

    def advance(self, walk: Walk, span: float) -> Walk:
        """exp(-i (H - i/2 sum L+L) span) times the state."""
        if span <= 0:
            return walk
        steps = max(1, ceil(span / self.dt - 1e-9))
        return self._steps(walk, span / steps, steps)

    def norm2(self, walk: Walk) -> float:
        """Norm squared: the probability that no jump has happened."""
        return walk.norm2

    def jump(self, walk: Walk, which: int | None) -> Walk:
        """Apply a jump operator (None: nothing) and normalize."""
        if which is not None:
            site = self.jumps[which].sites[0]
            walk = self._apply(walk, self._operator(walk.state, which), site)
        return Walk(walk.state, 1.0, walk.ledger)

    def measured(self, walk: Walk) -> tuple[MPS, NDArray[np.float64]]:
        """What observables look at, and the discarded weight of each bond."""
        return walk.state, walk.ledger.discarded

    @abstractmethod
    def _steps(self, walk: Walk, step: float, steps: int) -> Walk:
        """Equal steps of H - i/2 sum L+L."""

    def _operator(self, state: MPS, which: int) -> Operator:
        """A jump operator on the chain of a state."""
        if which not in self._operators:
            on_sites = self.jumps[which].on(state.sites)
            self._operators[which] = on_sites.on_chain(state.sites, state.code)
        return self._operators[which]

    def _apply(self, walk: Walk, operator: Operator, site: int) -> Walk:
        with single_threaded_blas():
            after, norm, discarded = walk.state.apply(operator, **self.limits)
        ledger = walk.ledger.copy()
        # One bond stands for all that compressing the product has cost.
        ledger.add(min(site, after.length - 2), discarded)
        return Walk(after, walk.norm2 * norm**2, ledger)


class MPSBackend(ProductBackend):
    """Moves and measures matrix product states for `tnspin.solvers.trajectories.walk`.

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
            found, chain, code = [], walk.state.sites, walk.state.code
            for sites, (rates, vectors) in self._spectra.items():
                matrix = (vectors * np.exp(-span / 2 * rates)) @ vectors.conj().T
                operator = SpinOperator.from_matrix(matrix, sites, chain, "2Sz" in code.names)
                found.append(operator.on_chain(chain, code))
            return joined(found, list(self._spectra))

        for operator in remembered(self._factors, span, operators, _REMEMBERED):
            walk = self._apply(walk, operator, min(self._spectra)[0])
        return walk


if TYPE_CHECKING:
    from tnspin.models import Model
    from tnspin.mps.state import MPS
    from tnspin.operators.jump_operator import JumpOperator

# Relative error of L+L; the decay is slow, so that this is far less in the state.
_SQUARES = 1e-7


class TdvpBackend(ProductBackend):
    """Moves and measures matrix product states for `tnspin.solvers.trajectories.walk`.

    Parameters
    ----------
    model : Model
        With terms of any range, constant in time.
    jumps : sequence of JumpOperator
        What may happen to its localized spins.
    names, tolerance
        See `ProductBackend`.
    dt, bond_dim, cutoff
        As for `tnspin.solvers.tdvp`.
    """

    def __init__(
        self,
        model: Model,
        jumps: Sequence[JumpOperator],
        names: Sequence[str],
        *,
        tolerance: float = 1e-8,
        dt: float = 0.1,
        bond_dim: int = 400,
        cutoff: float = 1e-7,
    ) -> None:
        super().__init__(jumps, names, tolerance=tolerance, dt=dt, bond_dim=bond_dim, cutoff=cutoff)
        self._hamiltonian = model.hamiltonian
        self._sites = model.local_sites
        self._decay = decay(self._sites, jumps, _SQUARES) if jumps else None
        self._engines: dict[int, Tdvp] = {}
        self._squares: list[Expectation] = []

    def _steps(self, walk: Walk, step: float, steps: int) -> Walk:
        engine = self._engine(walk.state)
        engine.state, engine.ledger = walk.state.copy(), walk.ledger.copy()
        engine.log_norm = 0.0
        for _ in engine.advance(0.0, step, steps):
            pass
        return Walk(engine.state, walk.norm2 * exp(2 * engine.log_norm), engine.ledger)

    def rates(self, walk: Walk) -> Iterator[float]:
        """``||L psi||^2`` of each jump operator in the normalized state."""
        if not self._squares:
            empty = OperatorSum(self._sites)
            for jump in self.jumps:
                # -i/2 L+L.
                term = decay(self._sites, [jump], _SQUARES)
                self._squares.append(Expectation(empty, self.names, term))
        for square in self._squares:
            yield max(0.0, -2 * square(walk.state).imag)

    def _engine(self, state: MPS) -> Tdvp:
        """TDVP in the sector of a state."""
        key = int(state.bonds[-1].keys[0])
        if key not in self._engines:
            self._engines[key] = Tdvp(
                state, self._hamiltonian, hermitian=self._decay is None, constant=self._decay,
                threads=threads_here(), **self.limits,
            )  # fmt: skip
        return self._engines[key]
