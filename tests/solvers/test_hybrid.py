"""Electrons among classical spins: energy and field, the integrator, limits, configurations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from small_runs import write_config

from tnspin import figures
from tnspin.errors import InputError
from tnspin.models import KondoHeisenbergChain
from tnspin.observables import OBSERVABLES
from tnspin.operators.classical.electrons import hybrid_energy
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import electron, kondo
from tnspin.results.report import info
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate
from tnspin.solvers import evolve
from tnspin.states.hybrid import HybridState
from tnspin.states.initial.pulses import confined_electrons, wave_packet

CHAIN = KondoHeisenbergChain(
    sites=9, localized=[3, 4, 6], J=0.3, Jz=0.5, J_sd=0.7, well=2, well_depth=0.4,
    electron_field=(0.1, -0.2, 0.3), localized_field=(0.05, 0.1, -0.2),
)  # fmt: skip
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def unit(count, seed=0):
    n = np.random.default_rng(seed).normal(size=(count, 3))
    return n / np.linalg.norm(n, axis=1, keepdims=True)


def orbitals(count, length, seed=1):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(2 * length, count)) + 1j * rng.normal(size=(2 * length, count))
    return np.linalg.qr(matrix)[0].T.reshape(count, length, 2)


def start(chain, count=3, seed=0):
    n = unit(len(chain.localized_sites), seed)
    sites = chain.local_sites
    return HybridState(
        sites, orbitals(count, chain.length), np.ones(count), chain.localized_sites, n
    )


def pauli_energy(chain, phi, n):
    """The printed Hamiltonian with Pauli matrices, n for the localized ones."""
    density = np.einsum("ajs,ajs->j", phi.conj(), phi).real
    spins = np.einsum("ajs,csr,ajr->jc", phi.conj(), PAULI, phi).real
    hop = np.einsum("ajs,ajs->", phi[:, :-1].conj(), phi[:, 1:])
    total = -2 * chain.hopping * hop.real - chain.well_depth * density[: chain.well].sum()
    total -= (spins @ chain.electron_field).sum() + (n @ chain.localized_field).sum()
    for i, site in enumerate(chain.localized_sites):
        total -= chain.J_sd * spins[site] @ n[i]
        for k, other in enumerate(chain.localized_sites):
            if other == site + 1:
                total -= chain.Jz * n[i, 2] * n[k, 2] + chain.J * n[i, :2] @ n[k, :2]
    return total


def reference(chain, state, time, damping=0.0):
    """(orbitals, directions) by Dormand-Prince from the formulas of the model, Pauli convention."""
    length, localized = chain.length, list(chain.localized_sites)
    phi0, n0 = state.orbitals, state.directions
    bare = np.zeros((length, 2, length, 2), dtype=complex)
    for j in range(length):
        bare[j, :, j, :] -= np.einsum("c,csr->sr", chain.electron_field, PAULI)
        if j < chain.well:
            bare[j, :, j, :] -= chain.well_depth * np.eye(2)
        if j + 1 < length:
            for a, b in ((j, j + 1), (j + 1, j)):
                bare[a, :, b, :] -= chain.hopping * np.eye(2)

    def slope(_, y):
        phi = y[: phi0.size].reshape(phi0.shape)
        n = y[phi0.size :].real.reshape(-1, 3)
        h = bare.copy()
        for i, site in enumerate(localized):
            h[site, :, site, :] -= chain.J_sd * np.einsum("c,csr->sr", n[i], PAULI)
        spins = np.einsum("ajs,csr,ajr->jc", phi.conj(), PAULI, phi).real
        field = 2 * (chain.J_sd * spins[localized] + np.array(chain.localized_field))
        for i, site in enumerate(localized):
            for k, other in enumerate(localized):
                if abs(other - site) == 1:
                    field[i] += 2 * np.array([chain.J, chain.J, chain.Jz]) * n[k]
        torque = np.cross(n, field)
        # n' = n x B - a n x n' solved for n'.
        moved = (torque - damping * np.cross(n, torque)) / (1 + damping**2)
        return np.concatenate([(-1j * np.einsum("isjr,ajr->ais", h, phi)).ravel(), moved.ravel()])

    y = np.concatenate([phi0.ravel(), n0.ravel()]).astype(complex)
    end = solve_ivp(slope, (0, time), y, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    return end[: phi0.size].reshape(phi0.shape), end[phi0.size :].real.reshape(-1, 3)


def one_body(phi):
    flat = phi.reshape(len(phi), -1)
    return flat.conj().T @ flat


# ---------------------------------------------------------------------- energy and field


def test_the_energy_is_the_formula_of_the_model():
    state = start(CHAIN)
    wanted = pauli_energy(CHAIN, state.orbitals, state.directions)
    assert state.energy(CHAIN) == pytest.approx(wanted, abs=1e-12)


def test_the_field_is_the_gradient():
    os = CHAIN.hamiltonian
    os = os.plus_hc(lambda t: 0.3 * np.exp(0.4j * t), "cdag_up", 3, "c_dn", 4, "Sp", 4)
    energy, state, t, h = hybrid_energy(os, CHAIN.localized_sites), start(CHAIN), 0.7, 1e-5
    n, phi, ones = state.directions, state.flat, state.occupations
    found = energy.field(phi, ones, t) + energy.spins.field(n, t)
    for i in range(3):
        for a in range(3):
            step = h * (np.arange(9).reshape(3, 3) == 3 * i + a)
            slope = energy.value(n + step, phi, ones, t) - energy.value(n - step, phi, ones, t)
            assert found[i, a] == pytest.approx(-slope / (2 * h) / 0.5, abs=1e-8)


@pytest.mark.parametrize("convention", ["pauli", "mixed", "spin"])
def test_the_energy_of_a_product_state_is_the_quantum_one(convention):
    """Aligned by the operator sum itself: <H> of the Slater determinant times coherent spins."""
    chain = KondoHeisenbergChain(sites=4, localized=[1, 2], J=0.3, Jz=0.5, convention=convention)
    pulse = confined_electrons(
        chain, 2, well=2, polarization=[0.4, 1.0], localized_spins=[[1.2, 0.3]]
    )
    (snapshot,) = evolve(chain, pulse.to_mps(("N",)), [0.0], solver="tebd")
    state = HybridState.of(chain, pulse)
    wanted = OBSERVABLES["energy"].measure(snapshot)
    assert state.energy(chain) == pytest.approx(wanted, abs=1e-10)
    for name in ("spin", "electron_density", "electron_spin", "torque", "charge_current",
                 "spin_current", "total_sz"):  # fmt: skip
        (own,) = evolve(chain, state, [0.0], solver="hybrid")
        found = OBSERVABLES[name].measure(own)
        np.testing.assert_allclose(found, OBSERVABLES[name].measure(snapshot), atol=1e-10)


@pytest.mark.parametrize(
    ("item", "match"),
    [
        ((1.0, "n_up", 0, "n_dn", 0), "each other"),
        ((1.0, "n", 0, "n", 1), "each other"),
        ((1.0, "cdag_up", 0, "c_up", 1, "n", 2), "3 sites"),
        ((1.0, "sz", 1, "Sz", 1, "Sz", 2), "several spins"),
        ((1.0j, "sz", 1, "Sz", 1), "Hermitian"),
    ],
)
def test_what_has_no_slater_determinant_is_refused(item, match):
    sites = (electron(), kondo(0.5), kondo(0.5))
    with pytest.raises(InputError, match=match):
        hybrid_energy(OperatorSum.of(sites, [item]), (1, 2))


# ---------------------------------------------------------------------- motion


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_the_motion_is_that_of_the_formulas(damping):
    state, t = start(CHAIN), 3.0
    phi, n = reference(CHAIN, state, t, damping)
    *_, last = evolve(CHAIN, state, [0.0, t], solver="hybrid", damping=damping, dt=0.01)
    np.testing.assert_allclose(last.state.directions, n, atol=1e-8)
    np.testing.assert_allclose(one_body(last.state.orbitals), one_body(phi), atol=1e-8)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("damping", [0.0, 0.2])
def test_slope(order, damping):
    state, t, counts = start(CHAIN), 2.0, np.array([16, 24, 32, 48])
    _, n = reference(CHAIN, state, t, damping)
    errors = []
    for count in counts:
        *_, last = evolve(
            CHAIN, state, [0.0, t], solver="hybrid", damping=damping, dt=t / count, order=order
        )
        errors.append(np.abs(last.state.directions - n).max())
    assert min(errors) > 1e-10
    assert np.polyfit(np.log(1 / counts), np.log(errors), 1)[0] == pytest.approx(order, abs=0.2)


def test_energy_and_norm_do_not_drift_whatever_the_step():
    """Each part of a step keeps the energy of both: even a step that is far too large."""
    state = start(CHAIN)
    snapshots = list(
        evolve(CHAIN, state, np.arange(0, 201, 20.0), solver="hybrid", dt=0.5, order=2)
    )
    energy = [s.state.energy(CHAIN) for s in snapshots]
    assert np.ptp(energy) < 1e-11
    for snapshot in snapshots:
        flat = snapshot.state.flat
        np.testing.assert_allclose(flat @ flat.conj().T, np.eye(3), atol=1e-12)
        assert abs(snapshot.state.norm - 1) < 1e-12


def test_a_driven_hamiltonian():
    """One electron on two sites without spins to turn: the time-ordered exponential."""
    chain = KondoHeisenbergChain(sites=3, localized=[2], J_sd=0.0)
    os = chain.hamiltonian
    os += lambda t: np.sin(1.3 * t), "sz", 0
    os += 0.4, "sx", 0

    class Driven:
        kind, hamiltonian = "driven", os
        local_sites, localized_sites, localized_spin = chain.local_sites, (2,), 0.5
        groups, length, hopping = chain.groups, 3, 1.0

    state = HybridState(
        chain.local_sites, orbitals(1, 3), np.ones(1), (2,), np.array([[1.0, 0.0, 0.0]])
    )
    *_, last = evolve(Driven(), state, [0.0, 2.0], solver="hybrid", dt=0.02)
    energy = hybrid_energy(os, (2,))
    phi, count = state.flat[0], 4000
    for k in range(count):
        h = energy.hamiltonian(state.directions, (k + 0.5) * 2.0 / count).toarray()
        phi = expm(-2j / count * h) @ phi
    assert abs(abs(np.vdot(phi, last.state.flat[0])) - 1) < 1e-7
    np.testing.assert_allclose(last.state.flat[0], phi, atol=2e-6)


# ---------------------------------------------------------------------- limits of the exact run


def packet(chain, polarization, localized):
    return wave_packet(chain, 5, width=0.6, polarization=polarization, localized_spins=localized)


def test_with_a_frozen_spin_the_electrons_move_exactly():
    """An electron along the spin cannot flip it: it stays, and so does the classical one."""
    chain = KondoHeisenbergChain(sites=24, localized=[14], J_sd=0.8)
    slater, times = packet(chain, "z", "up"), [0.0, 4.0, 8.0]
    exact = list(evolve(chain, slater.to_one_electron(("N", "2Sz")), times, solver="exact"))
    found = list(evolve(chain, slater, times, solver="hybrid"))
    for one, other in zip(exact, found, strict=True):
        for name in ("spin", "electron_density", "electron_spin", "energy", "charge_current"):
            function = OBSERVABLES[name].measure
            np.testing.assert_allclose(function(other), function(one), atol=1e-11)


def test_several_electrons_among_frozen_spins_move_exactly():
    chain = KondoHeisenbergChain(sites=7, localized=[4, 5], J=0.2, J_sd=0.8)
    slater = confined_electrons(chain, 2, well=3, polarization="z", localized_spins="up")
    times = [0.0, 3.0]
    exact = list(evolve(chain, slater.to_mps(("N", "2Sz")), times, solver="tebd", dt=0.02, order=4,
                        bond_dim=64, cutoff=1e-15))  # fmt: skip
    found = list(evolve(chain, slater, times, solver="hybrid"))
    for name in ("spin", "electron_density", "electron_spin", "energy"):
        function = OBSERVABLES[name].measure
        np.testing.assert_allclose(function(found[-1]), function(exact[-1]), atol=1e-7)


def test_large_spins_turn_as_classical_ones():
    """J_sd S fixed: S (<S>/S - start) of the exact run tends to the classical motion as 1/S."""
    errors, sizes = [], [2.0, 4.0, 8.0]
    for size in sizes:
        chain = KondoHeisenbergChain(sites=16, localized=[10], J_sd=0.8 / size, spin=size)
        slater, times = packet(chain, "x", "down"), [0.0, 9.0]
        exact = list(evolve(chain, slater.to_one_electron(("N",)), times, solver="exact"))
        found = list(evolve(chain, slater, times, solver="hybrid"))
        function = OBSERVABLES["spin"].measure
        moved = size * (function(found[-1]) - function(found[0]))
        errors.append(np.abs(size * (function(exact[-1]) - function(exact[0])) - moved).max())
        assert np.abs(moved).max() > 0.05
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(-1, abs=0.25)


# ---------------------------------------------------------------------- configurations

SMALL = """
    [model]
    kind = "kondo_heisenberg"
    sites = 14
    localized = [8, 9]
    Jz = 0.1005

    [state]
    kind = "confined_electrons"
    n_electrons = 3
    well = 4
    polarization = "x"

    [solver]
    kind = "hybrid"

    [time]
    stop = 8.0
    every = 1.0
