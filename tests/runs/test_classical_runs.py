"""Classical spins through configurations: the solver llg, and [classical] beside quantum runs."""

from __future__ import annotations

import numpy as np
import pytest
from small_runs import write_config

from tnspin import figures
from tnspin.errors import InputError, Interrupted
from tnspin.results.report import info, info_text, summary
from tnspin.results.result import Result
from tnspin.runs.checkpoint import checkpoint_path
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate

RING = """
    [model]
    kind = "heisenberg"
    sites = 4
    J = -1.0
    field = [0.0, 0.0, 0.8]
    periodic = true

    [state]
    kind = "product"
    directions = [[1.0, 0.0]]

    [solver]
    kind = "exact"

    [time]
    stop = 6.0
    every = 0.5
"""
BESIDE = RING + "\n    [classical]\n"


def load(tmp_path, text, *overrides):
    return config.load(write_config(tmp_path, text), overrides)


def test_a_ferromagnet_is_classical_throughout(tmp_path):
    result = simulate(load(tmp_path, BESIDE), tmp_path / "run.h5")
    again = Result.load(tmp_path / "run.h5")
    variable = again.variables["classical_spin"]
    assert variable.dims == ("time", "localized", "axis") and variable.data.shape == (13, 4, 3)
    np.testing.assert_allclose(result["classical_spin"], result["spin"], atol=1e-4)
    facts = info(again)["classical"]
    assert facts["since"] == 0.0 and facts["damping"] < 1e-5
    assert facts["verdict"].startswith("classical throughout, within")
    assert "classical throughout" in summary(again, "run.h5")
    assert "(fitted" in info_text(again)


def test_an_antiferromagnet_of_spins_one_half_is_not(tmp_path):
    neel = "state.directions=[[0.125, 0.0], [3.0166, 0.0]]"
    result = simulate(load(tmp_path, BESIDE, "model.J=1.0", neel, "classical.damping=0.1"))
    facts = info(result)["classical"]
    assert facts["since"] is None and facts["damping"] == 0.1
    assert "not classical" in summary(result, "x.h5") and "(given)" in summary(result, "x.h5")


def test_the_figure_has_both_trajectories_their_difference_and_the_negativity(tmp_path):
    result = simulate(load(tmp_path, BESIDE, "model.J=1.0"))
    drawing = figures.figure(result)
    spin, difference, negativity = drawing.axes
    solid = [line for line in spin.lines if line.get_label() in ("x", "y", "z")]
    dashed = [line for line in spin.lines if line.get_linestyle() == "--" and len(line.get_xdata())]
    for axis in range(3):
        np.testing.assert_array_equal(solid[axis].get_ydata(), result["spin"][:, 0, axis])
        np.testing.assert_array_equal(
            dashed[axis].get_ydata(), result["classical_spin"][:, 0, axis]
        )
    apart = np.linalg.norm(result["spin"] - result["classical_spin"], axis=-1).max(axis=1)
    np.testing.assert_allclose(difference.lines[0].get_ydata(), apart)
    np.testing.assert_array_equal(negativity.lines[0].get_ydata(), result["log_negativity"])
    figures.save_figure(result, tmp_path / "chain.png")


def test_classical_keys_may_change_on_resuming(tmp_path):
    path = tmp_path / "run.h5"

    def stop(snapshot):
        if snapshot.time >= 3.0:
            raise Interrupted

    options = ("record.checkpoint=0.0",)
    first = simulate(load(tmp_path, BESIDE, *options), path, on_snapshot=stop)
    assert not first.complete and "classical_spin" in first and checkpoint_path(path).exists()
    changed = load(tmp_path, BESIDE, *options, "classical.damping=0.2")
    resumed = simulate(changed, path, resume=True)
    whole = simulate(load(tmp_path, BESIDE, "classical.damping=0.2"))
    np.testing.assert_array_equal(resumed["classical_spin"], whole["classical_spin"])


