"""Hysteresis: a field swept down and up, with any solver that continues from its own states."""
