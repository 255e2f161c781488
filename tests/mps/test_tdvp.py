"""Two-site TDVP against exact propagation, closed forms, TEBD and DMRG."""

from __future__ import annotations

import numpy as np
import pytest
from dense import full_vector, left_deviation, model_of, orthonormality
from reference import Reference
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from small_chains import basis_state, kondo_chain, last, same_bits, xxz
from solving import exact, tebd
from solving import tdvp as evolve

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.mps import MPS
from tnspin.mps.dmrg import ground_state
from tnspin.mps.expectation import Expectation
from tnspin.mps.tdvp import Tdvp
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import spin
from tnspin.operators.sparse import to_sparse
from tnspin.states.vector import VectorState

PRECISE = {"cutoff": 1e-20, "tolerance": 1e-12, "threads": 1, "dt": 0.05}


def long_range_kondo():
    """Electrons and spins with exchange and hopping beyond neighbours: strings included."""
    kinds, sites, items = kondo_chain(5, (1, 3))
    items = [*items, (0.7, "Sz", 1, "Sz", 3), (0.4, "Sp", 1, "Sm", 3), (0.4, "Sm", 1, "Sp", 3)]
    items += [(-0.5, "cdag_up", 0, "c_up", 4), (-0.5, "cdag_up", 4, "c_up", 0)]
    return kinds, sites, items


def heisenberg(sites, states, names, **fields):
    return HeisenbergChain(sites, **fields), states, names


NEEL = [0, 1, 0, 1, 0, 1, 0, 1]
SYSTEMS = {
    "open": heisenberg(8, NEEL, ("2Sz",), Jz=0.6, impurity_field=0.4),
    "periodic": heisenberg(8, NEEL, ("2Sz",), periodic=True),
    "periodic, dense": heisenberg(6, NEEL[:6], (), periodic=True, field=(0.3, 0.1, 0)),
    "dipole": heisenberg(8, NEEL, ("2Sz",), dipole=0.5),
    "dipole alone": heisenberg(7, [0, 1, 1, 0, 1, 0, 0], ("2Sz",), J=0.0, dipole=1.0),
    "spin one": heisenberg(5, [0, 2, 0, 2, 1], ("2Sz",), spin=1, dipole=0.3, anisotropy=0.2),
    "dmi": heisenberg(6, NEEL[:6], (), dmi=(0.3, 0.1, 0.4), periodic=True),
    "kondo": (model_of(*long_range_kondo()[1:]), [1, 2, 2, 3, 0], ("N", "2Sz")),
}


def product(model, states, names):
    return basis_state(model.local_sites, states, names)


def exact_vectors(model, psi, times):
    """Amplitudes at each time by Chebyshev propagation, and the basis they refer to."""
    names = psi.charge_names
    basis = ChargeBasis(model.local_sites, psi.total_charge) if names else None
    every = basis or ChargeBasis(model.local_sites, {})
    start = VectorState(model.local_sites, psi.amplitudes(every.states), basis)
    return every, [s.state.vector for s in exact(model, start, times)]


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_follows_the_exact_vector(name):
    model, states, names = SYSTEMS[name]
    psi = product(model, states, names)
    times = [0.0, 0.5, 1.0]
    basis, wanted = exact_vectors(model, psi, times)
    energy = Expectation(model.hamiltonian, psi.charge_names)
    start = energy(psi).real
    for found, vector in zip(evolve(model, psi, times, **PRECISE), wanted, strict=True):
        state = found.state
        # The first steps, out of a bond dimension of one, have an error: see the slope below.
        assert np.linalg.norm(state.amplitudes(basis.states) - vector) < 0.2 * PRECISE["dt"] ** 2
        assert energy(state) == pytest.approx(start, abs=1e-7)
        assert state.total_charge == psi.total_charge
        assert state.canonical and orthonormality(state) < 1e-11 and left_deviation(state) < 1e-9


@pytest.mark.parametrize("name", ["periodic", "dipole alone", "kondo"])
def test_error_of_the_first_steps_falls_with_the_square_of_the_step(name):
    model, states, names = SYSTEMS[name]
    psi = product(model, states, names)
    basis, (_, wanted) = exact_vectors(model, psi, [0.0, 0.6])
    steps, errors = 0.6 / np.array([3, 6, 12]), []
    for dt in steps:
        final = last(evolve(model, psi, [0.0, 0.6], **PRECISE | {"dt": dt}))
        errors.append(np.linalg.norm(final.state.amplitudes(basis.states) - wanted))
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] > 1.8


