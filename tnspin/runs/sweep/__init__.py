"""Sweeps: a grid of runs in a folder, carried out by many processes, each of which may die."""
