"""Recording: shapes, names, units, provenance, and files that are whole or not there."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import xarray
from small_runs import FakeSnapshot, FakeState, fake_evolve

from tnspin.errors import InputError, Interrupted, RunError
from tnspin.observables import Observable
from tnspin.results.result import Result, Variable, check_writable, is_result
from tnspin.runs.checkpoint import Checkpoint, checkpoint_path, first_difference
from tnspin.runs.record import cpu_time, record

TIMES = np.arange(5) * 0.5


def observed(measure: Any, dims: tuple[str, ...], long_name: str, units: str = "1") -> Observable:
    """An observable of one's own."""
    own = {"measure": staticmethod(measure), "dims": dims, "units": units, "long_name": long_name}
    return type("Own", (Observable,), own)()


OBSERVABLES = {
    "spin": observed(
        lambda s: np.full((2, 3), s.state.value), ("time", "localized", "axis"), "localized spin"
    ),
    "value": lambda s: s.state.value,
    "pair": lambda s: np.array([s.state.value, s.time]),
}


def run(**options: Any) -> Result:
    return record(fake_evolve(TIMES), OBSERVABLES, config="[time]\nstop = 2.0\n", **options)


def test_observables_come_back_under_their_names_with_dimensions() -> None:
    result = run()
    assert result["time"].tolist() == TIMES.tolist()
    assert result["spin"].shape == (5, 2, 3)
    assert result.variables["spin"].dims == ("time", "localized", "axis")
    assert result["localized"].tolist() == [4, 5] and result["axis"].tolist() == ["x", "y", "z"]
    assert result.variables["pair"].dims == ("time", "pair_0")
    assert np.array_equal(result["pair"][:, 1], TIMES)
    assert result.complete and result.attrs["resumed"] == 0


def sampled(times: Any) -> Any:
    """A run whose snapshots know the statistical error of one variable, and their options."""
    for snapshot in fake_evolve(times):
        errors = {"flips": np.full(3, snapshot.time), "not recorded": 1.0}
        yield SimpleNamespace(
            time=snapshot.time,
            model=snapshot.model,
            state=snapshot.state,
            errors=errors,
            options=SimpleNamespace(wavevectors=(0.5, 1.5)),
        )


def test_labels_of_parts_magnons_and_wavevectors_and_statistical_errors() -> None:
    def variable(dim: str, size: int) -> Observable:
        return observed(lambda s: np.zeros(size), ("time", dim), dim, "nat")

    observables = {
        "parts": variable("part", 3), "flips": variable("magnons", 3),
        "fisher": variable("wavevector", 2),
    }  # fmt: skip
    first = record(sampled(TIMES[:3]), observables)
    assert first["part"].tolist() == ["ab", "a", "b"]
    assert first["magnons"].tolist() == [0, 1, 2]
    assert first["wavevector"].tolist() == [0.5, 1.5]
    error = first.variables["flips_error"]
    assert (error.dims, error.units) == (("time", "magnons"), "nat")
    assert [name for name in first.variables if name.endswith("_error")] == ["flips_error"]
    again = record(sampled(TIMES), observables, previous=first)
    assert np.array_equal(again["flips_error"], np.repeat(TIMES[:, None], 3, axis=1))


def test_processor_time_counts_workers_that_have_ended() -> None:
    burn = "import os\nfor _ in range(10**6): pass\nprint(sum(os.times()[:2]))"
    before = cpu_time()
    run = subprocess.run([sys.executable, "-c", burn], capture_output=True, text=True, check=True)
    # Processor times are counted in hundredths of a second.
    assert cpu_time() - before >= float(run.stdout) - 0.03


