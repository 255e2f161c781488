"""Finished chunks of trajectories on disk, which a resumed run reuses.

A folder holds ``run.h5``, which says what is sampled, ``still-<member>.h5`` with the course
without jumps of each initial state, and ``chunk-<number>.h5``.  Files appear complete or not at
all.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError, RunError
from tnspin.models import Model
from tnspin.results.checksums import append_checksum, checksum_options, verify
from tnspin.results.result import LIBVER, readable, write_atomically
from tnspin.solvers.trajectories.layout import Layout
from tnspin.solvers.trajectories.trajectory import NoJump, SampledRun

Rows = NDArray[np.complex128]
_FORMAT = "tnspin-trajectories-1"
# Initial states of a continued run agree to this.
_SAME = 1e-8


@dataclass(frozen=True, eq=False)
class Sample:
    """Sampled contributions to the average at one time.

    Attributes
    ----------
    base
        (size,) what is known without sampling: the trajectories without jumps, weighted.
    chunks
        (size,) vectors: ``base`` plus each is an average over trajectories.
    trajectories
        How many all chunks hold together.
    """

    base: Rows
    chunks: list[Rows]
    trajectories: int


class Store:
    """Chunks of one run in a folder.

    Parameters
    ----------
    folder : path
        Made if it does not exist.

    Raises
    ------
    RunError
        If the folder cannot be made.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{folder}: cannot be made: {error.strerror}") from error

    # ------------------------------------------------------------------ which run it is

    def open(self, run: SampledRun) -> None:
        """Begin or continue a run.

        Raises
        ------
        InputError
            If the folder holds the chunks of another run.
        """
        marks = {**_marks(run), "seed": run.solver.seed}
        starts = np.array([run.layout.pack(state) for state in run.states])
        path = self.folder / "run.h5"
        if not path.exists():
            self._write("run.h5", {"times": np.array(run.times), "starts": starts}, marks)
            return
        with _reading(path) as file:
            for key, value in marks.items():
                before = _plain(file.attrs[key])
                if before != value:
                    raise InputError(
                        f"store: {self.folder} is of another run: {key} was {before!r} "
                        f"and is now {value!r}"
                    )
            times, old = file["times"][:], file["starts"][:]
        if not np.array_equal(times, run.times):
            raise InputError(f"store: {self.folder} is of another run: the times differ")
        if old.shape != starts.shape or np.abs(old - starts).max(initial=0.0) > _SAME:
            raise InputError(f"store: {self.folder} is of another run: the initial states differ")

    def marks(self) -> dict[str, Any]:
        """Parameters that identify the run, and its ``seed``."""
        with _reading(self.folder / "run.h5") as file:
            return {key: _plain(value) for key, value in file.attrs.items()}

    def layout(self, model: Model) -> Layout:
        """How the vectors of this run are laid out."""
        with _reading(self.folder / "run.h5") as file:
            marks = file.attrs
            names = [name for name in marks["charge_names"].split(",") if name]
            layout = Layout(
                model.local_sites, names, model.groups,
                bonds=bool(marks["bonds"]), cuts=bool(marks["cuts"]),
            )  # fmt: skip
            if file["starts"].shape[1] != layout.size:
                raise InputError(f"store: {self.folder} holds trajectories of another model")
        return layout

    @property
    def times(self) -> list[float]:
        """Times of the rows."""
        with _reading(self.folder / "run.h5") as file:
            return list(map(float, file["times"][:]))

    # ------------------------------------------------------------------ what is done

    def add_no_jump(self, member: int, weight: float, found: NoJump) -> None:
        """Keep the course without jumps of an initial state."""
        attrs = {"probability": found.probability, "weight": weight}
        self._write(f"still-{member}.h5", {"rows": found.rows}, attrs)

    def probability(self, member: int) -> float | None:
        """Probability of no jump, None if it is not known yet."""
        path = self.folder / f"still-{member}.h5"
        if not path.exists():
            return None
        with _reading(path) as file:
            return float(file.attrs["probability"])

    def add_chunk(self, number: int, rows: Rows) -> None:
        """Keep a finished chunk."""
        self._write(f"chunk-{number}.h5", {"rows": rows}, {})

    def chunks(self) -> list[int]:
        """Numbers of the finished chunks, ascending."""
        return sorted(int(p.stem.split("-")[1]) for p in self.folder.glob("chunk-*.h5"))

    def samples(self, numbers: Sequence[int]) -> Iterator[Sample]:
        """Yield base and chunks at each time in turn, never more than one time in memory."""
        with contextlib.ExitStack() as stack:
            courses, chunks = (
                [stack.enter_context(_opened(path)) for path in paths]
                for paths in (
                    sorted(self.folder.glob("still-*.h5")),
                    [self.folder / f"chunk-{k}.h5" for k in numbers],
                )
            )
            count = len(chunks) * len(courses) * int(self.marks()["share"])
            shares = [_share(file) for file in courses]
            for k in range(len(self.times)):
                parts = [x * _row(file, k) for x, file in zip(shares, courses, strict=True)]
                yield Sample(np.sum(parts, axis=0), [_row(file, k) for file in chunks], count)

    def _write(self, name: str, data: dict[str, Any], attrs: dict[str, Any]) -> None:
        image = io.BytesIO()
        with h5py.File(image, "w", libver=LIBVER) as file:
            for key, value in data.items():
                # Row by row, as they are read.
                options = checksum_options(value, at_once=max(1, value[:1].nbytes))
                file.create_dataset(key, data=value, **options)
            file.attrs.update({"format": _FORMAT, **attrs})
        # Two processes may write the same chunk, which is the same numbers.
        write_atomically(self.folder / name, append_checksum(image))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Any]:
    with _opened(path) as file, readable(path):
        yield file


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open file; where several are open, what reads them must say which one is damaged."""
    if not path.exists():
        raise InputError(f"store: {path} does not exist")
    with readable(path):
        verify(path)
        # No cache: every row is read once, of hundreds of files at a time.
        file = h5py.File(path, "r", rdcc_nbytes=0)
    with file:
        with readable(path):
            if file.attrs.get("format") != _FORMAT:
                raise InputError(f"store: {path} holds no trajectories")
        yield file


def _share(file: Any) -> float:
    """Share of the trajectories without jumps of one initial state."""
    with readable(file.filename):
        return float(file.attrs["probability"] * file.attrs["weight"])


def _row(file: Any, number: int) -> Rows:
    """One row."""
    with readable(file.filename):
        row: Rows = file["rows"][number]
    return row


def _marks(run: SampledRun) -> dict[str, Any]:
    """Parameters that runs must share for their chunks to be averaged, without the states."""
    # The last digits of matrices from eigenvectors are not the same on all machines.
    jumps = "".join(repr((jump.sites, jump.name)) for jump in run.jumps)
    options = [(name, getattr(run.solver, name)) for name in sorted(run.key_names)]
    return {
        "model": repr(run.model),
        "jumps": hashlib.sha256(jumps.encode()).hexdigest(),
        "rates": float(f"{sum(j.strength for j in run.jumps):.8g}"),
        "weights": repr(run.weights),
        "share": run.share,
        "options": repr(options),
        "charge_names": ",".join(run.layout.charge_names),
        "bonds": run.layout.bonds,
        "cuts": run.layout.cuts,
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
