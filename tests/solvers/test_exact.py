"""The exact solver against dense exponentials, closed forms and conservation laws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply
from scipy.special import jv
from solving import exact

from tnspin.errors import InputError, RunError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.numerics.chebyshev import coefficients, lanczos_bounds, propagate
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import spin
from tnspin.operators.sparse import TermOperator, to_sparse
from tnspin.solvers.exact.hamiltonian import Hamiltonian
from tnspin.states.vector import VectorState


@dataclass(frozen=True)
class Given:
    """A model that is nothing but its operator sum."""

    kind: ClassVar[str] = "given"
    hamiltonian: OperatorSum
    groups: tuple[tuple[int, ...], ...] = ()
    localized_sites: tuple[int, ...] = ()
    localized_spin: float = 0.5

    @property
    def local_sites(self):
        return self.hamiltonian.sites

    @property
    def length(self):
        return self.hamiltonian.length


def random_state(sites, charges=None, seed=0):
    basis = ChargeBasis(sites, charges)
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=basis.dim) + 1j * rng.normal(size=basis.dim)
    return VectorState(sites, vector / np.linalg.norm(vector), basis)


def last(model, state, times, **options):
    *_, snapshot = exact(model, state, times, **options)
    return snapshot.state


def energy(model, state):
    matrix = to_sparse(model.hamiltonian, state.basis)
    return float(np.vdot(state.vector, matrix @ state.vector).real)


MODELS = [
    (HeisenbergChain(sites=7, field=(0.3, 0.1, -0.2), dmi=(0.1, 0.2, 0.3), dipole=0.2), None),
    (HeisenbergChain(sites=5, spin=1, periodic=True, anisotropy=0.4), {"2Sz": 2}),
    (KondoHeisenbergChain(sites=4, localized=[1, 2], J_sd=1.3), {"N": 3, "2Sz": 1}),
    (KondoHeisenbergChain(sites=3, localized=[1], electron_field=(1, 0, 0)), {"N": 2}),
]


@pytest.mark.parametrize(("model", "charges"), MODELS)
@pytest.mark.parametrize("time", [0.3, 5.0, 60.0])
def test_equals_dense_exponential(model, charges, time):
    state = random_state(model.local_sites, charges)
    dense = to_sparse(model.hamiltonian, state.basis).toarray()
    wanted = expm(-1j * time * dense) @ state.vector
    # scipy's own error grows with the norm of its argument.
    tolerance = 1e-13 * (10 + time * np.linalg.norm(dense, 2))
    assert np.abs(last(model, state, [0.0, time]).vector - wanted).max() < tolerance


def test_equals_expm_multiply_in_a_larger_sector():
    model = KondoHeisenbergChain(sites=12, localized=[4, 5, 6], J_sd=0.5)
    state = random_state(model.local_sites, {"N": 2, "2Sz": -3})
    matrix = to_sparse(model.hamiltonian, state.basis)
    wanted = expm_multiply(-1j * matrix, state.vector)
    assert np.abs(last(model, state, [0.0, 1.0]).vector - wanted).max() < 2e-13


def test_matrix_free_and_sparse_agree():
    model = HeisenbergChain(sites=11, field=(0.3, 0, 0.1), dipole=0.1)
    state = random_state(model.local_sites)
    hamiltonian = Hamiltonian(model.hamiltonian, state.basis)
    assert isinstance(hamiltonian.parts[0].operator, TermOperator)
    wanted = expm_multiply(-1j * to_sparse(model.hamiltonian), state.vector)
    assert np.abs(last(model, state, [0.0, 1.0]).vector - wanted).max() < 2e-13


def test_one_hopping_electron_spreads_as_bessel_functions():
    # Infinite chain: <j|exp(-iHt)|0> = i^j J_j(2 t); the ends are out of reach at t = 4.
    length, centre, time = 61, 30, 4.0
    model = KondoHeisenbergChain(sites=length, localized=[], J=0)
    basis = ChargeBasis(model.local_sites, {"N": 1, "2Sz": 1})
    start = (np.arange(length)[::-1] == centre).astype(complex)
    # Basis order: the electron on the last site comes first (site 0 empty is lowest).
    state = last(model, VectorState(model.local_sites, start, basis), [0.0, time])
    j = np.arange(length) - centre
    assert np.abs(state.vector[::-1] - 1j**j * jv(j, 2 * time)).max() < 1e-13
    density = [np.trace(r @ s.op("n")).real for r, s in zip(
        state.site_rdms(), model.local_sites, strict=True)]  # fmt: skip
    assert np.abs(density - jv(j, 2 * time) ** 2).max() < 1e-13


def test_two_spins_exchange_their_direction():
    # |up dn> under J S.S oscillates between triplet and singlet: <2 Sz_0> = cos(J t).
    model = HeisenbergChain(sites=2, J=1.7)
    basis = ChargeBasis(model.local_sites, {"2Sz": 0})
    state = VectorState(model.local_sites, [1.0, 0.0], basis)
    times = np.linspace(0, 9, 10)
    for snapshot in exact(model, state, times):
        rho = snapshot.state.site_rdms()[0]
        assert (rho[0, 0] - rho[1, 1]).real == pytest.approx(np.cos(1.7 * snapshot.time), abs=1e-13)


def test_one_electron_and_one_spin_flip_each_other():
    # One site pair out of the pulse: -J_sd sigma.Sigma on |dn, up> gives cos(4 J_sd t).
    model = KondoHeisenbergChain(sites=2, localized=[0], hopping=0.0, J_sd=0.5)
    basis = ChargeBasis(model.local_sites, {"N": 1, "2Sz": 0})
    site = model.local_sites[0]
    state = VectorState.product(
        model.local_sites, [np.array(site.labels) == "dn,up", [1, 0, 0, 0]], basis
    )
    for snapshot in exact(model, state, np.linspace(0, 5, 6)):
        rho = snapshot.state.site_rdms()[0]
        spin_z = 2 * np.trace(rho @ site.op("Sz")).real
        assert spin_z == pytest.approx(np.cos(2.0 * snapshot.time), abs=1e-13)


def test_norm_and_energy_are_conserved():
    model = KondoHeisenbergChain(sites=10, localized=[4, 5, 6], J_sd=0.5, Jz=0.1005)
    state = random_state(model.local_sites, {"N": 1, "2Sz": -2})
    before = energy(model, state)
    for snapshot in exact(model, state, np.arange(0, 201, 50.0)):
        assert abs(snapshot.state.norm - 1) < 1e-12
        assert abs(energy(model, snapshot.state) - before) < 1e-11


def test_backwards_is_the_inverse_and_steps_add_up():
    model, charges = MODELS[2]
    state = random_state(model.local_sites, charges)
    at_once = last(model, state, [0.0, 10.0])
    in_steps = last(model, state, np.linspace(0, 10, 34))
    assert np.abs(at_once.vector - in_steps.vector).max() < 1e-13
    hamiltonian = Hamiltonian(model.hamiltonian, state.basis)
    apply, bounds = hamiltonian.frozen(0.0)
    assert np.abs(propagate(apply, bounds, at_once.vector, -10.0) - state.vector).max() < 1e-13


def test_continuing_gives_the_same_bits():
    model, charges = MODELS[2]
    state = random_state(model.local_sites, charges)
    whole = [s.state.vector for s in exact(model, state, [0.0, 1.0, 2.5, 3.0])]
    first = last(model, state, [0.0, 1.0])
    rest = [s.state.vector for s in exact(model, first, [1.0, 2.5, 3.0])]
    assert all(np.array_equal(a, b) for a, b in zip(whole[1:], rest, strict=True))


def rabi(drive):
    """One driven spin beside an idle one, circular drive at the resonance."""
    return Given(
        OperatorSum.of([spin(0.5)] * 2, [(1.0, "Sz", 0)]).plus_hc(
            lambda t: 0.5 * drive * np.exp(-1j * t), "Sp", 0
        )
    )


def test_driven_spin_follows_the_rabi_formula():
    # H = Sz + (drive/2)(e^{-it} S+ + h.c.): in the rotating frame a field drive along x.
    model = rabi(0.6)
    state = VectorState.product(model.local_sites, [[1, 0], [1, 0]])
    for snapshot in exact(model, state, np.linspace(0, 20, 5)):
        rho = snapshot.state.site_rdms()[0]
        assert (rho[0, 0] - rho[1, 1]).real == pytest.approx(np.cos(0.6 * snapshot.time), abs=2e-12)


@pytest.mark.parametrize("charges", [None, {"2Sz": 1}])
def test_driven_chain_equals_an_integrator(charges):
    def pulse(t):
        return 0.8 * np.exp(-((t - 1.0) ** 2))

    sites = [spin(0.5)] * 5
    os = HeisenbergChain(sites=5).hamiltonian + OperatorSum.of(
        sites, [(pulse, "Sz", 0), (pulse, "Sz", 2, "Sz", 4)]
    )
    state = random_state(tuple(sites), charges)
    found = last(Given(os), state, [0.0, 1.0, 3.0])
    static, driven = (to_sparse(os, state.basis, t) for t in (-1e3, 1.0))
    driven = (driven - static) / pulse(1.0)
    solved = solve_ivp(
        lambda t, v: -1j * (static @ v + pulse(t) * (driven @ v)), (0, 3), state.vector,
        method="DOP853", rtol=1e-13, atol=1e-14,
    )  # fmt: skip
    assert np.abs(found.vector - solved.y[:, -1]).max() < 2e-12


def test_a_sudden_switch_at_an_output_time_is_exact():
    os = OperatorSum.of([spin(0.5)] * 2, [(lambda t: float(t > 0.37), "Sx", 0)])
    state = VectorState.product(os.sites, [[1, 0], [1, 0]])
    rho = last(Given(os), state, [0.0, 0.37, 1.0]).site_rdms()[0]
    assert (rho[0, 0] - rho[1, 1]).real == pytest.approx(np.cos(0.63), abs=1e-13)


def test_series_length_follows_the_tolerance():
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(40, 40))
    matrix = matrix + matrix.T
    vector = rng.normal(size=40) / np.sqrt(40) + 0j
    exact_result = expm(-2j * matrix) @ vector
    bounds = lanczos_bounds(lambda v: matrix @ v, 40)
    values = np.linalg.eigvalsh(matrix)
    assert bounds[0] <= values[0] and values[-1] <= bounds[1]
    assert bounds[1] - bounds[0] < 1.1 * (values[-1] - values[0])
    lengths = []
    for tolerance in (1e-4, 1e-8, 1e-12):
        result = propagate(lambda v: matrix @ v, bounds, vector, 2.0, tolerance)
        assert np.linalg.norm(result - exact_result) < tolerance
        lengths.append(len(coefficients(50.0, tolerance)))
    assert lengths == sorted(lengths) and lengths[0] < lengths[-1]


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-8])
def test_a_loose_tolerance_is_kept_and_not_taken_for_wrong_bounds(tolerance):
    model = HeisenbergChain(4, spin=0.5, J=1.0, periodic=True, field=(0.0, 0.0, 0.8))
    state = random_state(model.local_sites)
    times = [0.5 * k for k in range(41)]
    exactly = last(model, state, times).vector
    assert np.linalg.norm(last(model, state, times, tolerance=tolerance).vector - exactly) < (
        tolerance * len(times)
    )


def test_zero_hamiltonian_and_constant_energy():
    os = OperatorSum.of([spin(0.5)] * 2, [(0.7,)])
    state = random_state(os.sites)
    found = last(Given(os), state, [0.0, 2.0]).vector
    assert np.abs(found - np.exp(-1.4j) * state.vector).max() < 1e-14
    still = last(Given(OperatorSum(os.sites)), state, [0.0, 2.0]).vector
    assert np.abs(still - state.vector).max() < 1e-14


def test_progress_is_reported_and_may_stop_the_run():
    seen = []

    def stop(progress):
        seen.append(progress.time)
        if progress.time >= 2:
            raise KeyboardInterrupt

    model = HeisenbergChain(sites=3)
    state = random_state(model.local_sites)
    with pytest.raises(KeyboardInterrupt):
        list(exact(model, state, [0.0, 1.0, 2.0, 3.0], on_step=stop))
    assert seen == [1.0, 2.0]


def test_refusals():
    model = HeisenbergChain(sites=3, field=(1, 0, 0))
    state = random_state(model.local_sites)
    with pytest.raises(InputError, match="ascend"):
        list(exact(model, state, [0.0, 1.0, 0.5]))
    with pytest.raises(InputError, match="tolerance"):
        list(exact(model, state, [0.0, 1.0], tolerance=-1.0))
    with pytest.raises(InputError, match="2Sz"):
        list(exact(model, random_state(model.local_sites, {"2Sz": 1}), [0.0, 1.0]))
    lopsided = Given(OperatorSum.of(model.local_sites, [(1.0, "Sp", 0)]))
    with pytest.raises(InputError, match="not Hermitian"):
        list(exact(lopsided, state, [0.0, 1.0]))


def test_bounds_that_fail_are_noticed(monkeypatch):
    monkeypatch.setattr("tnspin.solvers.exact.hamiltonian.lanczos_bounds", lambda *_: (-0.1, 0.1))
    model = HeisenbergChain(sites=4)
    with pytest.raises(RunError, match="bounds"):
        list(exact(model, random_state(model.local_sites), [0.0, 30.0]))