def test_a_file_opens_in_xarray_with_units_and_provenance(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    result = run()
    result.save(path)
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert dict(data.sizes) == {"time": 5, "localized": 2, "axis": 3, "pair_0": 2}
        for variable in data.variables.values():
            assert variable.attrs["units"] and variable.attrs["long_name"]
        assert data["spin"].sel(axis="z", localized=5).shape == (5,)
        assert {"config", "tnspin_version", "created", "wall_time_s", "cpu_time_s"} <= set(
            data.attrs
        )
        assert data.attrs["config"] == "[time]\nstop = 2.0\n"
        assert {"python", "numpy", "numba", "quimb"} <= set(json.loads(data.attrs["versions"]))
        xarray.testing.assert_equal(data.load(), result.to_xarray())


def test_a_saved_result_loads_back_to_the_bit(tmp_path: Path) -> None:
    result = run()
    result.save(tmp_path / "run.h5")
    again = Result.load(tmp_path / "run.h5")
    assert list(again) == list(result) and again.attrs == result.attrs
    for name, variable in result.variables.items():
        other = again.variables[name]
        assert (other.dims, other.units, other.long_name) == (
            variable.dims, variable.units, variable.long_name
        )  # fmt: skip
        assert np.array_equal(other.data, variable.data) and other.data.dtype == variable.data.dtype


def test_what_is_no_result_is_refused_in_words(tmp_path: Path) -> None:
    text, foreign = tmp_path / "text.h5", tmp_path / "foreign.h5"
    text.write_text("not HDF5")
    with h5py.File(foreign, "w") as file:
        file["x"] = 1
    for path, words in (
        (text, "not a tnspin result"), (foreign, "not a tnspin result"),
        (tmp_path, "is a folder"), (tmp_path / "none.h5", "no such file"),
    ):  # fmt: skip
        assert not is_result(path)
        with pytest.raises(InputError, match=words):
            Result.load(path)


def test_an_unknown_observable_is_refused() -> None:
    with pytest.raises(InputError, match=r"'entropi': .*did you mean 'entropy'"):
        record(fake_evolve(TIMES), ["entropi"])


def test_a_full_disk_leaves_the_old_file_and_no_debris(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    run().save(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="the disk is full"):
        run().save(path)
    with pytest.raises(RunError, match="the disk is full"):
        run(checkpoint=tmp_path / "run.ckpt.h5")
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.h5"]


def test_a_file_size_limit_is_met_like_a_full_disk(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(RunError, match="the disk is full"):
            run().save(tmp_path / "run.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_unwritable_places_are_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="there is no folder"):
        check_writable(tmp_path / "none" / "run.h5")
    with pytest.raises(InputError, match="there is no folder"):
        check_writable(tmp_path / "file" / "run.h5")
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path)
    if Path("/proc/self").is_dir():
        with pytest.raises(InputError, match="cannot be written"):
            check_writable(Path("/proc/self/run.h5"))
    check_writable(tmp_path / "run.h5")
    assert os.listdir(tmp_path) == ["file"]


def test_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for write in (check_writable, run().save):
        with pytest.raises(InputError, match="not a regular file"):
            write(pipe)
    assert pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_a_checkpoint_is_a_result_with_a_state(tmp_path: Path) -> None:
    path = checkpoint_path(tmp_path / "run.h5")
    assert path.name == "run.ckpt.h5"
    run(checkpoint=path)
    with h5py.File(path) as file:
        assert file["state"].attrs["format"] == "fake"
        last = file["state"].attrs["value"]
    saved = Result.load(path)
    assert not saved.complete and saved["time"].tolist() == TIMES.tolist()
    assert saved["value"][-1] == last


def test_no_checkpoint_where_a_longer_run_would_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt.h5"
    run(checkpoint=Checkpoint(path, skip=(TIMES[-1],)))
    assert Result.load(path)["time"].tolist() == TIMES[:-1].tolist()


def test_checkpoints_cost_less_than_a_tenth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    now = {"t": 0.0}
    monkeypatch.setattr("tnspin.runs.checkpoint.time.monotonic", lambda: now["t"])
    written: list[float] = []

    def slow_write(path: Path, image: object) -> None:
        written.append(now["t"])
        now["t"] += 3.0  # a save takes three seconds

    monkeypatch.setattr("tnspin.runs.checkpoint.write_atomically", slow_write)
    saver = Checkpoint(tmp_path / "x.h5", every=5.0)
    for _ in clock:
        now["t"] += 1.0
        saver.offer(FakeSnapshot(now["t"], FakeState(0.0)), lambda: Result({}, {}))
        if now["t"] > 300:
            break
    assert written[0] == 5.0
    assert np.all(np.diff(written) >= 30.0) and len(written) > 5


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt, ValueError])
def test_whatever_ends_a_run_the_last_point_is_saved(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "run.ckpt.h5"

    def stop(snapshot: FakeSnapshot) -> None:
        if snapshot.time == 1.0:
            raise error

    if error is Interrupted:
        result = run(checkpoint=path, on_snapshot=stop)
        assert not result.complete and result["time"].tolist() == [0.0, 0.5, 1.0]
    else:
        with pytest.raises(error):
            run(checkpoint=path, on_snapshot=stop)
    assert Result.load(path)["time"].tolist() == [0.0, 0.5, 1.0]


def test_a_continued_result_repeats_no_point_and_adds_up_the_time() -> None:
    whole = run()
    first = record(fake_evolve(TIMES[:3]), OBSERVABLES)
    again = record(fake_evolve(TIMES), OBSERVABLES, previous=first)
    assert np.array_equal(again["value"], whole["value"])
    assert again.attrs["resumed"] == 1
    assert again.attrs["wall_time_s"] > first.attrs["wall_time_s"]


def test_the_first_difference_between_two_configurations() -> None:
    old = {"time": {"stop": 1.0}, "solver": {"dt": 0.1}, "about": {"title": "a"}}
    assert first_difference(old, old | {"time": {"stop": 9.0}, "about": {}}) is None
    assert (
        first_difference(old, old | {"solver": {"dt": 0.2}}) == "solver.dt was 0.1 and is now 0.2"
    )


def test_variables_without_time_are_kept(tmp_path: Path) -> None:
    result = Result({"n": Variable(("n",), np.arange(3), "1", "size")}, {"complete": 1})
    result.save(tmp_path / "x.h5")
    assert Result.load(tmp_path / "x.h5")["n"].tolist() == [0, 1, 2]
