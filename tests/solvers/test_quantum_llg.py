"""Quantum LLG and LL: against the implicit equation solved element by element, and closed forms."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from dense import model_of
from hypothesis import given, settings
from hypothesis import strategies as st
from quantum_llg_reference import ll_rate, llg_rate, random_density, trajectory
from scipy.sparse.linalg import expm_multiply
from solving import quantum_llg

import tnspin as ts
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain, SpinDimer
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import spin
from tnspin.operators.sparse import to_sparse
from tnspin.solvers.quantum_llg import isospectral
from tnspin.states.density import DensityState
from tnspin.states.initial import build
from tnspin.states.initial.spins import coherent
from tnspin.states.vector import VectorState

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
RATES = {"quantum_llg": llg_rate, "quantum_ll": ll_rate}


def matrices(model, state, times, solver="quantum_llg", **options):
    """(T, D, D) density matrices of a run."""
    snapshots = ts.evolve(model, state, times, solver=solver, **options)
    return np.array([snapshot.state.density.matrix for snapshot in snapshots])


def one_spin(field=(0.3, -0.5, 0.8), s=0.5):
    items = [(-b, f"S{axis}", 0) for b, axis in zip(field, "xyz", strict=True)]
    model = model_of([spin(s)], items)
    return SimpleNamespace(
        **vars(model), localized_sites=(0,), localized_spin=s, groups=((0,),), kind="one", length=1
    )


def bloch(rho):
    return np.einsum("...ij,kji->...k", rho, PAULI).real


def precession(r0, field, alpha, times):
    """LLG of one vector in a constant field, in closed form: tan(theta/2) decays."""
    strength = np.linalg.norm(field)
    z = np.asarray(field) / strength
    length, n = np.linalg.norm(r0), r0 / np.linalg.norm(r0)
    x = n - (n @ z) * z
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    rate = strength / (1 + alpha**2)
    theta = 2 * np.arctan(np.tan(np.arccos(n @ z) / 2) * np.exp(-alpha * rate * times))
    phi = -rate * times  # n' = n x B turns clockwise around B
    return length * (
        np.outer(np.sin(theta) * np.cos(phi), x)
        + np.outer(np.sin(theta) * np.sin(phi), y)
        + np.outer(np.cos(theta), z)
    )


# ---------------------------------------------------------------------- one spin


@pytest.mark.parametrize("length", [1.0, 0.7, 0.05])
@pytest.mark.parametrize("kappa", [0.0, 0.5, 3.0])
def test_one_spin_follows_the_classical_equation_with_damping_kappa_r(length, kappa):
    field, times = np.array([0.3, -0.5, 0.8]), np.linspace(0, 30, 16)
    r0 = length * np.array([0.6, 0.64, 0.48])
    rho = 0.5 * (np.eye(2) + np.einsum("k,kij->ij", r0, PAULI))
    model = one_spin(field)
    found = bloch(matrices(model, DensityState(model.local_sites, rho), times, kappa=kappa))
    wanted = precession(r0, field, kappa * length, times)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_it_is_what_the_classical_solver_gives():
    chain = HeisenbergChain(2, J=0.0, field=(0.2, 0.4, -0.7))
    start = build("product", chain, directions=[[0.4, 0.3], [2.0, -1.0]]).to_vector()
    times = np.linspace(0, 20, 9)
    quantum = ts.evolve(chain, start, times, solver="quantum_llg", kappa=0.3)
    classical = ts.evolve(chain, start, times, solver="llg", damping=0.3, dt=0.005)
    for q, c in zip(quantum, classical, strict=True):
        found = [bloch(rho) for rho in q.site_rdms]
        np.testing.assert_allclose(found, c.state.directions[0], atol=1e-8)


@pytest.mark.parametrize("s", [1.0, 2.5])
def test_a_large_coherent_spin_does_too(s):
    model, times = one_spin(s=s), np.linspace(0, 12, 7)
    state = VectorState(model.local_sites, coherent(s, 1.1, 0.4))
    rhos = matrices(model, state, times, kappa=0.5)
    axes = [model.local_sites[0].op(f"S{a}") for a in "xyz"]
    found = np.array([[np.trace(rho @ one).real / s for one in axes] for rho in rhos])
    wanted = precession(found[0], (0.3, -0.5, 0.8), 0.5, times)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


# ---------------------------------------------------------------------- many spins, any rank


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    rank=st.integers(1, 8),
    kappa=st.just(0.0) | st.floats(1e-60, 3.0),
    solver=st.sampled_from(["quantum_llg", "quantum_ll"]),
)
def test_any_state_of_three_spins_follows_the_equation(seed, rank, kappa, solver):
    rng = np.random.default_rng(seed)
    chain = HeisenbergChain(
        3, J=rng.normal(), Jz=rng.normal(), field=rng.normal(size=3).tolist(),
        dmi=rng.normal(size=3).tolist(),
    )  # fmt: skip
    rho = random_density(rng, 8, rank)
    times = np.linspace(0, 2, 4)
    found = matrices(chain, DensityState(chain.local_sites, rho), times, solver, kappa=kappa)
    h = to_sparse(chain.hamiltonian).toarray()
    wanted = trajectory(rho, h, kappa, times, RATES[solver])
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), kappa=st.just(0.0) | st.floats(1e-60, 2.0))
def test_all_eigenvalues_stay_over_a_long_run(seed, kappa):
    rng = np.random.default_rng(seed)
    dimer = SpinDimer(J=rng.normal(), dmi=rng.normal(size=3).tolist(), field=rng.normal(size=3))
    rho = DensityState(dimer.local_sites, random_density(rng, 4, rng.integers(1, 5)))
    times = np.linspace(0, 50, 6)
    first, *_, last = ts.evolve(dimer, rho, times, solver="quantum_llg", kappa=kappa)
    np.testing.assert_allclose(last.state.eigenvalues(), rho.eigenvalues(), atol=1e-13)
    assert last.state.purity == pytest.approx(first.state.purity, abs=1e-13)
    assert last.state.trace == pytest.approx(1, abs=1e-13)


def test_spins_of_one_and_electrons():
    rng = np.random.default_rng(3)
    ring = HeisenbergChain(3, spin=1.0, periodic=True, anisotropy=0.3, field=(0.1, 0.2, 0.3))
    wire = KondoHeisenbergChain(sites=2, localized=[1], J_sd=0.5, J=0.1, Jz=0.1)
    for model in (ring, wire):
        dim = int(np.prod([site.dim for site in model.local_sites]))
        rho, times = random_density(rng, dim, 2), [0.0, 0.7]
        h = to_sparse(model.hamiltonian).toarray()
        found = matrices(model, DensityState(model.local_sites, rho), times, kappa=0.5)
        # The elements of rho' are too many for a linear system: the eigenbasis of rho instead.
        np.testing.assert_allclose(found, in_eigenbasis(rho, h, 0.5, times), atol=1e-9)


def in_eigenbasis(rho, h, kappa, times):
    def rate(rho, h, kappa):
        p, v = np.linalg.eigh(rho)
        x = p[:, None] - p[None, :]
        inside = 1j * x * (v.conj().T @ h @ v) / (1 - 1j * kappa * x)
        return v @ inside @ v.conj().T

    return trajectory(rho, h, kappa, times, rate)


def test_without_damping_it_is_the_von_neumann_equation():
    chain = HeisenbergChain(6, J=1.0, field=(0.3, 0.0, 0.2), dmi=(0.0, 0.0, 0.4))
    start = build("product", chain, directions=["z", [1.0, 0.5]]).to_vector()
    times = np.linspace(0, 10, 4)
    quantum = ts.evolve(chain, start, times, solver="quantum_llg", kappa=0.0)
    for q, e in zip(quantum, ts.evolve(chain, start, times, solver="exact"), strict=True):
        np.testing.assert_allclose(q.state.rdm([1, 4]), e.state.rdm([1, 4]), atol=1e-10)


def test_the_closed_form_in_the_eigenbasis_is_the_implicit_equation():
    rng = np.random.default_rng(0)
    rho, h = random_density(rng, 4), 4 * random_density(rng, 4)
    rate = llg_rate(rho, h, 0.7)
    residual = rate - 1j * (rho @ h - h @ rho) - 0.7j * (rho @ rate - rate @ rho)
    assert np.abs(residual).max() < 1e-14
    later = in_eigenbasis(rho, h, 0.7, [0.0, 1.0])[1]
    np.testing.assert_allclose(later, trajectory(rho, h, 0.7, [0.0, 1.0])[1], atol=1e-11)


def test_driven_hamiltonians():
    items = [
        (lambda t: -np.cos(2 * t), "Sx", 0), (lambda t: -np.sin(2 * t), "Sy", 0), (-1.0, "Sz", 0),
        (0.7, "Sz", 0, "Sz", 1), (-0.3, "Sx", 1), (lambda t: 0.5 * (t > 1), "Sx", 0, "Sx", 1),
    ]  # fmt: skip
    model, times = model_of([spin(), spin()], items), np.linspace(0, 3, 7)
    model.localized_spin = 0.5
    rho = random_density(np.random.default_rng(5), 4)
    found = matrices(model, DensityState(model.local_sites, rho), times, kappa=0.4)
    os = model.hamiltonian
    before = trajectory(rho, lambda t: to_sparse(os, t=min(t, 1.0)).toarray(), 0.4, times[:3])
    later = lambda t: to_sparse(os, t=np.nextafter(t, 9)).toarray()  # noqa: E731
    after = trajectory(before[-1], later, 0.4, times[2:])
    np.testing.assert_allclose(found, [*before, *after[1:]], atol=1e-8)


@pytest.mark.parametrize("kappa", [0.5, 2.0])
def test_pure_states_obey_the_quantum_ll_equation_in_a_slower_time(kappa):
    chain = HeisenbergChain(4, J=1.0, field=(0.3, 0.1, 0.6), dmi=(0.2, 0.0, 0.5))
    start = build("product", chain, directions=["z", "x", "-z", [1.0, 2.0]]).to_vector()
    times = np.linspace(0, 8, 5)
    llg = matrices(chain, start, times * (1 + kappa**2), kappa=kappa)
    ll = matrices(chain, start, times, "quantum_ll", kappa=kappa)
    np.testing.assert_allclose(llg, ll, atol=1e-9)


def test_mixed_states_do_not():
    dimer, rho = SpinDimer(dmi=0.4), random_density(np.random.default_rng(1), 4)
    state = DensityState(dimer.local_sites, rho)
    llg = matrices(dimer, state, [0.0, 2.5], kappa=0.5)[-1]
    ll = matrices(dimer, state, [0.0, 2.0], "quantum_ll", kappa=0.5)[-1]
    assert np.abs(llg - ll).max() > 1e-2


def test_a_werner_state_is_a_pure_state_with_less_damping():
    dimer, times = SpinDimer(dmi=0.4, field=(0.3, 0.5, 0.7)), np.linspace(0, 5, 6)
    pure = build("bell", dimer, bell="phi-").to_vector()
    mixed = build("werner", dimer, bell="phi-", p=0.8).to_vector()
    slow = matrices(dimer, pure, times, kappa=0.4)
    found = matrices(dimer, mixed, times, kappa=0.5)
    np.testing.assert_allclose(found, 0.05 * np.eye(4) + 0.8 * slow, atol=1e-10)
    (block,) = next(ts.evolve(dimer, mixed, [0.0], solver="quantum_llg")).state.blocks
    assert block.frames.shape == (1, 4, 1)


def test_many_spins_without_a_density_matrix():
    chain, kappa, t = HeisenbergChain(13, J=1.0, field=(0.1, 0.0, 0.3)), 1.0, 3.0
    start = build("product", chain, directions=["z", "-z"]).to_vector()
    *_, last = ts.evolve(chain, start, [0.0, t], solver="quantum_llg", kappa=kappa)
    # A constant H in complex time.
    h = to_sparse(chain.hamiltonian)
    wanted = expm_multiply(-(1j + kappa) * t / (1 + kappa**2) * h, start.vector)
    wanted = VectorState(chain.local_sites, wanted / np.linalg.norm(wanted))
    found = last.state.blocks[0].frames[0, :, 0]
    assert np.abs(np.vdot(found, wanted.vector)) == pytest.approx(1, abs=1e-11)
    assert last.state.purity == pytest.approx(1, abs=1e-13)
    for sites in ([3], [3, 4], [7, 2]):
        np.testing.assert_allclose(last.state.rdm(sites), wanted.rdm(sites), atol=1e-10)
    np.testing.assert_allclose(last.state.entropies(), wanted.entropies(), atol=1e-9)


def test_the_error_falls_with_the_eighth_power_of_the_step():
    rng = np.random.default_rng(2)
    dimer, rho = SpinDimer(dmi=0.4), random_density(rng, 4)
    h = to_sparse(dimer.hamiltonian).toarray()
    values, vectors = np.linalg.eigh(rho)
    flow = isospectral.Flow([(None, h)], values - values[0], "quantum_llg", 0.5)
    wanted = trajectory(rho, h, 0.5, [0.0, 2.0])[-1]
    errors = []
    for count in (4, 6, 8):
        frames, t = vectors[None].astype(complex), 0.0
        for _ in range(count):
            rate = flow(t, frames)
            frames, _ = isospectral._dormand_prince(flow, t, frames, rate, 2.0 / count)
            frames = isospectral.orthonormal(frames)
        found = (frames[0] * values) @ frames[0].conj().T
        errors.append(np.abs(found - wanted).max())
    slopes = np.diff(np.log(errors)) / np.diff(np.log([4, 6, 8]))
    assert np.all(slopes < -7.0), slopes


# ---------------------------------------------------------------------- sectors


def test_psi_plus_stays_in_the_triplet():
    dimer = SpinDimer()
    psi = build("bell", dimer, bell="psi+").to_vector()
    times = np.linspace(0, 60, 61)
    rhos = matrices(dimer, psi, times, kappa=0.5)
    found = [ts.bell_nonlocality(rho, 0, 1) for rho in rhos]
    # B is a root: what is below the square of round-off cannot be told from zero.
    np.testing.assert_allclose(np.square(found), np.cosh(0.8 * times) ** -2.0, atol=1e-13)


def test_without_sectors_round_off_would_end_in_the_singlet(monkeypatch):
    monkeypatch.setattr("tnspin.solvers.quantum_llg.evolve._SEARCHED", 0)
    dimer = SpinDimer()
    psi = build("bell", dimer, bell="psi+").to_vector().vector.copy()
    psi[1] += 1e-15
    rho = matrices(dimer, VectorState(dimer.local_sites, psi), [0.0, 60.0])[-1]
    assert ts.bell_nonlocality(rho, 0, 1) > 0.99


def test_mixtures_of_singlet_and_triplet_stay_mixtures():
    rng = np.random.default_rng(8)
    singlet = np.array([0, 1, -1, 0]) / 2**0.5
    triplet = np.linalg.qr(np.eye(4) - np.outer(singlet, singlet))[0][:, [0, 1, 3]]
    triplet -= np.outer(singlet, singlet @ triplet)
    triplet = np.linalg.qr(triplet)[0]
    inside = random_density(rng, 3)
    rho = 0.98 * triplet @ inside @ triplet.T + 0.02 * np.outer(singlet, singlet)
    dimer = SpinDimer(J=1.0)
    found = matrices(dimer, DensityState(dimer.local_sites, rho), [0.0, 40.0, 120.0])
    for one in found:
        assert singlet @ one @ singlet == pytest.approx(0.02, abs=1e-13)
        assert np.abs(triplet.T @ one @ singlet).max() < 1e-13


# ---------------------------------------------------------------------- noise


def langevin(x):
    return 1 / np.tanh(x) - 1 / x


@pytest.mark.parametrize("noise", ["field", "operator"])
def test_one_spin_with_noise_reaches_the_boltzmann_distribution(noise):
    model = one_spin((0.0, 0.0, 1.0))
    start = VectorState(model.local_sites, [1, 1])
    temperature, count = 0.25, 2000
    *_, last = ts.evolve(
        model, start, [0.0, 12.0], solver="quantum_llg", kappa=1.0, temperature=temperature,
        noise=noise, dt=0.03, realizations=count, seed=4,
    )  # fmt: skip
    columns = last.state.blocks[0].columns[:, :, 0]
    z = np.square(np.abs(columns)) @ np.array([1.0, -1.0])
    # Energy -z/2 at T: the density of z is proportional to exp(z / 2T).
    x = 1 / (2 * temperature)
    borders = np.linspace(-1, 1, 9)
    share = np.diff(np.exp(x * borders)) / (2 * np.sinh(x))
    found = np.histogram(z, borders)[0]
    chi_square = np.sum((found - count * share) ** 2 / (count * share))
    assert chi_square < 18.5, chi_square  # 1 % for 7 degrees of freedom
    assert z.mean() == pytest.approx(langevin(x), abs=4 * z.std() / count**0.5)
    assert last.errors["spin"][0, 2] == pytest.approx(z.std(ddof=1) / count**0.5)
    np.testing.assert_allclose(np.square(np.abs(columns)).sum(axis=1), 1, atol=1e-14)


def test_two_spins_with_operator_noise_sample_all_pure_states():
    dimer, temperature, count = SpinDimer(J=0.4, dmi=0.3), 0.5, 2000
    start = build("product", dimer, directions=["z", "x"]).to_vector()
    *_, last = ts.evolve(
        dimer, start, [0.0, 12.0], solver="quantum_llg", kappa=1.0, temperature=temperature,
        noise="operator", dt=0.03, realizations=count, seed=1,
    )  # fmt: skip
    h = to_sparse(dimer.hamiltonian).toarray()
    columns = last.state.blocks[0].columns[:, :, 0]
    energies = np.einsum("ri,ij,rj->r", columns.conj(), h, columns).real
    # Populations of levels of random pure states fill a simplex evenly.
    levels = np.linalg.eigvalsh(h)
    random = np.random.default_rng(0).dirichlet(np.ones(4), 400_000) @ levels
    weights = np.exp(-(random - levels[0]) / temperature)
    wanted = np.average(random, weights=weights)
    assert energies.mean() == pytest.approx(wanted, abs=4 * energies.std() / count**0.5)


def test_noise_depends_on_the_seed_and_on_the_interval_alone():
    dimer = SpinDimer()
    start = build("product", dimer, directions=["z", "-z"]).to_vector()
    options = {"temperature": 0.2, "realizations": 3, "seed": 7, "solver": "quantum_llg"}
    whole = [s.state for s in ts.evolve(dimer, start, [0.0, 0.5, 1.0], **options)]
    (_, again) = ts.evolve(dimer, whole[1], [0.5, 1.0], **options)
    np.testing.assert_array_equal(again.state.blocks[0].frames, whole[2].blocks[0].frames)
    other = [s.state for s in ts.evolve(dimer, start, [0.0, 0.5], **{**options, "seed": 8})]
    assert np.abs(other[1].blocks[0].frames - whole[1].blocks[0].frames).max() > 1e-3
    values = np.linalg.eigvalsh(whole[2].realization(1).density.matrix)
    np.testing.assert_allclose(values, [0, 0, 0, 1], atol=1e-13)
    assert whole[2].purity < 1


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kappa": -0.1}, "solver.kappa"),
        ({"tolerance": 0.0}, "solver.tolerance"),
        ({"temperature": -1.0}, "solver.temperature"),
        ({"temperature": 1.0, "noise": "pink"}, "solver.noise"),
        ({"dt": 0.0}, "solver.dt"),
        ({"realizations": 5}, "1 unless the temperature is above 0"),
        ({"equation": "llg"}, "equation"),
    ],
)
def test_values_out_of_range(options, match):
    dimer = SpinDimer()
    state = build("product", dimer).to_vector()
    with pytest.raises(InputError, match=match):
        next(quantum_llg(dimer, state, [0.0, 1.0], **options))


def test_states_that_are_none():
    dimer = SpinDimer()
    negative = DensityState(dimer.local_sites, np.diag([1.1, -0.1, 0.0, 0.0]))
    with pytest.raises(InputError, match="negative eigenvalue"):
        next(ts.evolve(dimer, negative, [0.0, 1.0], solver="quantum_llg"))
    state = build("product", dimer).to_vector()
    with pytest.raises(InputError, match="ascending"):
        next(ts.evolve(dimer, state, [0.0, 0.0], solver="quantum_llg"))
    basis = ChargeBasis(dimer.local_sites, {"2Sz": 2})
    up = build("product", dimer).to_vector(basis)
    along = SpinDimer(field=(0, 0, 1))
    with pytest.raises(InputError, match="noise changes the charge"):
        next(ts.evolve(along, up, [0.0, 1.0], solver="quantum_llg", temperature=1.0))


def test_the_unit_matrix_stays():
    dimer = SpinDimer()
    state = DensityState(dimer.local_sites, np.eye(4))
    found = matrices(dimer, state, [0.0, 5.0])
    np.testing.assert_array_equal(found, np.stack([np.eye(4) / 4] * 2))
