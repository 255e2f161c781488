"""Entanglement measures against closed forms: Bell, Werner, GHZ, W, product, PRX Eq. 16."""

from __future__ import annotations

from functools import reduce
from itertools import product
from math import comb, log

import numpy as np
import pytest

from tnspin.errors import InputError
from tnspin.models.edge_state import edge_entropy, edge_mutual_information, edge_rdm
from tnspin.observables import entanglement as ent

TOL = 1e-12


def projector(vector: np.ndarray) -> np.ndarray:
    vector = np.asarray(vector, dtype=complex) / np.linalg.norm(vector)
    return np.outer(vector, vector.conj())


def bell(name: str) -> np.ndarray:
    vectors = {
        "phi+": [1, 0, 0, 1],
        "phi-": [1, 0, 0, -1],
        "psi+": [0, 1, 1, 0],
        "psi-": [0, 1, -1, 0],
    }
    return projector(np.array(vectors[name]))


def ghz(n: int) -> np.ndarray:
    vector = np.zeros(2**n)
    vector[[0, -1]] = 1
    return projector(vector)


def w_state(n: int) -> np.ndarray:
    vector = np.zeros(2**n)
    vector[[1 << k for k in range(n)]] = 1
    return projector(vector)


def random_rho(rng: np.random.Generator, dim: int) -> np.ndarray:
    a = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    rho = a @ a.conj().T
    return rho / np.trace(rho)


@pytest.mark.parametrize("name", ["phi+", "phi-", "psi+", "psi-"])
def test_bell_pairs(name):
    rho = bell(name)
    assert ent.von_neumann(rho) == pytest.approx(0, abs=TOL)
    assert ent.purity(rho) == pytest.approx(1, abs=TOL)
    assert ent.log_negativity(rho, (2, 2), [0]) == pytest.approx(log(2), abs=TOL)
    assert ent.mutual_information(rho, (2, 2), [1]) == pytest.approx(2 * log(2), abs=TOL)
    assert ent.concurrence(rho) == pytest.approx(1, abs=TOL)
    halves = [ent.partial_trace(rho, (2, 2), [k]) for k in range(2)]
    assert ent.meyer_wallach(halves) == pytest.approx(1, abs=TOL)


@pytest.mark.parametrize("p", [0.0, 0.2, 1 / 3, 0.5, 0.9, 1.0])
def test_werner_states(p):
    rho = p * bell("psi-") + (1 - p) * np.eye(4) / 4
    spectrum = np.array([(1 + 3 * p) / 4] + 3 * [(1 - p) / 4])
    entropy = -sum(x * log(x) for x in spectrum if x > 0)
    assert ent.von_neumann(rho) == pytest.approx(entropy, abs=TOL)
    assert ent.purity(rho) == pytest.approx((1 + 3 * p**2) / 4, abs=TOL)
    assert ent.renyi(rho, 2) == pytest.approx(-log((1 + 3 * p**2) / 4), abs=TOL)
    assert ent.renyi(rho, np.inf) == pytest.approx(-log((1 + 3 * p) / 4), abs=TOL)
    assert ent.mutual_information(rho, (2, 2), [0]) == pytest.approx(2 * log(2) - entropy, abs=TOL)
    negativity = log(1 + max(0.0, (3 * p - 1) / 2))
    assert ent.log_negativity(rho, (2, 2), [1]) == pytest.approx(negativity, abs=TOL)
    assert ent.concurrence(rho) == pytest.approx(max(0.0, (3 * p - 1) / 2), abs=TOL)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_ghz_and_w(n):
    dims = (2,) * n
    for k in range(1, n):
        # One bit of GHZ is shared by every cut, and losing any spin destroys it.
        part = list(range(k))
        assert ent.log_negativity(ghz(n), dims, part) == pytest.approx(log(2), abs=TOL)
        assert ent.mutual_information(ghz(n), dims, part) == pytest.approx(2 * log(2), abs=TOL)
        q = k / n
        shannon = -q * log(q) - (1 - q) * log(1 - q)
        w_half = ent.partial_trace(w_state(n), dims, part)
        assert ent.von_neumann(w_half) == pytest.approx(shannon, abs=TOL)
        # Pure states: negativity from the Schmidt coefficients, (sum s)^2.
        pure = 2 * log(np.sqrt(q) + np.sqrt(1 - q))
        assert ent.log_negativity(w_state(n), dims, part) == pytest.approx(pure, abs=TOL)
    assert ent.concurrence(ent.partial_trace(ghz(n), dims, [0, 2])) == pytest.approx(0, abs=TOL)
    assert ent.concurrence(ent.partial_trace(w_state(n), dims, [2, 0])) == pytest.approx(2 / n)
    singles = [ent.partial_trace(w_state(n), dims, [k]) for k in range(n)]
    assert ent.meyer_wallach(singles) == pytest.approx(4 * (n - 1) / n**2, abs=TOL)


