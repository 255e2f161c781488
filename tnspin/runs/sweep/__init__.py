"""Sweeps: a grid of runs in a folder, carried out by many processes, each of which may die."""

from tnspin.runs.sweep.collect import collect, gather
from tnspin.runs.sweep.folder import open_folder
from tnspin.runs.sweep.grid import Axis, Grid, Run, grid_of, parse_over
from tnspin.runs.sweep.runs import Outcome, Task, carry_out
from tnspin.runs.sweep.workers import lead

__all__ = [
    "Axis",
    "Grid",
    "Outcome",
    "Run",
    "Task",
    "carry_out",
    "collect",
    "gather",
    "grid_of",
    "lead",
    "open_folder",
    "parse_over",
]
