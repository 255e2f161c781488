"""What one update keeps and discards, by every decomposition."""

from __future__ import annotations

import numpy as np
import pytest
from dense import (
    dense_schmidt,
    full_vector,
    model_of,
    orthonormality,
    random_state,
)
from scipy.linalg import expm
from small_chains import (
    METHOD_NAMES,
    basis_state,
    kondo_chain,
    xxz,
)

from tnspin.mps.kernels.decompose import METHODS
from tnspin.mps.kernels.update import update_bond
from tnspin.mps.tebd import Tebd, compile_gate, evolution_gate
from tnspin.numerics.trotter import TimedLayer
from tnspin.operators.bonds import bonds
from tnspin.operators.sites import spin


def updated(psi, bond, gate, cutoff, limit, method, seed=0):
    left, middle, right = psi.bonds[bond : bond + 3]
    new, discarded, _ = update_bond(
        *left, middle.keys, middle.dims, right.keys, right.dims,
        *psi.tensors[bond], *psi.tensors[bond + 1],
        psi.site_keys[bond], psi.site_keys[bond + 1], *gate[:3], cutoff, 1, limit, METHODS[method],
        seed,
    )  # fmt: skip
    return new, discarded


def moved_schmidt(psi, bond, matrix, span):
    """Schmidt values per charge after a gate on the full vector."""
    dims = [site.dim for site in psi.sites]
    tensor = full_vector(psi).reshape(int(np.prod(dims[:bond])), dims[bond] * dims[bond + 1], -1)
    vector = np.einsum("ab,xby->xay", expm(-1j * span * matrix), tensor).ravel()
    return dense_schmidt(vector, psi.sites, bond, psi.charge_names)


RANDOM = {
    "spins": ((spin(0.5),) * 8, ("2Sz",), [0, 1] * 4, xxz(8)[2]),
    "spins, dense": ((spin(0.5),) * 8, (), [0, 1] * 4, xxz(8)[2]),
    "kondo": (kondo_chain(5, (2, 3))[1], ("N", "2Sz"), [1, 2, 1, 3, 0], kondo_chain(5, (2, 3))[2]),
}


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
@pytest.mark.parametrize("cutoff", [0.0, 1e-6, 1e-3, 0.1])
@pytest.mark.parametrize("method", ["svd", "gram", "auto"])
@pytest.mark.parametrize("name", list(RANDOM))
def test_kept_are_the_largest_of_all_sectors(name, method, cutoff, limit):
    sites, names, states, items = RANDOM[name]
    terms = bonds(model_of(sites, items).hamiltonian)
    psi = random_state(sites, names, np.random.default_rng(5), states=states, dim=5)
    psi.canonicalize()
    bond = 2
    new, discarded = updated(
        psi, bond, evolution_gate(terms.matrix(bond), 0.3), cutoff, limit, method
    )
    wanted = moved_schmidt(psi, bond, terms.matrix(bond), 0.3)
    flat = np.sort(np.concatenate(list(wanted.values())))[::-1]
    tail = np.append(np.cumsum(flat[::-1] ** 2)[::-1], 0.0)  # weight lost by keeping the first k
    count = len(new[2])
    assert 1 <= count <= limit
    assert discarded == pytest.approx(tail[count], abs=1e-14)
    if count < limit:
        assert discarded <= cutoff + 1e-14
    if count > 1:
        # One less would have cost more than allowed.
        assert tail[count - 1] > cutoff - 1e-14
    accuracy = 1e-12 if method == "svd" else 1e-7
    found = np.sort(new[2])[::-1] * np.sqrt(1 - discarded)
    assert np.abs(found - flat[:count]).max() < accuracy
    # And in the right sectors.
    charges = [tuple(map(int, c)) for c in psi.code.decode(new[0])]
    parts = np.split(new[2], np.cumsum(new[1])[:-1])
    for charge, part in zip(charges, parts, strict=True):
        part = np.sort(part)[::-1] * np.sqrt(1 - discarded)
        assert np.abs(part - wanted[charge][: len(part)]).max() < accuracy


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("name", list(RANDOM))
def test_update_without_truncation_is_exact(name, method):
    """The new two tensors give the moved vector; the right one is orthonormal.

    A Gram matrix leaves the rows of small Schmidt values orthonormal to round-off over their
    square, so the deviation counts with the Schmidt values, as it does in every result.
    """
    sites, names, states, items = RANDOM[name]
    matrix = bonds(model_of(sites, items).hamiltonian).matrix(2)
    psi = random_state(sites, names, np.random.default_rng(6), states=states, dim=4)
    psi.canonicalize()
    dims = [site.dim for site in sites]
    tensor = full_vector(psi).reshape(dims[0] * dims[1], dims[2] * dims[3], -1)
    wanted = np.einsum("ab,xby->xay", expm(-0.02j * matrix), tensor).ravel()
    engine = Tebd(psi, lambda b, t: matrix, [False] * (len(sites) - 1), cutoff=1e-14,
                  bond_dim=1000, method=method, threads=1)  # fmt: skip
    weight = engine._update(2, evolution_gate(matrix, 0.02), 7)
    if method != "range":  # a random state is not what it is for: it reports what it missed
        assert weight < 1e-13
    assert np.linalg.norm(full_vector(engine.state) - wanted) < np.sqrt(weight) + 1e-6
    # What is discarded on the right is missing from the rows on the left.
    assert orthonormality(engine.state, weighted=True) < 2 * weight + 1e-13
    if method in ("svd", "auto"):
        assert orthonormality(engine.state) < 1e-12


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_bond_dimension_and_discarded_weight_within_limits(method):
    """Unless the bond dimension binds, no update discards more than the cutoff."""
    _, sites, items = xxz(10)
    model = model_of(sites, items)
    terms = bonds(model.hamiltonian)
    psi = basis_state(sites, [0, 1] * 5, ("2Sz",))
    cutoff, limit = 1e-6, 9
    engine = Tebd(psi, terms.matrix, [False] * 9, cutoff=cutoff, bond_dim=limit, method=method,
                  threads=1)  # fmt: skip
    bound_by_dim = bound_by_cutoff = 0
    for step in range(30):
        for parity in (0, 1):
            for bond in range(parity, 9, 2):
                gate = engine._gate(bond, TimedLayer(parity, 0.1, 0.0))
                weight = engine._update(bond, gate, step)
                size = int(engine.state.bonds[bond + 1].dims.sum())
                assert size <= limit
                if size < limit:
                    assert weight <= cutoff * (1 + 1e-10)
                    bound_by_cutoff += weight > 0
                else:
                    bound_by_dim += weight > cutoff
    assert bound_by_dim > 20
    assert bound_by_cutoff > 20


