"""The preset of the quantum LLG paper: what it prints in its figures, run as a user runs it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_runs import write_config

import tnspin as ts
from tnspin import cli, figures
from tnspin.errors import InputError, Interrupted
from tnspin.observables import OBSERVABLES
from tnspin.runs.checkpoint import checkpoint_path
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate

FM = "model.J=-1.0"
TILTED = "model.field=[0.57735026919, 0.57735026919, 0.57735026919]"
BELLS = ("psi+", "psi-", "phi+", "phi-")


def run(*overrides, path=None, **options):
    return simulate(config.load("dimer-qllg", overrides), path, **options)


def with_dmi(d):
    return f"model.dmi=[0.0, 0.0, {d}]"


def bell(name):
    return ('state.kind="bell"', f'state.bell="{name}"')


def werner(name):
    return ('state.kind="werner"', f'state.bell="{name}"', "state.p=0.9")


def total_drift(result):
    return max(
        float(np.abs(result[name] - result[name][0]).max())
        for name in ("norm", "purity", "eigenvalue")
    )


# ---------------------------------------------------------------------- Figs. 1 and 2


@pytest.mark.parametrize("convention", ["printed", "physical"])
def test_the_antiferromagnet_ends_in_the_singlet(convention):
    result = run(f'model.g_convention="{convention}"', "time.stop=40.0", "time.every=1.0")
    matrix = result["correlation_matrix"][-1, 0]
    np.testing.assert_allclose(matrix, -np.eye(3), atol=1e-6)
    np.testing.assert_allclose(result["spin"][-1], 0, atol=1e-4)
    assert result["concurrence"][-1, 0] == pytest.approx(1, abs=1e-6)
    assert total_drift(result) < 1e-13
    # The classical spins keep their length.
    np.testing.assert_allclose(np.linalg.norm(result["classical_spin"], axis=-1), 1, atol=1e-12)


def test_the_ferromagnet_aligns_with_the_field_like_its_classical_counterpart():
    result = run(FM, "time.stop=40.0", "time.every=1.0")
    np.testing.assert_allclose(result["spin"][-1], [[1, 0, 0]] * 2, atol=1e-5)
    np.testing.assert_allclose(result["classical_spin"][-1], [[1, 0, 0]] * 2, atol=1e-5)
    apart = ts.distance(result, result, "spin", "classical_spin")
    assert apart.largest[-1] < 1e-5 and apart.maximum > 0.5
    assert total_drift(result) < 1e-13


def test_dmi_leaves_a_short_spin_and_splits_the_correlations():
    result = run(with_dmi(0.6), "time.stop=60.0", "time.every=1.0")
    length = np.linalg.norm(result["spin"][-1], axis=-1)
    assert np.all((length > 0.1) & (length < 0.3))
    matrix = result["correlation_matrix"][:, 0]
    np.testing.assert_allclose(matrix[:, 0, 1], -matrix[:, 1, 0], atol=1e-10)
    assert abs(matrix[-1, 0, 1]) > 0.5
    assert total_drift(result) < 1e-13


# ---------------------------------------------------------------------- Fig. 3


def test_psi_plus_without_dmi_decays_as_printed_and_with_dmi_ends_nonlocal():
    still = run(*bell("psi+"), "time.stop=50.0", "time.every=1.0")
    wanted = np.cosh(0.8 * still["time"]) ** -2.0
    np.testing.assert_allclose(still["bell_nonlocality"][:, 0] ** 2, wanted, atol=1e-13)
    coupled = run(*bell("psi+"), with_dmi(0.2), "time.stop=50.0", "time.every=1.0")
    assert coupled["bell_nonlocality"][-1, 0] > 0.99
    assert total_drift(still) < 1e-13 and total_drift(coupled) < 1e-13


# ---------------------------------------------------------------------- Fig. 4


@pytest.mark.parametrize("name", BELLS)
def test_antiferromagnets_revive_all_werner_states_but_one_which_never_dies(name):
    result = run(*werner(name), with_dmi(0.4), TILTED, "time.stop=20.0")
    found = result["bell_nonlocality"][:, 0]
    assert found[0] == pytest.approx(np.sqrt(2 * 0.81 - 1)) and found[-1] > 0.75
    assert (found.min() > 0.7) if name == "psi-" else (found.min() == 0)
    assert total_drift(result) < 1e-13


@pytest.mark.parametrize("name", BELLS)
def test_ferromagnets_end_all_of_them(name):
    result = run(FM, *werner(name), with_dmi(0.4), TILTED, "time.stop=40.0", "time.every=0.5")
    found = result["bell_nonlocality"][:, 0]
    assert np.all(found[result["time"] > 5] == 0)
    assert result["purity"][-1] == pytest.approx((1 + 3 * 0.81) / 4, abs=1e-13)


# ---------------------------------------------------------------------- solvers and keys


def test_quantum_ll_is_the_same_in_another_time():
    llg = run(with_dmi(0.3), "time.stop=10.0", "time.every=2.5")
    ll = run('solver.kind="quantum_ll"', with_dmi(0.3), "time.stop=8.0", "time.every=2.0")
    np.testing.assert_allclose(llg["spin"], ll["spin"], atol=1e-7)
    np.testing.assert_allclose(llg["correlation_matrix"], ll["correlation_matrix"], atol=1e-7)


@pytest.mark.parametrize("start", [werner("phi+"), ()])
def test_a_resumed_run_is_the_same_to_the_last_bit(tmp_path, start):
    options = (*start, "time.stop=4.0", "time.every=0.5", "record.checkpoint=0.0")
    path = tmp_path / "run.h5"

    def stop(snapshot):
        if snapshot.time >= 2.0:
            raise Interrupted

    run(*options, path=path, on_snapshot=stop)
    assert checkpoint_path(path).exists()
    resumed, whole = run(*options, path=path, resume=True), run(*options)
    for name in ("spin", "correlation_matrix", "energy", "eigenvalue", "classical_spin"):
        np.testing.assert_array_equal(resumed[name], whole[name])


def test_noise_in_a_configuration(tmp_path):
    noisy = ("solver.temperature=0.3", "solver.realizations=20", "time.stop=2.0", "time.every=1.0")
    result = run(*noisy, FM)
    assert result["spin_error"].shape == (3, 2, 3) and np.all(result["spin_error"][1:] > 0)
    assert np.all(result["purity"][1:] < 1)
    along = run(*noisy, "model.field=[0.0, 0.0, 1.0]")  # conserves 2Sz, noise does not
    assert np.abs(along["spin"][-1, :, 0]).max() > 0


def test_other_models_and_gibbs_states(tmp_path):
    text = """
        [model]
        kind = "heisenberg"
        sites = 3
        spin = 1.0
        periodic = true
        field = [0.2, 0.0, 0.5]

        [state]
        kind = "gibbs"
        temperature = 2.0
        field = 1.0

        [solver]
        kind = "quantum_llg"
        kappa = 1.0

        [time]
        stop = 4.0
        every = 1.0
    """
    result = simulate(config.load(write_config(tmp_path, text)))
    assert result["eigenvalue"].shape == (5, 27) and total_drift(result) < 1e-13
    assert result["energy"][-1] < result["energy"][0] and "concurrence" not in result
    assert result["correlation_matrix"].shape == (5, 3, 3, 3)
    # The same Gibbs state as the master equation starts from.
    master = simulate(
        config.load(write_config(tmp_path, text), ['solver.kind="master_equation"', "time.stop=0"])
    )
    np.testing.assert_allclose(master["spin"][0], result["spin"][0], atol=1e-10)


def test_pairs_may_be_chosen(tmp_path):
    text = """
        [model]
        kind = "heisenberg"
        sites = 8

        [state]
        kind = "bell"
        bell = "psi-"

        [solver]
        kind = "exact"

        [time]
        stop = 0.0

        [record]
        observables = ["concurrence", "bell_nonlocality", "correlation_matrix"]
    """
    path = write_config(tmp_path, text)
    neighbours = simulate(config.load(path))
    np.testing.assert_allclose(neighbours["concurrence"][0], [1, 0, 1, 0, 1, 0, 1], atol=1e-7)
    assert list(neighbours["pair"]) == [f"{k}-{k + 1}" for k in range(7)]
    chosen = simulate(config.load(path, ["record.pairs=[[2, 3], [3, 2], [0, 7]]"]))
    np.testing.assert_allclose(chosen["bell_nonlocality"][0], [1, 1, 0], atol=1e-7)
    with pytest.raises(InputError, match=r"record\.pairs"):
        simulate(config.load(path, ["record.pairs=[[2, 9]]"]))


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("solver.kappa=-1.0", r"solver\.kappa"),
        ("solver.realizations=3", r"solver\.realizations"),
        ("solver.noise='white'", r"solver\.noise"),
        ("solver.damping=0.5", r"solver\.damping.*no such key"),
        ("state.bell='psi+'", r"state\.bell"),
    ],
)
def test_what_makes_no_sense_is_refused(override, match):
    with pytest.raises(InputError, match=match):
        config.load("dimer-qllg", [override])


def test_too_many_spins_are_refused_before_they_are_built(tmp_path):
    text = '[model]\nkind = "heisenberg"\nsites = 40\nfield = [1.0, 0.0, 0.0]\n'
    text += '[state]\nkind = "product"\n[solver]\nkind = "quantum_llg"\n'
    with pytest.raises(InputError, match="fit"):
        simulate(config.load(write_config(tmp_path, text)))


# ---------------------------------------------------------------------- command and figure


def test_the_command_and_the_figure(tmp_path, capsys):
    path = tmp_path / "dimer.h5"
    assert cli.main(["run", "dimer-qllg", "--set", "time.stop=3.0", "-o", str(path)]) == 0
    assert cli.main(["plot", str(path)]) == 0
    capsys.readouterr()
    assert cli.main(["info", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["conservation"]["purity"]["drift"] < 1e-13
    result = ts.load(path)
    drawing = figures.figure(result)
    spin, difference, correlations, nonlocality = drawing.axes
    np.testing.assert_array_equal(correlations.lines[0].get_ydata(),
                                  result["correlation_matrix"][:, 0, 0, 0])  # fmt: skip
    np.testing.assert_array_equal(nonlocality.lines[0].get_ydata(),
                                  result["bell_nonlocality"][:, 0])  # fmt: skip
    apart = np.linalg.norm(result["spin"] - result["classical_spin"], axis=-1).max(axis=1)
    np.testing.assert_allclose(difference.lines[0].get_ydata(), apart)
    assert "quantum LLG" in drawing.get_suptitle() and "up, down" in drawing.get_suptitle()
    assert "gamma" in nonlocality.get_xlabel() and spin.get_title(loc="left").startswith("(a)")


def test_the_figure_without_classical_spins(tmp_path):
    text = '[model]\nkind = "spin_dimer"\n[state]\nkind = "werner"\np = 0.9\n'
    text += '[solver]\nkind = "quantum_ll"\n[time]\nstop = 1.0\nevery = 0.5\n'
    drawing = figures.figure(simulate(config.load(write_config(tmp_path, text))))
    assert len(drawing.axes) == 3 and "Werner" in drawing.get_suptitle()


def test_every_new_observable_says_what_it_is():
    for name in ("concurrence", "bell_nonlocality", "correlation_matrix", "eigenvalue"):
        assert OBSERVABLES[name].dims[0] == "time" and OBSERVABLES[name].long_name
