"""The figure of results that have none of their own: one panel for each variable."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.figures.accuracy import write_accuracy
from tnspin.figures.labels import edges, time_label, times, title, unit
from tnspin.figures.layout import DISCARDED, DRIFT
from tnspin.figures.panel import Curve, Panel, components, draw
from tnspin.figures.style import AXES, BLUE, letter, new_figure
from tnspin.results.facts import conserved
from tnspin.results.result import Result

# Drawn together as truncation, and as drift.
_TRUNCATION = {"discarded_weight", "bond_dim"}
_KEPT = {"norm", "particle_number"}


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
    panels = [_panel(result, name) for name in names if name not in _TRUNCATION | _KEPT]
    panels += [DISCARDED] * bool(_TRUNCATION & set(names))
    moved = any(np.ptp(result[name]) > 0 for name in conserved(result))
    panels += [DRIFT] * (moved and bool(_KEPT & set(names)))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    drawing = new_figure(4.6 * columns, 3.0 * rows + 0.5)
    drawing.suptitle(title(result), fontsize=13)
    axes = [drawing.add_subplot(rows, columns, k + 1) for k in range(len(panels))]
    for ax, panel in zip(axes, panels, strict=True):
        draw(ax, result, panel)
        ax.set_xlabel(time_label(result))
    letter(axes)
    write_accuracy(drawing, [result])
    return drawing


def _panel(result: Result, name: str) -> Panel:
    """A line, the components of a vector, or a map."""
    variable = result.variables[name]
    data, label = variable.data, f"{name.replace('_', ' ')}{unit(variable)}"
    if data.ndim == 1:
        return Panel(name, label, (Curve(name, BLUE),))
    if data.shape[-1] == 3 and variable.dims[-1] == "axis":
        every, legend = data.reshape(len(data), -1, 3), {"share": 0.2, "ncols": 3}
        mean = components(every.mean(axis=1))
        if data.ndim == 2:
            return Panel(name, label, mean, zero="0.85", legend=legend)
        # A mean hides what neighbours that point in opposite directions do.
        label = f"{name.replace('_', ' ')}, mean and range{unit(variable)}"
        extra = partial(_range, every=every)
        return Panel(name, label, mean, extra=extra, zero="0.85", legend=legend, shading="")
    return Panel(name, variable.dims[-1], extra=partial(_map, name=name), shading="")


def _range(ax: Axes, result: Result, every: np.ndarray) -> None:
    for k, colour in enumerate(AXES):
        low, high = every[..., k].min(axis=1), every[..., k].max(axis=1)
        ax.fill_between(times(result), low, high, color=colour, alpha=0.15, lw=0)


def _map(ax: Axes, result: Result, name: str) -> None:
    flat = result[name].reshape(len(result[name]), -1)
    cells = edges(times(result)), np.arange(flat.shape[1] + 1) - 0.5
    image = ax.pcolormesh(*cells, flat.T, cmap="cividis", rasterized=True)
    ax.figure.colorbar(image, ax=ax, label=unit(result.variables[name]).strip(" ()"))