@pytest.mark.parametrize("names", [("2Sz",), ()])
def test_exchange_of_two_distant_spins_in_closed_form(names):
    """No window holds a term of its own: without new directions nothing would ever move."""
    length = 6
    sites = (spin(0.5),) * length
    items = [(0.5, "Sp", 0, "Sm", length - 1), (0.5, "Sm", 0, "Sp", length - 1)]
    psi = basis_state(sites, [0, 1, 0, 0, 1, 1], names)
    final = last(evolve(model_of(sites, items), psi, [0.0, 1.3], **PRECISE))
    sz = np.diag([0.5, -0.5])
    for site, sign in ((0, 1), (length - 1, -1)):
        found = np.trace(final.state.rdm([site]) @ sz).real
        assert found == pytest.approx(sign * np.cos(1.3) / 2, abs=1e-10)


def driven(kind):
    """A chain with a driven field on one site, or with driven long-range couplings as well."""
    kinds, sites, items = xxz(5)
    items.append((0.3, "Sz", 0, "Sz", 4))
    items.append((lambda t: 0.8 * np.cos(2 * t), "Sx", 2))
    items.append((lambda t: np.exp(-(((t - 0.5) / 0.4) ** 2)), "Sz", 4))
    if kind == "couplings":
        items.append((lambda t: 0.6 * np.sin(2 * t), "Sz", 1, "Sz", 4))
        items.append((lambda t: 0.4 * t**2, "Sp", 0, "Sm", 3))
        items.append((lambda t: 0.4 * t**2, "Sm", 0, "Sp", 3))
    return kinds, sites, items


@pytest.mark.parametrize("kind", ["fields", "couplings"])
def test_driven_chain_converges_at_second_order(kind):
    kinds, sites, items = driven(kind)
    reference = Reference(kinds)
    # Out of a superposition, so that the first step is like all others.
    start = last(evolve(model_of(sites, xxz(5)[2]), basis_state(sites, [0, 1, 0, 1, 1], ()),
                        [0.0, 2.0], **PRECISE)).state  # fmt: skip
    solution = solve_ivp(lambda t, v: -1j * reference.matrix(items, t) @ v, (0.2, 1.2),
                         full_vector(start), "DOP853", rtol=1e-12, atol=1e-13)  # fmt: skip
    steps, errors = 1 / np.array([6, 9, 12]), []
    for dt in steps:
        final = last(evolve(model_of(sites, items), start, [0.2, 1.2], **PRECISE | {"dt": dt}))
        errors.append(np.linalg.norm(full_vector(final.state) - solution.y[:, -1]))
    assert min(errors) > 1e-6
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(2, abs=0.1)


def test_a_driven_field_along_a_conserved_charge_keeps_it():
    """Blocks of the field that would change 2Sz are dropped; the numbers are those without it."""
    sites = (spin(0.5),) * 4
    items = [*xxz(4)[2], (lambda t: np.sin(3 * t), "Sz", 0)]
    states = [basis_state(sites, [0, 1, 1, 0], names) for names in ((), ("2Sz",))]
    dense, sparse = (last(evolve(model_of(sites, items), s, [0, 1.0], **PRECISE)) for s in states)
    assert sparse.state.total_charge == {"2Sz": 0}
    assert np.linalg.norm(full_vector(dense.state) - full_vector(sparse.state)) < 1e-8


def test_agrees_with_tebd_where_both_are_truncated_little():
    model = HeisenbergChain(14, Jz=0.7)
    psi = product(model, NEEL[:6] + NEEL, ("2Sz",))
    times = [0.0, 1.5]
    one = last(evolve(model, psi, times, dt=0.05, cutoff=1e-10, threads=1))
    other = last(tebd(model, psi, times, dt=0.05, order=4, cutoff=1e-11, threads=1))
    worst = max(np.abs(a - b).max() for a, b in zip(one.site_rdms, other.site_rdms, strict=True))
    assert worst < 2e-5
    assert abs(one.state.overlap(other.state)) == pytest.approx(1, abs=1e-6)
    assert one.ledger.discarded.sum() > 0 and one.ledger.steps == 30


def test_truncation_keeps_the_limit_and_the_energy():
    """The projected flow conserves <H> but for what the splits discard."""
    model = HeisenbergChain(12, dipole=0.4)
    psi = product(model, NEEL + NEEL[:4], ("2Sz",))
    energy = Expectation(model.hamiltonian, psi.charge_names)
    final = last(evolve(model, psi, [0.0, 2.0], dt=0.1, bond_dim=12, threads=1))
    assert final.state.bond_dims().max() == 12
    assert final.ledger.discarded.sum() > 1e-6
    assert energy(final.state) == pytest.approx(energy(psi).real, abs=0.02)
    assert final.state.norm == pytest.approx(1, abs=1e-12)


