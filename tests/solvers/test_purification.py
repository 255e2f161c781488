"""Locally purified states in time against the exponential of the superoperator."""

from __future__ import annotations

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from open_systems import MINUS, PLUS, SPINS, Lindblad, Z, flips, mixing
from solving import purification as evolve

from tnspin.baths import JumpOperator, UniversalLindblad, jump_operators
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain, Purified
from tnspin.mps import MPS
from tnspin.mps.ledger import Ledger
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.mps.tebd import evolution_gate, widened
from tnspin.operators.operator_sum import OperatorSum
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate
from tnspin.states.initial.thermal import gibbs

EXACT = {"cutoff": 1e-13, "kraus_cutoff": 1e-13, "kraus_dim": 64}


def product(model, states, names=("2Sz",)):
    """A product of basis states, and its density matrix."""
    sites = model.local_sites
    vectors = [np.eye(site.dim)[k] for site, k in zip(sites, states, strict=True)]
    rho = np.ones((1, 1), dtype=complex)
    for vector in vectors:
        rho = np.kron(rho, np.outer(vector, vector))
    return MPS.product(sites, vectors, names), rho


def whole(state):
    return state.rdm(range(state.length))


def error(model, jumps, start, rho, *, names=None, time=1.0, **options):
    *_, last = evolve(model, start, [0.0, time], jumps=jumps, **EXACT, **options)
    return np.abs(whole(last.state) - Lindblad(model, jumps, names).evolve(rho, time)).max()


@pytest.mark.parametrize(("order", "jumps"), [(1, flips()), (2, flips()), (2, mixing())])
def test_the_error_falls_as_the_step_to_its_order(order, jumps):
    start, rho = product(SPINS, [0, 1, 0])
    errors = [error(SPINS, jumps, start, rho, dt=dt, order=order) for dt in (0.25, 0.125)]
    assert errors[0] < 0.05
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize(("rate", "slope"), [(1e-5, 4), (0.3, 2)])
def test_weak_dissipation_costs_its_square(rate, slope):
    """Order 4: ``r dt**4 + r**2 dt**2``."""
    start, rho = product(SPINS, [0, 1, 0])
    jumps = flips(rate)
    errors = [error(SPINS, jumps, start, rho, dt=dt, order=4) for dt in (0.5, 0.25)]
    assert errors[0] < 5e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(slope, abs=0.3)


def test_order_four_beyond_neighbours():
    ring = HeisenbergChain(sites=4, J=1.0, field=(0, 0, 0.4), periodic=True)
    start, rho = product(ring, [0, 1, 0, 1])
    errors = [error(ring, [], start, rho, dt=dt, order=4) for dt in (0.5, 0.25)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.4)


def test_ancillas_stay_small_for_long_times():
    """Three spins have eight eigenvalues, whatever has happened to them."""
    start, rho = product(SPINS, [0, 1, 0])
    wanted = Lindblad(SPINS, mixing(0.05)).evolve(rho, 20.0)
    options = {"dt": 0.5, "cutoff": 1e-12, "kraus_cutoff": 1e-8}
    *_, last = evolve(SPINS, start, [0.0, 20.0], jumps=mixing(0.05), **options)
    assert np.prod(last.state.kraus_dims()) <= 12
    assert np.abs(whole(last.state) - wanted).max() < 1e-4
    assert last.ledger.order == 4 and last.ledger.steps == 40 and last.ledger.dt == 0.5


def test_jumps_on_the_whole_of_a_ring():
    """Couplings beyond neighbours, and jump operators that see all spins."""
    ring = HeisenbergChain(sites=3, J=1.0, Jz=0.6, field=(0, 0, 0.4), periodic=True)
    bath = UniversalLindblad(temperature=1.0, gamma=0.05, coupling="components")
    start, rho = product(ring, [0, 1, 0])
    jumps = jump_operators(ring, bath)
    assert jumps[0].sites == (0, 1, 2)
    errors = [error(ring, jumps, start, rho, dt=dt, order=2) for dt in (0.25, 0.125)]
    assert errors[1] < 1e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3)


