"""Classical spins: energy and field of an operator sum, the integrator, noise, fit and verdict."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare
from solving import exact

from tnspin.errors import InputError, RunError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.operators.classical.energy import classical_energy
from tnspin.operators.local import local_spin
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import kron, spin
from tnspin.results.distance import verdict
from tnspin.solvers import evolve
from tnspin.solvers.classical.comparison import compare, fit_damping, trajectory
from tnspin.solvers.classical.integrator import LandauLifshitz
from tnspin.states.classical import ClassicalState
from tnspin.states.initial.product import product
from tnspin.states.initial.spins import coherent

RING = HeisenbergChain(sites=4, field=(0.0, 0.0, 0.8), periodic=True)
FULL = HeisenbergChain(
    sites=4, spin=1.5, J=0.7, Jz=0.9, field=(0.2, -0.1, 0.8), periodic=True,
    dmi=(0.1, 0.2, -0.3), anisotropy=0.4, dipole=0.2, impurity_field=0.3,
)  # fmt: skip


def unit(shape, seed=0):
    n = np.random.default_rng(seed).normal(size=(*shape, 3))
    return n / np.linalg.norm(n, axis=-1, keepdims=True)


def angles(n):
    return np.arccos(np.clip(n[..., 2], -1, 1)), np.arctan2(n[..., 1], n[..., 0])


def coherent_product(n, S):
    return kron([coherent(S, *angles(v))[:, None] for v in n])[:, 0]


# ---------------------------------------------------------------------- energy and field


def test_the_energy_is_the_formula_of_the_model():
    n, m = unit((4,)), FULL
    s = m.spin * n
    wanted = -(s @ np.array(m.field)).sum() - m.anisotropy * (s[:, 2] ** 2).sum()
    wanted -= m.impurity_field * s[0, 2]
    for i in range(4):
        j = (i + 1) % 4
        wanted += m.J * s[i, :2] @ s[j, :2] + m.Jz * s[i, 2] * s[j, 2]
        wanted += np.dot(m.dmi, np.cross(s[i], s[j]))
        for k in range(i):
            r = min(i - k, 4 - i + k)
            wanted += m.dipole * (s[i] @ s[k] - 3 * s[i, 2] * s[k, 2]) / r**3
    assert classical_energy(m.hamiltonian).value(n) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("S", [0.5, 1, 2.5])
def test_the_coherent_energy_is_that_of_the_product_state(S):
    sites = (spin(S),) * 2
    os = OperatorSum.of(sites, [(0.3, "Sz", 0, "Sz", 0), (-0.2, "Sx", 0, "Sz", 0, "Sx", 0),
                                (0.5, "Sx", 0, "Sz", 0, "Sy", 1), (0.5, "Sz", 0, "Sx", 0, "Sy", 1),
                                (0.7, "Sp", 1, "Sm", 1), (0.4, "Sz", 0, "Id", 1)])  # fmt: skip
    os = os.plus_hc(0.1j, "Sp", 0, "Sp", 0, "Sz", 0, "Sm", 1)
    total = sum(t.value() * kron([t.matrices.get(k, np.eye(sites[k].dim)) for k in range(2)])
                for t in os.local_terms())  # fmt: skip
    energy = classical_energy(os, "coherent")
    for seed in range(3):
        n = unit((2,), seed)
        psi = coherent_product(n, S)
        assert energy.value(n) == pytest.approx(np.vdot(psi, total @ psi).real, abs=1e-11)


def test_limits_differ_by_the_share_of_an_anisotropy():
    chain = HeisenbergChain(sites=2, spin=1, J=0.0, anisotropy=1.0)
    up, flat = np.array([[0, 0, 1.0]] * 2), np.array([[1.0, 0, 0]] * 2)
    for limit, share in (("large_spin", 1.0), ("coherent", 0.5)):
        energy = classical_energy(chain.hamiltonian, limit)
        assert energy.value(up) - energy.value(flat) == pytest.approx(-2 * share)


@pytest.mark.parametrize("limit", ["large_spin", "coherent"])
def test_the_field_is_the_gradient(limit):
    os = FULL.hamiltonian
    os += 0.3, "Sx", 0, "Sx", 0, "Sz", 2
    os += 0.3, "Sz", 1, "Sx", 1, "Sz", 1
    os = os.plus_hc(lambda t: np.exp(0.3j * t), "Sp", 3)
    energy, n, t = classical_energy(os, limit), unit((4,)), 0.7
    assert not energy.is_quadratic
    found, h = energy.field(n, t), 1e-5
    for i in range(4):
        for a in range(3):
            step = h * (np.arange(12).reshape(4, 3) == 3 * i + a)
            slope = (energy.value(n + step, t) - energy.value(n - step, t)) / (2 * h)
            assert found[i, a] == pytest.approx(-slope / 1.5, abs=1e-8)


def test_electrons_bosons_and_complex_sums_are_refused():
    with pytest.raises(InputError, match="localized spins alone"):
        classical_energy(KondoHeisenbergChain(sites=4, localized=[1]).hamiltonian)
    with pytest.raises(InputError, match="Hermitian"):
        classical_energy(OperatorSum.of((spin(0.5),) * 2, [(1.0, "Sp", 0, "Sz", 1)]))
    with pytest.raises(InputError, match="limit"):
        classical_energy(RING.hamiltonian, "large")


# ---------------------------------------------------------------------- precession


@pytest.mark.parametrize("S", [0.5, 1, 2.5])
def test_one_spin_precesses_as_the_quantum_one(S):
    """H = -B.S: the frequency is |B| for any S, quantum and classical."""
    chain = HeisenbergChain(sites=2, spin=S, J=0.0, field=(0.3, 0.2, 0.8))
    start, times = product(chain, [[0.7, 0.4]]), np.linspace(0, 9, 7)
    quantum = [snapshot.site_rdms[0] for snapshot in exact(chain, start.to_vector(), times)]
    wanted = [[np.trace(r @ o).real / S for o in local_spin(chain.local_sites[0])] for r in quantum]
    found = [s.state.mean[0] for s in evolve(chain, start.to_mps(), times, solver="llg", dt=0.01)]
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize(("factor", "frequency"), [(2.0, 2.0), (1.0, 1.0)])
def test_pauli_matrices_precess_twice_as_fast(factor, frequency):
    """A Hamiltonian -b sigma_z = -2 b S^z of spin 1/2 turns spins at 2 b, quantum and classical."""
    site, b, t = spin(0.5), 0.8, 1.3
    os = OperatorSum.of((site,), [(-factor * b, "Sz", 0)])
    solver = LandauLifshitz(classical_energy(os), dt=0.01)
    n = solver.advance(np.array([[1.0, 0.0, 0.0]]), 0.0, t)[0]
    phase = np.exp(1j * factor * b * t * np.diag(site.op("Sz")).real)
    psi = phase * coherent(0.5, np.pi / 2, 0.0)
    wanted = [2 * np.vdot(psi, site.op(f"S{a}") @ psi).real for a in "xyz"]
    np.testing.assert_allclose(n, wanted, atol=1e-9)
    assert np.arctan2(n[1], n[0]) == pytest.approx(-frequency * b * t, abs=1e-9)


def test_a_kondo_chain_without_its_electron_terms_has_the_field_of_the_convention():
    """B = 2 J (neighbour) in Pauli matrices, J/2 in spin matrices."""
    for convention, wanted in (("pauli", 2 * 0.3), ("spin", 0.5 * 0.3)):
        chain = KondoHeisenbergChain(sites=3, localized=[1, 2], J=0.3, convention=convention)
        terms = [t for t in chain.hamiltonian.terms if all(n[0] == "S" for n, _ in t.factors)]
        energy = classical_energy(OperatorSum(chain.local_sites, tuple(terms)))
        field = energy.field(np.array([[0, 0, 1.0], [0.6, 0.0, 0.8]]))
        np.testing.assert_allclose(field[0], wanted * np.array([0.6, 0.0, 0.8]), atol=1e-14)


def test_damping_follows_the_closed_form():
    """One spin in a field: tan(theta/2) falls as exp(-a b t/(1+a^2)), phi turns at b/(1+a^2)."""
    b, a, t, theta = 0.8, 0.3, 4.0, 2.0
    os = OperatorSum.of((spin(2.5),), [(-b, "Sz", 0)])
    solver = LandauLifshitz(classical_energy(os), damping=a, dt=0.02)
    n = solver.advance(np.array([[np.sin(theta), 0.0, np.cos(theta)]]), 0.0, t)[0]
    rate = b / (1 + a**2)
    assert np.tan(np.arccos(n[2]) / 2) == pytest.approx(
        np.tan(theta / 2) * np.exp(-a * rate * t), rel=1e-7
    )
    assert np.arctan2(n[1], n[0]) == pytest.approx(-rate * t, abs=1e-7)


def test_a_torque_turns_spins_towards_it():
    os = OperatorSum.of((spin(1),), [(0.0, "Id", 0), (1e-300, "Sz", 0)])
    p, theta = np.array([[0.0, 0.0, 0.4]]), 2.0
    solver = LandauLifshitz(classical_energy(os), torque=p, dt=0.02)
    n = solver.advance(np.array([[np.sin(theta), 0.0, np.cos(theta)]]), 0.0, 3.0)[0]
    wanted = 2 * np.arctan(np.tan(theta / 2) * np.exp(-0.4 * 3.0))
    np.testing.assert_allclose(n, [np.sin(wanted), 0, np.cos(wanted)], atol=1e-7)


# ---------------------------------------------------------------------- the integrator


def test_length_and_energy_over_ten_thousand_periods():
    """10^4 periods 2 pi / 0.8 in steps of 0.4 (20 a period): no drift of length or energy."""
    energy, start = classical_energy(RING.hamiltonian), unit((1, 4))
    solver = LandauLifshitz(energy, dt=0.4, order=2)
    states = trajectory(solver, start, np.linspace(0, 1e4 * 2 * np.pi / 0.8, 21))
    assert np.abs(np.linalg.norm(states, axis=-1) - 1).max() < 1e-12
    drift = energy.value(states)[:, 0] - energy.value(start)[0]
    assert np.abs(drift).max() < 1e-11
    assert abs(np.polyfit(np.linspace(0, 1, 21), drift, 1)[0]) < 1e-11


def test_an_energy_beyond_quadratic_does_not_drift():
    """Its error oscillates: that of the second half is no larger than that of the first."""
    os = RING.hamiltonian
    os += 0.4, "Sz", 0, "Sz", 1, "Sx", 2
    energy, start = classical_energy(os), unit((1, 4))
    states = trajectory(LandauLifshitz(energy, dt=0.1, order=2), start, np.arange(0, 2001, 5.0))
    error = np.abs(energy.value(states)[:, 0] - energy.value(start)[0])
    half = len(error) // 2
    assert 1e-9 < error.max() < 1e-3
    assert error[half:].max() < 2 * error[:half].max()


def driven(t):
    return 0.5 * np.cos(1.7 * t)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("damping", [0.0, 0.2])
def test_slope(order, damping):
    """Driven, damped, and not quadratic: the error falls with the power of the step."""
    os = FULL.hamiltonian
    os += driven, "Sx", 1
    os += 0.3, "Sz", 0, "Sz", 1, "Sx", 2
    energy, start = classical_energy(os), unit((4,))
    counts = np.array([24, 32, 48, 64])

    def end(order, count):
        solver = LandauLifshitz(energy, damping, 2.0 / count, order)
        return solver.advance(start, 0.0, 2.0)

    wanted = end(4, 1024)
    errors = [np.abs(end(order, count) - wanted).max() for count in counts]
    assert min(errors) > 1e-9
    slope = np.polyfit(np.log(1 / counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.15)


def test_predictor_and_corrector_are_of_second_order():
    energy, start = classical_energy(FULL.hamiltonian), unit((4,))
    wanted = LandauLifshitz(energy, 0.1, 2.0 / 1024).advance(start, 0.0, 2.0)
    counts = np.array([200, 280, 400])
    errors = []
    for count in counts:
        n = LandauLifshitz(energy, 0.1, 2.0 / count, 2, iterations=2).advance(start, 0.0, 2.0)
        assert np.abs(np.linalg.norm(n, axis=-1) - 1).max() < 1e-14
        errors.append(np.abs(n - wanted).max())
    assert np.polyfit(np.log(1 / counts), np.log(errors), 1)[0] == pytest.approx(2, abs=0.15)


def test_numbers_do_not_depend_on_threads():
    chain = HeisenbergChain(sites=9000, field=(0.1, 0.0, 0.5))
    energy = classical_energy(chain.hamiltonian)
    one, two = (LandauLifshitz(energy, 0.1, 0.1, 2, threads=k) for k in (1, 2))
    start = unit((9000,))
    np.testing.assert_array_equal(one.advance(start, 0, 0.5), two.advance(start, 0, 0.5))
    many = unit((3, 9000))
    np.testing.assert_array_equal(one.advance(many, 0, 0.2), two.advance(many, 0, 0.2))


def test_too_large_a_step_and_wrong_values_are_refused():
    energy = classical_energy(FULL.hamiltonian)
    with pytest.raises(RunError, match=r"smaller solver\.dt"):
        LandauLifshitz(energy, dt=5.0).advance(unit((4,)), 0.0, 5.0)
    for key, value in (("damping", -0.1), ("dt", 0.0), ("order", 3), ("temperature", -1.0),
                       ("torque", np.zeros((2, 3))), ("iterations", 1)):  # fmt: skip
        with pytest.raises(InputError, match=key):
            LandauLifshitz(energy, **{key: value})
    with pytest.raises(InputError, match="shape"):
        LandauLifshitz(energy).advance(unit((3,)), 0.0, 1.0)
    with pytest.raises(InputError, match="length 1"):
        ClassicalState(FULL.local_sites, 2 * unit((4,)))


# ---------------------------------------------------------------------- temperature


def test_one_spin_becomes_thermal():
    """S^z of one spin at T: density proportional to exp(S b z / T), by chi-square in ten bins."""
    b, T, S = 1.0, 0.6, 1.0
    os = OperatorSum.of((spin(S),), [(-b, "Sz", 0)])
    solver = LandauLifshitz(classical_energy(os), 0.5, 0.05, 2, temperature=T, seed=1)
    z = solver.advance(np.repeat([[[1.0, 0.0, 0.0]]], 4000, axis=0), 0.0, 20.0)[:, 0, 2]
    edges = (
        np.log(np.exp(-S * b / T) + np.linspace(0, 1, 11) * 2 * np.sinh(S * b / T)) * T / (S * b)
    )
    edges[[0, -1]] = -1.001, 1.001
    assert chisquare(np.histogram(z, edges)[0]).pvalue > 1e-3


def test_a_pair_becomes_thermal():
    """n_1.n_2 of a pair with exchange J at T: density proportional to exp(-J S^2 c / T)."""
    J, T, S = 0.7, 0.5, 1.0
    chain = HeisenbergChain(sites=2, spin=S, J=J)
    solver = LandauLifshitz(
        classical_energy(chain.hamiltonian), 0.5, 0.05, 2, temperature=T, seed=2
    )
    n = solver.advance(unit((4000, 2)), 0.0, 20.0)
    c, k = (n[:, 0] * n[:, 1]).sum(axis=-1), -J * S**2 / T
    edges = np.log(np.exp(-k) + np.linspace(0, 1, 11) * 2 * np.sinh(k)) / k
    edges[[0, -1]] = -1.001, 1.001
    assert chisquare(np.histogram(c, edges)[0]).pvalue > 1e-3


def test_a_stochastic_run_continues_with_the_same_numbers():
    start = ClassicalState(RING.local_sites, unit((4,)))
    options = {"solver": "llg", "damping": 0.2, "temperature": 0.5, "realizations": 3, "seed": 7}
    whole = list(evolve(RING, start, [0.0, 1.0, 2.0], **options))
    rest = list(evolve(RING, whole[1].state, [1.0, 2.0], **options))
    np.testing.assert_array_equal(whole[2].state.directions, rest[1].state.directions)
    assert whole[2].errors["spin"].shape == (4, 3)
    other = list(evolve(RING, start, [0.0, 1.0], **(options | {"seed": 8})))
    assert np.abs(other[1].state.mean - whole[1].state.mean).max() > 1e-3


# ---------------------------------------------------------------------- fit and verdict


def test_the_fit_finds_the_damping_that_made_the_data():
    times, start = np.linspace(0, 20, 41), unit((1, 4))
    for wanted in (0.0, 0.0123, 0.4):
        solver = LandauLifshitz(classical_energy(RING.hamiltonian), wanted, 0.05)
        data = trajectory(solver, start, times)[:, 0]
        found = fit_damping(solver, start, times, data)
        assert found.damping == pytest.approx(wanted, abs=1e-6)
        assert found.rms < 1e-5
        assert found.bounded == (wanted == 0.0)


def test_the_fit_of_shortened_spins_keeps_their_damping():
    """Quantum spins at a temperature are shorter than 1: the phase still tells the damping."""
    times, start = np.linspace(0, 30, 61), unit((1, 4))
    solver = LandauLifshitz(classical_energy(RING.hamiltonian), 0.05, 0.05)
    data = 0.6 * trajectory(solver, start, times)[:, 0]
    assert fit_damping(solver, start, times, data).damping == pytest.approx(0.05, abs=1e-4)


def test_a_ferromagnet_in_a_field_is_classical_throughout():
    """All spins parallel: no entanglement, and quantum and classical motion are the same."""
    chain = HeisenbergChain(sites=3, J=-1.0, field=(0.0, 0.0, 0.8))
    start, times = product(chain, [[1.0, 0.0]]), np.linspace(0, 20, 21)
    snapshots = exact(chain, start.to_vector(), times)
    spins = np.array([
        [[np.trace(s.site_rdms[k] @ o).real / 0.5 for o in local_spin(s.state.sites[k])]
         for k in range(3)] for s in snapshots
    ])  # fmt: skip
    found = compare(chain, times, spins)
    assert found.fitted and found.damping < 1e-6 and found.rms < 1e-4
    judged = verdict(times, spins, found.spin)
    assert (
        judged.since == 0.0 and judged.text() == f"classical throughout, within {judged.within:.3g}"
    )


def test_verdicts():
    times = np.linspace(0, 10, 101)
    quantum = np.tile([[0.0, 0.0, 1.0]], (101, 1, 1))
    classical = quantum.copy()
    classical[:35, 0] = [1.0, 0.0, 0.0]
    found = verdict(times, quantum, classical)
    assert found.since == pytest.approx(3.5) and found.within == 0.0
    assert found.text() == "classical from t = 3.5 on, within 0"
    # Agreement at the last few points alone is a crossing of two curves.
    classical[:95, 0] = [1.0, 0.0, 0.0]
    found = verdict(times, quantum, classical)
    assert found.since is None and found.text().startswith(
        "not classical: spins differ by up to 1.41"
    )
    # Shorter spins in the same direction.
    found = verdict(times, 0.5 * quantum, quantum)
    assert found.since is None and found.aligned_since == 0.0
    gone = verdict(times, 1e-6 * classical, classical)
    assert gone.since is None and gone.aligned_since is None
    assert found.text().endswith("their directions agree to 0.05 rad from t = 0 on")


def test_spins_without_direction_are_refused_unless_given_one():
    spins = np.zeros((2, 4, 3))
    with pytest.raises(InputError, match=r"classical\.directions"):
        compare(RING, [0.0, 1.0], spins, damping=0.1)
    found = compare(RING, [0.0, 1.0], spins, damping=0.1, directions=unit((4,)))
    assert found.spin.shape == (2, 4, 3)
