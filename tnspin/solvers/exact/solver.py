"""Exact propagation of state vectors: the referee of every many-body run that fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from tnspin.schema import register
from tnspin.schema.types import Range
from tnspin.solvers.solver import Solver
from tnspin.solvers.start import (
    MOST_AMPLITUDES,
    MOST_OF_ONE_ELECTRON,
    Jumps,
    Problem,
    check_size,
    vectors,
)

# Vectors that a series needs in addition to the state; bytes of a matrix element and its index.
_VECTORS, _ELEMENT = 6, 20


@register
@dataclass(frozen=True)
class Exact(Solver):
    """Chebyshev propagation of the state vector in its charge sector.

    Constant Hamiltonians take one series per time interval.  Time-dependent ones take the
    exponential midpoint rule exp(-i h H(t + h/2)), extrapolated to order 12 with adaptive steps
    (`tnspin.numerics.adaptive`); their coefficients must be smooth between two output times.

    Parameters
    ----------
    tolerance
        Error of each interval (constant H) or of each step (time-dependent H), relative to the
        norm.
    """

    kind = "exact"
    represents: ClassVar[str] = "vector"
    mixes: ClassVar[bool] = False

    tolerance: Annotated[float, Range(least=1e-15, most=1e-2)] = 1e-13

    @classmethod
    def motion(cls) -> type[Any]:
        """Class of the evolution."""
        from tnspin.solvers.exact.hamiltonian import VectorMotion

        return VectorMotion

    def is_dense(self, problem: Problem, names: Sequence[str]) -> bool:
        """Always."""
        return True

    def prepare(self, problem: Problem, jumps: Jumps) -> Callable[[], Any]:
        """Builder of state vectors, or of amplitudes of one electron among spins."""
        return exact_start(problem, self.charges(problem, jumps))

    def memory(self, problem: Problem) -> float | None:
        """Bytes of the vectors of a series, and of the matrix elements of H."""
        size = self.size(problem)
        if size.amplitudes > (MOST_OF_ONE_ELECTRON if size.one_electron else MOST_AMPLITUDES):
            return None
        vector = 16 * (size.amplitudes + _VECTORS * size.amplitudes / size.members)
        if size.one_electron:
            return vector
        # A matrix element for every neighbour that can be flipped, half of them for a given state.
        return vector + _ELEMENT * size.amplitudes / size.members * (1 + size.sites / 2)


def exact_start(problem: Problem, names: Sequence[str]) -> Callable[[], Any]:
    """Builder of the initial state in exact form, once it is known to fit."""
    one_electron = problem.one_electron(names)
    check_size(problem, names, MOST_OF_ONE_ELECTRON if one_electron else MOST_AMPLITUDES)
    if not one_electron:
        return vectors(problem, names)
    return lambda: problem.mixed([one.to_one_electron(names) for one in problem.pure])
