"""Certificates of hysteresis loops: honest against slower loops, refused if too fast or noisy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import write_config

from tnspin.cli import main
from tnspin.errors import InputError, Interrupted, RunError
from tnspin.results.result import Result, Variable
from tnspin.runs.certify import certify as run_ladder
from tnspin.runs.certify.estimate import difference, relaxation
from tnspin.runs.certify.ladder import ladder
from tnspin.runs.config.loading import load
from tnspin.runs.hysteresis.run import fields_taken, loop_series
from tnspin.runs.simulation import simulate

LOOP = """
    [model]
    kind = "open_heisenberg"
    sites = 2
    V = [0.3, 0.2, -1.0]
    field = [0.3, 0.0, 0.0]

    [state]
    kind = "product"
    directions = ["z"]

    [bath]
    kind = "open_heisenberg"
    gamma = 0.3

    [solver]
    kind = "master_equation"
    tolerance = 1e-9

    [hysteresis]
    largest = 1.5
    steps = 3
"""
#: Settings of each kind of solver, and times at each field: refused, certified.
MEAN_FIELD = [
    "solver.kind=mean_field", "solver.variant=printed", "solver.damping=0.5", "bath.kind=none",
    "solver.tolerance=1e-7", "model.V=[0,0,1]", "model.field=[0,0,0]", "hysteresis.largest=1.2",
]  # fmt: skip
LLG = [
    "solver.kind=llg", "bath.kind=none", "solver.damping=0.5", "solver.dt=0.2", "model.V=[0,0,1]",
    "model.field=[0.2,0,0]",
]  # fmt: skip
KINDS: dict[str, tuple[list[str], float, float]] = {
    "master_equation": ([], 10.0, 120.0),
    "density_matrix": (["solver.kind=density_matrix", "solver.dt=0.5"], 10.0, 80.0),
    "mean_field": (MEAN_FIELD, 8.0, 150.0),
    "llg": (LLG, 5.0, 150.0),
}


def small(folder: Path, kind: str = "master_equation", *extra: str) -> Any:
    return load(write_config(folder, LOOP), [*KINDS[kind][0], *extra])


def far_better(config: Any) -> Result:
    """The series of a loop that goes much slower and is solved much better."""
    keys = config.hysteresis
    slow = replace(keys, hold=8 * keys.hold, steps=2 * keys.steps, settled=1e-12, steady=False)
    better = {"tolerance": 1e-10} if hasattr(config.solver, "tolerance") else {}
    better |= {"dt": config.solver.dt / 4} if hasattr(config.solver, "dt") else {}
    solver = replace(config.solver, **better)
    return loop_series(simulate(replace(config, hysteresis=slow, solver=solver)), config)


@pytest.mark.parametrize(
    "kind",
    ["llg", *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k != "llg")],
)
def test_too_fast_is_refused_and_slow_is_certified_both_honestly(tmp_path: Path, kind: str) -> None:
    _, fast, slow = KINDS[kind]
    for hold in (fast, slow):
        config = small(tmp_path, kind, f"hysteresis.hold={hold}")
        certificate = run_ladder(config, tmp_path / f"{hold}.json", tolerance=1e-2)
        assert certificate.granted == (hold == slow), (hold, certificate.text())
        assert certificate.judged == ("loop_spin",)
        own, fine = loop_series(Result.load(tmp_path / f"{hold}.h5"), config), far_better(config)
        for name in ("loop_spin", "magnetization"):
            true, told = difference(own[name], fine[name]), certificate.observables[name].error
            assert np.all(true <= 3 * told + 1e-6), (name, hold, true, told)
        words = certificate.text()
        if hold == slow:
            assert words.startswith("certified: loop_spin within 0.01 at all 8 fields of the loop;")
        else:
            assert (
                words.startswith("refused: loop_spin within 0.01 at ") and " of 8 fields" in words
            )


def test_density_matrices_are_measured_against_the_master_equation(tmp_path: Path) -> None:
    levels = ladder(small(tmp_path, "density_matrix"))
    assert [(r.axis, r.side) for r in levels] == [
        ("base", "base"), ("exact", "exact"), ("settled", "finer"), ("hold", "coarser"),
        ("hold", "finer"), ("steps", "finer"),
    ]  # fmt: skip
    assert levels[1].config.solver.kind == "master_equation"
    estimated = ladder(small(tmp_path, "density_matrix"), exact=False)
    dt = next(r for r in estimated if (r.axis, r.side) == ("dt", "finer"))
    # A step is half of what divides a twentieth of the time at a field evenly.
    assert dt.value == pytest.approx(0.5 / 2) and dt.config.solver.dt == dt.value


def test_rows_of_a_loop_are_the_fields_as_they_are_taken(tmp_path: Path) -> None:
    config = small(tmp_path)
    fields = np.linspace(-1.5, 1.5, 7)  # of steps half as long
    # Down the spin is 1 until the field is below -0.6, up it is -1 until it is above 0.6.
    down, up = np.where(fields > -0.6, 1.0, -1.0), np.where(fields < 0.6, -1.0, 1.0)
    spins = np.zeros((2, 7, 2, 3))
    spins[..., 2] = np.stack([down, up])[..., None]
    dims = ("branch", "field", "localized", "axis")
    loop = {
        "field": Variable(("field",), fields, "1", ""),
        "loop_spin": Variable(dims, spins, "1", ""),
        "magnetization": Variable(("branch", "field", "axis"), spins.mean(axis=2), "1", ""),
    }
    found = loop_series(Result(loop, {}), config)
    np.testing.assert_allclose(fields_taken(config), [1.5, 0.5, -0.5, -1.5, -1.5, -0.5, 0.5, 1.5])
    np.testing.assert_array_equal(found["time"], np.arange(1, 9))
    assert found["loop_spin"].shape == (8, 2, 3)
    np.testing.assert_array_equal(
        found["magnetization"][:, 2], [1, 1, 1, -1, -1, -1, -1, 1]
    )  # fmt: skip
    area = np.trapezoid(down - up, fields)
    assert found["loop_area"][-1] == pytest.approx(area) and found["loop_area"][0] == 0
    assert found["loop_area"][1] == pytest.approx(1.0)  # -M dB from 1.5 to 0.5


@pytest.mark.parametrize("rate", [3.0, 1.0, 0.3, 0.05])
def test_the_error_of_a_relaxation(rate: float) -> None:
    """exp(-rate t) at t = 1/2, 1 and 2: the estimate is no less than what is left at 1."""
    half, own, double = np.exp(-rate * np.array([0.5, 1.0, 2.0]))
    told = relaxation(np.array([half - own]), np.array([own - double]), 0.0)
    assert own <= told[0] * (1 + 1e-9) and told[0] <= 3 * own


def test_what_moves_without_slowing_down_has_no_known_error() -> None:
    drift = relaxation(np.array([0.5, 0.5]), np.array([0.1, 1.0]), 0.0)
    assert np.isfinite(drift[0]) and np.isinf(drift[1])
    assert np.isfinite(relaxation(np.array([0.5e-9]), np.array([1e-9]), 1e-8)).all()


def test_noise_is_refused(tmp_path: Path) -> None:
    config = small(tmp_path, "llg", "solver.temperature=0.1")
    with pytest.raises(
        InputError, match=r"solver\.temperature = 0\.1: loops of fields do not tell"
    ):
        ladder(config)


def test_the_command_keeps_the_mean_field_beside_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, LOOP)
    sets = ["hysteresis.hold=60", "hysteresis.steps=1", "classical.kind=mean_field"]
    command = ["certify", "small.toml", *(word for one in sets for word in ("--set", one))]
    assert main([*command, "-o", "c.json"]) == 0
    out = capsys.readouterr().out
    assert "fields" in out and "* decides" in out
    facts = json.loads(Path("c.json").read_text())
    assert facts["granted"] and facts["converged_until"] == facts["stop"] == 4
    np.testing.assert_allclose(facts["field"], [1.5, -1.5, -1.5, 1.5])
    base = Result.load("c.h5")
    assert base.attrs["converged_until"] == 4 and "certified: loop_spin" in base.attrs["certified"]
    assert np.isfinite(base["loop_classical_spin"]).all()
    assert Path("c.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["plot", "c.h5"]) == 0 and main(["info", "c.h5"]) == 0
    capsys.readouterr()

    # Judged by something else, with another mean field beside it: nothing is run again but that.
    def only_what_is_left(*arguments: Any, start: Any, **keys: Any) -> Any:
        assert start.number == 4
        return iter(())

    monkeypatch.setattr("tnspin.runs.hysteresis.run.follow", only_what_is_left)
    other = [*command, "--set", "classical.variant=printed", "--tol", "1e-9"]
    assert main([*other, "--observables", "loop_area", "-o", "c.json", "--quiet"]) == 3
    again = Result.load("c.h5")
    np.testing.assert_array_equal(again["loop_spin"], base["loop_spin"])
    assert np.abs(again["loop_classical_spin"] - base["loop_classical_spin"]).max() > 1e-3
    assert main([*command, "--observables", "spin"]) == 2
    assert "allowed: loop_spin, magnetization, loop_area" in capsys.readouterr().err


def test_a_ladder_of_loops_that_was_stopped_continues(tmp_path: Path) -> None:
    config = small(tmp_path, "llg", "hysteresis.hold=20")
    whole = run_ladder(config, tmp_path / "whole.json").to_dict()
    path, stops, taken = tmp_path / "parts.json", 0, 0

    def stop(level: Any, progress: Any) -> None:
        nonlocal taken
        taken += 1
        if taken == 150:
            raise Interrupted

    while not path.exists():
        taken = 0
        try:
            parts = run_ladder(config, path, on_step=stop).to_dict()
        except RunError as error:
            assert "stopped in level" in str(error) and "fields, saved" in str(error)
            stops += 1
        assert stops < 30
    assert stops >= 3
    for name, one in whole["observables"].items():
        assert parts["observables"][name]["error"] == one["error"], name
