"""Style of all figures: colours, fonts, letters, legends, and how figures are saved."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.results.result import write_atomically

# Okabe and Ito's colours, which all common kinds of colour blindness keep apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER, BLACK = PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#222222",
)  # fmt: skip
#: Colours of the components x, y and z.
AXES = (BLUE, ORANGE, GREEN)
#: Colour map of many lines of one kind: equally bright steps, for the colour-blind as well.
SEQUENCE = "viridis"
#: Colours of the results that a figure compares.
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK)
STYLE: Any = {
    "font.size": 11.0,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.prop_cycle": cycler(color=CYCLE),
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
    log = ax.get_yscale() == "log"
    ax.set_ylim(low, high * (high / low) ** share if log else high + share * (high - low))
    ax.legend(loc="upper left", fontsize=9, handlelength=1.4, columnspacing=1.0, **style)


def steps(count: int, last: float = 0.88) -> np.ndarray:
    """(count, 4) colours of lines of one kind, dark to bright."""
    return np.asarray(mpl.colormaps[SEQUENCE](np.linspace(0.0, last, count)))


def shades(colour: str, count: int) -> list[str]:
    """A colour and ever lighter ones of the same hue."""
    rgb = np.array(to_rgb(colour))
    return [to_hex(rgb + share * (1 - rgb)) for share in np.linspace(0.0, 0.65, count)]
