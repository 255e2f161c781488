"""Quantum Landau-Lifshitz-Gilbert equation of density matrices."""

from tnspin.solvers.quantum_llg.solver import QuantumLl, QuantumLlg

__all__ = ["QuantumLl", "QuantumLlg"]
