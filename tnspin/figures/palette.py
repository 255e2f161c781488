"""Colours of all figures."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex, to_rgb

# Okabe and Ito's colours, which all common kinds of colour blindness keep apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER, BLACK = PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#222222",
)  # fmt: skip
#: Colours of the components x, y and z.
AXES = (BLUE, ORANGE, GREEN)
#: Colour map of many lines of one kind: equally bright steps, for the colour-blind as well.
SEQUENCE = "viridis"


def steps(count: int, last: float = 0.88) -> np.ndarray:
    """(count, 4) colours of lines of one kind, dark to bright."""
    return np.asarray(mpl.colormaps[SEQUENCE](np.linspace(0.0, last, count)))


def shades(colour: str, count: int) -> list[str]:
    """A colour and ever lighter ones of the same hue."""
    rgb = np.array(to_rgb(colour))
    return [to_hex(rgb + share * (1 - rgb)) for share in np.linspace(0.0, 0.65, count)]
