"""Runs of mixtures, of one electron and with units: from a configuration to a result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tnspin.errors import InputError, Interrupted
from tnspin.results.report import summary
from tnspin.results.result import Result
from tnspin.runs import simulation as preparation
from tnspin.runs.checkpoint import checkpoint_path, resumable, store_path
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate
from tnspin.states.ensemble import Ensemble
from tnspin.states.one_electron.state import OneElectronState
from tnspin.states.vector import VectorState

VALVE: dict[str, dict[str, Any]] = {
    "model": {"kind": "kondo_heisenberg", "sites": 10, "localized": [[4, 5], [7, 8]]},
    "state": {
        "kind": "wave_packet", "center": 1, "width": 1.0, "polarization": "none",
        "localized_spins": ["up", "down"],
    },
    "solver": {"kind": "exact"},
    "time": {"stop": 3.0, "every": 0.5},
    "record": {"checkpoint": 0.0},
}  # fmt: skip


def run_of(**changes: dict[str, Any]) -> config.Config:
    tables = {
        name: {**VALVE.get(name, {}), **changes.get(name, {})} for name in {**VALVE, **changes}
    }
    if "kind" in changes.get("solver", {}):
        tables["solver"] = changes["solver"]
    return config.from_dict(tables)


def test_unpolarized_electrons_are_the_mean_of_two_runs() -> None:
    mixed = simulate(run_of())
    pure = [simulate(run_of(state={"polarization": axis})) for axis in ("z", "-z")]
    for name in ("spin", "electron_density", "energy", "entropy", "total_sz", "torque"):
        mean = (pure[0][name] + pure[1][name]) / 2
        assert np.abs(mixed[name] - mean).max() < 1e-12, name
    assert mixed["log_negativity"][-1] > 1e-3  # the spins did entangle
    assert np.all(mixed["magnon_probability"][0] == [1, 0, 0, 0, 0])


def test_matrix_products_agree_with_exact_amplitudes_of_one_electron() -> None:
    exact = simulate(run_of())
    solver = {"kind": "tebd", "dt": 0.05, "order": 4, "cutoff": 1e-14, "threads": 1}
    tebd = simulate(run_of(solver=solver))
    for name in ("spin", "electron_spin", "entropy", "log_negativity", "magnon_probability"):
        assert np.abs(exact[name] - tebd[name]).max() < 1e-5, name


@pytest.mark.parametrize("kind", ["exact", "tebd"])
@pytest.mark.parametrize("steps", [5, 40])
def test_a_mixture_resumes_with_the_same_numbers(tmp_path: Path, kind: str, steps: int) -> None:
    run = run_of(solver={"kind": kind, **({"bond_dim": 8, "threads": 1} if kind == "tebd" else {})})
    whole = simulate(run)
    taken = 0

    def stop(progress: object) -> None:
        nonlocal taken
        taken += 1
        if taken == steps:
            raise Interrupted

    path = tmp_path / "run.h5"
    part = simulate(run, path, on_step=stop)
    assert part.complete == (taken < steps)
    again = simulate(run, path, resume=True)
    assert list(again) == list(whole)
    for name in whole:
        assert np.array_equal(again[name], whole[name]), name
    assert checkpoint_path(path).exists()


def test_the_form_of_the_state_follows_the_run() -> None:
    mixture = preparation.initial_state(run_of())
    assert isinstance(mixture, Ensemble) and isinstance(mixture.states[0], OneElectronState)
    assert [state.total_charge["2Sz"] for state in mixture.states] == [1, -1]
    along_x = preparation.initial_state(run_of(state={"polarization": "x"}))
    assert isinstance(along_x, OneElectronState) and along_x.charge_names == ("N",)
    two = {"kind": "confined_electrons", "n_electrons": 2, "well": 3, "polarization": "none"}
    small = {"sites": 6, "localized": [[3], [4]]}
    pair = preparation.initial_state(
        config.from_dict({**VALVE, "state": two, "model": {**VALVE["model"], **small}})
    )
    assert isinstance(pair, VectorState) and pair.total_charge == {"N": 2, "2Sz": -2}


def test_members_of_a_density_matrix_keep_their_sectors() -> None:
    small = {"model": {"sites": 5, "localized": [[2], [4]]}}
    mixture = preparation.initial_state(run_of(solver={"kind": "master_equation"}, **small))
    assert [one.total_charge["2Sz"] for one in mixture.states] == [1, -1]
    assert isinstance(mixture.states[0], VectorState)
    up = {"state": {"polarization": "z"}, **small}
    alone = preparation.initial_state(run_of(solver={"kind": "master_equation"}, **up))
    assert alone.charge_names == ("N", "2Sz")


@pytest.mark.parametrize(("coupling", "names"), [("sum", ("N",)), ("components", ("N", "2Sz"))])
def test_jumps_that_mix_sectors_leave_a_charge_behind(
    coupling: str, names: tuple[str, ...]
) -> None:
    bath = {"kind": "universal_lindblad", "temperature": 0.5, "coupling": coupling}
    for engine in ("exact", "tebd", "auto"):
        run = run_of(solver={"kind": "trajectories", "engine": engine}, bath=bath)
        state = preparation.initial_state(run, run.solver.jumps(run.problem)).states[0]
        assert state.charge_names == names
        assert isinstance(state, OneElectronState) == (engine != "tebd")
    run = run_of(
        solver={"kind": "master_equation"}, bath=bath, model={"sites": 5, "localized": [[2], [4]]}
    )
    state = preparation.initial_state(run, run.solver.jumps(run.problem))
    assert all(one.charge_names == names for one in state.states)


def test_what_does_not_fit_is_refused_with_numbers() -> None:
    valve = {"sites": 201, "localized": [list(range(90, 101)), list(range(120, 131))]}
    with pytest.raises(InputError, match=r"5\.4e\+08 amplitudes and needs 24 GiB; at most 1\.5e"):
        preparation.initial_state(run_of(model=valve))
    four = {"kind": "confined_electrons", "n_electrons": 4, "well": 10}
    tables = {**VALVE, "state": four, "model": {**VALVE["model"], "sites": 75}}
    with pytest.raises(InputError, match=r"solver\.kind = 'exact'.*at most 6\.7e\+07"):
        preparation.initial_state(config.from_dict(tables))
    tables["solver"] = {"kind": "master_equation"}
    with pytest.raises(InputError, match=r"density matrix of \d\.\de\+\d+ states needs"):
        preparation.initial_state(config.from_dict(tables))


def test_a_run_with_units_says_its_times_in_femtoseconds(tmp_path: Path) -> None:
    run = run_of(
        units={"energy_ev": 0.5},
        time={"stop": "2 fs", "every": "1 fs"},
        state={"polarization": "z"},
    )
    path = tmp_path / "run.h5"
    simulate(run, path)
    result = Result.load(path)
    assert result["time_fs"] == pytest.approx([0, 1, 2], abs=1e-12)
    assert result["time"][-1] == pytest.approx(2 * 0.5 / 0.6582119569, rel=1e-9)
    assert result.attrs["energy_ev"] == 0.5
    assert result.to_xarray()["spin"].coords["time_fs"].attrs["units"] == "fs"
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert dataset["spin"].coords["time_fs"].values == pytest.approx([0, 1, 2], abs=1e-12)
    resumed = simulate(run, path, resume=True)
    assert np.array_equal(resumed["time_fs"], result["time_fs"])
    assert list(resumed) == list(result)


OPEN = {
    "model": {"sites": 5, "localized": [[2], [4]]},
    "bath": {"kind": "universal_lindblad", "temperature": 0.5, "gamma": 0.3},
    "time": {"stop": 1.0, "every": 0.5},
}


def test_a_master_equation_resumes_from_its_density_matrix(tmp_path: Path) -> None:
    run = run_of(solver={"kind": "master_equation"}, **OPEN)
    whole = simulate(run, tmp_path / "whole.h5")
    path = tmp_path / "run.h5"

    def stop(snapshot: Any) -> None:
        if snapshot.time == 0.5:
            raise Interrupted

    assert not simulate(run, path, on_snapshot=stop).complete
    again = simulate(run, path, resume=True)
    assert again.complete and list(again) == list(whole)
    for name in whole:
        assert np.array_equal(again[name], whole[name]), name
    assert again["purity"][-1] < again["purity"][0] <= 0.5 + 1e-12


@pytest.mark.parametrize("temperature", [0.0, 0.4])
def test_trajectories_sample_the_master_equation(tmp_path: Path, temperature: float) -> None:
    state = {"temperature": temperature, "field": 0.3}
    master = simulate(run_of(solver={"kind": "master_equation"}, **OPEN, state=state))
    solver = {"kind": "trajectories", "trajectories": 40, "workers": 1}
    sampled = simulate(run_of(solver=solver, **OPEN, state=state))
    deviation = np.abs(sampled["spin"] - master["spin"])
    assert np.all(deviation <= 5 * sampled["spin_error"] + 1e-7)
    assert sampled["spin_error"].max() > 1e-3


def test_a_sampled_run_says_how_sure_its_negativity_is() -> None:
    solver = {"kind": "trajectories", "trajectories": 8, "workers": 1}
    result = simulate(run_of(solver=solver, **OPEN))
    value, errors = result["log_negativity"][-1], result["log_negativity_error"]
    text = summary(result, "run.h5")
    assert f"{value:.5f} +- {errors[-1]:.5f} (largest error {errors.max():.5f})" in text
    closed = simulate(run_of())
    assert "+-" not in summary(closed, "run.h5")


def test_a_sampled_run_keeps_how_many_trajectories_it_took() -> None:
    solver = {"kind": "trajectories", "trajectories": 80, "workers": 1, "chunk": 4}
    whole = simulate(run_of(solver=solver, **OPEN))
    # A loose target is met after the first round of eight chunks.
    early = simulate(run_of(solver={**solver, "target_error": 0.5}, **OPEN))
    assert whole.attrs["trajectories"] == 80 and early.attrs["trajectories"] == 32
    assert early["spin_error"].max() > whole["spin_error"].max() > 0
    assert "trajectories" not in simulate(run_of()).attrs


def test_sampled_runs_continue_from_their_chunks(tmp_path: Path) -> None:
    solver = {"kind": "trajectories", "trajectories": 8, "workers": 1, "chunk": 2}
    path, said = tmp_path / "run.h5", []
    first = simulate(run_of(solver=solver, **OPEN), path, say=said.append)
    chunk = store_path(path) / "chunk-1.h5"
    before = chunk.stat().st_mtime_ns
    (store_path(path) / "chunk-0.h5").unlink()
    assert resumable(path) and not checkpoint_path(path).exists()
    again = simulate(run_of(solver=solver, **OPEN), path, resume=True, say=said.append)
    assert chunk.stat().st_mtime_ns == before
    assert np.array_equal(again["spin"], first["spin"])
    assert "continuing with run.chunks" in said
    with pytest.raises(InputError, match="of another run"):
        simulate(run_of(solver={**solver, "seed": 1}, **OPEN), path, resume=True)
    other = simulate(run_of(solver={**solver, "seed": 1}, **OPEN), path)
    assert not np.array_equal(other["spin"], first["spin"])


def test_how_much_of_large_groups_is_kept_is_the_users_choice() -> None:
    """Six and six spins are compressed; the result says what that took."""
    groups = [list(range(3, 9)), list(range(10, 16))]
    names = ["log_negativity", "group_discarded"]

    def final(**keys: float) -> tuple[float, float]:
        result = simulate(
            run_of(
                model={"sites": 18, "localized": groups},
                time={"stop": 8.0, "every": 8.0},
                record={"observables": names, **keys},
            )
        )
        return result["log_negativity"][-1], result["group_discarded"][-1]

    fine = final(group_cutoff=1e-12)
    assert fine[0] > 1e-3 and 0 < fine[1] <= 2e-12
    for keys in ({"group_cutoff": 1e-4}, {"group_cutoff": 1e-12, "group_largest": 40}):
        coarse = final(**keys)
        assert 1e-6 < coarse[1] < 0.1
        assert abs(coarse[0] - fine[0]) < 5 * np.sqrt(coarse[1])
