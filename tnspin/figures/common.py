"""What all figures share: colours, time axis, titles, saving."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from cycler import cycler
from matplotlib.axes import Axes

from tnspin.result import Result
from tnspin.toml_text import loads

# Okabe and Ito's colours, which all common kinds of colour blindness keep apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#222222",
)  # fmt: skip
STYLE: Any = {
    "font.size": 11.0,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK]),
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "savefig.dpi": 160,
    "mathtext.fontset": "dejavusans",
}


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
        parts.append(f"bath at $T = {tables['bath']['temperature']:g}$")
    about = tables.get("about", {}).get("title", "")
    return (about[:1].upper() + about[1:] + "\n" if about else "") + ", ".join(parts)


def parameters(result: Result) -> dict[str, Any]:
    """Configuration of the run as nested tables."""
    return loads(str(result.attrs.get("config", "")))


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
