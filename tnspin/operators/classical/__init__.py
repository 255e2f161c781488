"""Classical energies and fields, compiled from operator sums."""
