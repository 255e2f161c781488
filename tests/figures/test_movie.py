"""Movies that cannot be made: one line says why, an older one stays, nothing half-written does."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_runs import full_after

from tnspin.cli import main
from tnspin.results.result import Result, Variable

STEPS, SITES = 3, 6


def pulse(**changes: Variable) -> Result:
    """A made-up result with what a movie shows."""
    random = np.random.default_rng(1)
    arrays = {
        "time": (("time",), np.arange(STEPS) * 0.5),
        "localized": (("localized",), np.array([3, 4])),
        "spin": (("time", "localized", "axis"), random.uniform(-1, 1, (STEPS, 2, 3))),
        "electron_density": (("time", "site"), random.uniform(0, 1, (STEPS, SITES))),
        "electron_spin": (("time", "site", "axis"), random.uniform(-1, 1, (STEPS, SITES, 3))),
    }
    variables = {name: Variable(dims, data) for name, (dims, data) in arrays.items()}
    return Result(variables | changes, {"config": ""})


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TNSPIN_DEBUG", "1")  # nothing unforeseen is turned into one line
    pulse().save("run.h5")


def refused(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    before = sorted(os.listdir())
    assert main(["plot", *arguments, "--movie"]) == status
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and err.startswith("tnspin: ")
    assert sorted(os.listdir()) == before
    return err


def test_results_without_the_variables(capsys: pytest.CaptureFixture[str]) -> None:
    without = {k: v for k, v in pulse().variables.items() if k != "electron_spin"}
    Result(without, {}).save("some.h5")
    assert "no electron densities" in refused(capsys, 2, "some.h5")
    # A sweep has the same names along more axes.
    swept = {
        name: v if v.dims in (("time",), ("localized",)) else Variable(("J", *v.dims), v.data[None])
        for name, v in pulse().variables.items()
    }
    Result(swept, {"sweep": '["J"]'}).save("sweep.nc")
    assert "no electron densities" in refused(capsys, 2, "sweep.nc")


def test_results_without_rows_or_spins(capsys: pytest.CaptureFixture[str]) -> None:
    empty = {
        name: Variable(v.dims, v.data[:0] if v.dims[0] == "time" else v.data)
        for name, v in pulse().variables.items()
    }
    Result(empty, {}).save("empty.h5")
    assert "no times" in refused(capsys, 2, "empty.h5")
    pulse(
        spin=Variable(("time", "localized", "axis"), np.zeros((STEPS, 0, 3))),
        localized=Variable(("localized",), np.zeros(0, int)),
    ).save("no.h5")
    assert "no localized spins" in refused(capsys, 2, "no.h5")


def test_places_and_formats(capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.gif").mkdir()
    assert "is a folder" in refused(capsys, 2, "run.h5", "-o", "folder.gif")
    assert "there is no folder" in refused(capsys, 2, "run.h5", "-o", "none/run.gif")
    assert "not a regular file" in refused(capsys, 2, "run.h5", "-o", "/dev/null")
    assert "cannot be written" in refused(capsys, 2, "run.h5", "-o", "/proc/self/run.gif")
    assert ".gif or .mp4" in refused(capsys, 2, "run.h5", "-o", "run.avi")
    assert "takes one FILE.h5" in refused(capsys, 2, "run.h5", "run.h5")
    Path("text.h5").write_text("no HDF5 here")
    assert "not a tnspin result" in refused(capsys, 2, "text.h5")


def test_mp4_without_ffmpeg(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    line = refused(capsys, 2, "run.h5", "-o", "run.mp4")
    assert "needs ffmpeg, which is not installed; allowed: .gif" in line


@pytest.mark.parametrize("reads", ["cat > /dev/null", "true"])
def test_ffmpeg_that_fails(
    reads: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its end, or at once."""
    tool = Path("bin/ffmpeg")
    tool.parent.mkdir()
    tool.write_text(
        f"#!/bin/sh\n{reads}\necho 'banner' >&2\necho 'Unknown encoder h264' >&2\nexit 8\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent.resolve()}:{os.environ['PATH']}")
    assert shutil.which("ffmpeg") == str(tool.resolve())
    line = refused(capsys, 1, "run.h5", "-o", "run.mp4")
    assert "run.mp4: could not be written: ffmpeg failed with status 8" in line
    assert "Unknown encoder h264" in line


def test_full_disk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["plot", "run.h5", "--movie"]) == 0
    capsys.readouterr()
    older = Path("run.gif").read_bytes()
    with Image.open("run.gif") as image:
        assert image.n_frames == STEPS  # type: ignore[attr-defined]
    # While the frames are written: files may not become longer than this.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        line = refused(capsys, 1, "run.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "run.gif: could not be written: the disk is full" in line
    # And at the very end.
    full_after(monkeypatch, 0)
    assert "the disk is full" in refused(capsys, 1, "run.h5")
    assert Path("run.gif").read_bytes() == older