def test_a_driven_chain():
    sites = SPINS.local_sites
    items = [(np.cos, "Sx", 0), (1.0, "Sz", 0, "Sz", 1), (0.7, "Sx", 1, "Sx", 2)]
    items.append((np.sin, "Sz", 0, "Sz", 2))
    model = SimpleNamespace(hamiltonian=OperatorSum.of(sites, items), local_sites=sites, length=3)
    jumps = [JumpOperator((1,), 0.5 * MINUS, -2, "")]
    start, rho = product(SPINS, [0, 1, 0], ())
    wanted, steps = rho, 400
    for k in range(steps):
        t = (k + 0.5) / steps
        frozen = [(c(t) if callable(c) else c, *rest) for c, *rest in items]
        now = SimpleNamespace(hamiltonian=OperatorSum.of(sites, frozen), local_sites=sites)
        wanted = Lindblad(now, jumps).evolve(wanted, 1 / steps)
    found = []
    for dt in (0.25, 0.125):
        *_, last = evolve(model, start, [0.0, 1.0], jumps=jumps, dt=dt, order=2, **EXACT)
        found.append(np.abs(whole(last.state) - wanted).max())
    assert np.log2(found[0] / found[1]) == pytest.approx(2, abs=0.3)
    *_, last = evolve(model, start, [0.0, 1.0], jumps=jumps, dt=0.25, order=4, **EXACT)
    assert np.abs(whole(last.state) - wanted).max() < found[1] / 10


def test_a_gibbs_state_stays_alone_and_decays_with_a_bath():
    chain = HeisenbergChain(sites=3, J=1.0, Jz=0.6, field=(0, 0, 0.3))
    thermal = gibbs(chain, temperature=0.7)
    start = thermal.to_mps(thermal.conserved())
    rho = whole(PurifiedMPS.from_state(start, chain.local_sites))
    *_, last = evolve(Purified(chain), start, [0.0, 1.0])
    assert last.model == chain and np.abs(whole(last.state) - rho).max() < 1e-3
    jumps = [JumpOperator((k,), 0.4 * MINUS, -2, "") for k in range(3)]
    assert error(chain, jumps, start, rho, dt=0.05) < 1e-3


def test_electrons_pass_spins_that_decay():
    valve = KondoHeisenbergChain(sites=3, localized=[1], J_sd=0.8)
    jumps = [JumpOperator((1,), 0.5 * PLUS, 2, "")]
    start, rho = product(valve, [1, 1, 0], ("N", "2Sz"))
    assert error(valve, jumps, start, rho, names={"N": 1}, dt=0.05) < 1e-3


def test_truncated_states_stay_positive_and_say_what_they_lost():
    start, rho = product(SPINS, [0, 1, 0])
    options = {"dt": 0.1, "kraus_dim": 3, "kraus_cutoff": 1e-3, "bond_dim": 4}
    *_, last = evolve(SPINS, start, [0.0, 2.0], jumps=flips(), **options)
    wanted = Lindblad(SPINS, flips()).evolve(rho, 2.0)
    distance = np.abs(np.linalg.eigvalsh(whole(last.state) - wanted)).sum() / 2
    lost = last.ledger.kraus.sum()
    assert last.state.kraus_dims().max() <= 3 and last.state.bond_dims().max() <= 4
    assert np.linalg.eigvalsh(whole(last.state)).min() > -1e-14
    assert last.state.norm == pytest.approx(1)
    assert lost > 1e-3 and last.ledger.norm_lost > 0
    # Weight dropped is distance in trace, root of it for bonds; the Trotter error adds 1e-3.
    assert distance < 2 * lost + 2 * np.sqrt(last.ledger.discarded.sum()) + 1e-2


def test_a_continued_run_repeats_every_bit(tmp_path):
    start, _ = product(SPINS, [0, 1, 0])
    options = {"jumps": flips(), "dt": 0.1, "kraus_dim": 6}
    snapshots = list(evolve(SPINS, start, [0.0, 0.3, 0.6], **options))
    middle = snapshots[1]
    with h5py.File(tmp_path / "saved.h5", "w") as file:
        middle.state.save(file.create_group("state"))
        middle.ledger.save(file.create_group("ledger"))
    with h5py.File(tmp_path / "saved.h5") as file:
        state = PurifiedMPS.load(file["state"], SPINS.local_sites)
        ledger = Ledger.load(file["ledger"])
    *_, again = evolve(SPINS, state, [0.3, 0.6], ledger=ledger, **options)
    assert np.array_equal(whole(again.state), whole(snapshots[2].state))
    assert np.array_equal(again.ledger.kraus, snapshots[2].ledger.kraus)
    assert again.ledger.log_kept == snapshots[2].ledger.log_kept


