"""Figures of closed forms, and of anything that has no figure of its own."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.figures.common import (
    AXES,
    BLACK,
    BLUE,
    ORANGE,
    above,
    band,
    components,
    edges,
    letter,
    new_figure,
    time_label,
    times,
    title,
    unit,
)
from tnspin.figures.ledger import footer
from tnspin.figures.panels import discarded_panel, drift_panel, mark_unconverged
from tnspin.figures.stack import Panel
from tnspin.results.facts import conserved
from tnspin.results.result import Result

# Drawn together as truncation, and as drift.
_TRUNCATION = {"discarded_weight", "bond_dim"}
_KEPT = {"norm", "particle_number"}


def edge_figure(result: Result) -> Figure:
    """Mutual information of the edge spins against the length of the ferromagnet."""
    drawing = new_figure(7.0, 4.6)
    ax = drawing.add_subplot()
    ax.set_title("edge spins of a ferromagnet")
    letter([ax])
    sizes = result["n_localized"]
    ax.plot(sizes, result["mutual_information_closed_form"], color=BLUE, label="closed form")
    ax.plot(
        sizes, result["mutual_information"], "o", mfc="none", color=ORANGE, markersize=5,
        label="from the density matrix",
    )  # fmt: skip
    ax.axhline(np.log(2) / 2, color=BLACK, ls="--", lw=1, label="limit, (ln 2)/2")
    ax.set_xscale("log")
    marks = [n * 10**k for k in range(6) for n in (1, 2, 5) if 2 <= n * 10**k <= sizes[-1]]
    ax.set_xticks(marks, [str(mark) for mark in marks])
    ax.minorticks_off()
    ax.set_xlabel("number of localized spins, as many electrons")
    ax.set_ylabel("mutual information of the edge spins (nat)")
    ax.legend()
    footer(drawing, [result])
    return drawing


def generic_figure(result: Result) -> Figure:
    """One panel for each variable that depends on time; statistical errors of lines as bands."""
    errors = {f"{name}_error" for name in result}
    names = [
        name for name, v in result.variables.items()
        if v.dims[0] == "time" and v.data.dtype.kind in "fi"
        and name not in {"time", "time_fs", *errors}
    ]  # fmt: skip
    if not names:
        raise InputError("FILE: holds nothing that depends on time; there is nothing to draw")
    panels: list[Panel] = [
        partial(_panel, name=name) for name in names if name not in _TRUNCATION | _KEPT
    ]
    if _TRUNCATION & set(names):
        panels.append(discarded_panel)
    if _KEPT & set(names) and any(np.ptp(result[name]) > 0 for name in conserved(result)):
        panels.append(drift_panel)
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    drawing = new_figure(4.6 * columns, 3.0 * rows + 0.5)
    drawing.suptitle(title(result), fontsize=13)
    axes = [drawing.add_subplot(rows, columns, k + 1) for k in range(len(panels))]
    for ax, draw in zip(axes, panels, strict=True):
        draw(ax, result)
        ax.set_xlabel(time_label(result))
        if not ax.collections and draw not in (discarded_panel, drift_panel):
            mark_unconverged(ax, result, note=False)
    letter(axes)
    footer(drawing, [result])
    return drawing


def _panel(ax: Axes, result: Result, name: str) -> None:
    variable, axis = result.variables[name], times(result)
    data, measured = variable.data, unit(variable)
    ax.set_title(name)
    ax.set_ylabel(f"{name.replace('_', ' ')}{measured}")
    if data.ndim == 1:
        ax.plot(axis, data, color=BLUE)
        if f"{name}_error" in result:
            band(ax, result, data, result[f"{name}_error"], BLUE)
    elif data.shape[-1] == 3 and variable.dims[-1] == "axis":
        every = data.reshape(axis.size, -1, 3)
        components(ax, result, every.mean(axis=1))
        if data.ndim > 2:
            # A mean hides what neighbours that point in opposite directions do.
            ax.set_ylabel(f"{name.replace('_', ' ')}, mean and range{measured}")
            for k, colour in enumerate(AXES):
                low, high = every[..., k].min(axis=1), every[..., k].max(axis=1)
                ax.fill_between(axis, low, high, color=colour, alpha=0.15, lw=0)
        above(ax, share=0.2, ncols=3)
    else:
        flat = data.reshape(axis.size, -1)
        image = ax.pcolormesh(
            edges(axis), np.arange(flat.shape[1] + 1) - 0.5, flat.T, cmap="cividis",
            rasterized=True,
        )  # fmt: skip
        ax.figure.colorbar(image, ax=ax, label=measured.strip(" ()"))
        ax.set_ylabel(variable.dims[-1])