@pytest.mark.parametrize("limit", [40, 64])
def test_range_finder_is_nearly_optimal(limit):
    """On a growing and then saturated state it discards a few percent more than the best."""
    _, sites, items = xxz(16, Jz=0.5)
    terms = bonds(model_of(sites, items).hamiltonian)
    psi = basis_state(sites, [0, 1] * 8, ("2Sz",))
    engine = Tebd(psi, terms.matrix, [False] * 15, cutoff=1e-9, bond_dim=limit, method="svd",
                  threads=1)  # fmt: skip
    lost = {"svd": 0.0, "range": 0.0, "auto": 0.0}
    growing = saturated = 0
    for step in range(100):
        for parity in (0, 1):
            layer = TimedLayer(parity, 0.1, 0.0)
            for bond in range(parity, 15, 2):
                gate = engine._gate(bond, layer)
                before = int(engine.state.bonds[bond + 1].dims.sum())
                weights = {
                    name: updated(engine.state, bond, gate, 1e-9, limit, name, 100 * step + bond)[1]
                    for name in lost
                }
                if before > 20:
                    for name in lost:
                        lost[name] += weights[name]
                    growing += before < limit
                    saturated += before == limit
                engine._update(bond, gate, step)
    assert growing > 20 and saturated > 200
    assert lost["range"] >= lost["svd"] * (1 - 1e-6)
    assert lost["range"] <= 1.05 * lost["svd"]
    assert lost["auto"] <= 1.05 * lost["svd"]


def test_a_new_sector_is_found_by_the_range_finder():
    """No old vectors point there: only its random probes see it."""
    sites = (spin(0.5),) * 2
    psi = basis_state(sites, [0, 1], ("2Sz",))
    swap = compile_gate(np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], complex))
    for method in METHOD_NAMES:
        engine = Tebd(psi, lambda b, t: np.eye(4), [False], method=method, threads=1)
        assert engine._update(0, swap, 0) < 1e-15
        assert np.abs(np.abs(full_vector(engine.state)) - [0, 0, 1, 0]).max() < 1e-14
