"""Figures of several results: on the same axes, and the runs of a sweep."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tnspin.errors import InputError
from tnspin.figures.accuracy import unconverged_from, write_accuracy
from tnspin.figures.labels import localized_sites, time_label, times, title, unit
from tnspin.figures.style import CYCLE, legend_right, letter, new_figure, steps
from tnspin.results.facts import parameters
from tnspin.results.result import Result
from tnspin.results.toml_text import dumps, flatten, loads

#: Panels of an overlay, at most; quantities of a sweep; runs of a sweep with a legend.
_MOST, _COLUMNS, _LEGEND = 9, 4, 24
# A mean that moves no more than this is conserved, and no news.
_STILL = 1e-9
#: The most telling variables first; those of `_LARGEST` have many cuts or pairs.
_FIRST = (
    "entropy", "log_negativity", "bell_nonlocality", "concurrence", "mutual_information",
    "block_log_negativity", "renyi_negativity", "meyer_wallach",
    "quantum_fisher_information_mixed", "neel_overlap", "purity",
)  # fmt: skip
#: Variables that are not drawn: constants of closed systems, of which the accuracy line gives the
#: drift, and times.
_SKIPPED = ("norm", "particle_number", "total_sz", "trace_error", "hermiticity_error",
            "smallest_eigenvalue", "energy", "time", "time_fs")  # fmt: skip
#: Titles of variables whose names do not make one.
_TITLES = {
    "bell_nonlocality": "Bell nonlocality",
    "meyer_wallach": "Meyer-Wallach Q",
    "neel_overlap": "overlap with the Néel states",
    "renyi_negativity": "Rényi negativity",
}
#: Of these the largest of all cuts or pairs.
_LARGEST = {
    "entropy": "largest entropy of a cut",
    "concurrence": "largest concurrence of a pair",
    "bell_nonlocality": "largest Bell nonlocality of a pair",
}
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
#: Keys that do not change what a line shows.
_SILENT = ("solver.threads", "solver.workers", "record.checkpoint", "record.observables")
# Longer labels, or more keys than this, are worse than the name of the file.
_LONGEST, _KEYS = 60, 4
# Inches of a row of the legend.
_ROW = 0.23


@dataclass(frozen=True)
class Quantity:
    """A quantity that is compared between results.

    Attributes
    ----------
    title, label
        Of the panel and of its vertical axis.
    value
        Gives the numbers of a result.
    error
        Gives their statistical errors, None if a result has none.
    log
        Whether the axis is logarithmic; zeros are left out.
    """

    title: str
    label: str
    value: Callable[[Result], np.ndarray]
    error: Callable[[Result], np.ndarray | None] = lambda result: None
    log: bool = False


# ---------------------------------------------------------------------- quantities


def quantities(results: Sequence[Result]) -> list[Quantity]:
    """Quantities against time that all results have."""
    common = [name for name in results[0] if all(name in result for result in results)]
    found = _spins(results) if "spin" in common else []
    for name in dict.fromkeys((*_FIRST, *common)):
        if name not in common or name in _SKIPPED:
            continue
        variable = results[0].variables[name]
        words = _TITLES.get(name, name.replace("_", " "))
        label = words + unit(variable)
        if name in _LARGEST and _worth_a_line(results, name):
            found.append(Quantity(_LARGEST[name], label, partial(_largest, name=name)))
        elif _is_line(results, name):
            value, error = (partial(_values, name=one) for one in (name, f"{name}_error"))
            found.append(Quantity(words, label, value, error))
    last = {
        "discarded_weight": Quantity("discarded weight, all bonds", "summed since t = 0",
                                     lambda r: r["discarded_weight"].sum(axis=1), log=True),
        "bond_dim": Quantity("largest bond dimension", "bond dimension",
                             lambda r: r["bond_dim"].max(axis=1)),
        "energy": Quantity("change of the energy", "|E - E(0)| (energy unit)",
                           lambda r: np.abs(r["energy"] - r["energy"][0]), log=True),
    }  # fmt: skip
    return found[: _MOST - 3] + [one for name, one in last.items() if name in common]


def _values(result: Result, name: str) -> Any:
    return result[name] if name in result.variables else None


def _largest(result: Result, name: str) -> Any:
    return result[name].max(axis=1)


def _spins(results: Sequence[Result]) -> list[Quantity]:
    """The component of the first spin that moves most, and its mean over all spins."""
    moved = [np.ptp(result["spin"][:, 0], axis=0) for result in results if result["spin"].size]
    axis = int(np.argmax(np.max(moved, axis=0))) if moved else 2
    sites = {int(localized_sites(r)[0]) if localized_sites(r).size else 0 for r in results}
    site = f"spin on site {sites.pop()}" if len(sites) == 1 else "first localized spin"
    name, label = "xyz"[axis], rf"$\langle S^{'xyz'[axis]}\rangle / S$"

    def mean(result: Result) -> np.ndarray:
        return np.asarray(result["spin"][..., axis].mean(axis=1))

    def error(result: Result) -> np.ndarray | None:
        return result["spin_error"][:, 0, axis] if "spin_error" in result else None

    found = [Quantity(f"{site}, {name}", label, lambda r: r["spin"][:, 0, axis], error)]
    several = any(result["spin"].shape[1] > 1 for result in results)
    if several and max(np.ptp(mean(result)) for result in results) > _STILL:
        found.append(Quantity(f"mean of the localized spins, {name}", label, mean))
    return found


def _worth_a_line(results: Sequence[Result], name: str) -> bool:
    """Whether there are cuts or pairs at all, and something in them."""
    every = [result[name] for result in results]
    return all(v.ndim == 2 and v.size for v in every) and any(v.any() for v in every)


def _is_line(results: Sequence[Result], name: str) -> bool:
    variables = [result.variables[name] for result in results]
    numbers = all(v.dims == ("time",) and v.data.dtype.kind in "fi" for v in variables)
    return numbers and not name.endswith("_error")


def _magnetization(result: Result, axis: int) -> np.ndarray:
    """Component of the magnetization round a hysteresis loop, from the lowest field on."""
    branches = dict(zip(result["branch"], result["magnetization"][..., axis], strict=True))
    return np.concatenate((branches["up"], branches["down"][::-1]))


_LOOP = [
    Quantity(f"magnetization, {name}", f"$M_{name}$", partial(_magnetization, axis=k))
    for k, name in enumerate("xyz")
]


# ---------------------------------------------------------------------- results on the same axes


def overlay_figure(results: Sequence[Result], names: Sequence[str]) -> Figure:
    """Lines of each result, one colour and dash pattern each.

    Parameters
    ----------
    results, names
        Results, and names for those whose configurations do not tell them apart.

    Raises
    ------
    InputError
        If they have nothing in common that could be compared.
    """
    shown, abscissae, label = _axes(results)
    labels = _labels(results, names)
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    # Titles need some width.
    drawing = new_figure(max(4.6 * columns + 0.6, 7.6), 3.1 * rows + 1.2)
    faint = "faint: not converged" * any(map(_is_unconverged, results))
    drawing.suptitle("\n".join(filter(None, (_shared_title(results), faint))), fontsize=12)
    for k, quantity in enumerate(shown):
        ax = drawing.add_subplot(rows, columns, k + 1)
        _draw_all(ax, quantity, results, labels, abscissae)
        ax.set_xlabel(label)
    letter(drawing.axes)
    _legend(drawing, results)
    return drawing


def _axes(results: Sequence[Result]) -> tuple[list[Quantity], list[np.ndarray | None], str]:
    """Quantities that the results share, and the horizontal axis."""
    if all("time" in result for result in results):
        if len({"time_fs" in result for result in results}) > 1:
            raise InputError("FILE: one result has times in fs, another has no energy unit")
        if shown := quantities(results):
            return shown, [None] * len(results), time_label(results[0])
    if all("n_localized" in result for result in results):
        name = "mutual information of the edge spins"
        one = Quantity(name, "mutual information (nat)", lambda r: r["mutual_information"])
        return [one], [r["n_localized"] for r in results], "number of localized spins"
    if all("loop_spin" in result for result in results):
        fields = [np.concatenate((r["field"], r["field"][::-1])) for r in results]
        return _LOOP, [*fields], "field (energy unit)"
    kinds = ", ".join(str(parameters(r).get("model", {}).get("kind", "?")) for r in results)
    raise InputError(f"FILE: these results ({kinds}) have nothing in common to draw")


def _draw_all(
    ax: Axes, quantity: Quantity, results: Sequence[Result], labels: Sequence[str],
    abscissae: Sequence[np.ndarray | None],
) -> None:  # fmt: skip
    """One quantity of all results, against time or the abscissae."""
    looks = zip(results, labels, abscissae, _styles(len(results)), strict=True)
    for result, label, x, style in looks:
        _draw_one(ax, quantity, result, x, label=label, **style)
    ax.set(title=quantity.title, ylabel=quantity.label)
    if quantity.log and any(np.isfinite(one.get_ydata()).any() for one in ax.lines):
        ax.set_yscale("log")


def _draw_one(
    ax: Axes, quantity: Quantity, result: Result, x: np.ndarray | None, **style: Any
) -> None:
    """One line of one result, faint at times that are not converged."""
    at = times(result) if x is None else x
    values = np.asarray(quantity.value(result), float)
    if quantity.log:
        values = np.where(values > 0, values, np.nan)
    start = unconverged_from(result) if x is None else None
    late = at > (np.inf if start is None else start)
    (drawn,) = ax.plot(at, np.where(late, np.nan, values), **style)
    if late.any():
        tail = slice(max(int(np.argmax(late)) - 1, 0), None)
        ax.plot(at[tail], values[tail], **{**style, "label": None, "alpha": 0.3})
    error = quantity.error(result)
    if error is not None:
        ax.fill_between(
            at, values - error, values + error, color=drawn.get_color(), alpha=0.2, lw=0
        )


def _legend(drawing: Figure, results: Sequence[Result]) -> None:
    """One legend for all panels, below them, and the accuracy of all results below it."""
    handles, labels = drawing.axes[0].get_legend_handles_labels()
    widest = max(map(len, labels)) + 8
    across = max(1, min(len(labels), int(drawing.get_figwidth() * 11 / widest)))
    bottom = write_accuracy(drawing, results, room=_ROW * -(-len(labels) // across) + 0.15)
    drawing.legend(
        handles, labels, loc="lower center", ncols=across, handlelength=3,
        bbox_to_anchor=(0.5, bottom),
    )  # fmt: skip


def _labels(results: Sequence[Result], names: Sequence[str]) -> list[str]:
    """Keys in which the configurations of results differ, else their names."""
    tables = [flatten(parameters(result)) for result in results]
    keys = [key for key in dict.fromkeys(key for table in tables for key in table)
            if key not in _SILENT and not key.startswith("about.")
            and any(table.get(key) != tables[0].get(key) for table in tables)]  # fmt: skip
    short = [_short(key) for key in keys]
    words = {k: one if short.count(one) == 1 else k for k, one in zip(keys, short, strict=True)}
    labels = [", ".join(f"{words[k]} = {_shown(table.get(k))}" for k in keys) for table in tables]
    if not (0 < len(keys) <= _KEYS and all(len(label) <= _LONGEST for label in labels)):
        labels = list(names)
    unique = len(set(labels)) == len(labels)
    return labels if unique else [f"{label} ({k + 1})" for k, label in enumerate(labels)]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _shared_title(results: Sequence[Result]) -> str:
    """Title of the parameters that the runs have in common, in one or two lines."""
    tables = [parameters(result) for result in results]
    shared = {
        section: {
            key: value for key, value in table.items()
            if all(one.get(section, {}).get(key) == value for one in tables)
        }
        for section, table in tables[0].items()
    }  # fmt: skip
    if len({result["localized"].size for result in results if "localized" in result}) > 1:
        shared.get("model", {}).pop("localized", None)
    return title(Result(results[0].variables, {**results[0].attrs, "config": dumps(shared)}))


def _styles(count: int) -> list[dict[str, Any]]:
    """Colour and dashes of each of so many lines."""
    few = count <= len(CYCLE)
    colours = CYCLE[:count] if few else steps(count, 0.92)
    dashes = _DASHES if few else itertools.cycle(_DASHES[:3])
    return [{"color": c, "ls": d} for c, d in zip(colours, dashes, strict=False)]


def _is_unconverged(result: Result | None) -> bool:
    return result is not None and unconverged_from(result) is not None


# ---------------------------------------------------------------------- sweeps


def sweep_figure(collection: Result) -> Figure:
    """Above: each run against time.  Below: final values against the key with most values.

    Runs without time, such as loops, are laid on each other.
    """
    keys = json.loads(str(collection.attrs["sweep"]))
    runs = runs_of(collection)
    if not runs:
        raise InputError("FILE: none of its runs is done; there is nothing to draw")
    every = list(runs.values())
    labels = [_setting(collection, keys, place) for place in runs]
    timed = all("time" in run for run in every)
    shown = quantities(every)[:_COLUMNS] if timed else []
    if not shown:
        return overlay_figure(every, labels)
    drawing = new_figure(max(4.4 * len(shown) + 0.6, 7.6), 7.4)
    size = collection["run_state"].size
    notes = [f"{size - len(runs)} of {size} runs are missing"] * (len(runs) < size)
    notes += ["faint, hollow: not converged"] * any(map(_is_unconverged, every))
    drawing.suptitle("\n".join(filter(None, (title(collection), "; ".join(notes)))), fontsize=12)
    axes = drawing.subplots(2, len(shown), squeeze=False)
    for (upper, lower), quantity in zip(axes.T, shown, strict=True):
        _draw_all(upper, quantity, every, labels, [None] * len(runs))
        upper.set_xlabel(time_label(every[0]))
        _draw_ends(lower, quantity, collection, keys, runs)
    letter(axes.flat)
    if len(keys) > 1:
        legend_right(axes[1, -1])
    if len(runs) <= _LEGEND:
        _legend(drawing, every)
    else:
        write_accuracy(drawing, every)
    return drawing


def runs_of(collection: Result) -> dict[tuple[int, ...], Result]:
    """The runs of a sweep that are done, by their positions along the swept keys."""
    keys = tuple(json.loads(str(collection.attrs["sweep"])))
    done = np.argwhere(collection["run_state"] == 1)
    return {tuple(map(int, place)): _run(collection, keys, tuple(place)) for place in done}


def _run(collection: Result, keys: tuple[str, ...], place: tuple[int, ...]) -> Result:
    """One run, without the times, sites and bonds that only others have."""
    own = {name for name, v in collection.variables.items() if v.dims[: len(keys)] == keys}
    found = {
        name: replace(v, dims=v.dims[len(keys) :], data=v.data[place]) if name in own else v
        for name, v in collection.variables.items()
        if (name in own and len(v.dims) > len(keys)) or not set(v.dims) & set(keys)
    }
    keep: dict[str, Any] = {}
    for v in found.values():
        if (len(v.dims) == 1 and v.dims[0] in found) or v.data.dtype.kind != "f":
            continue  # a coordinate is there for all runs
        for axis, dim in enumerate(v.dims):
            rows = np.moveaxis(v.data, axis, 0).reshape(v.data.shape[axis], -1)
            keep[dim] = keep.get(dim, False) | ~np.isnan(rows).all(axis=1)
    places = {dim: np.flatnonzero(there) for dim, there in keep.items() if there.any()}
    trimmed = {
        name: replace(v, data=v.data[np.ix_(*(
            places.get(dim, np.arange(size)) for dim, size in zip(v.dims, v.data.shape, strict=True)
        ))])
        for name, v in found.items()
    }  # fmt: skip
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


def _setting(collection: Result, keys: Sequence[str], place: Sequence[int]) -> str:
    """Values of swept keys, in words."""
    values = ((_short(key), collection[key][k].item()) for key, k in zip(keys, place, strict=True))
    return ", ".join(f"{name} = {_shown(value)}" for name, value in values)


def _draw_ends(
    ax: Axes, quantity: Quantity, collection: Result, keys: Sequence[str],
    runs: Mapping[tuple[int, ...], Result],
) -> None:  # fmt: skip
    """Last value of each run against one key, a line for each combination of the others."""
    swept = [collection[key] for key in keys]
    # Numbers first, then most values.
    along = max(range(len(keys)), key=lambda k: (swept[k].dtype.kind in "if", swept[k].size))
    values = swept[along]
    numbers = values.dtype.kind in "if"
    x = values if numbers else np.arange(values.size)
    shape, order = collection["run_state"].shape, np.argsort(x)
    others = list(itertools.product(*(range(n) for k, n in enumerate(shape) if k != along)))
    names = [key for k, key in enumerate(keys) if k != along]
    for other, style in zip(others, _styles(len(others)), strict=True):
        places = [(*other[:along], k, *other[along:]) for k in range(values.size)]
        line = [runs.get(place) for place in places]
        ends = np.array([np.nan if run is None else quantity.value(run)[-1] for run in line])
        label = _setting(collection, names, other)
        # Between words there is nothing that a line could mean.
        look = style if numbers else {**style, "ls": ""}
        ax.plot(x[order], ends[order], marker="o", markersize=4, label=label or None, **look)
        sampled = [None if run is None else quantity.error(run) for run in line]
        errors = np.array([0.0 if error is None else error[-1] for error in sampled])
        if errors.any():
            ax.errorbar(x, ends, errors, fmt="none", ecolor=style["color"], capsize=3)
        late = [k for k, run in enumerate(line) if _is_unconverged(run)]
        ax.plot(x[late], ends[late], "o", markersize=4, mfc="white", mec=style["color"])
    if values.dtype.kind == "i":
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not numbers:
        ax.set_xticks(x, values, rotation=20 if values.size > 3 else 0)
    ax.set(title="at the end", xlabel=keys[along], ylabel=quantity.label)
