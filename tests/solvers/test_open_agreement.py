"""One open system, every solver: four spins in FATE's product state, with a bath on each.

Every run goes through the configuration, as a user's does; only the ``[solver]`` table differs.
"""

from __future__ import annotations

import numpy as np
import pytest

from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate

#: An open chain with jumps on a spin and its neighbours; the ring of the preset, on all spins.
PROBLEMS = {"chain": ["model.periodic=false", "bath.window=1"], "ring": []}
MEASURED = ["spin", "energy", "log_negativity"]
EXACT = {"kind": "master_equation"}
MATRIX_PRODUCT = {"kind": "density_matrix", "dt": 0.05, "cutoff": 1e-14, "threads": 1}
PURIFIED = {"kind": "purification", "dt": 0.25, "kraus_cutoff": 1e-8, "threads": 1}
JUMPS = {"kind": "trajectories", "chunk": 20, "seed": 3, "workers": 1}
JUMPS_OF_MPS = JUMPS | {"engine": "tebd", "order": 4, "dt": 0.1, "cutoff": 1e-10}


def run(problem, solver, stop, every, *extra):
    changes = [*PROBLEMS[problem], f"time.stop={stop}", f"time.every={every}"]
    tables = config.load("chain-lindblad", changes).as_dict()
    return simulate(
        config.from_dict(
            tables | {"solver": solver, "record": {"observables": [*MEASURED, *extra]}}
        )
    )


def deviations(found, wanted):
    return {name: np.abs(found[name] - wanted[name]).max() for name in MEASURED}


def in_errors(found, wanted, name):
    """Deviations of a sampled variable in its standard errors, where it has any."""
    error = found[f"{name}_error"]
    known = error > 1e-9
    assert known.mean() > 0.5
    return (np.abs(found[name] - wanted[name])[known] / error[known]).ravel()


def check_samples(found, wanted):
    for name in MEASURED:
        ratio = in_errors(found, wanted, name)
        # All times and components count; Student's distribution of 20 chunks has 0.7 % beyond 3.
        assert np.mean(ratio < 3) > 0.97, (name, ratio.max())
        assert 0.1 < np.mean(ratio**2) < 2.5, name


@pytest.mark.parametrize(
    ("problem", "solver"),
    [("chain", MATRIX_PRODUCT), ("chain", PURIFIED), ("ring", PURIFIED)],
)
def test_matrix_products_agree_with_the_master_equation(problem, solver):
    wanted, found = (run(problem, one, 2.0, 0.5) for one in (EXACT, solver))
    worst = deviations(found, wanted)
    assert worst["spin"] < 2e-5 and worst["energy"] < 1e-4 and worst["log_negativity"] < 1e-4
    assert wanted["log_negativity"].max() > 0.9


def test_trajectories_agree_with_the_master_equation():
    wanted = run("chain", EXACT, 2.0, 0.25)
    check_samples(run("chain", JUMPS | {"trajectories": 400}, 2.0, 0.25), wanted)


def test_trajectories_of_matrix_products_are_those_of_vectors():
    """The same random numbers, the same jumps: what is left is the Trotter error."""
    vectors = run("chain", JUMPS | {"trajectories": 20, "chunk": 5}, 4.0, 1.0)
    found = run("chain", JUMPS_OF_MPS | {"trajectories": 20, "chunk": 5}, 4.0, 1.0)
    worst = deviations(found, vectors)
    # One jump more or less would be 1 / 20.
    assert max(worst.values()) < 2e-3, worst
    assert np.ptp(vectors["spin"], axis=0).max() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
def test_purified_states_at_long_times(problem):
    wanted = run(problem, EXACT, 20.0, 0.5)
    found = run(problem, PURIFIED, 20.0, 0.5, "kraus_discarded")
    worst = deviations(found, wanted)
    assert worst["spin"] < 1e-4 and worst["log_negativity"] < 1e-3, worst
    assert found["kraus_discarded"][-1].sum() < 1e-5


@pytest.mark.slow
def test_trajectories_at_long_times():
    """Times far apart and a hundred chunks: as good as independent, normal deviations."""
    wanted = run("chain", EXACT, 20.0, 4.0)
    found = run("chain", JUMPS | {"trajectories": 2000}, 20.0, 4.0)
    ratios = np.concatenate([in_errors(found, wanted, name) for name in MEASURED])
    assert ratios.size > 60 and ratios.max() < 4
    assert np.mean(ratios < 3) > 0.95 and 0.4 < np.mean(ratios**2) < 2
