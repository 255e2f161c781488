"""The published spin valve: one unpolarized electron between two ferromagnets (PRA 109, 022414)."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tnspin.results.onsets import onsets
from tnspin.results.result import Result
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import initial_state, simulate
from tnspin.states.one_electron.state import OneElectronState

COMPARED = (
    "spin", "entropy", "group_entropy", "log_negativity", "mutual_information",
    "magnon_probability",
)  # fmt: skip
TEBD = (
    "solver.kind=tebd", "solver.order=4", "solver.dt=0.2", "solver.cutoff=1e-10",
    "solver.bond_dim=300",
)  # fmt: skip


def recorded(*names: str) -> str:
    return f"record.observables={list(names)}"


def valve(spins: int) -> list[str]:
    """As many spins in each ferromagnet, the packet and the spacer as published."""
    first, second = range(90, 90 + spins), range(116 + spins, 116 + 2 * spins)
    groups = [list(first), list(second)]
    return [f"model.localized={groups}", f"model.sites={193 + 2 * spins}"]


def test_allowed_spin_configurations() -> None:
    """182 of the 256 states of eight spins can be reached by one electron up or down."""
    run = config.load("valve-single")
    ensemble = initial_state(run)
    reached = set()
    for one in ensemble.states:
        assert isinstance(one, OneElectronState)
        spins = [one.configurations.spin(k) for k in run.model.localized_sites]
        sector = one.configurations.basis.states[:, spins]
        assert one.configurations.dim == 126
        reached |= set(map(tuple, sector.tolist()))
    assert len(reached) == 182
    assert sorted(one.total_charge["2Sz"] for one in ensemble.states) == [-1, 1]


def test_more_spins_are_more_entangled() -> None:
    """Negativity at 70 fs grows from exactly none with 1 + 1 spins, which are correlated too."""
    found = []
    for spins in (1, 2, 3, 4):
        changes = [*valve(spins), 'time.every="70 fs"']
        names = recorded("log_negativity", "mutual_information", "magnon_probability")
        result = simulate(config.load("valve-single", [*changes, names]))
        found.append((result["log_negativity"][-1], result["mutual_information"][-1]))
        assert np.abs(result["magnon_probability"].sum(axis=1) - 1).max() < 1e-10
    negativity, information = np.array(found).T
    assert negativity[0] == 0.0 and information[0] > 0.01
    assert np.all(np.diff(negativity) > 0.004) and np.all(np.diff(information) > 0.1)


# ---------------------------------------------------------------------- over 70 fs


@cache
def exact() -> Result:
    """Every femtosecond of the preset."""
    return simulate(config.load("valve-single", [recorded(*COMPARED)]))


@pytest.mark.slow
def test_onsets_of_the_two_ferromagnets() -> None:
    """The electron arrives at the polarizer at 10.5 fs and at the analyzer at 20 fs."""
    result = exact()
    scale = result["time_fs"][-1] / result["time"][-1]
    found = {name: time * scale for name, time in onsets(result).items() if time is not None}
    assert found["spin_1"] == pytest.approx(10.5, abs=0.5)
    assert found["spin_2"] == pytest.approx(20.0, abs=0.5)
    # Nothing is entangled with the second before it has moved.
    assert min(found["log_negativity"], found["mutual_information"]) > found["spin_2"] - 1.0


@pytest.mark.slow
def test_magnons_of_the_published_run() -> None:
    probability = exact()["magnon_probability"]
    assert np.abs(probability.sum(axis=1) - 1).max() < 1e-10
    assert np.abs(probability[0] - np.eye(9)[0]).max() < 1e-12
    assert probability.min() > -1e-12 and probability[-1, 1] > 0.1


@pytest.mark.slow
def test_matrix_products_against_exact_amplitudes() -> None:
    """Four and four spins on 201 sites over 70 fs."""
    changes = [*TEBD, recorded(*COMPARED), 'time.every="5 fs"']
    result, reference = simulate(config.load("valve-single", changes)), exact()
    same = np.searchsorted(reference["time_fs"], result["time_fs"] - 1e-6)
    assert reference["time_fs"][same] == pytest.approx(result["time_fs"], abs=1e-9)
    worst = {name: np.abs(result[name] - reference[name][same]).max() for name in COMPARED}
    assert worst["spin"] < 1e-4, worst
    assert worst["log_negativity"] < 1e-3 and worst["magnon_probability"] < 1e-3, worst
    assert max(worst[f"{name}entropy"] for name in ("", "group_")) < 1e-3, worst
    assert worst["mutual_information"] < 1e-3, worst
    assert np.ptp(reference["spin"][..., 2], axis=0).max() > 0.1
    assert np.abs(result["magnon_probability"].sum(axis=1) - 1).max() < 1e-10