def test_continuing_and_threads_change_no_bit(monkeypatch, tmp_path):
    import h5py

    monkeypatch.setattr("tnspin.mps.tdvp._PARALLEL_FROM", 0)
    model = HeisenbergChain(9, periodic=True, dipole=0.3)
    psi = product(model, [*NEEL, 0], ("2Sz",))
    options = {"bond_dim": 12, "dt": 0.1}
    whole = list(evolve(model, psi, [0.0, 0.3, 0.6], threads=1, **options))
    parallel = list(evolve(model, psi, [0.0, 0.3, 0.6], threads=3, **options))
    same_bits(whole[2].state, parallel[2].state)
    with h5py.File(tmp_path / "state.h5", "w") as file:
        whole[1].state.save(file.create_group("state"))
        saved = MPS.load(file["state"], model.local_sites)
    rest = list(evolve(model, saved, [0.3, 0.6], threads=2, ledger=whole[1].ledger, **options))
    same_bits(whole[2].state, rest[1].state)
    assert rest[1].ledger.discarded.tolist() == whole[2].ledger.discarded.tolist()


def test_imaginary_time_finds_the_ground_state():
    model = HeisenbergChain(8, periodic=True)
    psi = product(model, NEEL, ("2Sz",))
    wanted = ground_state(model.hamiltonian, {"2Sz": 0})
    engine = Tdvp(psi, model.hamiltonian, factor=-1.0, cutoff=1e-14, threads=1)
    for _ in engine.advance(0.0, 0.5, 40):
        pass
    # The next level is 0.5 above: exp(-2 * 0.5 * 20).
    assert Expectation(model.hamiltonian, psi.charge_names)(engine.state) == pytest.approx(
        wanted.energy, abs=1e-8
    )


@pytest.mark.parametrize(("factor", "hermitian"), [(-1.0, True), (1j, True), (-1j, False)])
def test_any_factor_and_losses_against_the_dense_exponential(factor, hermitian):
    """log_norm is the logarithm of the norm that the exponential gives the vector."""
    kinds, sites, items = xxz(5)
    items = [*items, (0.6, "Sz", 0, "Sz", 4)]
    if not hermitian:
        items += [(-0.2j, "Sz", k, "Sz", k) for k in range(5)] + [(-0.3j, "Sp", 1, "Sm", 3)]
    generator = model_of(sites, items).hamiltonian
    psi = basis_state(sites, [0, 1, 0, 1, 1], ("2Sz",))
    # The first exponential leaves the product state exactly.
    matrix = factor * Reference(kinds).matrix(items)
    engine = Tdvp(psi, generator, factor=factor, hermitian=hermitian, cutoff=1e-20,
                  tolerance=1e-12, threads=1)  # fmt: skip
    for _ in engine.advance(0.0, 0.02, 25):
        pass
    wanted = expm(0.5 * matrix) @ full_vector(psi)
    assert engine.log_norm == pytest.approx(np.log(np.linalg.norm(wanted)), abs=1e-5)
    found = full_vector(engine.state)
    assert np.linalg.norm(found - wanted / np.linalg.norm(wanted)) < 1e-5


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_expectation_of_the_whole_operator(name):
    model, states, names = SYSTEMS[name]
    psi = last(evolve(model, product(model, states, names), [0.0, 0.4], threads=1)).state
    vector = full_vector(psi)
    wanted = np.vdot(vector, to_sparse(model.hamiltonian) @ vector)
    assert Expectation(model.hamiltonian, psi.charge_names)(psi) == pytest.approx(wanted, abs=1e-10)


def test_two_sites_are_one_exponential():
    model = HeisenbergChain(2, J=1.3)
    psi = product(model, [0, 1], ("2Sz",))
    final = last(evolve(model, psi, [0.0, 0.7], dt=0.7, threads=1))
    wanted = expm(-0.7j * to_sparse(model.hamiltonian).toarray()) @ full_vector(psi)
    assert np.linalg.norm(full_vector(final.state) - wanted) < 1e-9


def test_what_it_refuses():
    model = HeisenbergChain(4, field=(0.5, 0, 0))
    psi = product(model, [0, 1, 0, 1], ("2Sz",))
    with pytest.raises(InputError, match="does not conserve"):
        next(evolve(model, psi, [0, 1]))
    sites = (spin(0.5),) * 2
    lossy = model_of(sites, [(1j, "Sz", 0, "Sz", 1)])
    with pytest.raises(InputError, match="not Hermitian"):
        next(evolve(lossy, basis_state(sites, [0, 1], ()), [0, 1]))
    one = model_of(sites[:1], [(1.0, "Sz", 0)])
    with pytest.raises(InputError, match="two sites"):
        next(evolve(one, basis_state(sites[:1], [0], ()), [0, 1]))
