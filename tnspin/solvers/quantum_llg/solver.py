"""The quantum Landau-Lifshitz-Gilbert and Landau-Lifshitz equations for any density matrix.

    quantum_llg: rho' = i [rho, H] + i kappa [rho, rho']             (QLLG Eq. 3)
    quantum_ll:  rho' = i [rho, H] - kappa [rho, [rho, H]]           (Wieser, PRL 110, 147201)

Both keep all eigenvalues of rho, so only eigenvectors are evolved (`isospectral`):
one for a pure state, also of many spins, and one for a Werner state.  They stay within the
subspaces that H and rho cannot leave (`invariant`), which keeps round-off from
growing in lower-lying sectors that the state has no access to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal

from tnspin.errors import InputError
from tnspin.schema import register
from tnspin.schema.types import Count, Natural, NonNegative, Positive, Share, Temperature
from tnspin.solvers.solver import Solver, check_realizations
from tnspin.solvers.start import Jumps, Problem, check_size, vectors


@register
@dataclass(frozen=True)
class QuantumLlg(Solver):
    """Quantum Landau-Lifshitz-Gilbert equation: eigenvectors move, eigenvalues cannot (QLLG Eq. 3).

    Parameters
    ----------
    kappa
        Damping; of one spin 1/2 with Bloch vector r it is a Gilbert damping kappa |r|.
    tolerance
        Error of each step in the norm of the eigenvectors.
    temperature
        Temperature of a stochastic noise operator (suggested in QLLG's outlook).
    noise
        ``field``: a magnetic field on every localized spin, as strong as that of classical spins
        with damping kappa (<b b'> = 2 kappa T / S per component).  ``operator``: a random
        Hermitian matrix, equally strong in all directions of the Hilbert space.  A pure state then
        samples exp(-<H>/T) over all pure states exactly, and of one spin 1/2 both are the same.
    dt
        Largest step of runs with noise.
    realizations
        Realizations of the noise, unless the initial state has several already.
    seed
        Seed of the noise, which depends on the start of an interval and nothing else.
    """

    kind = "quantum_llg"
    represents: ClassVar[str] = "isospectral"
    accepts: ClassVar[tuple[str, ...]] = ()

    kappa: NonNegative = 0.5
    tolerance: Share = 1e-12
    temperature: Temperature = 0.0
    noise: Literal["field", "operator"] = "field"
    dt: Positive = 0.01
    realizations: Count = 1
    seed: Natural = 0

    @property
    def noisy(self) -> bool:
        """Whether there is a temperature."""
        return self.temperature > 0

    @property
    def damped(self) -> bool:
        """Whether there is a damping."""
        return self.kappa > 0

    def conserved(self, model: Any, jumps: Jumps = ()) -> tuple[str, ...]:
        """Constants of motion; damping keeps the eigenvalues, and with them the purity."""
        names = super().conserved(model, jumps)
        return names if self.noisy or "purity" in names else (*names, "purity")

    def check(self) -> None:
        """Several realizations need noise."""
        check_realizations(self)

    def charges(self, problem: Problem, jumps: Jumps) -> list[str]:
        """Charges of the run; noise points anywhere and conserves no spin."""
        names = super().charges(problem, jumps)
        return [name for name in names if not (self.temperature and name == "2Sz")]

    def is_dense(self, problem: Problem, names: Sequence[str]) -> bool:
        """Always."""
        return True

    def prepare(self, problem: Problem, jumps: Jumps) -> Callable[[], Any]:
        """Builder of state vectors, or of the density matrix that a purified state gives."""
        from tnspin.states.density import MOST_ELEMENTS, DensityState

        if not problem.initial.purified:
            names = self.charges(problem, jumps)
            check_size(problem, names, MOST_ELEMENTS // 8)
            return vectors(problem, names)
        sites = problem.model.local_sites
        size = prod(float(site.dim) for site in sites) ** 2
        if size > MOST_ELEMENTS:
            raise InputError(
                f"solver.kind = {self.kind!r}: a density matrix of {size:.1e} elements does not "
                f"fit (at most {MOST_ELEMENTS:.1e}); use fewer sites"
            )

        def build() -> DensityState:
            vector = problem.initial.to_vector()
            rho = vector.rdm(range(len(sites)), [site.dim for site in sites])
            return DensityState(sites, rho)

        return build

    @classmethod
    def motion(cls) -> type[Any]:
        """Class of the evolution."""
        from tnspin.solvers.quantum_llg.evolve import SpectralMotion

        return SpectralMotion


@register
@dataclass(frozen=True)
class QuantumLl(QuantumLlg):
    """Quantum Landau-Lifshitz equation: damping -kappa [rho, [rho, H]] (PRL 110, 147201)."""

    kind = "quantum_ll"
