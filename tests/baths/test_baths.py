"""Spectral densities and jump operators against matrix functions of the commutator with H."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference, spin_matrices
from scipy.linalg import expm

from tnspin.baths import (
    CUTOFFS,
    UniversalLindblad,
    group_hamiltonian,
    jump_operators,
    spectral_density,
    spin_groups,
)
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.models.purified import Purified
from tnspin.units import EnergyScale

CHAIN = HeisenbergChain(sites=3, J=1.0, Jz=0.6, field=(0, 0, 0.4))
TILTED = HeisenbergChain(sites=3, J=-1.0, field=(0.3, 0.2, 0.4), dmi=(0.1, 0, 0.2))
VALVE = KondoHeisenbergChain(sites=8, localized=[[1, 2], [5, 6]], J=0.1, Jz=0.1005)


def reference(model):
    """Dense spin chain and its Hamiltonian from Kronecker products."""
    ref = Reference([("spin", model.spin)] * model.sites)
    items = [(t.coeff, *(x for f in t.factors for x in f)) for t in model.hamiltonian.terms]
    return ref, ref.matrix(items)


def of_commutator(hamiltonian, function, operator):
    """function([H, .]) of an operator, from the eigenvalues of the commutator as a matrix."""
    one = np.eye(len(hamiltonian))
    superoperator = np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T)
    values, vectors = np.linalg.eigh(superoperator)
    values[np.abs(values) < 1e-12] = 0.0
    image = vectors @ (function(values) * (vectors.conj().T @ operator.ravel()))
    return image.reshape(operator.shape)


def dissipator(jumps, rho):
    total = np.zeros_like(rho)
    for x in jumps:
        square = x.conj().T @ x
        total += x @ rho @ x.conj().T - 0.5 * (square @ rho + rho @ square)
    return total


# ---------------------------------------------------------------------- spectral density


@settings(deadline=None)
@given(st.floats(1e-3, 2.9), st.floats(0.02, 50), st.sampled_from(sorted(CUTOFFS)))
def test_detailed_balance(omega, temperature, cutoff):
    up, down = spectral_density([omega, -omega], temperature, cutoff=cutoff)
    assert up == pytest.approx(np.exp(-omega / temperature) * down, rel=1e-12)


@settings(deadline=None)
@given(st.floats(0.05, 2.9), st.floats(0.05, 20))
def test_formula(omega, temperature):
    value = 0.02 * omega / (2.5 * np.expm1(omega / temperature)) if omega <= 2.5 else 0.0
    found = spectral_density(omega, temperature, gamma=0.02, omega_max=2.5)
    assert found == pytest.approx(value, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("kelvin", [1e-300, 1e-3, 10, 100, 1e9])
def test_no_temperature_overflows(kelvin):
    temperature = EnergyScale(1.0).temperature(kelvin)
    omega = np.array([-3.0, -1e-3, -1e-320, 0.0, 1e-320, 1e-3, 3.0])
    values = spectral_density(omega, temperature, gamma=0.01)
    assert np.all(np.isfinite(values)) and np.all(values >= 0)
    assert values[3] == pytest.approx(0.01 * temperature / 3.0, rel=1e-14)


def test_zero_temperature_is_the_limit():
    omega = np.linspace(-4, 4, 33)
    cold = spectral_density(omega, 1e-6)
    zero = spectral_density(omega, 0.0)
    assert np.allclose(zero, cold, atol=1e-8)
    assert np.array_equal(zero[omega >= 0], np.zeros(17))
    assert zero[12] == pytest.approx(0.01 / 3.0)


def test_cutoffs():
    ratio = np.array([-1.1, -1.0, 0.0, 0.5, 1.0, 1.1])
    assert np.array_equal(CUTOFFS["hard"](ratio), [0, 1, 1, 1, 1, 0])
    assert np.allclose(CUTOFFS["exponential"](ratio), np.exp(-np.abs(ratio)))
    assert np.allclose(CUTOFFS["drude"](ratio), 1 / (1 + ratio**2))


def test_printed_sign_mirrors_the_rates():
    bath = UniversalLindblad(0.7)
    omega = np.linspace(-3, 3, 13)
    printed = replace(bath, sign="printed")
    assert np.array_equal(printed.rate(omega), bath.rate(-omega))
    assert bath.rate(-1.0) == pytest.approx(2 * np.pi * 0.01 / 3 / (1 - np.exp(-1 / 0.7)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0}, {"temperature": float("nan")}, {"gamma": -0.1}, {"omega_max": 0.0},
        {"coupling": "some"}, {"sign": "kmss"}, {"cutoff": "soft"}, {"window": -1}, {"window": 1.5},
        {"gamma": True}, {"method": "series"}, {"common": 1}, {"edge": 0.0},
    ],
)  # fmt: skip
def test_bad_parameters_name_the_key(wrong):
    (key,) = wrong
    with pytest.raises(InputError, match=rf"^bath\.{key}"):
        UniversalLindblad(**{"temperature": 1.0, **wrong})


# ---------------------------------------------------------------------- groups


def test_groups_and_their_hamiltonian():
    assert spin_groups(VALVE) == ((1, 2), (5, 6))
    assert spin_groups(CHAIN) == ((0, 1, 2),)
    x, y, z = (2 * s for s in spin_matrices(0.5))
    exchange = -0.1 * (np.kron(x, x) + np.kron(y, y)) - 0.1005 * np.kron(z, z)
    assert np.allclose(group_hamiltonian(VALVE, [5, 6]), exchange, atol=1e-15)
    # Spins of different groups do not see each other.
    assert np.allclose(
        group_hamiltonian(VALVE, [6, 1, 5]),
        np.kron(x, np.kron(np.eye(2), x)) * -0.1
        + np.kron(y, np.kron(np.eye(2), y)) * -0.1
        + np.kron(z, np.kron(np.eye(2), z)) * -0.1005,
        atol=1e-15,
    )


@pytest.mark.parametrize("model", [CHAIN, TILTED, HeisenbergChain(3, 1.0, periodic=True)])
def test_a_whole_chain_is_its_own_group(model):
    _, hamiltonian = reference(model)
    assert np.allclose(group_hamiltonian(model, range(3)), hamiltonian, atol=1e-14)


def test_fields_on_the_spins_belong_to_them():
    model = replace(VALVE, localized_field=[[0, 0, 0.5], [0.2, 0, 0]], electron_field=(0, 0, 9))
    x, _, z = (2 * s for s in spin_matrices(0.5))
    one = np.eye(2)
    bare = group_hamiltonian(VALVE, [1, 2])
    assert np.allclose(
        group_hamiltonian(model, [1, 2]) - bare, -0.5 * (np.kron(z, one) + np.kron(one, z))
    )
    assert np.allclose(
        group_hamiltonian(model, [5, 6]) - bare, -0.2 * (np.kron(x, one) + np.kron(one, x))
    )


def test_sites_without_a_spin_are_refused():
    with pytest.raises(InputError, match="no localized spin"):
        group_hamiltonian(VALVE, [0, 1])
    with pytest.raises(InputError, match="twice"):
        group_hamiltonian(VALVE, [1, 1])


# ---------------------------------------------------------------------- jump operators


@pytest.mark.parametrize("sign", ["kms", "printed"])
@pytest.mark.parametrize("temperature", [0.0, 0.05, 1.0])
@pytest.mark.parametrize(
    "model",
    [CHAIN, TILTED, HeisenbergChain(3, periodic=True), HeisenbergChain(2, 1.0, J=-0.7)],
    ids=["conserving", "tilted", "degenerate", "spin-1"],
)
def test_jumps_are_functions_of_the_commutator(model, temperature, sign):
    bath = UniversalLindblad(temperature, gamma=0.1, omega_max=2.2, sign=sign)
    ref, hamiltonian = reference(model)
    for coupling in ("sum", "components"):
        found = jump_operators(model, replace(bath, coupling=coupling))
        for jump in found:
            site = int(jump.name.split()[1])
            x, y, z = (ref.operator(f"S{a}", site) for a in "xyz")
            coupled = {
                "Sx+Sy+Sz": x + y + z,
                "S+": (x + 1j * y) / np.sqrt(2),
                "S-": (x - 1j * y) / np.sqrt(2),
                "Sz": z,
            }[jump.name.split()[0]]
            exact = of_commutator(hamiltonian, lambda w: np.sqrt(bath.rate(w)), coupled)
            assert jump.sites == tuple(range(model.sites))
            assert np.allclose(jump.matrix, exact, atol=1e-12)
            assert jump.error == 0.0
        if temperature > 0:
            assert len(found) == model.sites * (1 if coupling == "sum" else 3)


def test_components_are_an_unravelling_of_three_baths():
    bath = UniversalLindblad(0.5, gamma=0.1, coupling="components")
    ref, hamiltonian = reference(CHAIN)
    cartesian = [
        of_commutator(hamiltonian, lambda w: np.sqrt(bath.rate(w)), ref.operator(f"S{a}", k))
        for k in range(3)
        for a in "xyz"
    ]
    rng = np.random.default_rng(1)
    rho = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    rho = rho @ rho.conj().T
    jumps = [jump.matrix for jump in jump_operators(CHAIN, bath)]
    assert np.allclose(dissipator(jumps, rho), dissipator(cartesian, rho), atol=1e-12)


def test_charges_are_exact():
    total = np.array([3, 1, 1, -1, 1, -1, -1, -3])
    jumps = jump_operators(CHAIN, UniversalLindblad(0.3, coupling="components"))
    assert [jump.charge for jump in jumps] == [2, -2, 0] * 3
    for jump in jumps:
        out, into = np.nonzero(jump.matrix)
        assert np.all(total[out] - total[into] == jump.charge)
    for model, coupling in ((CHAIN, "sum"), (TILTED, "components")):
        jumps = jump_operators(model, UniversalLindblad(0.3, coupling=coupling))
        assert all(jump.charge is None for jump in jumps)


def test_pauli_matrices_couple_as_they_stand_in_the_hamiltonian():
    bath = UniversalLindblad(0.2, coupling="components")
    pauli = jump_operators(VALVE, bath)
    assert [jump.sites for jump in pauli[::3]] == [(1, 2), (1, 2), (5, 6), (5, 6)]
    # Exchange of Pauli matrices is that of spin matrices times 4, and the coupling twice as large.
    proper = HeisenbergChain(2, J=-0.4, Jz=-0.402)
    for one, other in zip(pauli[:6], jump_operators(proper, bath), strict=True):
        assert np.allclose(one.matrix, 2 * other.matrix, atol=1e-14)


def test_ancillas_do_not_matter():
    bath = UniversalLindblad(0.2, coupling="components")
    for one, other in zip(
        jump_operators(VALVE, bath), jump_operators(Purified(VALVE), bath), strict=True
    ):
        assert one.name == other.name and one.sites == other.sites and one.charge == other.charge
        assert np.array_equal(one.matrix, other.matrix)


@pytest.mark.parametrize("kelvin", [10, 100])
def test_temperatures_of_the_paper(kelvin):
    temperature = EnergyScale(1.0).temperature(kelvin)
    for coupling in ("sum", "components"):
        for jump in jump_operators(VALVE, UniversalLindblad(temperature, coupling=coupling)):
            assert np.all(np.isfinite(jump.matrix)) and np.abs(jump.matrix).max() > 1e-3


def test_nothing_to_jump():
    assert jump_operators(CHAIN, UniversalLindblad(1.0, gamma=0.0)) == []
    field = KondoHeisenbergChain(sites=2, localized=[1], localized_field=(0, 0, 0.5))
    cold = jump_operators(field, UniversalLindblad(0.0, coupling="components"))
    # One spin at zero temperature only falls along its field.
    assert [jump.charge for jump in cold] == [2]
    rate = 2 * np.pi * 0.01 / 3.0 * 1.0
    assert np.allclose(cold[0].matrix, [[0, np.sqrt(rate) * 2 / np.sqrt(2)], [0, 0]])


# ---------------------------------------------------------------------- equilibrium


def steady_state(hamiltonian, jumps):
    """Null vector of the superoperator, trace 1."""
    one = np.eye(len(hamiltonian))
    effective = hamiltonian - 0.5j * sum(x.conj().T @ x for x in jumps)
    generator = -1j * (np.kron(effective, one) - np.kron(one, effective.conj()))
    for x in jumps:
        generator += np.kron(x, x.conj())
    _, values, vectors = np.linalg.svd(generator)
    assert values[-2] > 1e3 * values[-1]
    rho = vectors[-1].conj().reshape(one.shape)
    return rho / np.trace(rho)


@pytest.mark.parametrize("coupling", ["sum", "components"])
@pytest.mark.parametrize("sign, beta", [("kms", 1.0), ("printed", -1.0)])
def test_weakly_coupled_magnets_reach_the_gibbs_state(coupling, sign, beta):
    model = KondoHeisenbergChain(
        sites=3, localized=[0, 1, 2], J=0.1, Jz=0.1005, localized_field=(0, 0, 0.05)
    )
    temperature = 0.3
    hamiltonian = group_hamiltonian(model, [0, 1, 2])
    gibbs = expm(-beta * hamiltonian / temperature)
    gibbs /= np.trace(gibbs)
    distances = []
    for gamma in (1e-2, 1e-3):
        bath = UniversalLindblad(temperature, gamma=gamma, coupling=coupling, sign=sign)
        jumps = [jump.matrix for jump in jump_operators(model, bath)]
        distances.append(np.abs(steady_state(hamiltonian, jumps) - gibbs).max())
    # The deviation is of first order in the coupling, or round-off.
    assert distances[1] < max(0.12 * distances[0], 1e-9)
    assert distances[1] < 1e-3 < 0.1 < np.abs(gibbs - np.eye(8) / 8).max()


# ---------------------------------------------------------------------- windows


def test_windows_approach_the_whole_group_as_they_say():
    model = HeisenbergChain(7, J=-1.0, field=(0, 0, 0.3))
    bath = UniversalLindblad(2.0, coupling="components", omega_max=8.0)
    whole = jump_operators(model, bath)[9:12]
    worst = []
    for radius in (1, 2):
        errors = []
        jumps = jump_operators(model, replace(bath, window=radius))[9:12]
        for jump, exact in zip(jumps, whole, strict=True):
            assert jump.sites == tuple(range(3 - radius, 4 + radius))
            assert jump.charge == exact.charge
            rest = np.eye(2 ** (3 - radius))
            wide = np.kron(rest, np.kron(jump.matrix, rest))
            error = np.linalg.norm(wide - exact.matrix, 2) / np.linalg.norm(exact.matrix, 2)
            assert 0.5 * error < jump.error < 2 * error
            errors.append(error)
        worst.append(max(errors))
    assert worst[1] < 0.5 * worst[0] < 0.1


def test_windows_that_hold_the_group_are_exact():
    bath = UniversalLindblad(0.5)
    for one, other in zip(
        jump_operators(CHAIN, replace(bath, window=2)), jump_operators(CHAIN, bath), strict=True
    ):
        assert np.array_equal(one.matrix, other.matrix) and one.error == 0.0


def test_large_groups_take_the_largest_window():
    model = HeisenbergChain(12, 1.0, J=-1.0)
    jumps = jump_operators(model, UniversalLindblad(2.0, omega_max=20.0, coupling="components"))
    assert len(jumps) == 36
    assert max(3 ** len(jump.sites) for jump in jumps) == 729
    assert [len(jump.sites) for jump in jumps[::3]] == [6, 6, 6, 5, 5, 5, 5, 5, 5, 6, 6, 6]
    assert all(0 < jump.error < 0.2 for jump in jumps)


def test_too_many_neighbours_are_refused():
    with pytest.raises(InputError, match=r"bath\.window.*1296"):
        jump_operators(HeisenbergChain(8, 2.5, dipole=0.1), UniversalLindblad(1.0))
    with pytest.raises(InputError, match=r"bath\.window"):
        jump_operators(HeisenbergChain(12), UniversalLindblad(1.0, window=5))


def test_driven_spins_are_refused():
    class Driven:
        local_sites = CHAIN.local_sites
        localized_sites = (0, 1, 2)
        hamiltonian = CHAIN.hamiltonian
        hamiltonian += np.cos, "Sz", 0

    with pytest.raises(InputError, match="depends on time"):
        jump_operators(Driven(), UniversalLindblad(1.0))
