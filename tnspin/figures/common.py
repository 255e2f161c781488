"""What all figures share: colours, letters, time axis, legends, titles, saving."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from fractions import Fraction
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
from tnspin.results.facts import parameters
from tnspin.results.result import Result, Variable, write_atomically
from tnspin.units import EnergyScale

# Okabe and Ito's colours, which all common kinds of colour blindness keep apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#222222",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER, BLACK)
#: Of x, y and z.
AXES = (BLUE, ORANGE, GREEN)
#: Map of many lines of one kind: equally bright steps, for the colour-blind as well.
SEQUENCE = "viridis"
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
    """An empty figure that needs no display; sizes in inches."""
    drawing = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing


def save(path: Path, drawn: Callable[[], Figure]) -> None:
    """Draw a figure and write it, in the format that the suffix says.

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
        # On the left in our style; whoever draws without it has it in the middle.
        ax.set_title(f"({name})  {ax.get_title(loc='left') or ax.get_title()}")


def beside(ax: Axes, **style: Any) -> None:
    """Legend to the right of a panel: curves that turn leave no corner free."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, **style)


def above(ax: Axes, *, share: float = 0.22, **style: Any) -> None:
    """Legend in the upper left of a panel, above all curves: ``share`` of its height is added."""
    if not ax.get_legend_handles_labels()[0]:
        return
    low, high = ax.get_ylim()
    if ax.get_yscale() == "log":
        ax.set_ylim(low, high * (high / low) ** share)
    else:
        ax.set_ylim(low, high + share * (high - low))
    ax.legend(loc="upper left", fontsize=9, handlelength=1.4, columnspacing=1.0, **style)


def steps(count: int, last: float = 0.88) -> np.ndarray:
    """(count, 4) colours of lines of one kind, dark to bright."""
    return np.asarray(mpl.colormaps[SEQUENCE](np.linspace(0.0, last, count)))


def shades(colour: str, count: int) -> list[str]:
    """A colour and ever lighter ones of the same hue."""
    rgb = np.array(to_rgb(colour))
    return [to_hex(rgb + share * (1 - rgb)) for share in np.linspace(0.0, 0.65, count)]


def times(result: Result) -> np.ndarray:
    """Time axis: femtoseconds if the run knows its energy unit, else hbar/energy unit."""
    return result["time_fs"] if "time_fs" in result else result["time"]


def time_label(result: Result) -> str:
    """Label of the time axis, with its unit."""
    if "time_fs" in result:
        return "time (fs)"
    model = parameters(result).get("model", {})
    if model.get("kind") == "spin_dimer":
        return r"time ($1/\gamma_g B_0$)"
    unit = r"\gamma" if model.get("hopping") == 1.0 else r"\mathrm{energy\ unit}"
    return rf"time ($\hbar/{unit}$)"


def time_axis(axes: Iterable[Axes], result: Result) -> None:
    """Label and limits of the time axis, of those panels that show it."""
    moments = times(result)
    for ax in axes:
        ax.set_xlabel(time_label(result))
        ax.set_xlim(moments[0], max(moments[-1], moments[0] + 1e-9))


def band(ax: Axes, result: Result, value: np.ndarray, error: np.ndarray, colour: str) -> None:
    """One standard error to either side of a line against time."""
    ax.fill_between(times(result), value - error, value + error, color=colour, alpha=0.25, lw=0)


def components(
    ax: Axes,
    result: Result,
    solid: np.ndarray,
    dashed: np.ndarray | None = None,
    error: np.ndarray | None = None,
) -> None:
    """Three components of a vector against time; (time, 3), of another run dashed."""
    for axis, colour in enumerate(AXES):
        ax.plot(times(result), solid[:, axis], color=colour, label="xyz"[axis])
        if dashed is not None:
            ax.plot(times(result), dashed[:, axis], "--", color=colour, lw=1.2)
        if error is not None:
            band(ax, result, solid[:, axis], error[:, axis], colour)
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)


def unit(variable: Variable) -> str:
    """Unit of a variable in brackets, nothing for a pure number."""
    return f" ({variable.units.replace('hbar', 'ħ')})" if variable.units != "1" else ""


def localized_sites(result: Result) -> np.ndarray:
    """Sites of the localized spins, in the order of the result."""
    return result["localized"] if "localized" in result else np.array([], dtype=int)


def polarization(result: Result) -> int:
    """Axis along which the electrons are polarized at the start (z if they are not)."""
    total = np.abs(result["electron_spin"][0].sum(axis=0))
    return int(np.argmax(total)) if total.max() > 1e-6 else 2


def title(result: Result) -> str:
    """What ran, in one or two lines."""
    tables = parameters(result)
    model, state = tables.get("model", {}), tables.get("state", {})
    parts = [f"{model['sites']} sites"] if "sites" in model else []
    if "n_electrons" in state:
        parts.insert(0, f"{state['n_electrons']} electron{'s' * (state['n_electrons'] != 1)}")
    if "localized" in model:
        parts.append(f"{localized_sites(result).size} localized spins")
    for name, symbol in (("J_sd", "J_{sd}"), ("J", "J")):
        if isinstance(model.get(name), float):
            parts.append(rf"${symbol} = {model[name]:g}$")
    if "spin" in model and "localized" not in model:
        parts.insert(1, f"$S = {Fraction(model['spin'])}$")
    if "temperature" in tables.get("bath", {}):
        parts.append(_temperature(result, tables["bath"]["temperature"]))
    about = tables.get("about", {}).get("title", "")
    return (about[:1].upper() + about[1:] + "\n" if about else "") + ", ".join(parts)


def _temperature(result: Result, value: float) -> str:
    """Temperature of the baths, in kelvin too if the run knows its energy unit."""
    scale = result.attrs.get("energy_ev")
    kelvin = f" ({EnergyScale(float(scale)).kelvin(value):.3g} K)" if scale else ""
    return f"bath at $T = {value:.3g}${kelvin}"


def log_lines(ax: Axes, times: np.ndarray, *lines: tuple[np.ndarray, str, str]) -> None:
    """Lines on a logarithmic axis; exact zeros are left out."""
    for values, colour, label in lines:
        ax.plot(times, np.where(values > 0, values, np.nan), color=colour, label=label)
    positive = [values[values > 0].min() for values, _, _ in lines if (values > 0).any()]
    if positive:
        ax.set_yscale("log")
        ax.set_ylim(bottom=min(positive) / 3)


def edges(centres: np.ndarray) -> np.ndarray:
    """(n + 1,) borders of cells around n points."""
    if centres.size == 1:
        return centres[0] + np.array([-0.5, 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(([centres[0]], middle, [centres[-1]]))
