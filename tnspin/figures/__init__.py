"""Figures of a result; nothing here needs a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.figures.certificate import certificate_figure, save_certificate_figure
from tnspin.figures.chain import chain_figure, neel_figure
from tnspin.figures.common import STYLE, save
from tnspin.figures.dimer import dimer_figure
from tnspin.figures.hysteresis import hysteresis_figure
from tnspin.figures.long_chain import long_chain_figure
from tnspin.figures.open_heisenberg import open_heisenberg_figure
from tnspin.figures.other import edge_figure, generic_figure
from tnspin.figures.overlay import overlay_figure
from tnspin.figures.pulse import pulse_figure
from tnspin.figures.sweep import sweep_figure
from tnspin.figures.valve import valve_figure
from tnspin.results.facts import kind_of_figure
from tnspin.results.result import Result

__all__ = [
    "certificate_figure",
    "chain_figure",
    "dimer_figure",
    "edge_figure",
    "figure",
    "generic_figure",
    "hysteresis_figure",
    "long_chain_figure",
    "neel_figure",
    "open_heisenberg_figure",
    "overlay_figure",
    "pulse_figure",
    "save_certificate_figure",
    "save_figure",
    "save_overlay",
    "sweep_figure",
    "valve_figure",
]


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

    ``names`` say which is which where their configurations do not.

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
    """Choose and draw the figure for a result."""
    with mpl.rc_context(STYLE):
        if "sweep" in result.attrs:
            return sweep_figure(result)
        return FIGURES[kind_of_figure(result)](result)


#: How a result is drawn, by the kind of figure that its run has written.
FIGURES = {
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
