"""Style of all figures: fonts and lines, letters, legends, and how figures are saved."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.figures.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY
from tnspin.results.result import write_atomically

STYLE: Any = {
    "font.size": 11.0,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK]),
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "savefig.dpi": 160,
    "mathtext.fontset": "dejavusans",
}


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure that needs no display; sizes in inches."""
    drawing = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing


def save(path: Path, drawn: Callable[[], Figure]) -> None:
    """Draw a figure and write it, in the format of the suffix.

    Raises
    ------
    InputError
        If the suffix is not a format that matplotlib writes.
    """
    suffix = path.suffix.lstrip(".").lower()
    formats = FigureCanvasAgg(Figure()).get_supported_filetypes()
    if suffix not in formats:
        raise InputError(f"-o {path}: no such picture format; allowed: {', '.join(formats)}")
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        drawn().savefig(buffer, format=suffix)
    write_atomically(path, buffer)


def letter(axes: Iterable[Axes]) -> None:
    """Put (a), (b), ... before the titles of panels."""
    for k, ax in enumerate(axes):
        name = chr(97 + k) if k < 26 else chr(96 + k // 26) + chr(97 + k % 26)
        # On the left in our style, in the middle in the default one.
        ax.set_title(f"({name})  {ax.get_title(loc='left') or ax.get_title()}")


def legend_right(ax: Axes, **style: Any) -> None:
    """Put the legend to the right of a panel, where no curve can cross it."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, **style)


def legend_inside(ax: Axes, *, share: float = 0.22, **style: Any) -> None:
    """Put the legend above all curves of a panel, which grows by ``share`` of its height."""
    if not ax.get_legend_handles_labels()[0]:
        return
    low, high = ax.get_ylim()
    logarithmic = ax.get_yscale() == "log"
    added = high * (high / low) ** share if logarithmic else high + share * (high - low)
    ax.set_ylim(low, added)
    ax.legend(loc="upper left", fontsize=9, handlelength=1.4, columnspacing=1.0, **style)
