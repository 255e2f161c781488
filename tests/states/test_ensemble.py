"""Mixtures against their density matrix, evolved in lock step, saved and continued."""

from __future__ import annotations

import pickle

import h5py
import numpy as np
import pytest
from small_chains import last, same_bits
from small_states import make
from solving import tebd

import tnspin as ts
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain, Purified
from tnspin.mps.ledger import Ledger, MergedLedger
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sparse import to_sparse
from tnspin.operators.state import State
from tnspin.states.ensemble import Ensemble
from tnspin.states.vector import VectorState

CHAIN = KondoHeisenbergChain(sites=4, localized=[[1], [3]], J_sd=0.8)
TIMES = [0.0, 0.3, 1.0]


def unpolarized(form="mps"):
    """One electron on site 0, up or down with probabilities 0.3 and 0.7, spins up and down."""
    chosen = []
    for electron in (1, 2):
        states = [electron, 0, 0, 1]
        vectors = [np.eye(s.dim)[k] for s, k in zip(CHAIN.local_sites, states, strict=True)]
        charge = {"N": 1, "2Sz": 3 - 2 * electron}
        if form == "mps":
            chosen.append(ts.MPS.product(CHAIN.local_sites, vectors, tuple(charge)))
        else:
            basis = ChargeBasis(CHAIN.local_sites, charge)
            chosen.append(VectorState.product(CHAIN.local_sites, vectors, basis))
    return Ensemble(tuple(chosen), (0.3, 0.7))


def dense(ensemble):
    """Density matrix in the full space."""
    dims = [site.dim for site in ensemble.sites]
    every = np.array(np.unravel_index(np.arange(np.prod(dims)), dims)).T
    vectors = [state.amplitudes(every) for state in ensemble.states]
    return sum(w * np.outer(v, v.conj()) for w, v in zip(ensemble.weights, vectors, strict=True))


