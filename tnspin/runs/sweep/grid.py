"""A sweep: runs with every combination of the values of some keys, and their folder.

Nothing but files tells what is done, so that processes on several machines agree, and nothing is
lost with any of them:

    sweep.json          manifest: base configuration, overrides, swept keys, names of the runs
    NAME.h5             result of a run: done
    NAME.ckpt.h5        its checkpoint: begun (NAME.chunks for trajectories)
    NAME.failed.txt     why it failed
    NAME.lock           who is at it
    sweep.log           a line for every start and end
    sweep.lock          who leads the sweep
    sweep.nc            all results as one dataset
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from tnspin.errors import InputError, RunError
from tnspin.results.result import attributes, check_writable, is_result, write_atomically
from tnspin.results.toml_text import loads, parse_override
from tnspin.runs.checkpoint import changed_file, first_difference
from tnspin.runs.config.config import Config
from tnspin.runs.config.loading import from_dict, read_tables, with_overrides
from tnspin.version import __version__

MANIFEST, COLLECTION, LEADER, LOG = "sweep.json", "sweep.nc", "sweep.lock", "sweep.log"
FORMAT = "tnspin-sweep"
# Keys that change no number of a run.
_INDIFFERENT = ("about.", "solver.threads", "solver.workers", "record.checkpoint")

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
    """Read the axis ``KEY=V1,V2,...``, split at the commas outside of brackets and quotes.

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


# ---------------------------------------------------------------------- folder


def result_path(folder: Path, name: str) -> Path:
    """Result file of a run."""
    return folder / f"{name}.h5"


def open_folder(folder: Path, grid: Grid | None) -> Grid:
    """Make the folder of a sweep, or continue with the sweep that it holds.

    Raises
    ------
    InputError
        If the folder is of another sweep, of none where none is given, or cannot be written.
    """
    manifest = folder / MANIFEST
    if not manifest.exists():
        if grid is None:
            raise InputError(f"-o {folder}: is no sweep to continue; give CONFIG and --over")
        _make(folder)
        write_manifest(manifest, grid)
        return grid
    old = read_manifest(manifest)
    check_writable(manifest)
    if grid is None:
        return old
    apart = _difference(old, grid)
    if apart:
        raise InputError(f"-o {folder}: is of another sweep: {apart}; give another folder")
    write_manifest(manifest, grid)  # it may have another number of threads, say
    return grid


def write_manifest(path: Path, grid: Grid) -> None:
    """Write the manifest, as a whole or not at all."""
    facts = {
        "format": FORMAT,
        "tnspin_version": __version__,
        "name": grid.name,
        "config": grid.tables,
        "set": list(grid.overrides),
        "over": {axis.key: list(axis.texts) for axis in grid.axes},
        "runs": [run.name for run in grid.runs],
    }
    write_atomically(path, io.BytesIO((json.dumps(facts, indent=1) + "\n").encode()))


def read_manifest(path: Path) -> Grid:
    """Read a manifest.

    Raises
    ------
    InputError
        If it is not one.
    """
    try:
        facts: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError(facts["format"])
        axes = tuple(Axis(key, tuple(texts)) for key, texts in facts["over"].items())
        return Grid(str(facts["name"]), facts["config"], tuple(facts["set"]), axes)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise InputError(f"{path}: is not the manifest of a sweep ({error})") from error


def _difference(old: Grid, new: Grid) -> str | None:
    """Describe the first difference of two sweeps, None if there is none."""
    before, after = (", ".join(axis.key for axis in grid.axes) for grid in (old, new))
    if before != after:
        return f"--over was {before} and is now {after}"
    for one, other in zip(old.axes, new.axes, strict=True):
        if one.values != other.values:
            texts = (", ".join(axis.texts) for axis in (one, other))
            return f"--over {one.key} was {' and is now '.join(texts)}"
    pairs = ((run.config.as_dict(), again.config.as_dict())
             for run, again in zip(old.runs, new.runs, strict=True))  # fmt: skip
    return next(filter(None, (first_difference(*pair, _INDIFFERENT) for pair in pairs)), None)


def finished(path: Path, config: Config) -> bool:
    """Whether a run is done; its result is there, and whole.

    Raises
    ------
    InputError
        If the file is a result of other parameters, or no result.
    """
    if not path.exists():
        return False
    if not is_result(path):
        raise InputError(f"{path}: is not a tnspin result; it is left alone")
    attrs = attributes(path)
    # Observables that the configuration leaves open are chosen by the run, and keys that the file
    # lacks did not exist in the version that wrote it.
    ignore = (*_INDIFFERENT, "record.observables")
    old = loads(str(attrs.get("config", "")))
    apart = first_difference(old, config.as_dict(), ignore, added=False)
    apart = apart or changed_file(attrs, config)
    if apart:
        raise InputError(f"{path}: is of another run: {apart}")
    return bool(attrs.get("complete", 1))


def failure(folder: Path, name: str) -> str | None:
    """Why a run failed, None if it did not."""
    with contextlib.suppress(FileNotFoundError):
        text = failure_path(folder, name).read_text(encoding="utf-8")
        return text.partition("\n")[0] or "unknown"
    return None


def write_failure(folder: Path, name: str, message: str, trace: str = "") -> None:
    """Write why a run failed; a full disk is no error here."""
    line = " ".join(message.split())
    text = f"{line}\n\n{trace}".encode("utf-8", "replace")
    with contextlib.suppress(RunError):
        write_atomically(failure_path(folder, name), io.BytesIO(text))
    log(folder, "failed", name)


def log(folder: Path, event: str, name: str) -> None:
    """Append a line to the log of the sweep."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = f"{now} {event} {name} {socket.gethostname()} {os.getpid()}\n"
    # One write to the end of the file: lines of several processes do not mix.
    with contextlib.suppress(OSError), open(folder / LOG, "ab", buffering=0) as file:
        file.write(line.encode())


def failure_path(folder: Path, name: str) -> Path:
    """File that says why a run failed."""
    return folder / f"{name}.failed.txt"


def _make(folder: Path) -> None:
    if not folder.exists():
        check_writable(folder)  # its parent is there and can be written
        folder.mkdir(exist_ok=True)
    elif not folder.is_dir():
        raise InputError(f"-o {folder}: is not a folder")
    check_writable(folder / MANIFEST)
