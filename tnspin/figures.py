"""Figures of a result; nothing here needs a display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.result import Result, write_atomically
from tnspin.toml_text import loads

__all__ = ["edge_figure", "figure", "generic_figure", "pulse_figure", "save_figure"]

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

#: Summed discarded weight from which on a figure says that it is not converged.  For eight
#: electrons local spins are then wrong by a few 1e-3, and the error grows in proportion.
CONVERGED = 1e-2


def save_figure(result: Result, path: Path) -> None:
    """Draw the figure for this kind of run and write it (format from the suffix).

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
        figure(result).savefig(buffer, format=suffix)
    write_atomically(path, buffer)


def figure(result: Result) -> Figure:
    """Choose and draw the figure for a result."""
    with mpl.rc_context(STYLE):
        if "mutual_information_closed_form" in result:
            return edge_figure(result)
        if {"electron_density", "electron_spin", "spin"} <= set(result):
            return pulse_figure(result)
        return generic_figure(result)


def pulse_figure(result: Result) -> Figure:
    """Space-time maps of the pulse, the localized spins, entropy, and the error ledger."""
    drawing = Figure(figsize=(12.5, 10.0), layout="constrained")
    FigureCanvasAgg(drawing)
    grid = drawing.add_gridspec(3, 2, height_ratios=(1.25, 1.0, 0.8))
    first = drawing.add_subplot(grid[0, 0])
    axes = [first] + [drawing.add_subplot(grid[k // 2, k % 2], sharex=first) for k in range(1, 6)]
    axis = polarization(result)
    drawing.suptitle(_title(result), fontsize=13)
    _map(axes[0], result, "electron_density", None, "electrons per site", "inferno")
    spin_label = f"electron spin, {'xyz'[axis]} (ħ/2 per site)"
    _map(axes[1], result, "electron_spin", axis, spin_label, "RdBu_r")
    _localized(axes[2], result)
    _entropy(axes[3], result)
    _discarded(axes[4], result)
    _drift(axes[5], result)
    for ax in axes[2:4]:
        _mark_unconverged(ax, result)
    for k, ax in enumerate(axes):
        ax.set_title(f"({'abcdef'[k]})  {ax.get_title(loc='left')}")
        if k >= 4:
            ax.set_xlabel(time_label(result))
        else:
            ax.tick_params(labelbottom=False)
    first.set_xlim(result["time"][0], max(result["time"][-1], result["time"][0] + 1e-9))
    return drawing


def edge_figure(result: Result) -> Figure:
    """Mutual information of the edge spins against the length of the ferromagnet."""
    drawing = Figure(figsize=(7.0, 4.6), layout="constrained")
    FigureCanvasAgg(drawing)
    ax = drawing.add_subplot()
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
    return drawing


def generic_figure(result: Result) -> Figure:
    """One panel for each variable that depends on time."""
    names = [
        name for name, v in result.variables.items()
        if v.dims[0] == "time" and name != "time" and v.data.dtype.kind in "fi"
    ]  # fmt: skip
    if not names:
        raise InputError("FILE: holds nothing that depends on time; there is nothing to draw")
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    drawing = Figure(figsize=(4.3 * columns, 3.0 * rows), layout="constrained")
    FigureCanvasAgg(drawing)
    drawing.suptitle(_title(result), fontsize=13)
    for k, name in enumerate(names):
        ax = drawing.add_subplot(rows, columns, k + 1)
        _panel(ax, result, name)
        ax.set_title(f"({chr(97 + k)})  {name}")
        ax.set_xlabel(time_label(result))
    return drawing


def _map(ax: Axes, result: Result, name: str, axis: int | None, label: str, colours: str) -> None:
    """Space-time map with the localized spins between two lines."""
    values = result[name] if axis is None else result[name][:, :, axis]
    times, sites = result["time"], np.arange(values.shape[1])
    top = max(float(np.abs(values).max()), 1e-12)
    # The bunch in the well is ten times denser than the pulse that leaves it: a square root
    # keeps both visible in the charge, a clipped linear scale keeps the sign of the spin.
    if axis is None:
        style: dict[str, Any] = {"norm": PowerNorm(0.5, vmin=0.0, vmax=top)}
    else:
        clip = max(float(np.quantile(np.abs(values), 0.97)), 1e-12)
        style = {"vmin": -clip, "vmax": clip}
    image = ax.pcolormesh(
        _edges(times), _edges(sites), values.T, cmap=colours, rasterized=True, **style
    )
    extend = "neither" if axis is None else "both"
    # Inset, so that the bar does not change the width of the panel: all share one time axis.
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.015, 0, 0.025, 1)), extend=extend)
    bar.outline.set_visible(False)
    ax.set_title(label)
    ax.set_ylabel("site")
    localized = localized_sites(result)
    if localized.size:
        for edge in (localized.min() - 0.5, localized.max() + 0.5):
            ax.axhline(edge, color="white" if axis is None else BLACK, lw=0.9, ls=(0, (4, 3)))
        ax.annotate(
            "localized spins", (0.99, localized.max() + 1), xycoords=("axes fraction", "data"),
            ha="right", va="bottom", fontsize=9, color="white" if axis is None else BLACK,
        )  # fmt: skip