def trace_out(rho, dims, keep):
    tensor = rho.reshape(dims + dims)
    for k in sorted(set(range(len(dims))) - set(keep), reverse=True):
        tensor = np.trace(tensor, axis1=k, axis2=k + tensor.ndim // 2)
    size = int(np.prod([dims[k] for k in keep]))
    return tensor.reshape(size, size)


def random_mixture():
    return Ensemble(tuple(make("kondo", seed) for seed in range(3)), (0.5, 0.3, 0.2))


def test_reductions_are_those_of_the_density_matrix():
    mixture = random_mixture()
    dims = [site.dim for site in mixture.sites]
    rho = dense(mixture)
    assert mixture.norm == pytest.approx(1, abs=1e-13)
    for k, one in enumerate(mixture.site_rdms()):
        assert np.abs(one - trace_out(rho, dims, [k])).max() < 1e-12
    for k, two in enumerate(mixture.bond_rdms()):
        assert np.abs(two - trace_out(rho, dims, [k, k + 1])).max() < 1e-12
    assert np.abs(mixture.rdm([0, 2]) - trace_out(rho, dims, [0, 2])).max() < 1e-12
    spins = trace_out(rho, [dims[0], 4, 2, 4, 2, dims[3]], [2, 4])  # electron x spin, twice
    assert np.abs(mixture.rdm([1, 2], keep=[2, 2]) - spins).max() < 1e-12


def test_entropies_are_means_and_bond_dimensions_maxima():
    mixture = random_mixture()
    entropies = [state.entropies() for state in mixture.states]
    assert np.allclose(mixture.entropies(), np.average(entropies, axis=0, weights=mixture.weights))
    dims = [state.bond_dims() for state in mixture.states]
    assert np.array_equal(mixture.bond_dims(), np.max(dims, axis=0))
    with pytest.raises(InputError, match="no Schmidt values"):
        mixture.schmidt(0)


def test_charges_in_which_all_agree():
    mixture = unpolarized()
    assert mixture.total_charge == {"N": 1} and mixture.charge_names == ("N",)
    assert mixture.length == 4
    assert mixture.copy().weights == mixture.weights
    assert [weight for weight, _ in mixture.members] == [0.3, 0.7]


def test_what_is_no_mixture_is_refused():
    one = make("kondo", 0)
    with pytest.raises(InputError, match="sum to 1"):
        Ensemble((one, one), (0.5, 0.6))
    with pytest.raises(InputError, match="positive"):
        Ensemble((one, one), (1.5, -0.5))
    with pytest.raises(InputError, match="1 states and 2 weights"):
        Ensemble((one,), (0.5, 0.5))
    with pytest.raises(InputError, match="different chains"):
        Ensemble((one, make("electrons", 0)), (0.5, 0.5))
    with pytest.raises(InputError, match="different kinds"):
        Ensemble((one, VectorState(one.sites, np.ones(8 * 8 * 4 * 4))), (0.5, 0.5))


@pytest.mark.parametrize(("form", "solver"), [("vector", "exact"), ("mps", "tebd")])
def test_lock_step_evolution_is_that_of_the_density_matrix(form, solver):
    options = {} if solver == "exact" else {"dt": 0.05, "order": 4, "cutoff": 1e-14}
    start = unpolarized(form)
    matrix = to_sparse(CHAIN.hamiltonian).toarray()
    energies, modes = np.linalg.eigh(matrix)
    for now in ts.evolve(CHAIN, start, TIMES, solver=solver, **options):
        u = (modes * np.exp(-1j * energies * now.time)) @ modes.conj().T
        wanted = u @ dense(start) @ u.conj().T
        assert np.abs(dense(now.state) - wanted).max() < (1e-11 if solver == "exact" else 1e-6)
        assert (now.ledger is None) == (solver == "exact")


def test_the_ledger_combines_those_of_the_members():
    options = {"dt": 0.1, "bond_dim": 4, "threads": 1}
    start = unpolarized()
    together = last(ts.evolve(CHAIN, start, TIMES, **options))
    alone = [last(tebd(CHAIN, state, TIMES, **options)) for state in start.states]
    kept = [one.ledger.norm**2 for one in alone]
    assert together.ledger.discarded.max() > 0
    assert np.allclose(
        together.ledger.discarded,
        0.3 * alone[0].ledger.discarded + 0.7 * alone[1].ledger.discarded,
        rtol=1e-14,
    )
    assert together.ledger.norm**2 == pytest.approx(0.3 * kept[0] + 0.7 * kept[1], rel=1e-14)
    assert together.ledger.steps == sum(one.ledger.steps for one in alone)
    for state, one in zip(together.state.states, alone, strict=True):
        same_bits(state, one.state)


@pytest.mark.parametrize("form", ["vector", "mps"])
def test_saved_and_continued_with_the_same_bits(form, tmp_path):
    solver = {"vector": "exact", "mps": "tebd"}[form]
    options = {} if form == "vector" else {"dt": 0.1, "bond_dim": 4, "threads": 1}
    *_, half, end = ts.evolve(CHAIN, unpolarized(form), TIMES, solver=solver, **options)
    with h5py.File(tmp_path / "mixture.h5", "w") as file:
        half.state.save(file.create_group("state"))
        if half.ledger is not None:
            half.ledger.save(file.create_group("ledger"))
    with h5py.File(tmp_path / "mixture.h5") as file:
        state = Ensemble.load(file["state"], CHAIN.local_sites)
        ledger = {"ledger": Ledger.load(file["ledger"])} if "ledger" in file else {}
        with pytest.raises(InputError, match="no mixture"):
            Ensemble.load(file["state/0"], CHAIN.local_sites)
        assert type(State.load(file["state/0"], CHAIN.local_sites)) is type(state.states[0])
    again = last(ts.evolve(CHAIN, state, TIMES[1:], solver=solver, **options, **ledger))
    assert again.state.weights == end.state.weights
    for one, other in zip(again.state.states, end.state.states, strict=True):
        if form == "mps":
            same_bits(one, other)
        else:
            assert one.vector.tobytes() == other.vector.tobytes()
    if ledger:
        assert isinstance(ledger["ledger"], MergedLedger)
        assert again.ledger.discarded.tobytes() == end.ledger.discarded.tobytes()
        assert again.ledger.log_kept == end.ledger.log_kept
        assert again.ledger.steps == end.ledger.steps


def test_the_ledger_of_another_mixture_is_refused():
    start = unpolarized()
    ledger = MergedLedger.of([Ledger.empty(4)] * 2, (0.5, 0.5))
    with pytest.raises(InputError, match="another mixture"):
        next(ts.evolve(CHAIN, start, TIMES, ledger=ledger))


@pytest.mark.parametrize("solver", ["exact", "tebd"])
def test_progress_covers_all_members(solver):
    seen = []
    start = unpolarized("vector" if solver == "exact" else "mps")
    snapshots = ts.evolve(CHAIN, start, TIMES, solver=solver, on_step=seen.append)
    reached = []
    for now in snapshots:
        if seen:
            assert seen[-1].time == pytest.approx(now.time, abs=1e-12)
        reached.append(len(seen))
    times = [progress.time for progress in seen]
    assert times == sorted(times) and times[-1] == pytest.approx(1.0)
    assert 0 < times[0] < 0.3 and reached == sorted(set(reached))
    if solver == "exact":
        assert times == pytest.approx([0.15, 0.3, 0.65, 1.0])


def test_a_purified_model_is_the_model_with_ancillas():
    model = Purified(CHAIN)
    assert (model.length, model.groups, model.localized_sites) == (4, ((1,), (3,)), (1, 3))
    assert model.hopping == 1.0 and not hasattr(model, "dmi") and model.localized_spin == 0.5
    assert [site.dim for site in model.local_sites] == [4, 16, 4, 16]
    assert model.hamiltonian.conserved() == ("N", "2Sz")
    again = pickle.loads(pickle.dumps(model))
    assert again == model and hash(again) == hash(model)


@pytest.mark.parametrize("spin", [0.5, 1.0])
def test_the_hamiltonian_of_a_purified_model_leaves_ancillas_alone(spin):
    model = HeisenbergChain(sites=2, spin=spin, field=(0.1, 0.2, 0.3), dmi=(0, 0, 0.4))
    d = round(2 * spin) + 1
    plain = to_sparse(model.hamiltonian).toarray().reshape(d, d, d, d)
    one = np.eye(d)
    wanted = np.einsum("mnst,ab,cd->amcnbsdt", plain, one, one).reshape(d**4, d**4)
    assert np.abs(to_sparse(Purified(model).hamiltonian).toarray() - wanted).max() < 1e-14
