"""Sweeps: a grid of runs in a folder, carried out by many processes, each of which may die."""

from tnspin.sweep.collect import collect, gather
from tnspin.sweep.folder import open_folder
from tnspin.sweep.grid import Axis, Grid, Run, grid_of, parse_over
from tnspin.sweep.lead import lead
from tnspin.sweep.runs import Outcome, Task, carry_out

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