def _localized(ax: Axes, result: Result) -> None:
    spins, times, sites = result["spin"], result["time"], localized_sites(result)
    axis = polarization(result)
    shown = [2] if axis == 2 else [2, axis]
    colours = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, spins.shape[1]))
    for a, style in zip(shown, ("-", "--"), strict=False):
        for k, colour in enumerate(colours):
            label = f"{sites[k]}" if style == "-" else None
            ax.plot(times, spins[:, k, a], style, color=colour, label=label)
    low, high = _range(spins[..., shown])
    if low < 0 < high:
        ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    ax.set(ylim=(low, high), ylabel=r"$\langle S^z_i\rangle / S$")
    ax.set_title("localized spins")
    if axis != 2:
        ax.set_ylabel(r"$\langle S_i\rangle / S$")
        ax.set_title(f"localized spins, z and {'xyz'[axis]} (dashed)")
    if spins.shape[1] <= 12:
        ax.legend(title="site", loc="upper left", ncols=min(5, spins.shape[1]), fontsize=9,
                  handlelength=1.2, columnspacing=1.0)  # fmt: skip


def _range(spins: np.ndarray) -> tuple[float, float]:
    """From -1 to 1, or closer if all spins stay within a quarter of that; the top for a legend."""
    low, high = (float(spins.min()), float(spins.max())) if spins.size else (-1.0, 1.0)
    span = max(high - low, 0.02)
    return (low - 0.06 * span, high + 0.3 * span) if span < 0.5 else (-1.06, 1.06)


def _entropy(ax: Axes, result: Result) -> None:
    ax.set_title("entanglement entropy")
    ax.set_ylabel("entropy (nat)")
    if "entropy" not in result:
        return
    entropy = result["entropy"]
    middle = (entropy.shape[1] - 1) // 2 + (entropy.shape[1] + 1) % 2
    ax.plot(result["time"], entropy[:, middle], color=BLUE, label=f"cut {middle}|{middle + 1}")
    ax.plot(result["time"], entropy.max(axis=1), color=ORANGE, ls="--", label="largest of all cuts")
    if "meyer_wallach" in result:
        ax.plot(
            result["time"],
            result["meyer_wallach"],
            color=GREEN,
            ls="-.",
            label="Meyer-Wallach Q (0 to 1)",
        )
    # Room for the legend: early on the largest entropy is as high as it gets with one electron.
    ax.set_ylim(0, 1.2 * max(ax.dataLim.y1, 1e-3))
    ax.legend(loc="upper left", fontsize=9, ncols=3, handlelength=1.6, columnspacing=1.0)


def _mark_unconverged(ax: Axes, result: Result) -> None:
    """Shade the times for which truncation has taken more than `CONVERGED` of the norm."""
    if "discarded_weight" not in result:
        return
    late = np.flatnonzero(result["discarded_weight"].sum(axis=1) > CONVERGED)
    if late.size == 0:
        return
    times = result["time"]
    ax.axvspan(times[late[0]], times[-1], color="0.5", alpha=0.13, lw=0, zorder=0)
    note = f"grey: discarded > {CONVERGED:g}, not converged"
    ax.set_title(note, loc="right", fontsize=8.5, color="0.25")


