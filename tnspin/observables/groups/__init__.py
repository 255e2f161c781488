"""Density matrices of two groups of spins in compressed bases."""
