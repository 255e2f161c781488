"""The folder of a sweep: its manifest, a result per run, and what the files say of each run.

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
import json
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tnspin.errors import InputError, RunError
from tnspin.results.result import attributes, check_writable, is_result, write_atomically
from tnspin.results.toml_text import loads
from tnspin.runs.checkpoint import first_difference
from tnspin.runs.config.config import Config
from tnspin.runs.sweep.grid import Axis, Grid
from tnspin.version import __version__

__all__ = [
    "COLLECTION", "LEADER", "MANIFEST", "failure", "failure_path", "finished",
    "log", "open_folder", "read_manifest", "result_path", "write_failure",
]  # fmt: skip

MANIFEST, COLLECTION, LEADER, LOG = "sweep.json", "sweep.nc", "sweep.lock", "sweep.log"
FORMAT = "tnspin-sweep"
# Keys that change no number of a run.
_INDIFFERENT = ("about.", "solver.threads", "solver.workers", "record.checkpoint")


def result_path(folder: Path, name: str) -> Path:
    """Result file of a run."""
    return folder / f"{name}.h5"


def open_folder(folder: Path, grid: Grid | None) -> Grid:
    """Make the folder that of this sweep, or read which sweep it is of.

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
    """Write what the sweep is; replaced as a whole."""
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
    """Describe the first thing that makes another sweep of one, None if there is none."""
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
    """Keep why a run failed; nothing happens where nothing can be written any more."""
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
