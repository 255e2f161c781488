"""The command as a user meets it: exit status, one line on stderr, nothing half-written."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray
from small_runs import write_config

from tnspin.cli import main
from tnspin.models.edge_state import edge_mutual_information

SHORT = ("--set", "time.stop=0.5")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """Run the command, expect this status and one line on stderr, and return the line."""
    capsys.readouterr()
    before = sorted(os.listdir())
    assert main(arguments) == status
    out, err = capsys.readouterr()
    assert out == "" and err.endswith("\n") and err.count("\n") == 1 and "Traceback" not in err
    assert sorted(os.listdir()) == before
    return err


def test_help_answers_without_loading_the_physics() -> None:
    code = (
        "import sys, tnspin.cli\n"
        "try: tnspin.cli.main(['run', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'numba', 'quimb', 'scipy', 'h5py', 'xarray', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = str(Path(__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
    )  # fmt: skip


def test_presets_in_words_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    assert "stt-collinear" in capsys.readouterr().out
    assert main(["presets", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} >= {"stt-collinear", "edge-information"}
    assert all({"title", "reproduces", "cost"} <= set(row) for row in rows)


@pytest.mark.parametrize("kind", ["tebd", "exact"])
def test_run_info_and_plot(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(Path())
    assert main(["run", "small.toml", *SHORT, "--set", f"solver.kind={kind}", "-o", "a.h5"]) == 0
    out = capsys.readouterr().out
    assert "a.h5" in out and "S^z of the localized spins" in out and "wall / CPU time" in out
    with xarray.open_dataset("a.h5", engine="h5netcdf") as data:
        assert data["spin"].dims == ("time", "localized", "axis")
        assert data["electron_density"].dims == ("time", "site")
        assert data["electron_spin"].dims == ("time", "site", "axis")
        assert data["entropy"].dims == ("time", "bond") and data.sizes["bond"] == 7
        np.testing.assert_allclose(data["particle_number"], 2, atol=1e-10)
        np.testing.assert_allclose(data["spin"][0, :, 2], -1, atol=1e-10)
        assert all(v.attrs["units"] and v.attrs["long_name"] for v in data.variables.values())

    assert main(["info", "a.h5", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["parameters"]["solver"]["kind"] == kind and facts["complete"]
    assert facts["parameters"]["state"]["well_depth"] == 10.0
    assert facts["conservation"]["particle_number"]["drift"] < 1e-10
    assert ("discarded_weight" in facts["ledger"]) == (kind == "tebd")
    assert facts["provenance"]["versions"]["numpy"]
    assert main(["info", "a.h5"]) == 0
    assert "conservation" in capsys.readouterr().out

    assert main(["plot", "a.h5"]) == 0 and Path("a.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["plot", "a.h5", "-o", "b.pdf"]) == 0 and Path("b.pdf").exists()


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write_config(Path())
    assert main(["run", "small.toml", *SHORT, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert Path("small.h5").exists()


def test_chosen_observables_are_the_only_ones() -> None:
    write_config(Path())
    chosen = "record.observables=['spin', 'energy']"
    assert main(["run", "small.toml", *SHORT, "--set", chosen, "--quiet"]) == 0
    with xarray.open_dataset("small.h5", engine="h5netcdf") as data:
        assert set(data.data_vars) == {"spin", "energy"}


def test_edge_information_is_the_closed_form_and_tends_to_half_ln_2() -> None:
    assert main(["run", "edge-information", "--quiet"]) == 0
    assert main(["plot", "edge-information.h5"]) == 0
    with xarray.open_dataset("edge-information.h5", engine="h5netcdf") as data:
        numeric, closed = data["mutual_information"], data["mutual_information_closed_form"]
        np.testing.assert_allclose(numeric, closed, atol=1e-13)
        n = data["n_localized"].values.astype(float)
        # PRX Eq. 16, typed from the paper.
        pair = n / (2 * n - 1) * np.log((2 * n - 1) / n)
        pair += (n - 1) / (2 * n - 1) * np.log((4 * n - 2) / (n - 1))
        np.testing.assert_allclose(numeric, 2 * np.log(2) - pair, atol=1e-13)
        assert abs(edge_mutual_information(10**4) - np.log(2) / 2) < 2e-5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "stt-colinear"], "did you mean 'stt-collinear'?"),
        (["run", "stt-collinear", "--set", "solver.bond_dims=3"], "did you mean 'bond_dim'?"),
        (["run", "stt-collinear", "--set", "solver.bond_dim=-3"], "solver.bond_dim = -3"),
        (["run", "stt-collinear", "--set", "state.n_electrons=99"], "state.n_electrons"),
        (["run", "stt-collinear", "--set", "model.localized=[75]"], "model.localized"),
        (["run", "stt-collinear", "--set", "record.observables=['spim']"], "did you mean 'spin'?"),
        (["run", "stt-collinear", "--set", "solver.kind=exact"], "exact"),
        (["run", "stt-collinear", "-o", "none/x.h5"], "there is no folder"),
        (["run", "stt-collinear", "-o", "/proc/self/x.h5"], "cannot be written"),
        (["run", "stt-collinear", "--frobnicate"], "--frobnicate"),
        (["run"], "CONFIG"),
        (["rum"], "rum"),
        ([], "COMMAND"),
        (["info", "none.h5"], "no such file"),
        (["info", "text.h5"], "not a tnspin result"),
        (["plot", "text.h5"], "not a tnspin result"),
        (["run", "stt-collinear", "-o", "text.h5"], "exists and is not a tnspin result"),
    ],
)
def test_bad_input_is_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.h5").write_text("no HDF5 here")
    assert words in refused(capsys, 2, *arguments)


def test_bad_pictures_are_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "edge-information", "--quiet", "-o", "e.h5"]) == 0
    assert "format" in refused(capsys, 2, "plot", "e.h5", "-o", "e.xyz")
    assert "no folder" in refused(capsys, 2, "plot", "e.h5", "-o", "none/e.png")
    assert "densities" in refused(capsys, 2, "plot", "e.h5", "--movie")


def test_a_full_disk_is_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(Path())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    line = refused(capsys, 1, "run", "small.toml", *SHORT, "--quiet")
    assert "small.ckpt.h5: could not be written: the disk is full" in line


def test_an_unforeseen_error_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: object) -> None:
        raise ArithmeticError("first line\nsecond line")

    monkeypatch.setattr("tnspin.results.result.Result.load", broken)
    line = refused(capsys, 1, "info", "x.h5")
    assert "ArithmeticError: first line second line" in line
    monkeypatch.setenv("TNSPIN_DEBUG", "1")
    with pytest.raises(ArithmeticError):
        main(["info", "x.h5"])


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_bar_shows_time_bond_dimension_and_discarded_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    write_config(Path())
    assert main(["run", "small.toml", "-o", "a.h5"]) == 0
    shown = terminal.getvalue()
    assert "left, bond dimension" in shown and "discarded" in shown and "/4 " in shown
    terminal.truncate(0)
    assert main(["run", "small.toml", "-o", "a.h5", "--quiet"]) == 0
    assert terminal.getvalue() == ""