def _discarded(ax: Axes, result: Result) -> None:
    ax.set_title("discarded weight, and bond dimension (dotted)")
    if "discarded_weight" in result:
        total = result["discarded_weight"].sum(axis=1)
        worst = result["discarded_weight"].max(axis=1)
        _log_lines(ax, result["time"], (total, BLUE, "all bonds"), (worst, ORANGE, "worst bond"))
        ax.legend(loc="upper left", fontsize=9)
    ax.set_ylabel("discarded weight since t = 0")
    if "bond_dim" in result:
        other = ax.twinx()
        other.plot(result["time"], result["bond_dim"].max(axis=1), color=BLACK, ls=":", lw=1.4)
        other.set_ylabel("largest bond dimension")
        other.set_ylim(bottom=0)
        other.spines["right"].set_visible(True)


def _drift(ax: Axes, result: Result) -> None:
    ax.set_title("drift of conserved quantities")
    ax.set_ylabel("|value - initial value|")
    names = {"energy": BLUE, "particle_number": ORANGE, "total_sz": GREEN, "norm": PURPLE}
    lines = [
        (np.abs(result[name] - result[name][0]), colour, name.replace("_", " "))
        for name, colour in names.items()
        if name in result
    ]
    _log_lines(ax, result["time"], *lines)
    if lines:
        # Above the rounding errors of what the charges conserve, below the energy.
        ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.42), fontsize=9, ncols=2)


def _log_lines(ax: Axes, times: np.ndarray, *lines: tuple[np.ndarray, str, str]) -> None:
    """Lines on a logarithmic axis; exact zeros are left out."""
    for values, colour, label in lines:
        ax.plot(times, np.where(values > 0, values, np.nan), color=colour, label=label)
    positive = [values[values > 0].min() for values, _, _ in lines if (values > 0).any()]
    if positive:
        ax.set_yscale("log")
        ax.set_ylim(bottom=min(positive) / 3)


def _panel(ax: Axes, result: Result, name: str) -> None:
    variable, times = result.variables[name], result["time"]
    data = variable.data
    ax.set_ylabel(f"{name.replace('_', ' ')} ({variable.units})" * (data.ndim != 2))
    if data.ndim == 1:
        ax.plot(times, data)
    elif data.shape[-1] == 3 and variable.dims[-1] == "axis":
        mean = data.reshape(times.size, -1, 3).mean(axis=1)
        for k in range(3):
            ax.plot(times, mean[:, k], label="xyz"[k])
        ax.legend(fontsize=8)
    else:
        flat = data.reshape(times.size, -1)
        image = ax.pcolormesh(
            _edges(times), np.arange(flat.shape[1] + 1) - 0.5, flat.T, cmap="cividis",
            rasterized=True,
        )  # fmt: skip
        ax.figure.colorbar(image, ax=ax, label=variable.units)
        ax.set_ylabel(variable.dims[-1])


def _edges(centres: np.ndarray) -> np.ndarray:
    """(n + 1,) borders of cells around n points."""
    if centres.size == 1:
        return centres[0] + np.array([-0.5, 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(([centres[0]], middle, [centres[-1]]))


def polarization(result: Result) -> int:
    """Axis along which the electrons are polarized at the start (z if they are not)."""
    total = np.abs(result["electron_spin"][0].sum(axis=0))
    return int(np.argmax(total)) if total.max() > 1e-6 else 2


def localized_sites(result: Result) -> np.ndarray:
    return result["localized"] if "localized" in result else np.array([], dtype=int)


def time_label(result: Result) -> str:
    model = _parameters(result).get("model", {})
    unit = r"\gamma" if model.get("hopping") == 1.0 else r"\mathrm{energy\ unit}"
    return rf"time ($\hbar/{unit}$)"


def _title(result: Result) -> str:
    parameters = _parameters(result)
    model, state = parameters.get("model", {}), parameters.get("state", {})
    parts = [f"{model['sites']} sites"] if "sites" in model else []
    if "n_electrons" in state:
        parts.insert(0, f"{state['n_electrons']} electron{'s' * (state['n_electrons'] != 1)}")
    if "localized" in model:
        parts.append(f"{localized_sites(result).size} localized spins")
    for name, symbol in (("J_sd", "J_{sd}"), ("J", "J")):
        if isinstance(model.get(name), float):
            parts.append(rf"${symbol} = {model[name]:g}$")
    about = parameters.get("about", {}).get("title", "")
    return (about[:1].upper() + about[1:] + "\n" if about else "") + ", ".join(parts)


def _parameters(result: Result) -> dict[str, Any]:
    return loads(str(result.attrs.get("config", "")))
