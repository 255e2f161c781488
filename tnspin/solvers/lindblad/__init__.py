"""Lindblad equation of dense density matrices, and its steady states."""