"""


def load(tmp_path, *overrides, text=SMALL):
    return config.load(write_config(tmp_path, text), overrides)


def test_collinear_spins_stand_still_and_others_turn(tmp_path):
    still = simulate(load(tmp_path, "state.polarization='z'"))
    assert np.abs(still["spin"] - [0, 0, -1]).max() < 1e-12
    assert np.abs(still["torque"]).max() < 1e-12
    turned = simulate(load(tmp_path))
    assert np.abs(turned["spin"] - [0, 0, -1]).max() > 0.1
    np.testing.assert_allclose(turned["spin_length"], 1.0, atol=1e-13)
    assert np.ptp(turned["energy"]) < 1e-11
    assert np.ptp(turned["particle_number"]) < 1e-11
    # Angular momentum goes from one to the other up to the error of the step.
    assert np.ptp(turned["total_sz"]) < 1e-6
    rate = np.gradient(turned["spin"][:, 0, 1], turned["time"])
    assert np.abs(rate).max() > 0.01 and "entropy" not in turned


def test_an_unpolarized_packet_is_an_average_density(tmp_path):
    text = SMALL.replace('kind = "confined_electrons"', 'kind = "wave_packet"\n    center = 2')
    text = text.replace("    n_electrons = 3\n    well = 4\n", "").replace('"x"', '"none"')
    result = simulate(load(tmp_path, text=text))
    assert np.abs(result["spin"] - [0, 0, -1]).max() < 1e-12
    np.testing.assert_allclose(result["particle_number"], 1.0, atol=1e-12)


def test_a_run_continues_with_the_same_numbers(tmp_path):
    from tnspin.errors import Interrupted

    path = tmp_path / "run.h5"

    def stop(snapshot):
        if snapshot.time >= 3.0:
            raise Interrupted

    simulate(load(tmp_path, "record.checkpoint=0.0"), path, on_snapshot=stop)
    resumed = simulate(load(tmp_path, "record.checkpoint=0.0"), path, resume=True)
    whole = simulate(load(tmp_path))
    for name in ("spin", "electron_density", "energy"):
        np.testing.assert_array_equal(resumed[name], whole[name])


def test_beside_a_quantum_run(tmp_path):
    text = SMALL.replace('kind = "hybrid"', 'kind = "tebd"\n    bond_dim = 20')
    text += '\n    [classical]\n    kind = "hybrid"\n    damping = [0.1, 0.2]\n'
    result = simulate(load(tmp_path, text=text))
    alone = simulate(load(tmp_path, "solver.damping=[0.1, 0.2]"))
    np.testing.assert_array_equal(result["classical_spin"], alone["spin"])
    np.testing.assert_array_equal(result["classical_torque"], alone["torque"])
    np.testing.assert_allclose(result["classical_torque"][0], result["torque"][0], atol=1e-9)
    assert np.abs(result["classical_spin"] - result["spin"]).max() > 0.01
    facts = info(result)["classical"]
    assert facts["damping"] == [0.1, 0.2] and "not classical" in facts["verdict"]


def test_the_figure_has_both_and_what_they_differ_by(tmp_path):
    text = SMALL.replace('kind = "hybrid"', 'kind = "tebd"\n    bond_dim = 20')
    result = simulate(load(tmp_path, text=text + '\n    [classical]\n    kind = "hybrid"\n'))
    motion, push, apart, pushed_apart = figures.figure(result).axes[-4:]
    for ax, name in ((motion, "spin"), (push, "torque")):
        for axis, (solid, dashed) in enumerate(zip(ax.lines[0:6:2], ax.lines[1:6:2], strict=True)):
            np.testing.assert_array_equal(solid.get_ydata(), result[name][:, 0, axis])
            np.testing.assert_array_equal(
                dashed.get_ydata(), result[f"classical_{name}"][:, 0, axis]
            )
            assert dashed.get_linestyle() == "--"
    for ax, name in ((apart, "spin"), (pushed_apart, "torque")):
        gap = np.linalg.norm(result[name] - result[f"classical_{name}"], axis=-1)
        for k in range(2):
            np.testing.assert_allclose(ax.lines[k].get_ydata(), gap[:, k])
    figures.save_figure(result, tmp_path / "beside.png")
    alone = simulate(load(tmp_path))
    figures.save_figure(alone, tmp_path / "alone.png")
    titles = [ax.get_title(loc="left") for ax in figures.figure(alone).axes]
    assert "torque" in titles[3] and "total spin" in titles[4]


def test_a_preset_shows_the_conventional_torque_unless_told_not_to():
    assert config.load("stt-noncollinear").classical.kind == "hybrid"
    assert config.load("stt-noncollinear", ["classical.kind='none'"]).classical is None
    assert config.load("stt-noncollinear", ["solver.kind='hybrid'"]).classical is None


@pytest.mark.parametrize(
    ("overrides", "match"),
    [
        (("solver.damping=-1.0",), r"solver\.damping"),
        (("solver.damping=[0.1]",), r"1 values for 2"),
        (("solver.order=3",), r"solver\.order"),
        (("state.temperature=0.1",), "temperature 0"),
        (("record.observables=['entropy']",), "does not apply"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, overrides, match):
    with pytest.raises(InputError, match=match):
        simulate(load(tmp_path, *overrides))


def test_chains_of_spins_alone_are_refused(tmp_path):
    text = """
        [model]
        kind = "heisenberg"
        sites = 3
        [state]
        kind = "product"
        directions = [[0.0, 0.0]]
        [solver]
        kind = "hybrid"
    """
    with pytest.raises(InputError, match="electrons"):
        load(tmp_path, text=text)
