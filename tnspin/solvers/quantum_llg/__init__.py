"""Quantum Landau-Lifshitz-Gilbert equation of density matrices."""
