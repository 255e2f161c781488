"""The runs of a sweep: every combination of the values of some keys."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tnspin.errors import InputError
from tnspin.results.toml_text import parse_override
from tnspin.runs.config.config import Config
from tnspin.runs.config.loading import from_dict, read_tables, with_overrides

__all__ = ["Axis", "Grid", "Run", "grid_of", "parse_over"]

# File names: long enough to tell runs apart, short enough for every file system.
_WORD, _NAME = 24, 120


@dataclass(frozen=True)
class Axis:
    """One swept key; ``texts`` are its values as they were written, in TOML."""

    key: str
    texts: tuple[str, ...]

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """Plain values of the texts."""
        return tuple(parse_override(f"{self.key}={text}")[1] for text in self.texts)


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a sweep; ``place`` are the positions of its values along the axes."""

    index: int
    name: str
    place: tuple[int, ...]
    config: Config


@dataclass(frozen=True)
class Grid:
    """A sweep.

    Attributes
    ----------
    name
        Name of the preset or file.
    tables
        Its tables, before overrides.
    overrides
        Texts ``KEY=VALUE`` that hold for all runs.
    axes
        The swept keys; the last one runs fastest.
    """

    name: str
    tables: Mapping[str, Any]
    overrides: tuple[str, ...]
    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each key."""
        return tuple(len(axis.texts) for axis in self.axes)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """All runs, checked.

        Raises
        ------
        InputError
            For the first combination that is not a valid configuration.
        """
        return tuple(
            Run(index, self._name(index, place), place, self._config(place))
            for index, place in enumerate(itertools.product(*map(range, self.shape)))
        )

    def _config(self, place: Sequence[int]) -> Config:
        here = [f"{axis.key}={axis.texts[k]}" for axis, k in zip(self.axes, place, strict=True)]
        try:
            return from_dict(with_overrides(self.tables, (*self.overrides, *here)), self.name)
        except InputError as error:
            raise InputError(f"{error} (in the combination {', '.join(here)})") from error

    def _name(self, index: int, place: Sequence[int]) -> str:
        """Such as ``07_n_electrons=2_J_sd=0.5``: in order, and readable."""
        width = len(str(max(0, math.prod(self.shape) - 1)))
        last = [axis.key.rpartition(".")[2] for axis in self.axes]
        parts = [
            f"{short if last.count(short) == 1 else axis.key}={_word(axis.texts[k])}"
            for axis, short, k in zip(self.axes, last, place, strict=True)
        ]
        return "_".join([f"{index:0{width}d}", *parts])[:_NAME]


def grid_of(source: str | Path, over: Sequence[str], overrides: Sequence[str] = ()) -> Grid:
    """The grid that a command line describes, every combination of it checked.

    Parameters
    ----------
    source
        Name of a preset, or path of a TOML file.
    over
        Texts ``KEY=V1,V2,...``; the values in TOML syntax.
    overrides
        Texts ``KEY=VALUE`` for all runs.

    Raises
    ------
    InputError
        For anything wrong in the names, keys or values of any combination.
    """
    name, tables = read_tables(source)
    axes = tuple(parse_over(text) for text in over)
    if not axes:
        raise InputError("--over: missing; at least one KEY=V1,V2,...")
    fixed = [".".join(parse_override(text)[0]) for text in overrides]
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"--over {key}: given twice; put all its values behind one --over")
        if key in fixed:
            raise InputError(f"--set {key}: is swept by --over {key}; give one of the two")
    grid = Grid(name, tables, tuple(overrides), axes)
    _ = grid.runs
    return grid


def parse_over(text: str) -> Axis:
    """Split ``KEY=V1,V2,...`` at the commas outside of brackets and quotes.

    Raises
    ------
    InputError
        If there is no value, one is not TOML, or one stands there twice.
    """
    key, equals, values = text.partition("=")
    texts = tuple(part.strip() for part in split(values))
    if not equals or not all(texts):
        raise InputError(f"--over {text!r}: expected SECTION.KEY=V1,V2, such as model.J=0.1,0.2")
    try:
        parts = {parse_override(f"{key}={one}")[0] for one in texts}
    except InputError as error:
        raise InputError(str(error).replace("--set", "--over", 1)) from error
    axis = Axis(".".join(*parts), texts)
    for k, value in enumerate(axis.values):
        if value in axis.values[:k]:
            raise InputError(f"--over {axis.key}: {texts[k]} stands there twice")
    return axis


def split(text: str) -> list[str]:
    """Split at the commas that are not inside brackets, braces or quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        if character == "," and depth <= 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _word(text: str) -> str:
    """A value as part of a file name."""
    inside = text.strip("[]{}()\"' ")
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", inside).lstrip(".")[:_WORD] or "-"
