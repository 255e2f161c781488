"""Density matrices as matrix product states."""

from tnspin.solvers.density_matrix.solver import DensityMatrix

__all__ = ["DensityMatrix"]
