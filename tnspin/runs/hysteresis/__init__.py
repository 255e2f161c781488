"""Hysteresis: a field taken down and up, with any solver that continues from its own states."""
