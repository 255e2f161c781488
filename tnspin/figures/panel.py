"""Panels against time: declarations of what they show, and how one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from tnspin.figures.accuracy import mark_unconverged
from tnspin.figures.labels import edges, localized_sites, times
from tnspin.figures.style import AXES, legend_inside, legend_right, steps
from tnspin.results.result import Result

Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class Curve:
    """A line against time, with a band of one standard error if it has one.

    Attributes
    ----------
    values
        (time,) numbers, or the name of a variable, whose errors are in ``NAME_error``; the line
        is left out where the result has no such variable.  An empty array is only in the legend.
    colour, label, style, width
        How it is drawn; without a colour, the next one of the cycle.
    column
        Which column of a (time, ...) variable is meant.
    error
        (time,) standard errors.
    """

    values: str | np.ndarray
    colour: Any = None
    label: str | None = None
    style: str = "-"
    width: float | None = None
    column: int | None = None
    error: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """A panel against time.

    Attributes
    ----------
    title, label
        Title, and label of the vertical axis.
    curves
        Lines, or a function that gives those of a result.
    needs
        Variables without which a figure leaves the panel out.
    extra
        Draws what is no line against time, after the lines.
    limits
        Limits of the vertical axis, or a function that gives them once all is drawn.
    zero, log
        Grey of a line at zero, if there is one; whether the axis is logarithmic, without zeros.
    sites
        Whether the legend is one of sites, on the right.
    legend
        Options of `legend_inside`; None: no legend, or the one that the figure puts on the right.
    shading
        Whether times that are not converged are grey, and said to be so in the title.
    height
        Relative height in a stack.
    """

    title: str | Callable[[Result], str]
    label: str | Callable[[Result], str]
    curves: Sequence[Curve] | Callable[[Result], Sequence[Curve]] = ()
    needs: Sequence[str] = ()
    extra: Callable[[Axes, Result], Any] | None = None
    limits: Limits | Callable[[Axes, Result], Limits] | None = None
    zero: str = ""
    log: bool = False
    sites: bool = False
    legend: dict[str, Any] | None = None
    shading: Literal["", "grey", "explained"] = "grey"
    height: float = 1.0


def draw(ax: Axes, result: Result, panel: Panel) -> None:
    """Draw a panel of a result."""
    for curve in panel.curves(result) if callable(panel.curves) else panel.curves:
        _draw_curve(ax, result, curve, panel.log)
    if panel.log:
        _logarithmic(ax)
    if panel.zero:
        ax.axhline(0, color=panel.zero, lw=0.8, zorder=0)
    # Before what a panel adds, which may know better.
    ax.set_title(panel.title(result) if callable(panel.title) else panel.title)
    ax.set_ylabel(panel.label(result) if callable(panel.label) else panel.label)
    if panel.extra is not None:
        panel.extra(ax, result)
    if panel.limits is not None:
        ax.set_ylim(*(panel.limits(ax, result) if callable(panel.limits) else panel.limits))
    if panel.sites:
        legend_right(ax, title="site", handlelength=1.0, labelspacing=0.3)
    if panel.legend is not None:
        legend_inside(ax, **panel.legend)
    if panel.shading:
        mark_unconverged(ax, result, note=panel.shading == "explained")


def _draw_curve(ax: Axes, result: Result, curve: Curve, log: bool) -> None:
    values, error = curve.values, curve.error
    if isinstance(values, str):
        if values not in result:
            return
        place = (slice(None),) if curve.column is None else (slice(None), curve.column)
        error = result[f"{values}_error"][place] if f"{values}_error" in result else None
        values = result[values][place]
    t = times(result)[: len(values)]
    shown = np.where(values > 0, values, np.nan) if log else values
    (line,) = ax.plot(t, shown, curve.style, color=curve.colour, label=curve.label,
                      lw=curve.width)  # fmt: skip
    if error is not None:
        ax.fill_between(t, values - error, values + error, color=line.get_color(), alpha=0.25, lw=0)


def _logarithmic(ax: Axes) -> None:
    """Logarithmic axis with room below the smallest value, if there is any above zero."""
    lines = [np.asarray(line.get_ydata(), float) for line in ax.lines]
    smallest = [values[values > 0].min() for values in lines if (values > 0).any()]
    if smallest:
        ax.set_yscale("log")
        ax.set_ylim(bottom=min(smallest) / 3)


# ---------------------------------------------------------------------- parts of declarations


def components(
    solid: np.ndarray, dashed: np.ndarray | None = None, error: np.ndarray | None = None,
    width: float = 1.2,
) -> list[Curve]:  # fmt: skip
    """Curves of the three components of a (time, 3) vector; of another one dashed, of a width."""
    curves = []
    for k, colour in enumerate(AXES):
        band = None if error is None else error[:, k]
        curves.append(Curve(solid[:, k], colour, "xyz"[k], error=band))
        curves += [] if dashed is None else [Curve(dashed[:, k], colour, None, "--", width)]
    return curves


def key(label: str, colour: str, style: str = "-", width: float | None = None) -> Curve:
    """A line of the legend alone."""
    return Curve(np.array([]), colour, label, style, width)


def each_spin(result: Result, values: np.ndarray, style: str = "-") -> list[Curve]:
    """Curves of a (time, localized) quantity; in the legend if solid, and of 12 spins at most."""
    sites, colours = localized_sites(result), steps(values.shape[1])
    named = style == "-" and len(sites) <= 12
    labels = [f"{site}" if named else None for site in sites]
    return [Curve(values[:, k], colours[k], labels[k], style) for k in range(len(colours))]


def from_zero(
    factor: float = 1.02, least: float = 1.02e-3, below: float = 0.0
) -> Callable[[Axes, Result], Limits]:
    """Limits from zero to ``factor`` times the largest value.

    Parameters
    ----------
    factor, least
        The upper limit is ``factor`` times the largest value, or ``least`` if that is more.
    below
        Share of the upper limit that is shown below zero, so that a line at zero is seen.
    """

    def limits(ax: Axes, result: Result) -> Limits:
        top = max(factor * float(ax.dataLim.y1), least)
        return -below * top, top

    return limits


def color_map(
    ax: Axes, result: Result, values: np.ndarray, borders: np.ndarray, colours: str, *,
    extend: Any = "neither", **style: Any,
) -> None:  # fmt: skip
    """Draw (time, site) values as a map with a colour bar; ``borders``: (site + 1,) of cells."""
    cells = edges(times(result)), borders
    image = ax.pcolormesh(*cells, values.T, cmap=colours, rasterized=True, **style)
    # Inset, so that the bar does not change the width of the panel: all share one time axis.
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.015, 0, 0.025, 1)), extend=extend)
    bar.outline.set_visible(False)
