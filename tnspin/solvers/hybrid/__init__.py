"""Quantum electrons among classical spins."""

from tnspin.solvers.hybrid.solver import Hybrid

__all__ = ["Hybrid"]
