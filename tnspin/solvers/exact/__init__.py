"""Exact propagation of state vectors."""

from tnspin.solvers.exact.solver import Exact

__all__ = ["Exact"]
