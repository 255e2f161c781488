"""One configuration, two solvers: TEBD against the exact one, and both against closed forms.

Every run goes through the configuration, as a user's does; only the ``[solver]`` table differs.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from solving import exact, tebd

from tnspin import rdm
from tnspin.operators.basis import ChargeBasis
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate

KONDO = {
    "kind": "kondo_heisenberg", "sites": 6, "localized": [3, 4],
    "J": 0.1, "Jz": 0.1005, "J_sd": 0.5,
}  # fmt: skip
EXACT = {"kind": "exact"}
PRECISE = {"kind": "tebd", "order": 4, "dt": 0.025, "cutoff": 1e-14, "bond_dim": 1000}


def pulse(n_electrons, polarization, **model):
    return {
        "model": KONDO | model,
        "state": {
            "kind": "confined_electrons", "n_electrons": n_electrons, "well": 3,
            "polarization": polarization,
        },
        "time": {"stop": 6.0, "every": 0.5},
    }  # fmt: skip


def configured(tables, solver):
    threads = {"threads": 1} if solver["kind"] == "tebd" else {}
    return config.from_dict(tables | {"solver": solver | threads})


def run(tables, solver):
    return simulate(configured(tables, solver))


def final_states(tables):
    """Last state of each solver, in the charges that the run conserves."""
    one = configured(tables, PRECISE)
    state, chain, times = one.initial_state, one.model, [0.0, one.time.stop]
    charges = [c for c in chain.hamiltonian.conserved() if c in state.conserved()]
    basis = ChargeBasis(chain.local_sites, state.total_charge(charges))
    options = {name: PRECISE[name] for name in ("order", "dt", "cutoff", "bond_dim")}
    *_, vector = exact(chain, state.to_vector(basis), times)
    *_, mps = tebd(chain, state.to_mps(charges), times, threads=1, **options)
    return vector.state, mps.state


def deviations(one, other):
    """Largest deviation of each variable that both results have."""
    names = [n for n, v in one.variables.items() if v.data.dtype.kind == "f" and "time" in v.dims]
    return {name: np.abs(one[name] - other[name]).max() for name in names if name in other}


TWO_GROUPS = {"localized": [[2], [4, 5]], "J_sd": [0.5, -0.3], "J": [0.1, 0.2], "Jz": [0.1, 0.3]}
PULSES = [
    (2, "z", {}),
    (3, "z", {}),
    (2, "x", {}),
    (3, "x", {}),
    (2, "none", {"convention": "mixed"}),
    (2, [1.0, 0.4], TWO_GROUPS),
]


@pytest.mark.parametrize(("n_electrons", "polarization", "model"), PULSES)
def test_few_electrons_in_every_observable(n_electrons, polarization, model):
    tables = pulse(n_electrons, polarization, **model)
    reference, result = run(tables, EXACT), run(tables, PRECISE)
    worst = deviations(reference, result)
    # Everything that a vector has, and it does move.
    assert {"spin", "entropy", "charge_current", "spin_current", "torque", "mutual_information",
            "meyer_wallach", "energy", "electron_spin"} <= worst.keys()  # fmt: skip
    assert np.ptp(reference["spin"], axis=0).max() > 1e-2
    assert reference["half_chain_entropy"].max() > 0.1
    assert max(worst.values()) < 1e-8, worst


def test_paired_electrons_through_a_spin_valve():
    """The preset valve-pulse in small, against the full vector (PRA Sec. IV C)."""
    tables = pulse(2, "none", sites=9, localized=[[3, 4], [6, 7]], J_sd=0.8)
    tables["state"] |= {"well_depth": 2.0, "localized_spins": ["up", "down"]}
    tables["time"] = {"stop": 12.0, "every": 2.0}
    reference, result = run(tables, EXACT), run(tables, PRECISE)
    worst = deviations(reference, result)
    assert {"log_negativity", "mutual_information", "group_entropy", "magnon_probability",
            "w_probability", "quantum_fisher_information", "quantum_fisher_information_mixed",
            "half_chain_entropy"} <= worst.keys()  # fmt: skip
    assert reference["log_negativity"].max() > 1e-2
    assert reference["magnon_probability"][-1, 1:5].min() > 1e-4
    assert max(worst.values()) < 1e-8, worst


@pytest.mark.parametrize("polarization", ["z", "x"])
def test_density_matrices_of_any_sites(polarization):
    vector, mps = final_states(pulse(3, polarization))
    for sites in ([3], [3, 4], [4, 1], [0, 3, 5]):
        expected = rdm(vector, sites)
        assert np.trace(expected) == pytest.approx(1)
        assert rdm(mps, sites) == pytest.approx(expected, abs=1e-8)
    spins = rdm(vector, [3, 4], keep=[2, 2])
    assert rdm(mps, [3, 4], keep=[2, 2]) == pytest.approx(spins, abs=1e-8)


@pytest.mark.parametrize(
    ("model", "directions"),
    [
        ({"sites": 8, "Jz": 0.4, "field": [0.0, 0.0, 0.3]}, ["z", "-z"]),
        ({"sites": 8, "Jz": 1.7, "field": [0.2, 0.1, 0.3]}, ["x", "-z"]),
        ({"sites": 8, "dmi": [0.0, 0.0, 0.6]}, ["z", "-z"]),
        ({"sites": 8, "dmi": [0.3, -0.2, 0.5], "J": -1.0}, [[0.3, 0.1], [2.0, -1.0]]),
        ({"sites": 5, "spin": 1.0, "anisotropy": 0.3}, ["z", "-z"]),
        ({"sites": 5, "spin": 1.0, "Jz": 0.5, "impurity_field": 0.4}, ["x", "z"]),
    ],
)
def test_heisenberg_chains(model, directions):
    tables = {
        "model": {"kind": "heisenberg", **model},
        "state": {"kind": "product", "directions": directions},
        "time": {"stop": 4.0, "every": 0.5},
    }
    reference, result = run(tables, EXACT), run(tables, PRECISE)
    worst = deviations(reference, result)
    assert reference["half_chain_entropy"].max() > 0.1
    assert max(worst.values()) < 1e-8, worst


def test_free_electrons_are_propagated_one_by_one():
    tables = config.load("stt-collinear", ["model.J_sd=0.0", "time.stop=6", "time.every=2"])
    solver = {"kind": "tebd", "order": 4, "dt": 0.1, "cutoff": 1e-16, "bond_dim": 400}
    result = run(tables.as_dict(), solver)
    hopping = -(np.eye(75, k=1) + np.eye(75, k=-1))
    well = hopping - np.diag([10.0] * 10 + [0.0] * 65)
    orbitals = np.linalg.eigh(well)[1][:, :8]
    for k, time in enumerate(result["time"]):
        moved = expm(-1j * time * hopping) @ orbitals
        density = (np.abs(moved) ** 2).sum(axis=1)
        one_body = moved.conj() @ moved.T
        current = 2 * np.imag(np.diag(one_body, k=1))
        assert result["electron_density"][k] == pytest.approx(density, abs=1e-6)
        assert result["electron_spin"][k, :, 2] == pytest.approx(density, abs=1e-6)
        assert result["charge_current"][k] == pytest.approx(current, abs=1e-6)
    # Nothing turns the spins: parallel to each other, they do not notice their exchange.
    assert result["spin"][:, :, 2] == pytest.approx(-1, abs=1e-9)


@pytest.mark.slow
def test_one_electron_crosses_the_published_chain():
    common = ["state.n_electrons=1", "time.stop=60", "time.every=2.5"]
    accurate = ["solver.order=4", "solver.dt=0.1", "solver.cutoff=1e-10"]
    reference = simulate(config.load("stt-collinear", [*common, "solver.kind='exact'"]))
    result = simulate(config.load("stt-collinear", [*common, *accurate]))
    assert np.abs(result["spin"] - reference["spin"]).max() < 1e-4


@pytest.mark.slow
def test_eight_electrons_reverse_the_first_spin():
    changes = ["time.stop=20", "solver.bond_dim=400", "solver.cutoff=1e-7"]
    result = simulate(config.load("stt-collinear", changes))
    at = {time: k for k, time in enumerate(result["time"].tolist())}
    # Two independent programs, PRX parameters (Pauli convention).
    assert result["spin"][at[15.0], 0, 2] == pytest.approx(-0.6689, abs=2e-3)
    assert result["spin"][at[20.0], 0, 2] == pytest.approx(0.3321, abs=2e-3)
    assert result["particle_number"] == pytest.approx(8, abs=1e-8)
    assert result["total_sz"] == pytest.approx(8 / 2 - 5 / 2, abs=1e-8)
    assert result["norm"] == pytest.approx(1, abs=1e-10)
    # The ledger: per time and bond, never falling, and it explains the drift of the energy.
    discarded, energy = result["discarded_weight"], result["energy"]
    assert discarded.shape == (41, 74) and energy.shape == (41,)
    assert np.diff(discarded, axis=0).min() >= 0
    assert 0 < discarded[-1].sum() < 1e-2
    assert np.abs(energy - energy[0]).max() < 1e-2
