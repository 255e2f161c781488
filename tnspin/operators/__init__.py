"""Sums of local operators, and all that they compile to."""
