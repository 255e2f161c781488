"""Figures of results; nothing here needs a display."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.figures.certificate import certificate_figure, save_certificate_figure
from tnspin.figures.comparison import overlay_figure, sweep_figure
from tnspin.figures.pulses import pulse_figure, valve_figure
from tnspin.figures.scans import edge_figure, hysteresis_figure
from tnspin.figures.spins import (
    chain_figure,
    dimer_figure,
    long_chain_figure,
    neel_figure,
    open_heisenberg_figure,
)
from tnspin.figures.style import STYLE, save
from tnspin.figures.variables import generic_figure
from tnspin.results.facts import kind_of_figure
from tnspin.results.result import Result

__all__ = [
    "FIGURES",
    "certificate_figure",
    "figure",
    "overlay_figure",
    "save_certificate_figure",
    "save_figure",
    "save_overlay",
    "sweep_figure",
]

#: Kind of figure that a run has written into its result -> how it is drawn.
FIGURES: dict[str, Callable[[Result], Figure]] = {
    "edge_information": edge_figure,
    "dimer": dimer_figure,
    "hysteresis": hysteresis_figure,
    "open_heisenberg": open_heisenberg_figure,
    "chain": chain_figure,
    "long_chain": long_chain_figure,
    "valve": valve_figure,
    "neel": neel_figure,
    "pulse": pulse_figure,
    "variables": generic_figure,
}


def save_figure(result: Result, path: Path) -> None:
    """Draw the figure for this kind of run and write it (format from the suffix).

    Raises
    ------
    InputError
        If the suffix is not a format that matplotlib writes.
    """
    save(path, lambda: figure(result))


def save_overlay(results: Sequence[Result], names: Sequence[str], path: Path) -> None:
    """Draw several results on the same axes and write the figure (format from the suffix).

    ``names`` tell apart results whose configurations do not.

    Raises
    ------
    InputError
        If the suffix is not a format that matplotlib writes, or the results have nothing in
        common that could be compared.
    """
    if any("sweep" in result.attrs for result in results):
        raise InputError("FILE: a sweep has a figure of its own; draw it alone")
    save(path, lambda: overlay_figure(results, names))


def figure(result: Result) -> Figure:
    """Draw the figure for a result."""
    with mpl.rc_context(STYLE):
        draw = sweep_figure if "sweep" in result.attrs else FIGURES[kind_of_figure(result)]
        return draw(result)