def test_the_solver_llg(tmp_path):
    text = RING.replace('kind = "exact"', 'kind = "llg"\n    damping = 0.1')
    result = simulate(load(tmp_path, text), tmp_path / "run.h5")
    assert set(result) >= {"spin", "energy", "norm", "total_sz", "spin_length"}
    assert np.all(np.diff(result["energy"]) < 0) and "entropy" not in result
    np.testing.assert_allclose(result["spin_length"], 1.0, atol=1e-14)
    noisy = text.replace(
        "damping = 0.1", "damping = 0.1\n    temperature = 0.2\n    realizations = 5"
    )
    noise = simulate(load(tmp_path, noisy))
    assert np.all(noise["spin_error"][1:] > 0)
    assert np.all(noise["spin_length"][1:] < 1)


def test_damping_of_each_spin_and_torques(tmp_path):
    text = RING.replace('kind = "exact"', 'kind = "llg"\n    damping = [0.0, 0.0, 0.0, 0.5]')
    alone = simulate(load(tmp_path, text, "model.J=0.0"))
    assert np.all(np.diff(alone["spin"][:, 3, 2]) > 0)
    np.testing.assert_allclose(alone["spin"][:, :3, 2], np.cos(1.0), atol=1e-12)
    # A torque as strong as the damping turns spins away from the field.
    push = "solver.torque=[[0, 0, 0], [0, 0, -0.4]]"
    pushed = simulate(load(tmp_path, text, "model.J=0.0", push))
    np.testing.assert_allclose(pushed["spin"][:, 2, 2], np.cos(1.0), atol=1e-12)
    assert np.all(np.diff(pushed["spin"][:, 1, 2]) < 0)
    with pytest.raises(InputError, match="2 values for 4"):
        simulate(load(tmp_path, text, "solver.damping=[0.1, 0.2]"))


def test_an_oscillating_field_and_kelvin(tmp_path):
    text = RING.replace('kind = "exact"', 'kind = "llg"\n    damping = 0.1')
    driven = ("model.drive=[0.3, 0, 0]", "model.drive_frequency=0.8", "solver.damping=0.0")
    result = simulate(load(tmp_path, text, *driven))
    assert np.ptp(result["energy"]) > 0.05
    noisy = ("units.energy_ev=0.001", "solver.temperature='5 K'", "solver.realizations=4")
    assert load(tmp_path, text, *noisy).solver.temperature == pytest.approx(0.4308667, rel=1e-5)


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("classical.damping=-1.0", r"classical\.damping"),
        ("classical.damping='fitted'", r"classical\.damping"),
        ("classical.within=0.0", r"classical\.within"),
        ("classical.realizations=5", "unless the temperature"),
        ("solver.kind='hybrid'", "is classical itself"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, override, match):
    with pytest.raises(InputError, match=match):
        load(tmp_path, BESIDE, override)


def test_spins_are_recorded_for_the_comparison(tmp_path):
    result = simulate(load(tmp_path, BESIDE, "record.observables=['energy']", "time.stop=1.0"))
    assert {"energy", "spin", "classical_spin"} <= set(result) and "norm" not in result
    without = ("record.observables=['energy']", "time.stop=1.0", "classical.kind='none'")
    assert "spin" not in simulate(load(tmp_path, BESIDE, *without))


def test_a_singlet_has_no_direction_to_start_from(tmp_path):
    text = BESIDE.replace('kind = "product"', 'kind = "ground"')
    text = text.replace("    directions = [[1.0, 0.0]]\n", "").replace("0.8", "0.0")
    with pytest.raises(InputError, match=r"classical\.directions"):
        simulate(load(tmp_path, text, "model.J=1.0"))
    given = load(tmp_path, text, "model.J=1.0", "classical.directions=['z', '-z']")
    assert simulate(given)["classical_spin"][0, 1, 2] == pytest.approx(-1)


def test_electrons_are_refused(tmp_path):
    from small_runs import SMALL

    with pytest.raises(InputError, match="localized spins alone"):
        load(tmp_path, SMALL + "\n    [classical]\n")
