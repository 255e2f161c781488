"""Classical spins on large lattices: couplings as runs, copies side by side, windows."""

from __future__ import annotations

import numpy as np
import pytest

from tnspin.models import HeisenbergChain
from tnspin.observables import OBSERVABLES
from tnspin.operators.classical.energy import classical_energy
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import spin
from tnspin.solvers import evolve
from tnspin.solvers.classical import stepping as windows
from tnspin.solvers.classical.comparison import trajectory
from tnspin.solvers.classical.integrator import LandauLifshitz
from tnspin.states.initial.product import product

FULL = HeisenbergChain(
    sites=4, spin=1.5, J=0.7, Jz=0.9, field=(0.2, -0.1, 0.8), periodic=True,
    dmi=(0.1, 0.2, -0.3), anisotropy=0.4, dipole=0.2, impurity_field=0.3,
)  # fmt: skip


def unit(shape, seed=0):
    n = np.random.default_rng(seed).normal(size=(*shape, 3))
    return n / np.linalg.norm(n, axis=-1, keepdims=True)


def test_any_graph_of_couplings_has_its_field():
    """Bonds between random sites, with matrices of their own: no two runs are alike."""
    rng, size = np.random.default_rng(4), 40
    sites, items, wanted = (spin(1.0),) * size, [], np.zeros((size, 3))
    n = unit((size,))
    for _ in range(150):
        i, j = (int(k) for k in rng.choice(size, 2, replace=False))
        a, b, value = int(rng.integers(3)), int(rng.integers(3)), float(rng.normal())
        items.append((value, f"S{'xyz'[a]}", i, f"S{'xyz'[b]}", j))
        wanted[i, a] -= value * n[j, b]
        wanted[j, b] -= value * n[i, a]
    found = classical_energy(OperatorSum.of(sites, items)).field(n)
    np.testing.assert_allclose(found, wanted, atol=1e-13)


def test_a_long_chain_with_a_defect_has_the_field_of_the_formula():
    """Across the borders of tiles, with one bond and one site unlike the others."""
    size, b, k = 3000, 0.3, 0.2
    chain = HeisenbergChain(sites=size, spin=1.0, J=0.7, field=(0, b, 0), anisotropy=k,
                            impurity_field=0.4, periodic=True)  # fmt: skip
    os = chain.hamiltonian
    os += 0.5, "Sx", 1500, "Sx", 1501
    n = unit((size,))
    wanted = -0.7 * (np.roll(n, 1, axis=0) + np.roll(n, -1, axis=0)) + [0, b, 0]
    wanted[:, 2] += 2 * k * n[:, 2]
    wanted[0, 2] += 0.4
    wanted[1500, 0] -= 0.5 * n[1501, 0]
    wanted[1501, 0] -= 0.5 * n[1500, 0]
    energy = classical_energy(os)
    np.testing.assert_allclose(energy.field(n), wanted, atol=1e-13)
    assert len(energy.couplings.runs) < 20
    assert energy.fields().largest() >= np.linalg.norm(wanted, axis=1).max()


def test_copies_move_as_each_alone():
    """Groups of copies side by side are only a way to store them."""
    damping = np.linspace(0, 0.4, 300)[:, None] * np.ones(4)
    start = unit((300, 4))
    energy = classical_energy(FULL.hamiltonian)
    together = LandauLifshitz(energy, damping, 0.05).advance(start, 0.0, 1.0)
    for k in (0, 255, 256, 299):
        alone = LandauLifshitz(energy, damping[k], 0.05).advance(start[k], 0.0, 1.0)
        np.testing.assert_allclose(together[k], alone, atol=1e-13)


def test_a_state_is_never_changed_in_place():
    start = unit((1, 4))
    before, solver = start.copy(), LandauLifshitz(classical_energy(FULL.hamiltonian))
    once = solver.advance(start, 0.0, 1.0)
    kept = once.copy()
    solver.advance(once, 1.0, 2.0)
    np.testing.assert_array_equal(start, before)
    np.testing.assert_array_equal(once, kept)


@pytest.mark.parametrize("solver", ["llg", "exact"])
def test_an_oscillating_field_turns_by_its_integral(solver):
    """Along z: S^x + i S^y turns by -(A/w) sin(w t), quantum and classical."""
    chain = HeisenbergChain(sites=2, J=0.0, drive=(0.0, 0.0, 0.9), drive_frequency=1.7)
    start, times = product(chain, [[np.pi / 2, 0.0]]), [0.0, 0.8, 2.0]
    state = start.to_vector() if solver == "exact" else start.to_mps()
    options = {"dt": 0.01} if solver == "llg" else {}
    for snapshot in evolve(chain, state, times, solver=solver, **options):
        found = OBSERVABLES["spin"].measure(snapshot)[0]
        angle = -0.9 / 1.7 * np.sin(1.7 * snapshot.time)
        np.testing.assert_allclose(found, [np.cos(angle), np.sin(angle), 0], atol=1e-8)


@pytest.mark.slow
def test_a_large_chain_keeps_length_and_energy_over_ten_thousand_periods():
    """32 spins in the field 0.8, 20 steps a period: energy to 1e-8, without drift."""
    chain = HeisenbergChain(sites=32, J=-1.0, field=(0.0, 0.0, 0.8), anisotropy=0.3, periodic=True,
                            spin=1.0, dmi=(0.0, 0.1, 0.2))  # fmt: skip
    energy, start = classical_energy(chain.hamiltonian), unit((1, 32))
    solver = LandauLifshitz(energy, dt=2 * np.pi / 0.8 / 20, order=2, tolerance=1e-14)
    times = np.linspace(0, 1e4 * 2 * np.pi / 0.8, 41)
    states = trajectory(solver, start, times)
    assert np.abs(np.linalg.norm(states, axis=-1) - 1).max() < 1e-12
    drift = energy.value(states)[:, 0] - energy.value(start)[0]
    assert np.abs(drift).max() < 1e-8
    slope, noise = np.polyfit(np.arange(41), drift, 1)[0], drift.std() + 1e-12
    assert abs(slope) * 40 < 5 * noise


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("iterations", [0, 2])
@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_windows_move_as_the_whole_chain(monkeypatch, periodic, iterations, temperature):
    """Windows of 300 spins with a defect, noise, torques, and damping that varies."""
    size = 2000
    chain = HeisenbergChain(sites=size, spin=1.0, J=0.7, field=(0.1, 0.3, 0), anisotropy=0.2,
                            dmi=(0.1, 0.0, 0.2), periodic=periodic)  # fmt: skip
    os = chain.hamiltonian
    os += 0.5, "Sx", 900, "Sx", 901
    start, damping = unit((2, size)), np.linspace(0.05, 0.3, size)
    torque = 0.1 * np.sin(np.arange(3 * size)).reshape(size, 3)

    def moved():
        solver = LandauLifshitz(
            classical_energy(os), damping, 0.05, 2, torque, temperature, 3, iterations=iterations
        )
        return solver.advance(start, 0.0, 0.5), solver._windows(1)[0]

    whole, none = moved()
    monkeypatch.setattr(windows, "_WIDTH", 300)
    parts, cut = moved()
    assert not none and len(cut) == 7
    np.testing.assert_allclose(parts, whole, atol=1e-13)
