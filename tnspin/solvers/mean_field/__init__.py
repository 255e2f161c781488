"""Product states of spins under a Hamiltonian and a bath."""

from tnspin.solvers.mean_field.solver import MeanField

__all__ = ["MeanField"]
