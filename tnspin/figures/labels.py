"""Axes and titles of figures: times, sites, units, and the parameters of a run in words."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tnspin.results.facts import parameters
from tnspin.results.result import Result, Variable
from tnspin.units import EnergyScale


def times(result: Result) -> np.ndarray:
    """Times in femtoseconds if the run knows its energy unit, else in hbar/energy unit."""
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


def set_times(ax: Axes, result: Result) -> None:
    """Label a time axis and set its limits to those of the run."""
    moments = times(result)
    ax.set(xlabel=time_label(result), xlim=(moments[0], max(moments[-1], moments[0] + 1e-9)))


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
    """Title and main parameters of a run, in one or two lines."""
    tables = parameters(result)
    model, state, bath = (tables.get(name, {}) for name in ("model", "state", "bath"))
    parts = [f"{model['sites']} sites"] if "sites" in model else []
    if "n_electrons" in state:
        parts.insert(0, f"{state['n_electrons']} electron{'s' * (state['n_electrons'] != 1)}")
    if "localized" in model:
        parts.append(f"{localized_sites(result).size} localized spins")
    couplings = ((symbol, model.get(key)) for key, symbol in (("J_sd", "J_{sd}"), ("J", "J")))
    parts += [f"${symbol} = {value:g}$" for symbol, value in couplings if isinstance(value, float)]
    if "spin" in model and "localized" not in model:
        parts.insert(1, f"$S = {Fraction(model['spin'])}$")
    if "temperature" in bath:
        ev, value = result.attrs.get("energy_ev"), bath["temperature"]
        kelvin = f" ({EnergyScale(float(ev)).kelvin(value):.3g} K)" if ev else ""
        parts.append(f"bath at $T = {value:.3g}${kelvin}")
    return about(tables) + ", ".join(parts)


def about(tables: dict[str, Any]) -> str:
    """Title that the configuration gives to a run, as a line of its own; empty without one."""
    text = tables.get("about", {}).get("title", "")
    return text[:1].upper() + text[1:] + "\n" if text else ""


def edges(centres: np.ndarray) -> np.ndarray:
    """(n + 1,) borders of cells around n points."""
    if centres.size == 1:
        return centres[0] + np.array([-0.5, 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(([centres[0]], middle, [centres[-1]]))
