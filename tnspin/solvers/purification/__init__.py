"""Density matrices in locally purified form."""

from tnspin.solvers.purification.solver import Purification

__all__ = ["Purification"]
