"""Figures of a result; nothing here needs a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.figures.certificate import certificate_figure, save_certificate_figure
from tnspin.figures.chain import chain_figure, neel_figure
from tnspin.figures.common import STYLE, parameters, save
from tnspin.figures.dimer import dimer_figure
from tnspin.figures.hysteresis import hysteresis_figure
from tnspin.figures.long_chain import long_chain_figure
from tnspin.figures.open_heisenberg import open_heisenberg_figure
from tnspin.figures.other import edge_figure, generic_figure
from tnspin.figures.overlay import overlay_figure
from tnspin.figures.pulse import pulse_figure
from tnspin.figures.sweep import sweep_figure
from tnspin.figures.valve import valve_figure
from tnspin.results.onsets import group_members
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
        if "mutual_information_closed_form" in result:
            return edge_figure(result)
        pairs = {"spin", "correlation_matrix", "bell_nonlocality"} <= set(result)
        if pairs and result["spin"].shape[1] == 2:
            return dimer_figure(result)
        if "loop_spin" in result:
            return hysteresis_figure(result)
        open_chain = parameters(result).get("model", {}).get("kind") == "open_heisenberg"
        if {"spin", "classical_spin"} <= set(result) and open_chain:
            return open_heisenberg_figure(result)
        if {"spin", "classical_spin"} <= set(result) and "electron_density" not in result:
            return chain_figure(result)
        if {"spin", "operator_entropy", "block_log_negativity"} <= set(result):
            return long_chain_figure(result)
        if {"spin", "log_negativity"} <= set(result) and len(group_members(result)) == 2:
            return valve_figure(result)
        if {"spin", "log_negativity", "neel_overlap"} <= set(result):
            return neel_figure(result)
        if {"electron_density", "electron_spin", "spin"} <= set(result):
            return pulse_figure(result)
        return generic_figure(result)
