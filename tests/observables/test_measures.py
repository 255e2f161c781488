"""Every kind of state reduces to the same numbers as a dense vector."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import quimb.tensor as qtn

from tnspin.errors import InputError
from tnspin.models import KondoHeisenbergChain
from tnspin.mps import MPS
from tnspin.observables import entanglement, measures
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import electron, kondo
from tnspin.states import initial as states

SITES = (electron(), kondo(0.5), electron(), kondo(1.0))
DIMS = tuple(site.dim for site in SITES)


@pytest.fixture(scope="module")
def slater():
    rng = np.random.default_rng(5)
    a = rng.normal(size=(8, 3)) + 1j * rng.normal(size=(8, 3))
    orbitals = np.linalg.qr(a)[0].T.reshape(3, 4, 2)
    spins = (None, np.array([0.6, 0.8j]), None, np.array([0.48, 0.6j, 0.64]))
    return states.SlaterProduct(SITES, orbitals, spins)


@pytest.fixture(scope="module")
def kinds(slater):
    """The same state in every form that `reduced` takes; dims only where they are needed."""
    full = slater.to_vector()
    vector = np.asarray(full.vector)
    mps = slater.to_mps(("N",))
    return {
        "mps": (mps, None),
        "dense blocks": (slater.to_mps(), None),
        "vector": (full, None),
        "sector": (slater.to_vector(ChargeBasis(SITES, {"N": 3})), None),
        "quimb": (2.0 * mps.to_quimb(), None),
        "array": (3j * vector, DIMS),
        "column": (vector[:, None], DIMS),
        "density": (np.outer(vector, vector.conj()), DIMS),
    }


KINDS = ("mps", "dense blocks", "vector", "sector", "quimb", "array", "column", "density")


def reference(vector, sites):
    rest = [k for k in range(4) if k not in sites]
    m = vector.reshape(DIMS).transpose([*sites, *rest])
    m = m.reshape(int(np.prod([DIMS[k] for k in sites])), -1)
    return m @ m.conj().T


@pytest.mark.parametrize("kind", KINDS)
def test_reduced_density_matrices(kinds, kind):
    state, dims = kinds[kind]
    exact = np.asarray(kinds["vector"][0].vector)
    for sites in ([0], [1], [3], [0, 1], [1, 3], [3, 1], [2, 0], [0, 2, 1]):
        rho = measures.rdm(state, sites, dims=dims)
        assert np.abs(rho - reference(exact, sites)).max() < 1e-10
    # The localized spins alone are in the pure product state they were given.
    both = measures.rdm(state, [3, 1], keep=[3, 2], dims=dims)
    pure = np.kron([0.48, 0.6j, 0.64], [0.6, 0.8j])
    assert np.abs(both - np.outer(pure, pure.conj())).max() < 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_expectation_values(kinds, kind):
    state, dims = kinds[kind]
    sz = measures.expect(state, 3, SITES[3].op("Sz"), dims=dims)
    assert sz == pytest.approx(0.48**2 - 0.64**2, abs=1e-10)
    # <S+> of the spin 1/2 (a, b) is conj(a) b.
    assert measures.expect(state, 1, SITES[1].op("Sp"), dims=dims) == pytest.approx(
        0.6 * 0.8j, abs=1e-10
    )
    number = sum(measures.expect(state, k, s.op("n"), dims=dims) for k, s in enumerate(SITES))
    assert number == pytest.approx(3, abs=1e-10)


def test_operators_by_name(kinds):
    for kind in ("mps", "vector", "sector"):
        state, _ = kinds[kind]
        assert measures.expect(state, 1, "Sp") == pytest.approx(0.48j, abs=1e-10)
    for kind in ("quimb", "array"):
        state, dims = kinds[kind]
        with pytest.raises(InputError, match="knows its sites"):
            measures.expect(state, 1, "Sp", dims=dims)


@pytest.mark.parametrize("kind", KINDS)
def test_schmidt_values_and_entropy(kinds, kind):
    state, dims = kinds[kind]
    exact = np.asarray(kinds["vector"][0].vector)
    for bond in range(3):
        values = np.linalg.svd(exact.reshape(np.prod(DIMS[: bond + 1]), -1), compute_uv=False)
        expected = entanglement.schmidt_entropy(values)
        assert measures.entropy(state, bond, dims=dims) == pytest.approx(expected, abs=1e-10)
        if kind == "density":
            with pytest.raises(InputError, match="Schmidt"):
                measures.schmidt(state, bond, dims=dims)
            continue
        found = measures.schmidt(state, bond, dims=dims)
        assert np.all(np.diff(found) <= 0)
        size = min(len(found), len(values))
        assert np.abs(found[:size] - values[:size]).max() < 1e-10


def test_measuring_leaves_a_quimb_state_alone():
    psi = qtn.MPS_rand_state(6, 4, seed=1)
    before = [t.data.copy() for t in psi]
    measures.rdm(psi, [1, 4])
    measures.entropy(psi, 2)
    assert all(np.array_equal(a, t.data) for a, t in zip(before, psi, strict=True))
    dense = psi.to_dense().ravel()
    assert np.abs(measures.rdm(psi, [4, 1]) - measures.rdm(dense, [4, 1])).max() < 1e-10


def test_measures_between_parts_of_a_state():
    # Two Bell pairs, 0-3 and 1-2.
    pair = np.array([0, 1, 1, 0]) / np.sqrt(2)
    vector = np.einsum("ad,bc->abcd", pair.reshape(2, 2), pair.reshape(2, 2)).ravel()
    assert measures.log_negativity(vector, [0], [3]) == pytest.approx(log(2), abs=1e-12)
    assert measures.log_negativity(vector, [0], [1]) == pytest.approx(0, abs=1e-12)
    assert measures.log_negativity(vector, [0, 1], [3, 2]) == pytest.approx(2 * log(2), abs=1e-12)
    assert measures.mutual_information(vector, [0, 1], [3]) == pytest.approx(2 * log(2), abs=1e-12)
    assert measures.mutual_information(vector, [0], [1, 2]) == pytest.approx(0, abs=1e-12)
    chain = KondoHeisenbergChain(sites=4, localized=[1, 3])
    pulse = states.confined_electrons(chain, 2, well=3).to_mps(("N", "2Sz"))
    assert isinstance(pulse, MPS)
    assert measures.mutual_information(pulse, [1], [3], keep=[2, 2]) == pytest.approx(0, abs=1e-10)
    # All sites together are pure, so mutual information is twice the entropy of the cut.
    both = measures.mutual_information(pulse, [0, 1], [2, 3])
    assert both == pytest.approx(2 * measures.entropy(pulse, 1), abs=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: measures.rdm("psi", [0]), "state"),
        (lambda: measures.rdm(np.ones(6), [0]), "dims: needed"),
        (lambda: measures.rdm(np.ones(6), [0], dims=[2, 2]), "dims"),
        (lambda: measures.rdm(np.ones(4), [2]), r"sites: 2 is outside the chain \(0\.\.1\)"),
        (lambda: measures.rdm(np.ones(4), [0, 0]), "twice"),
        (lambda: measures.rdm(np.ones(4), [0], keep=[3]), "keep"),
        (lambda: measures.rdm(np.zeros(4), [0]), "norm"),
        (lambda: measures.rdm(np.ones((2, 3)), [0]), "shape"),
        (lambda: measures.entropy(np.ones(4), 1), "bond: 1 is outside"),
        (lambda: measures.expect(np.ones(4), 0, np.eye(3)), "operator"),
        (lambda: measures.log_negativity(np.ones(4), [], [1]), "part"),
        (lambda: measures.mutual_information(np.ones(4), [0], [0]), "twice"),
        (lambda: measures.log_negativity(np.ones(2**13), range(6), range(6, 13)), "too large"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
