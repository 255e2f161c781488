"""Checkpoints: a result so far, the state it was measured in, and the error ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tnspin.errors import InputError
from tnspin.operators.sites import Site
from tnspin.results.result import LIBVER, Result, readable, write_atomically
from tnspin.results.toml_text import flatten
from tnspin.states import load_state

# Keys and tables that do not change the numbers measured up to a given time.  Classical spins are
# computed once the run is over.
_MAY_CHANGE = (
    "about.", "classical.", "time.stop", "solver.threads", "record.checkpoint", "hysteresis.steady",
    "run.",  # files of --use are compared by their checksums
)  # fmt: skip


def checkpoint_path(path: str | Path) -> Path:
    """Path of the checkpoint of a result, ``FILE.ckpt.h5`` for ``FILE.h5``."""
    path = Path(path)
    return path.with_name(path.name.removesuffix(".h5") + ".ckpt.h5")


def store_path(path: str | Path) -> Path:
    """Folder ``FILE.chunks`` of ``FILE.h5``, in which sampled runs keep finished chunks."""
    path = Path(path)
    return path.with_name(path.name.removesuffix(".h5") + ".chunks")


def resumable(path: str | Path) -> bool:
    """Whether a run that writes to ``path`` has left something to continue from."""
    return checkpoint_path(path).exists() or any(store_path(path).glob("*.h5"))


class Checkpoint:
    """Where and how often a run is saved.

    Parameters
    ----------
    path
        File; replaced as a whole at each save.
    every
        Seconds between saves; longer where saving would take over a tenth of the time.  0 saves
        at every snapshot, whatever it costs.
    skip
        Times that a longer run would not visit, where a checkpoint would be of no use.
    """

    def __init__(self, path: Path, every: float = 20.0, skip: Collection[float] = ()) -> None:
        # Now, not at the first save: how long a save takes decides how often there is one.
        import h5netcdf  # noqa: F401

        self.path = path
        self.every = every
        self.skip = skip
        self._last = time.monotonic()
        self._cost = 0.0
        self._pending: tuple[Any, Callable[[], Result]] | None = None

    def offer(self, snapshot: Any, result: Callable[[], Result]) -> None:
        """Take note of a snapshot, and save it if it is time to."""
        if snapshot.time in self.skip:
            return
        self._pending = (snapshot, result)
        wait = max(self.every, 10 * self._cost) if self.every else 0.0
        if time.monotonic() - self._last >= wait:
            self.flush()

    def flush(self) -> None:
        """Save the last snapshot offered, unless it is saved already.

        Raises
        ------
        RunError
            If the disk is full or the folder cannot be written; the last checkpoint stays.
        """
        if self._pending is None:
            return
        (snapshot, result), self._pending = self._pending, None
        start = time.monotonic()
        write_atomically(self.path, _image(snapshot, result()))
        self._last = time.monotonic()
        self._cost = self._last - start


@dataclass(frozen=True)
class Saved:
    """Content of a checkpoint: ``result`` ends at the time, or in the field, of ``state``."""

    result: Result
    state: Any
    ledger: Any

    @property
    def time(self) -> float:
        """Time of the state."""
        return float(self.result["time"][-1])


def load_checkpoint(path: Path, sites: Sequence[Site]) -> Saved:
    """Read a checkpoint of a run on these sites.

    Raises
    ------
    InputError
        If the file is not a checkpoint.
    """
    import h5py

    from tnspin.mps.ledger import Ledger

    result = Result.load(path)
    if "loop_done" not in result.attrs and not ("time" in result and result["time"].size):
        raise InputError(f"{path}: is damaged (it has no times)")
    with readable(path), h5py.File(path, "r") as file:
        if "state" not in file:
            raise InputError("is a result, not a checkpoint")
        state = load_state(file["state"], sites)
        ledger = Ledger.load(file["ledger"]) if "ledger" in file else None
    return Saved(result, state, ledger)


def first_difference(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    ignore: tuple[str, ...] = _MAY_CHANGE,
    *,
    added: bool = True,
) -> str | None:
    """Describe the first key in which two configurations differ, None if there is none.

    Parameters
    ----------
    old, new
        Nested tables of plain values.
    ignore
        Dotted keys that may differ, and whole tables (``about.``).
    added
        Whether keys count that only the new one has.
    """
    before, after = flatten(old), flatten(new)
    for key in dict.fromkeys((*after, *before) if added else before):
        if before.get(key) != after.get(key) and not key.startswith(ignore):
            change = f"was {before.get(key)!r} and is now {after.get(key)!r}"
            return f"{key} {change if key in before else 'is new'}"
    return None


def changed_file(attrs: Mapping[str, Any], config: Any) -> str:
    """Say which file of ``--use`` is not what it was when a result was begun, "" if none.

    Parameters
    ----------
    attrs
        Attributes of the result, with ``user_files``.
    config
        The configuration now.
    """
    before = json.loads(str(attrs.get("user_files", "{}")))
    for name, file in config.user_files.items():
        if before.get(name, {}).get("sha256") != file["sha256"]:
            return f"{name} has changed; restore the file, or start anew with another -o"
    return ""


def _image(snapshot: Any, result: Result) -> Any:
    import h5py

    from tnspin.results.checksums import ChecksumGroup, append_checksum

    buffer = result.image()
    with h5py.File(buffer, "r+", libver=LIBVER) as file:
        root = ChecksumGroup(file["/"].id)
        group = root.create_group("state")
        snapshot.state.save(group)
        if snapshot.ledger is not None:
            snapshot.ledger.save(root.create_group("ledger"))
    return append_checksum(buffer)
