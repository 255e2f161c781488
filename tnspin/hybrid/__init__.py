"""Quantum electrons among classical spins: the conventional picture of spin-transfer torque.

Electrons are a time-dependent Slater determinant, localized spins unit vectors; both follow from
the same operator sum as the quantum run.
"""

from __future__ import annotations

from tnspin.hybrid.energy import HybridEnergy, hybrid_energy, hybrid_energy_of
from tnspin.hybrid.state import HybridState

__all__ = ["HybridEnergy", "HybridState", "hybrid_energy", "hybrid_energy_of"]