def test_gates_are_widened_by_the_identity():
    rng = np.random.default_rng(8)
    matrix = rng.normal(size=(6, 6)) * (rng.random((6, 6)) < 0.4)
    small = evolution_gate(matrix + matrix.T, 0.3)
    large = widened(small, 2, 3, 4, 2)

    def dense(gate, size):
        full = np.zeros((size, size), dtype=complex)
        rows = np.repeat(np.arange(size), np.diff(gate.pointer))
        full[rows, gate.source] = gate.amplitude
        return full

    wanted = np.einsum(
        "ac,bd,pqrs->apbqcrds", np.eye(2), np.eye(4), dense(small, 6).reshape(3, 2, 3, 2)
    )
    assert np.array_equal(dense(large, 48), wanted.reshape(48, 48))
    phases = np.einsum("a,b,pq->apbq", np.ones(2), np.ones(4), small.phase.reshape(3, 2))
    assert np.array_equal(large.phase, phases.ravel())


def test_what_is_refused():
    start, _ = product(SPINS, [0, 1, 0])
    with pytest.raises(InputError, match=r"solver.order = 3: must be one of 1, 2, 4"):
        next(evolve(SPINS, start, [0.0, 1.0], order=3))
    tilted = HeisenbergChain(sites=3, field=(0.3, 0, 0))
    with pytest.raises(InputError, match="does not conserve"):
        next(evolve(tilted, start, [0.0, 1.0]))
    wrong = [JumpOperator((0,), MINUS + Z, -2, "")]
    with pytest.raises(InputError, match="no definite"):
        list(evolve(SPINS, start, [0.0, 1.0], jumps=wrong))


# ---------------------------------------------------------------------- configurations

TABLES = {
    "model": {"kind": "heisenberg", "sites": 3, "periodic": True, "field": [0.0, 0.0, 0.8]},
    "state": {"kind": "product", "directions": [[0.3, 0.0], [2.8, 0.0]]},
    "bath": {"kind": "universal_lindblad", "temperature": 1.0, "gamma": 0.02},
    "time": {"stop": 1.0, "every": 0.5},
}
MEASURED = ["spin", "energy", "log_negativity", "transposed_moment", "p3_ppt"]


def run_of(solver, observables=(), record=None, **tables):
    own = {"record": {"observables": list(observables)} | (record or {}), "solver": solver}
    return config.from_dict(TABLES | own | tables)


def test_a_run_agrees_with_the_master_equation():
    exact = simulate(run_of({"kind": "master_equation"}, MEASURED))
    found = simulate(run_of({"kind": "purification", "dt": 0.05}, MEASURED))
    for name in MEASURED:
        assert np.abs(found[name] - exact[name]).max() < 1e-3, name
    assert found["transposed_moment"].shape == (3, 3)
    assert found["order"].tolist() == [2, 3, 4]
    # Pure and entangled at first: the moments see it.
    assert exact["transposed_moment"][0] == pytest.approx([1, 1, 1])
    assert exact["p3_ppt"][-1] > 1e-3


def test_a_run_records_what_its_ancillas_cost_and_resumes(tmp_path):
    solver = {"kind": "purification", "kraus_dim": 4}
    thermal = {"kind": "gibbs", "temperature": 1.0, "field": 0.5}
    straight = simulate(run_of(solver, state=thermal))
    assert straight["kraus_dim"].shape == (3, 3) and straight["kraus_dim"][1:].max() <= 4
    assert np.all(np.diff(straight["kraus_discarded"].sum(axis=1)) > 0)
    assert {"bond_dim", "discarded_weight", "norm_lost"} <= set(straight.variables)
    assert not {"entropy", "p3_ppt", "purity"} & set(straight.variables)
    path = tmp_path / "run.h5"
    saved = {"checkpoint": 0.0}
    short = run_of(solver, state=thermal, time={"stop": 0.5, "every": 0.5}, record=saved)
    simulate(short, path)
    path.unlink()
    resumed = simulate(run_of(solver, state=thermal), path, resume=True)
    for name in ("spin", "log_negativity", "kraus_discarded"):
        assert np.array_equal(resumed[name], straight[name]), name


def test_keys_of_the_solver_are_checked():
    for key, value in (("kraus_dim", 0), ("kraus_cutoff", 1.0), ("order", 3), ("dt", 0.0),
                       ("kraus_sites", 0)):  # fmt: skip
        with pytest.raises(InputError, match=f"solver.{key}"):
            run_of({"kind": "purification", key: value})
