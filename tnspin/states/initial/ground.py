"""Ground state of a model, by DMRG as a matrix product state or by diagonalization."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError, nearest
from tnspin.operators.basis import ChargeBasis
from tnspin.schema.checks import checked
from tnspin.schema.register import register
from tnspin.schema.types import Count, Fraction
from tnspin.states.initial.base import Description, InitialState
from tnspin.states.vector import VectorState

if TYPE_CHECKING:
    from tnspin.mps.state import MPS

#: Largest space that is diagonalized densely: below it Lanczos saves nothing.
_DENSE = 300


@dataclass(frozen=True, eq=False, repr=False)
class GroundState(Description):
    """Ground state of ``model`` at t = 0, computed in the representation that a solver needs.

    Attributes
    ----------
    model
        Any model with a ``hamiltonian``.
    charges
        Values of conserved charges that select the sector.  A charge left out is not
        conserved by the state: the lowest energy of all sectors is sought.
    bond_dim, cutoff, sweeps
        Passed to DMRG; unused by diagonalization.
    """

    model: Any
    charges: Mapping[str, int] = field(default_factory=dict)
    bond_dim: int = 200
    cutoff: float = 1e-12
    sweeps: int = 20

    def conserved(self) -> tuple[str, ...]:
        """Names of the charges that were fixed."""
        return tuple(self.charges)

    def total_charge(self, charge_names: Sequence[str]) -> dict[str, int]:
        """Values of the named charges."""
        return {name: self.charges[name] for name in charge_names}

    def to_mps(self, charge_names: Sequence[str] = ()) -> MPS:
        """Ground state by two-site DMRG in the sector, with blocks of the named charges."""
        from tnspin.mps.dmrg import ground_state

        for name in charge_names:
            if name not in self.charges:
                raise InputError(f"state.charges: no value for the charge {name!r}")
        # Block labels follow the order of the names that the run uses.
        ordered = (*charge_names, *(name for name in self.charges if name not in charge_names))
        found = ground_state(
            self.model.hamiltonian,
            {name: self.charges[name] for name in ordered},
            bond_dim=self.bond_dim,
            cutoff=self.cutoff,
            sweeps=self.sweeps,
        )
        if not found.converged:
            warnings.warn(
                f"ground state not converged: the energy still changed by {found.change:.1e} in "
                f"sweep {found.sweeps}; raise state.bond_dim or state.sweeps",
                RuntimeWarning,
                stacklevel=2,
            )
        return found.state.with_charges(charge_names)

    def to_vector(self, basis: ChargeBasis | None = None) -> VectorState:
        """Lowest eigenvector in a charge sector or in the full space."""
        import scipy.sparse.linalg

        from tnspin.operators.sparse import to_sparse

        matrix = to_sparse(self.model.hamiltonian, basis)
        if matrix.shape[0] <= _DENSE:
            vector = np.linalg.eigh(matrix.toarray())[1][:, 0]
        else:
            # A fixed start makes the run repeatable.
            start = np.random.default_rng(0).normal(size=matrix.shape[0])
            found = scipy.sparse.linalg.eigsh(matrix, k=1, which="SA", v0=start, tol=1e-13)
            vector = found[1][:, 0]
        vector = vector.astype(complex) / np.linalg.norm(vector)
        return VectorState(self.model.local_sites, vector, basis)


@register
@dataclass(frozen=True)
class Ground(InitialState):
    """Ground state of the model, in a charge sector if one is given.

    Parameters
    ----------
    charges
        Table of charge values, for example ``{"N": 8, "2Sz": 0}``.  A model with electrons
        needs "N"; a charge left out is not fixed.
    bond_dim
        Largest bond dimension of DMRG.
    cutoff
        Largest weight that DMRG discards at a bond.
    sweeps
        Largest number of DMRG sweeps.
    """

    kind = "ground"

    charges: Mapping[str, int] | None = None
    bond_dim: Count = 200
    cutoff: Fraction = 1e-12
    sweeps: Count = 20

    def check(self) -> None:
        """Refuse charges that are no whole numbers."""
        for name, value in (self.charges or {}).items():
            checked(f"state.charges.{name}", value, int)

    def build(self, model: Any) -> GroundState:
        """Ground state of any model with a ``hamiltonian``.

        Raises
        ------
        InputError
            If a charge is not conserved, or the number of electrons is missing.
        """
        conserved, wanted = model.hamiltonian.conserved(), dict(self.charges or {})
        for name in wanted:
            if name not in conserved:
                raise InputError(
                    f"state.charges: {name!r} is not conserved by this model (conserved: "
                    f"{', '.join(conserved) or 'none'}){nearest(name, conserved)}"
                )
        if "N" in conserved and "N" not in wanted:
            raise InputError("state.charges: a model with electrons needs their number, N")
        return GroundState(model, wanted, self.bond_dim, self.cutoff, self.sweeps)


def ground(model: Any, *keys: Any, **more: Any) -> GroundState:
    """Ground state of a model; the keys are those of `Ground`."""
    return Ground(*keys, **more).build(model)
