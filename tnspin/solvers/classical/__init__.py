"""Classical spins: Landau-Lifshitz-Gilbert equation, integrator, comparison with quantum runs."""

from tnspin.solvers.classical.solver import Llg

__all__ = ["Llg"]
