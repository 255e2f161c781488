"""Bits that flip on a disk: the same numbers, or one line that says so; never other numbers."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st
from open_systems import SPINS, flips, product
from small_runs import write_config
from small_sweeps import CHAIN, Here
from solving import trajectories

from tnspin.cli import main
from tnspin.errors import InputError
from tnspin.results import checksums
from tnspin.results.result import Result, Variable
from tnspin.runs.checkpoint import load_checkpoint
from tnspin.runs.config.loading import load
from tnspin.runs.sweep.collect import collect
from tnspin.runs.sweep.grid import grid_of, open_folder
from tnspin.runs.sweep.runs import Task
from tnspin.runs.sweep.scheduler import schedule
from tnspin.solvers.trajectories.sampling import merge

NAMES = ["spin", "electron_density", "electron_spin", "energy", "bond_dim"]
RUN = ("run", "small.toml", "--set", "time.stop=0.5", "--set", f"record.observables={NAMES}",
       "--quiet", "-o", "run.h5")  # fmt: skip
#: Every kind of array that a file can hold.
MIXED = Result(
    {
        "x": Variable(("x",), np.linspace(0, 1, 5), "nm", "place"),
        "c": Variable(("x", "y"), np.arange(10, dtype=np.float32).reshape(5, 2) / 3),
        "n": Variable(("y",), np.array([3, -4], dtype=np.int8)),
        "alone": Variable((), np.array(2.5), "eV", "a single number"),
        "none": Variable(("nothing", "y"), np.zeros((0, 2))),
        "name": Variable(("x", "y"), np.array([["a", ""], ["µ", "longer"]] + [["", "b"]] * 3)),
    },
    {"config": "[model]\nJ = 1.25\n", "complete": 1, "energy_ev": 0.5, "empty": ""},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each: result, checkpoint, a result of all kinds of arrays, trajectories, sweep."""
    place = tmp_path_factory.mktemp("whole")
    write_config(place)
    write_config(place, CHAIN, "chain")
    with contextlib.chdir(place):
        assert main(RUN) == 0
        sweep = Path("swept")
        grid = open_folder(sweep, grid_of("chain.toml", ["model.J=-1,1"], ["time.stop=0.3"]))
        tasks = [Task(run.name, "swept", run.config.to_toml()) for run in grid.runs]
        schedule(tasks, Here(), lambda *_: None)
        collect(sweep, grid)
        MIXED.save("mixed.h5")
        options = {"trajectories": 4, "chunk": 2, "workers": 1}
        start = product(SPINS, [0, 1, 0])
        list(trajectories(SPINS, start, [0.0, 1.5], jumps=flips(), store="s", **options))
    return place


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them."""
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("TNSPIN_DEBUG", "1")  # nothing unforeseen is turned into one line
    return Path()


# ---------------------------------------------------------------------- anywhere in a file


def arrays(result: Result) -> Any:
    parts = {
        name: (v.dims, v.data.dtype.str, v.data.tolist(), v.units, v.long_name)
        for name, v in result.variables.items()
    }
    return parts, dict(result.attrs)


def saved(thing: Any) -> Any:
    """All that a state or a ledger would write into a file."""
    found: dict[str, Any] = {}

    def see(name: str, item: Any) -> None:
        attrs = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        found[name] = attrs, item[()].tolist() if isinstance(item, h5py.Dataset) else None

    with h5py.File(io.BytesIO(), "w") as file:
        thing.save(file)
        see("/", file)
        file.visititems(see)
    return found


def checkpoint(path: Path) -> Any:
    one = load_checkpoint(path, load("small.toml").model.local_sites)
    return arrays(one.result), saved(one.state), saved(one.ledger)


def samples(path: Path) -> Any:
    merged = merge(SPINS, [path.parent])
    return [(one.time, one.state.trajectories, one.state.vector.tolist()) for one in merged]


@dataclass(frozen=True)
class File:
    name: str
    read: Callable[[Path], Any]


FILES = [
    File("run.h5", lambda path: arrays(Result.load(path))),
    File("mixed.h5", lambda path: arrays(Result.load(path))),
    File("swept/sweep.nc", lambda path: arrays(Result.load(path))),
    File("run.ckpt.h5", checkpoint),
    File("s/run.h5", samples),
    File("s/still-0.h5", samples),
    File("s/chunk-1.h5", samples),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_flipped_bits_change_no_number(file: File, folder: Path) -> None:
    path = Path(file.name)
    with contextlib.chdir(folder):
        whole, expected = path.read_bytes(), repr(file.read(path))
        places = st.integers(0, len(whole) - 1)

        @settings(max_examples=60, deadline=None, derandomize=True, database=None)
        @given(st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=3))
        def flipped(changes: list[tuple[int, int]]) -> None:
            image = bytearray(whole)
            for place, bits in changes:
                image[place] ^= bits
            path.write_bytes(image)
            try:
                found = repr(file.read(path))
            except InputError as error:
                assert file.name in str(error) and "\n" not in str(error)
            else:
                assert found == expected

        try:
            flipped()
        finally:
            path.write_bytes(whole)


# ---------------------------------------------------------------------- in the numbers


def spoil(path: str, name: str) -> None:
    """Flip one bit of the first number of an array."""
    with h5py.File(path) as file:
        place = file[name].id.get_chunk_info(0).byte_offset
    image = bytearray(Path(path).read_bytes())
    image[place] ^= 4
    Path(path).write_bytes(image)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("tnspin: ")
    return err


@pytest.mark.parametrize(
    ("path", "name", "command"),
    [
        ("run.h5", "spin", ("info", "run.h5")),
        ("run.h5", "bond_dim", ("plot", "run.h5")),
        ("run.h5", "electron_spin", ("plot", "run.h5", "--movie")),
        ("run.h5", "energy", ("plot", "mixed.h5", "run.h5")),
        ("run.ckpt.h5", "state/data", (*RUN, "--resume")),
        ("run.ckpt.h5", "ledger/discarded", (*RUN, "--resume")),
        ("run.ckpt.h5", "spin", (*RUN, "--resume")),
        ("swept/0_J=-1.h5", "energy", ("sweep", "-o", "swept", "--collect")),
        ("swept/sweep.nc", "spin", ("plot", "swept/sweep.nc")),
    ],
)
def test_commands_name_file_and_variable(
    path: str, name: str, command: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p for p in here.rglob("*") if ".lock" not in p.name}
    spoil(path, name)
    assert main(command) == 2
    line = one_line(capsys)
    assert path in line and repr(name) in line and "checksum" in line
    assert before == set(here.rglob("*"))


def test_run_of_trajectories_names_the_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, CHAIN.replace('"exact"', '"trajectories"\n    chunk = 2\n    workers = 1'
                                         "\n    trajectories = 6"), "chain")  # fmt: skip
    with Path("chain.toml").open("a") as file:
        file.write('\n[bath]\nkind = "universal_lindblad"\ntemperature = 0.0\n')
    command = ("run", "chain.toml", "--set", "time.stop=0.2", "--quiet", "-o", "run.h5")
    assert main(command) == 0
    whole = Result.load("run.h5")
    spoil("run.chunks/chunk-1.h5", "rows")
    assert main((*command, "--resume")) == 2
    line = one_line(capsys)
    assert "run.chunks/chunk-1.h5" in line and "'rows'" in line
    Path("run.chunks/chunk-1.h5").unlink()  # without the file its chunk is computed again
    assert main((*command, "--resume")) == 0
    np.testing.assert_array_equal(Result.load("run.h5")["spin"], whole["spin"])


def test_certificate_is_not_made_without_a_damaged_rung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    sets = [word for one in RUN[3:6:2] for word in ("--set", one)]
    command = ("certify", "small.toml", *sets, "--tol", "1", "--quiet", "-o", "c.json")
    assert main(command) == 0
    (rung,) = Path("c.rungs").glob("exact-????????.h5")
    spoil(str(rung), "spin")
    assert main(command) == 2
    line = one_line(capsys)
    assert rung.name in line and "'spin'" in line
    rung.unlink()
    spoil(str(rung.with_suffix(".ckpt.h5")), "spin")  # a rung that was stopped
    assert main(command) == 2
    assert rung.with_suffix(".ckpt.h5").name in one_line(capsys)


#: `MIXED` as version 0.1 wrote it, with a checksum for each text.
OLD = Path(__file__).with_name("version-2.hdf5")


@pytest.mark.parametrize("old", [False, True])
def test_texts_and_dimensions_have_checksums_too(old: bool, here: Path) -> None:
    if old:
        shutil.copy(OLD, "mixed.h5")
    image = Path("mixed.h5").read_bytes()
    for before, after in ((b"J = 1.25", b"J = 1.75"), (b"longer", b"larger"), (b"place", b"plate")):
        assert image.count(before) == 1
        Path("bad.h5").write_bytes(image.replace(before, after))
        with pytest.raises(InputError, match="not fit its checksum"):
            Result.load("bad.h5")
    with h5py.File("mixed.h5", "r+") as file:
        lists = file["c"].attrs["DIMENSION_LIST"]
        lists[0], lists[1] = lists[1], lists[0]
        file["c"].attrs["DIMENSION_LIST"] = lists
    if not old:  # HDF5 has cut the digest off
        with Path("mixed.h5").open("ab") as mixed:
            mixed.write(image[-80:])
    with pytest.raises(InputError, match=r"'c'.*dimensions.*checksum|checksum \(SHA-256\)"
                       if not old else r"dimensions.*'c'.*checksum"):  # fmt: skip
        Result.load("mixed.h5")


def test_no_flipped_bit_escapes_the_digest(here: Path) -> None:
    """Not in the digest either, nor in the lengths from which its place follows."""
    whole = Path("mixed.h5").read_bytes()
    for place in (*range(64), *range(64, len(whole) - 80, 37), *range(len(whole) - 80, len(whole))):
        image = bytearray(whole)
        image[place] ^= 1 << place % 8
        Path("mixed.h5").write_bytes(image)
        with pytest.raises(InputError, match="checksum"):
            Result.load("mixed.h5")


# ---------------------------------------------------------------------- other writers


def test_files_without_checksums_are_read_as_before(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checksums, "checksum_options", lambda data: {})
        patch.setattr(checksums, "append_checksum", lambda image: image)
        MIXED.save("old.h5")
    with h5py.File("old.h5") as file:
        assert file["c"].chunks is None
    assert b"SHA-256" not in Path("old.h5").read_bytes()
    assert arrays(Result.load("old.h5")) == arrays(Result.load("mixed.h5")) == arrays(MIXED)
    assert arrays(Result.load(OLD)) == arrays(MIXED)


def test_files_that_xarray_has_rewritten_are_read(here: Path) -> None:
    with xarray.open_dataset("run.h5", engine="h5netcdf") as data:
        data.attrs["note"] = "mine"
        data.to_netcdf("again.h5", engine="h5netcdf")
    one, other = Result.load("run.h5"), Result.load("again.h5")
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    assert other.attrs["note"] == "mine"


def test_other_readers_get_no_other_numbers_either(here: Path) -> None:
    spoil("run.h5", "spin")
    with xarray.open_dataset("run.h5", engine="h5netcdf") as data:
        assert np.isfinite(data["energy"].values).all()
        with pytest.raises(OSError, match="filter returned failure"):
            np.asarray(data["spin"].values)


def test_every_file_and_every_array_has_one(here: Path) -> None:
    """Whatever wrote them."""
    seen = 0

    def look(name: str, item: Any) -> None:
        nonlocal seen
        scale = item.attrs.get("NAME", b"").startswith(b"This is a netCDF dimension")
        if isinstance(item, h5py.Dataset) and item.size and not scale:
            seen += 1
            assert item.fletcher32 or not item.ndim or item.dtype.kind == "O", name

    for path in (*here.rglob("*.h5"), *here.rglob("*.nc")):
        checksums.verify(path)
        assert path.read_bytes()[-80:].startswith(b"tnspin SHA-256 ")
        with h5py.File(path) as file:
            file.visititems(look)
    assert seen > 50


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=4),
    st.sampled_from([1, 4, 8, 16]),
    st.integers(16, 10**6),
)
def test_chunks_are_small_and_waste_little(shape: list[int], itemsize: int, at_once: int) -> None:
    chunks = checksums.chunk_shape(tuple(shape), itemsize, at_once)
    assert all(1 <= part <= size for part, size in zip(chunks, shape, strict=True))
    assert itemsize * np.prod(chunks, dtype=float) <= at_once
    stored = [-(-size // part) * part for size, part in zip(shape, chunks, strict=True)]
    assert np.prod(stored, dtype=float) <= 1.5 * np.prod(shape, dtype=float)
