"""The spin dimer and the Bell and Werner states of its paper."""

from __future__ import annotations

import numpy as np
import pytest

import tnspin as ts
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, SpinDimer
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.classical.energy import energy_of
from tnspin.operators.sparse import to_sparse
from tnspin.states.density import DensityState
from tnspin.states.initial import build

X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
ONE = np.eye(2)
BELL = {
    "psi+": np.array([0, 1, 1, 0]) / 2**0.5,
    "psi-": np.array([0, 1, -1, 0]) / 2**0.5,
    "phi+": np.array([1, 0, 0, 1]) / 2**0.5,
    "phi-": np.array([1, 0, 0, -1]) / 2**0.5,
}


def hamiltonian(j, d, b):
    """-(1/2) b.(sigma1 + sigma2) + j sigma1.sigma2 + d.(sigma1 x sigma2)."""
    pauli = (X, Y, Z)
    total = sum(
        -0.5 * bk * (np.kron(s, ONE) + np.kron(ONE, s)) for bk, s in zip(b, pauli, strict=True)
    )
    total = total + j * sum(np.kron(s, s) for s in pauli)
    for k, dk in enumerate(d):
        a, c = pauli[(k + 1) % 3], pauli[(k + 2) % 3]
        total = total + dk * (np.kron(a, c) - np.kron(c, a))
    return total


@pytest.mark.parametrize(("convention", "share"), [("printed", 1.0), ("physical", 0.5)])
def test_the_hamiltonian_is_the_printed_one(convention, share):
    d, b = (0.2, -0.3, 0.6), (0.4, 0.5, -0.1)
    model = SpinDimer(J=0.8, dmi=d, field=b, g_convention=convention)
    wanted = hamiltonian(share * 0.8, share * np.array(d), b)
    np.testing.assert_allclose(to_sparse(model.hamiltonian).toarray(), wanted, atol=1e-15)


@pytest.mark.parametrize("convention", ["printed", "physical"])
def test_the_classical_field_is_that_of_the_paper(convention):
    model = SpinDimer(J=0.7, dmi=(0.0, 0.0, 0.3), field=(1.0, 0.2, 0.0), g_convention=convention)
    n = np.array([[0.6, 0.0, 0.8], [0.0, -1.0, 0.0]])
    d = np.array([0.0, 0.0, 0.3])
    # B_k = -dH/dm_k with moments m = n: d.(n1 x n2) = n1.(n2 x d) = n2.(d x n1).
    wanted = [
        model.field - 0.7 * n[1] - np.cross(n[1], d),
        model.field - 0.7 * n[0] - np.cross(d, n[0]),
    ]
    np.testing.assert_allclose(energy_of(model).field(n), wanted, atol=1e-14)


def test_a_number_is_a_vector_along_z():
    assert SpinDimer(dmi=0.6) == SpinDimer(dmi=(0.0, 0.0, 0.6)) == SpinDimer(dmi=[0, 0, 0.6])


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"J": "a"}, r"model\.J"),
        ({"dmi": "z"}, r"model\.dmi"),
        ({"dmi": (1, 2)}, r"model\.dmi"),
        ({"field": 1.0}, r"model\.field"),
        ({"g_convention": "physics"}, "physical"),
    ],
)
def test_what_makes_no_sense_is_refused(values, match):
    with pytest.raises(InputError, match=match):
        SpinDimer(**values)


# ---------------------------------------------------------------------- states


@pytest.mark.parametrize("name", BELL)
def test_bell_states_in_every_form(name):
    for sites in (2, 4):
        chain = HeisenbergChain(sites)
        state = build("bell", chain, bell=name)
        wanted = BELL[name] if sites == 2 else np.kron(BELL[name], BELL[name])
        np.testing.assert_allclose(state.to_vector().vector, wanted, atol=1e-15)
        for names in ((), state.conserved()):
            mps = state.to_mps(names)
            for k in range(sites - 1):
                rho = DensityState.from_state(state.to_vector()).rdm([k, k + 1])
                np.testing.assert_allclose(ts.rdm(mps, [k, k + 1]), rho, atol=1e-14)
            assert mps.bond_dims().max() == 2
    assert state.conserved() == (("2Sz",) if name.startswith("psi") else ())


def test_psi_states_live_in_the_sector_without_magnetization():
    chain = HeisenbergChain(4)
    state = build("bell", chain, bell="psi-")
    basis = ChargeBasis(chain.local_sites, state.total_charge(["2Sz"]))
    vector = state.to_vector(basis)
    assert vector.norm == pytest.approx(1) and basis.dim == 6
    with pytest.raises(InputError, match="outside"):
        build("bell", chain, bell="phi+").to_vector(basis)


@pytest.mark.parametrize("p", [-1 / 3, -0.2, 0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("name", BELL)
def test_werner_states(name, p):
    state = build("werner", SpinDimer(), bell=name, p=p)
    rho = DensityState.from_state(state.to_vector()).with_charges(()).matrix
    wanted = (1 - p) / 4 * np.eye(4) + p * np.outer(BELL[name], BELL[name])
    np.testing.assert_allclose(rho, wanted, atol=1e-14)


def test_pairs_of_werner_states():
    state = build("werner", HeisenbergChain(4), bell="psi-", p=0.6).to_vector()
    rho = 0.1 * np.eye(4) + 0.6 * np.outer(BELL["psi-"], BELL["psi-"])
    np.testing.assert_allclose(state.rdm([0, 1, 2, 3]), np.kron(rho, rho), atol=1e-14)


@pytest.mark.parametrize(
    ("model", "values", "match"),
    [
        (SpinDimer(), {"bell": "psi"}, r"state\.bell"),
        (SpinDimer(), {"p": 1.1}, r"state\.p"),
        (SpinDimer(), {"p": -0.4}, r"state\.p"),
        (HeisenbergChain(3), {}, "even number"),
        (HeisenbergChain(2, spin=1.0), {}, "spins 1/2"),
        (HeisenbergChain(10), {}, "at most 4 pairs"),
    ],
)
def test_states_that_are_none(model, values, match):
    with pytest.raises(InputError, match=match):
        build("werner", model, **values)
