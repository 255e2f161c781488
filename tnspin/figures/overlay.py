"""Several results of the same kind on the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.errors import InputError
from tnspin.figures.common import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    letter,
    new_figure,
    steps,
    time_label,
    title,
)
from tnspin.figures.curves import Line, draw, lines_of
from tnspin.figures.ledger import footer
from tnspin.figures.panels import unconverged_from
from tnspin.results.facts import parameters
from tnspin.results.result import Result
from tnspin.results.toml_text import dumps, flatten

__all__ = [
    "labels_of",
    "legend",
    "overlay_figure",
    "panel",
    "shared_title",
    "styles",
    "unconverged",
]

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK)
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
#: Keys that say nothing about what a line shows.
_SILENT = ("solver.threads", "solver.workers", "record.checkpoint", "record.observables")
# Longer labels, or more keys than this, are worse than the name of the file.
_LONGEST, _KEYS = 60, 4
# Inches of a row of the legend.
_ROW = 0.23


def overlay_figure(results: Sequence[Result], names: Sequence[str]) -> Figure:
    """Lines of each result, one colour and dash pattern each.

    Parameters
    ----------
    results, names
        Results, and what to call them where their configurations do not tell them apart.

    Raises
    ------
    InputError
        If they have nothing in common that could be compared.
    """
    lines, abscissae, label = _axes(results)
    labels = labels_of(results, names)
    columns = min(3, len(lines))
    rows = -(-len(lines) // columns)
    # Titles need some width.
    drawing = new_figure(max(4.6 * columns + 0.6, 7.6), 3.1 * rows + 1.2)
    faint = "faint: not converged" * any(map(unconverged, results))
    drawing.suptitle("\n".join(filter(None, (shared_title(results), faint))), fontsize=12)
    for k, line in enumerate(lines):
        ax = drawing.add_subplot(rows, columns, k + 1)
        panel(ax, line, results, labels, abscissae)
        ax.set_title(line.title)
        ax.set_xlabel(label)
    letter(drawing.axes)
    legend(drawing, results)
    return drawing


def panel(
    ax: Axes,
    line: Line,
    results: Sequence[Result],
    labels: Sequence[str],
    abscissae: Sequence[np.ndarray | None],
) -> None:
    """One quantity of all results."""
    looks = zip(results, labels, abscissae, styles(len(results)), strict=True)
    for result, label, x, style in looks:
        draw(ax, line, result, x, label=label, **style)
    ax.set_ylabel(line.label)
    if line.log and any(np.isfinite(one.get_ydata()).any() for one in ax.lines):
        ax.set_yscale("log")


def legend(drawing: Figure, results: Sequence[Result]) -> None:
    """One legend for all panels, below them, and the ledger of all results below it."""
    handles, labels = drawing.axes[0].get_legend_handles_labels()
    widest = max(map(len, labels)) + 8
    across = max(1, min(len(labels), int(drawing.get_figwidth() * 11 / widest)))
    bottom = footer(drawing, results, room=_ROW * -(-len(labels) // across) + 0.15)
    drawing.legend(
        handles, labels, loc="lower center", ncols=across, handlelength=3,
        bbox_to_anchor=(0.5, bottom),
    )  # fmt: skip


def _axes(results: Sequence[Result]) -> tuple[list[Line], list[np.ndarray | None], str]:
    """Lines that the results share, and against what."""
    if all("time" in result for result in results):
        scales = {"time_fs" in result for result in results}
        if len(scales) > 1:
            raise InputError("FILE: one result has times in fs, another has no energy unit")
        lines = lines_of(results)
        if lines:
            return lines, [None] * len(results), time_label(results[0])
    if all("n_localized" in result for result in results):
        name = "mutual information of the edge spins"
        line = Line(name, "mutual information (nat)", lambda r: r["mutual_information"])
        return [line], [r["n_localized"] for r in results], "number of localized spins"
    if all("loop_spin" in result for result in results):
        return _loops(), [_there_and_back(r) for r in results], "field (energy unit)"
    kinds = ", ".join(str(parameters(r).get("model", {}).get("kind", "?")) for r in results)
    raise InputError(f"FILE: these results ({kinds}) have nothing in common to draw")


def _there_and_back(result: Result) -> np.ndarray:
    return np.concatenate((result["field"], result["field"][::-1]))


def _loops() -> list[Line]:
    """Components of the magnetization round the loop."""

    def component(axis: int) -> Line:
        def value(result: Result) -> np.ndarray:
            branches = {str(name): k for k, name in enumerate(result["branch"])}
            down, up = (result["magnetization"][branches[n], :, axis] for n in ("down", "up"))
            return np.concatenate((up, down[::-1]))

        return Line(f"magnetization, {'xyz'[axis]}", f"$M_{'xyz'[axis]}$", value)

    return [component(axis) for axis in range(3)]


def labels_of(results: Sequence[Result], names: Sequence[str]) -> list[str]:
    """What tells results apart: the keys in which they differ, else their names."""
    tables = [flatten(parameters(result)) for result in results]
    keys = [key for key in dict.fromkeys(key for table in tables for key in table)
            if key not in _SILENT and not key.startswith("about.")
            and any(table.get(key) != tables[0].get(key) for table in tables)]  # fmt: skip
    short = [key.rpartition(".")[2] for key in keys]
    words = [one if short.count(one) == 1 else key for one, key in zip(short, keys, strict=True)]
    named = list(zip(words, keys, strict=True))
    labels = [", ".join(f"{w} = {_shown(table.get(key))}" for w, key in named) for table in tables]
    good = 0 < len(keys) <= _KEYS and all(len(label) <= _LONGEST for label in labels)
    if not good:
        labels = list(names)
    if len(set(labels)) < len(labels):
        return [f"{label} ({k + 1})" for k, label in enumerate(labels)]
    return labels


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def shared_title(results: Sequence[Result]) -> str:
    """What the runs have in common, in one or two lines."""
    tables = [parameters(result) for result in results]
    shared = {
        section: {
            key: value for key, value in table.items()
            if all(one.get(section, {}).get(key) == value for one in tables)
        }
        for section, table in tables[0].items()
    }  # fmt: skip
    sized = [result["localized"].size for result in results if "localized" in result]
    if len(set(sized)) > 1:
        shared.get("model", {}).pop("localized", None)
    return title(Result(results[0].variables, {**results[0].attrs, "config": dumps(shared)}))


def styles(count: int) -> list[dict[str, Any]]:
    """Colour and dashes of each of so many lines."""
    if count <= len(_COLOURS):
        return [{"color": c, "ls": d} for c, d in zip(_COLOURS[:count], _DASHES, strict=False)]
    return [
        {"color": colour, "ls": dash}
        for colour, dash in zip(steps(count, 0.92), cycle(_DASHES[:3]), strict=False)
    ]


def unconverged(result: Result) -> bool:
    """Whether a run passes the time up to which it is converged."""
    return "time" in result and unconverged_from(result) is not None
