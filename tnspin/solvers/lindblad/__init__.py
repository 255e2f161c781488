"""The Lindblad equation of dense density matrices, and its steady states."""

from tnspin.solvers.lindblad.solver import MasterEquation

__all__ = ["MasterEquation"]
