"""Quantum jumps: sampled wave functions and their averages."""
