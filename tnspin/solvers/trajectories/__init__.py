"""Quantum jumps: sampled wave functions and their averages."""

from tnspin.solvers.trajectories.solver import Trajectories

__all__ = ["Trajectories"]
