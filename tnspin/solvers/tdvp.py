"""Matrix product states under Hamiltonians of any range: two-site TDVP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tnspin.errors import InputError
from tnspin.schema import register
from tnspin.schema.types import Count, Fraction, Positive, Share, Threads
from tnspin.solvers.solver import Solver, check_charges
from tnspin.solvers.tebd import NetworkMotion

if TYPE_CHECKING:
    from tnspin.models import Model
    from tnspin.mps.ledger import Ledger
    from tnspin.mps.state import MPS

__all__ = ["Tdvp"]


@register
@dataclass(frozen=True)
class Tdvp(Solver):
    """Two-site time-dependent variational principle, for Hamiltonians of any range.

    The error of a step is of third order; coefficients that depend on time are taken at the middle
    of each step.

    Parameters
    ----------
    dt
        Largest step; each interval between output times is divided evenly.
    bond_dim
        Largest number of Schmidt values that a split keeps.
    cutoff
        Weight that a split may discard: it keeps as few Schmidt values as that allows.  Below
        1e-12 the first 64 are dropped only if their weight is below the cutoff squared.
    tolerance
        Error of each local exponential, of which a step has four per site.
    threads
        Number of threads that share each product; results do not depend on it.
    """

    kind = "tdvp"
    mixes: ClassVar[bool] = False
    context: ClassVar[tuple[str, ...]] = ("ledger",)
    kernels: ClassVar[tuple[str, ...]] = ("tebd", "tdvp")
    referee: ClassVar[str] = "exact"

    dt: Positive = 0.1
    bond_dim: Count = 400
    cutoff: Fraction = 1e-10
    tolerance: Share = 1e-9
    threads: Threads = 0

    def begin(
        self, model: Model, state: MPS, times: Sequence[float], *, ledger: Ledger | None = None
    ) -> VariationalMotion:
        """Check the state and compile the matrix product operator.

        Raises
        ------
        InputError
            For charges that are not conserved, a single site, or a sum that is not Hermitian.
        """
        from tnspin.mps.tdvp import Tdvp as Engine

        check_charges(model, state.charge_names)
        if not model.hamiltonian.is_hermitian(t=times[0]):
            raise InputError("hamiltonian: not Hermitian")
        engine = Engine(
            state, model.hamiltonian, bond_dim=self.bond_dim, cutoff=self.cutoff,
            tolerance=self.tolerance, threads=self.threads or None, ledger=ledger,
        )  # fmt: skip
        return VariationalMotion(model, state, engine, self.dt)


class VariationalMotion(NetworkMotion):
    """A matrix product state that TDVP moves."""

    def bond_dim(self) -> int:
        """Largest bond dimension, of the sweep under way too."""
        return int(self.engine.bond_dims().max())
