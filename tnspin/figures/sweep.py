"""The figure of a sweep: its runs on the same axes, and where they end against a swept key."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tnspin.errors import InputError
from tnspin.figures.common import beside, letter, new_figure, time_label, title
from tnspin.figures.curves import Line, lines_of
from tnspin.figures.ledger import footer
from tnspin.figures.overlay import legend, overlay_figure, panel, styles, unconverged
from tnspin.results.facts import parameters
from tnspin.results.result import Result, Variable
from tnspin.results.toml_text import dumps, loads

__all__ = ["runs_of", "sweep_figure"]

#: Quantities shown, and runs beyond which a legend of them all helps nobody.
_COLUMNS, _LEGEND = 4, 24


def sweep_figure(collection: Result) -> Figure:
    """Above: each run against time.  Below: final values against the key with most values.

    Runs without time, such as loops, are laid on each other.
    """
    keys = json.loads(str(collection.attrs["sweep"]))
    runs = runs_of(collection)
    if not runs:
        raise InputError("FILE: none of its runs is done; there is nothing to draw")
    labels = [_label(collection, keys, place) for place in runs]
    timed = all("time" in run for run in runs.values())
    lines = lines_of(list(runs.values()))[:_COLUMNS] if timed else []
    if not lines:
        return overlay_figure(list(runs.values()), labels)
    drawing = new_figure(max(4.4 * len(lines) + 0.6, 7.6), 7.4)
    missing = collection["run_state"].size - len(runs)
    notes = [f"{missing} of {collection['run_state'].size} runs are missing"] * bool(missing)
    notes += ["faint, hollow: not converged"] * any(map(unconverged, runs.values()))
    drawing.suptitle("\n".join(filter(None, (title(collection), "; ".join(notes)))), fontsize=12)
    axes = drawing.subplots(2, len(lines), squeeze=False)
    along = _along(collection, keys)
    for k, line in enumerate(lines):
        panel(axes[0, k], line, list(runs.values()), labels, [None] * len(runs))
        axes[0, k].set_xlabel(time_label(next(iter(runs.values()))))
        axes[0, k].set_title(line.title)
        _final(axes[1, k], line, collection, keys, along, runs)
        axes[1, k].set_title("at the end")
    letter(axes.flat)
    if len(keys) > 1 and axes[1, 0].get_legend_handles_labels()[0]:
        beside(axes[1, -1])
    if len(runs) <= _LEGEND:
        legend(drawing, list(runs.values()))
    else:
        footer(drawing, list(runs.values()))
    return drawing


def runs_of(collection: Result) -> dict[tuple[int, ...], Result]:
    """The runs that are there, by their positions along the swept keys."""
    keys = tuple(json.loads(str(collection.attrs["sweep"])))
    done = np.argwhere(collection["run_state"] == 1)
    return {tuple(map(int, place)): _run(collection, keys, tuple(place)) for place in done}


def _run(collection: Result, keys: tuple[str, ...], place: tuple[int, ...]) -> Result:
    """One run, without the times, sites and bonds that only others have."""
    found = {}
    for name, v in collection.variables.items():
        if v.dims[: len(keys)] == keys and len(v.dims) > len(keys):
            found[name] = Variable(v.dims[len(keys) :], v.data[place], v.units, v.long_name)
        elif not set(v.dims) & set(keys):
            found[name] = v
    keep: dict[str, np.ndarray] = {}
    for v in found.values():
        if (len(v.dims) == 1 and v.dims[0] in found) or v.data.dtype.kind != "f":
            continue  # a coordinate is there for all runs
        there = ~np.isnan(v.data)
        for axis, dim in enumerate(v.dims):
            others = tuple(k for k in range(v.data.ndim) if k != axis)
            keep[dim] = keep.get(dim, np.zeros(v.data.shape[axis], bool)) | there.any(axis=others)
    trimmed = {}
    for name, v in found.items():
        data = v.data
        for axis, dim in enumerate(v.dims):
            if dim in keep and keep[dim].any():
                data = np.compress(keep[dim], data, axis=axis)
        trimmed[name] = Variable(v.dims, data, v.units, v.long_name)
    attrs = {k: a for k, a in collection.attrs.items() if k != "sweep"}
    return Result(trimmed, {**attrs, "config": _config(collection, keys, place)})


def _config(collection: Result, keys: Sequence[str], place: Sequence[int]) -> str:
    """The configuration that all runs share, with the swept values of one of them."""
    tables = {section: dict(table) for section, table in parameters(collection).items()}
    for key, k in zip(keys, place, strict=True):
        section, _, name = key.partition(".")
        value = collection[key][k].item()
        if isinstance(value, str) and value[:1] in "[{":  # lists are kept as TOML
            value = loads(f"x = {value}")["x"]
        tables.setdefault(section, {})[name] = value
    return dumps(tables)


def _label(collection: Result, keys: Sequence[str], place: Sequence[int]) -> str:
    values = zip(keys, place, strict=True)
    return ", ".join(f"{_short(key)} = {_value(collection, key, k)}" for key, k in values)


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _value(collection: Result, key: str, k: int) -> str:
    value = collection[key][k]
    return f"{value:g}" if collection[key].dtype.kind in "if" else str(value)


def _along(collection: Result, keys: Sequence[str]) -> int:
    """The key that the final values are drawn against: numbers first, then most values."""
    return max(
        range(len(keys)),
        key=lambda k: (collection[keys[k]].dtype.kind in "if", collection[keys[k]].size),
    )


def _final(
    ax: Axes,
    line: Line,
    collection: Result,
    keys: Sequence[str],
    along: int,
    runs: dict[tuple[int, ...], Result],
) -> None:
    """Last value of each run against one key, a line for each combination of the others."""
    values = collection[keys[along]]
    numbers = values.dtype.kind in "if"
    x = values if numbers else np.arange(values.size)
    shape = collection["run_state"].shape
    rest = [range(size) for k, size in enumerate(shape) if k != along]
    order = np.argsort(x)
    others = list(itertools.product(*rest))
    for other, style in zip(others, styles(len(others)), strict=True):
        places = [(*other[:along], k, *other[along:]) for k in range(values.size)]
        ends = np.array([line.value(runs[p])[-1] if p in runs else np.nan for p in places])
        named = zip((key for k, key in enumerate(keys) if k != along), other, strict=True)
        label = ", ".join(f"{_short(key)} = {_value(collection, key, k)}" for key, k in named)
        # Between words there is nothing that a line could mean.
        look = style if numbers else {**style, "ls": ""}
        ax.plot(x[order], ends[order], marker="o", markersize=4, label=label or None, **look)
        sampled = [line.error(runs[p]) if p in runs else None for p in places]
        errors = np.array([0.0 if error is None else error[-1] for error in sampled])
        if errors.any():
            ax.errorbar(x, ends, errors, fmt="none", ecolor=style["color"], capsize=3)
        late = [k for k, p in enumerate(places) if p in runs and unconverged(runs[p])]
        ax.plot(x[late], ends[late], "o", markersize=4, mfc="white", mec=style["color"])
    if values.dtype.kind == "i":
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not numbers:
        ax.set_xticks(x, values, rotation=20 if values.size > 3 else 0)
    ax.set_xlabel(keys[along])
    ax.set_ylabel(line.label)
