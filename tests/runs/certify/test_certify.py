"""Certificates: what is run, whether estimates are honest, refusals, files, kill and resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from small_runs import full_after, write_config

from tnspin.cli import main
from tnspin.errors import InputError, Interrupted, RunError
from tnspin.results.result import Result
from tnspin.runs.certify import certify as run_ladder
from tnspin.runs.certify.ladder import ladder
from tnspin.runs.config.loading import load, preset_names

# Twelve Schmidt values are reached at t = 2; few observables, since reading files takes longest.
SETTINGS = [
    "time.stop=2.5", "time.every=0.5", "record.checkpoint=20.0", "solver.bond_dim=10",
    "record.observables=['spin', 'electron_density', 'energy', 'bond_dim', 'discarded_weight']",
]  # fmt: skip


def small(folder: Path, *extra: str) -> Any:
    return load(write_config(folder), [*SETTINGS, *extra])


def honest(folder: Path, config: Any, factor: float = 3.0) -> None:
    """Known errors are at most so many times the estimates, at every time and observable."""
    known = run_ladder(config, folder / "known.json")
    estimated = run_ladder(config, folder / "estimate.json", exact=False)
    assert known.known and not estimated.known
    for name, one in estimated.observables.items():
        if name not in known.observables:
            continue
        true = known.observables[name].error[: one.error.size]
        assert np.all(true <= factor * one.error + 1e-7), (name, true, one.error)


def test_estimates_bound_the_known_errors_and_files_say_what_they_say(tmp_path: Path) -> None:
    config = small(tmp_path)
    honest(tmp_path, config)
    facts = json.loads((tmp_path / "estimate.json").read_text())
    assert facts["format"] == "tnspin-certificate-1"
    assert facts["config"]["solver"]["bond_dim"] == 10 and facts["config"]["solver"]["order"] == 2
    sides = {(level["axis"], level["side"]) for level in facts["rungs"]}
    two_sided = {(a, s) for a in ("bond_dim", "cutoff", "dt") for s in ("coarser", "finer")}
    assert sides == {("base", "base"), ("order", "finer")} | two_sided
    assert all(level["reached"] == 2.5 for level in facts["rungs"])
    assert facts["conservation"]["energy"]["drift"] < 1e-2
    spin = facts["observables"]["spin"]
    assert set(spin["contributions"]) == {"bond_dim", "cutoff", "dt"}
    total = np.sum(list(spin["contributions"].values()), axis=0)
    np.testing.assert_allclose(spin["error"], np.maximum.accumulate(total))
    assert len(spin["extrapolation"]["values"]) == len(facts["time"])
    assert facts["observables"]["energy"]["judged"] is False
    with xarray.open_dataset(tmp_path / "estimate.h5", engine="h5netcdf") as data:
        assert data.attrs["converged_until"] == facts["converged_until"]


def test_bond_dimensions_that_are_not_reached_are_not_doubled(tmp_path: Path) -> None:
    config = small(tmp_path, "time.stop=0.5", "solver.bond_dim=64")
    certificate = run_ladder(config, exact=False)
    notes = {level["name"]: level["note"] for level in certificate.levels}
    assert notes["bond_dim 128"] == notes["bond_dim 32"] == "was not needed"
    assert set(certificate.observables["spin"].contributions) == {"cutoff", "dt"}


def test_a_ladder_ends_once_the_tolerance_is_clearly_lost(tmp_path: Path) -> None:
    config = small(tmp_path, "solver.bond_dim=3")
    # As if it took hours.
    certificate = run_ladder(config, tolerance=1e-3, exact=False, window_seconds=1e-9)
    reached = {level["name"]: level["reached"] for level in certificate.levels}
    assert reached["base"] == 2.5 and reached["bond_dim 6"] < 2.5
    assert "5 times the tolerance" in certificate.stopped and not certificate.granted
    assert certificate.converged_until is not None
    assert certificate.converged_until < certificate.times[-1] == reached["bond_dim 6"]
    assert "refused" in certificate.text()


def test_stopped_anywhere_and_continued_it_gives_the_same(tmp_path: Path) -> None:
    config = small(tmp_path, "time.stop=1.0")
    whole = run_ladder(config, tmp_path / "whole.json", exact=False).to_dict()
    taken = stops = 0

    def stop(level: Any, progress: Any) -> None:
        nonlocal taken
        taken += 1
        if taken == 20 + 10 * stops:  # later each time: a stop before the first save gains nothing
            raise Interrupted

    path = tmp_path / "parts.json"
    while not path.exists():
        taken = 0
        try:
            parts = run_ladder(config, path, exact=False, on_step=stop).to_dict()
        except RunError as error:
            assert "stopped in level" in str(error)
            stops += 1
        assert stops < 50
    assert stops >= 3
    for name, one in whole["observables"].items():
        assert parts["observables"][name]["error"] == one["error"], name

    # Another tolerance runs nothing again.
    def never(level: Any, progress: Any) -> None:
        raise AssertionError

    tighter = run_ladder(config, path, tolerance=1e-9, exact=False, on_step=never)
    assert not tighter.granted


def test_the_command_certifies_refuses_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    command = ["certify", "small.toml", *settings, "--set", "time.stop=1.0"]
    assert main([*command, "--tol", "0.01"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("certified: spin, electron_density within 0.01 up to t = 1;")
    assert Path("small-certificate.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["info", "small-certificate.h5"]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("certified: spin")
    assert main([*command, "--tol", "1e-12", "--quiet", "-o", "other.json"]) == 3
    assert capsys.readouterr() == ("", "")
    assert json.loads(Path("other.json").read_text())["converged_until"] < 1.0
    assert main(["plot", "other.h5"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["certify", "edge-information"], "nothing to certify"),
        (["certify", "small.toml", "-o", "x.h5"], "must end in .json"),
        (["certify", "small.toml", "--tol", "0"], "--tol 0: must be above 0"),
        (["certify", "small.toml", "--observables", "spim"], "did you mean 'spin'?"),
        (["certify", "small.toml", "--set", "solver.bond_dim=0"], "solver.bond_dim = 0"),
        (["certify", "small.toml", "-o", "none/x.json"], "there is no folder"),
        (["certify", "stt-colinear"], "did you mean 'stt-collinear'?"),
    ],
)
def test_bad_input_is_status_2(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
    assert os.listdir() == ["small.toml"]


def test_every_preset_has_a_ladder() -> None:
    for name in preset_names():
        config = load(name)
        if name == "edge-information":
            with pytest.raises(InputError, match="nothing to certify"):
                ladder(config)
            continue
        levels = ladder(config)
        assert levels[0].axis == "base" and len(levels) > 1, name
        assert len({level.name for level in levels}) == len(levels)


def test_one_electron_is_judged_by_the_exact_solver_at_any_length() -> None:
    levels = ladder(load("stt-collinear", ["state.n_electrons=1"]))
    assert [level.axis for level in levels] == ["base", "exact"]
    assert levels[1].config.solver.kind == "exact"
    eight = ladder(load("stt-collinear"), ["spin"])
    assert "exact" not in {level.axis for level in eight}
    assert eight[1].config.record.observables == ("spin", "bond_dim", "discarded_weight")


CHAIN = """
    [model]
    kind = "heisenberg"
    sites = 4
    J = 1.0
    field = [0.0, 0.0, 0.5]

    [state]
    kind = "product"
    directions = [[0.6, 0.0], [2.5, 0.3]]

    [time]
    stop = 1.0
    every = 0.25

    [record]
    observables = ["spin"]
