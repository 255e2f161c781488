"""Compiled kernels of the engine."""