def test_random_product_states_carry_nothing():
    rng = np.random.default_rng(7)
    dims = (2, 3, 2)
    parts = [random_rho(rng, d) for d in dims]
    rho = reduce(np.kron, parts)
    for k, part in enumerate(parts):
        assert ent.partial_trace(rho, dims, [k]) == pytest.approx(part, abs=TOL)
        assert ent.log_negativity(rho, dims, [k]) == pytest.approx(0, abs=TOL)
        assert ent.mutual_information(rho, dims, [k]) == pytest.approx(0, abs=1e-11)
    assert ent.von_neumann(rho) == pytest.approx(sum(map(ent.von_neumann, parts)), abs=1e-11)
    assert ent.renyi(rho, 3) == pytest.approx(sum(ent.renyi(r, 3) for r in parts), abs=1e-11)
    pair = np.kron(parts[0], parts[2])
    assert ent.concurrence(pair) == pytest.approx(0, abs=1e-7)


def test_partial_trace_order_and_transpose_by_loops():
    rng = np.random.default_rng(3)
    dims = (2, 3, 2)
    rho = random_rho(rng, 12)
    reordered = np.zeros((4, 4), dtype=complex)
    transposed = np.zeros((12, 12), dtype=complex)
    for (a, b, c), (x, y, z) in product(product(*map(range, dims)), repeat=2):
        element = rho[(a * 3 + b) * 2 + c, (x * 3 + y) * 2 + z]
        transposed[(a * 3 + y) * 2 + c, (x * 3 + b) * 2 + z] = element
        if b == y:
            reordered[c * 2 + a, z * 2 + x] += element
    assert ent.partial_trace(rho, dims, [2, 0]) == pytest.approx(reordered, abs=TOL)
    assert ent.partial_transpose(rho, dims, [1]) == pytest.approx(transposed, abs=TOL)
    assert ent.log_negativity(rho, dims, [1]) == pytest.approx(
        ent.log_negativity(rho, dims, [0, 2]), abs=TOL
    )


def test_entropies_of_spectra():
    flat = np.full(8, 1 / 8)
    for alpha in (0, 0.5, 1, 2, np.inf):
        assert ent.spectrum_entropy(flat, alpha) == pytest.approx(log(8), abs=TOL)
        assert ent.schmidt_entropy(np.sqrt(flat), alpha) == pytest.approx(log(8), abs=TOL)
        assert ent.spectrum_entropy(np.array([1.0, -1e-17, 0.0]), alpha) == 0
    with pytest.raises(InputError, match="alpha"):
        ent.spectrum_entropy(flat, -1)
    # Continuous in the order at 1.
    p = np.array([0.7, 0.2, 0.1])
    assert ent.spectrum_entropy(p, 1 + 1e-7) == pytest.approx(ent.spectrum_entropy(p), abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_edge_state_by_brute_force(n):
    vector = np.array([float(bin(k).count("1") == n) for k in range(4**n)])
    assert vector.sum() == comb(2 * n, n)
    # The electrons are factors 0..n-1, the localized spins n..2n-1.
    m = (vector / np.linalg.norm(vector)).reshape(2**n, 2, 2 ** (n - 2), 2)
    rho = np.einsum("eamb,ecmd->abcd", m, m).reshape(4, 4)
    assert edge_rdm(n) == pytest.approx(rho, abs=TOL)


@pytest.mark.parametrize("n", [2, 3, 5, 20, 1000])
def test_edge_entropy_is_prx_eq_16(n):
    printed = n / (2 * n - 1) * log((2 * n - 1) / n)
    printed += (n - 1) / (2 * n - 1) * log((4 * n - 2) / (n - 1))
    assert edge_entropy(n) == pytest.approx(printed, abs=TOL)
    rho = edge_rdm(n)
    assert ent.von_neumann(rho) == pytest.approx(printed, abs=TOL)
    assert ent.mutual_information(rho, (2, 2), [0]) == pytest.approx(
        edge_mutual_information(n), abs=TOL
    )


def test_edge_mutual_information_limit():
    # PRX Eq. 17; the correction falls as 1/n.
    excess = [edge_mutual_information(n) - log(2) / 2 for n in (10_000, 20_000)]
    assert excess[0] / excess[1] == pytest.approx(2, rel=1e-3)
    assert abs(excess[1]) < 1e-4


@pytest.mark.parametrize(
    "call",
    [
        lambda: ent.concurrence(np.eye(3)),
        lambda: ent.meyer_wallach([]),
        lambda: ent.meyer_wallach([np.eye(3) / 3]),
        lambda: ent.partial_trace(np.eye(4) / 4, (2, 3), [0]),
        lambda: ent.log_negativity(np.eye(4) / 4, (2, 2), [2]),
        lambda: ent.mutual_information(np.eye(4) / 4, (2, 2), [0, 0]),
        lambda: edge_rdm(1),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InputError):
        call()