"""
BATH = """
    [bath]
    kind = "universal_lindblad"
    temperature = 0.5
    gamma = 0.05
    omega_max = 3.0
    coupling = "components"
    window = 0

"""
SHORT = ["model.sites=3", "time.stop=0.5", "solver.bond_dim=16"]
KINDS = {
    "tdvp": (False, ["solver.dt=0.05"]),
    "exact": (False, []),
    "llg": (False, []),
    "mean_field": (True, []),
    "master_equation": (True, []),
    "density_matrix": (True, SHORT),
    "purification": (True, [*SHORT, "solver.kraus_dim=8"]),
    "trajectories": (True, ["solver.trajectories=20", "solver.workers=1"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_solver_gets_a_certificate(kind: str, tmp_path: Path) -> None:
    bath, settings = KINDS[kind]
    text = CHAIN + BATH.replace("    window = 0\n", "") * bath
    settings = [f"solver.kind={kind}", *settings]
    config = load(write_config(tmp_path, text), settings)
    certificate = run_ladder(config, tmp_path / "c.json", tolerance=0.3, exact=False)
    assert certificate.granted and certificate.judged == ("spin",)
    assert len(certificate.levels) > 1
    if kind in ("tdvp", "density_matrix", "purification"):
        honest(tmp_path, config)
    if kind == "trajectories":
        assert certificate.observables["spin"].contributions["sample"][-1] > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cutoff", "bond_dim", "dt"),
    [
        ("1e-5", 40, 0.05),
        ("1e-7", 40, 0.25),
        ("1e-7", 14, 0.05),
        ("1e-11", 6, 0.1),
        ("1e-11", 40, 0.05),
    ],
)
def test_estimates_are_honest_whatever_limits_them(
    tmp_path: Path, cutoff: str, bond_dim: int, dt: float
) -> None:
    keys = [f"solver.cutoff={cutoff}", f"solver.bond_dim={bond_dim}", f"solver.dt={dt}"]
    honest(tmp_path, small(tmp_path, *keys, "time.stop=6.0"))


@pytest.mark.slow
def test_killed_it_continues(tmp_path: Path) -> None:
    write_config(tmp_path)
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [sys.executable, "-m", "tnspin", "certify", "small.toml", *settings, "--estimate"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    whole = subprocess.run([*command, "-o", "whole.json", "--quiet"], cwd=tmp_path, env=environment)
    assert whole.returncode in (0, 3)
    command = [*command, "-o", "killed.json", "--quiet"]
    random, kills = np.random.default_rng(6), 0
    for _ in range(20):
        process = subprocess.Popen(command, cwd=tmp_path, env=environment)
        done = len(list((tmp_path / "killed.rungs").glob("*.h5")))
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
            if len(list((tmp_path / "killed.rungs").glob("*.h5"))) > done:
                time.sleep(random.uniform(0.0, 0.2))
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
        if process.wait() in (0, 3):
            break
    facts = [json.loads((tmp_path / f"{n}.json").read_text()) for n in ("whole", "killed")]
    assert kills >= 5
    assert facts[0]["observables"] == facts[1]["observables"]


def test_full_disk_leaves_whole_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever write is the last that succeeds: older files stay, or newer ones are whole."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    sets = [word for one in (*SETTINGS, "time.stop=0.5") for word in ("--set", one)]
    command = ["certify", "small.toml", *sets, "--tol", "1", "--quiet", "-o", "c.json"]
    assert main(command) == 0
    picture, levels = Path("c.png").read_bytes(), sorted(os.listdir("c.rungs"))
    Path("c.png").write_bytes(b"older")
    for count in range(9):
        with monkeypatch.context() as patch:
            full_after(patch, count)
            status = main(command)
        if status == 0:
            break
        line = capsys.readouterr().err
        assert status == 1 and line.count("\n") == 1 and "the disk is full" in line
        assert json.loads(Path("c.json").read_text())["format"] == "tnspin-certificate-1"
        assert Result.load("c.h5").complete and Path("c.png").read_bytes() == b"older"
        assert sorted(os.listdir()) == ["c.h5", "c.json", "c.png", "c.rungs", "small.toml"]
        assert sorted(os.listdir("c.rungs")) == levels
    assert count == 3  # result, certificate, figure
    assert Path("c.png").read_bytes() == picture
