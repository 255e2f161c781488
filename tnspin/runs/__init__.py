"""Runs: configuration, preparation, evolution, checkpoints, certificates, sweeps."""
