"""Magnon numbers, W states and correlations against sums over configurations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import quimb.tensor as qtn
from small_chains import kondo_chain

from tnspin.errors import InputError
from tnspin.mps import MPS
from tnspin.observables import magnons
from tnspin.observables.groups.state import GroupState
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import kondo, spin
from tnspin.states.vector import VectorState


def random_vector(sites, seed, charges=None):
    rng = np.random.default_rng(seed)
    basis = ChargeBasis(sites, charges or {})
    return VectorState(sites, rng.normal(size=basis.dim) + 1j * rng.normal(size=basis.dim), basis)


def as_mps(state):
    dims = [site.dim for site in state.sites]
    full = np.zeros(int(np.prod(dims)), complex)
    full[np.ravel_multi_index(tuple(state.basis.states.T.astype(int)), dims)] = state.vector
    psi = qtn.MatrixProductState.from_dense(full, dims)
    return MPS.from_quimb(psi, state.sites, state.charge_names)


def by_configurations(state, chosen, reference):
    """Magnon numbers, W probability and correlations from the dense vector, one by one."""
    dims = [site.dim for site in state.sites]
    spins = [site.spin_dim for site in state.sites]
    full = np.zeros(int(np.prod(dims)), complex)
    for index, amplitude in zip(state.basis.states, state.vector, strict=True):
        full[np.ravel_multi_index(tuple(index), dims)] = amplitude
    full /= np.linalg.norm(full)
    count = np.zeros(len(chosen) + 1)
    zz, z = np.zeros((len(chosen),) * 2), np.zeros(len(chosen))
    w: dict[tuple, complex] = {}
    for index, amplitude in zip(product(*map(range, dims)), full, strict=True):
        states = [index[k] % spins[k] for k in chosen]
        flipped = [i for i, (s, r) in enumerate(zip(states, reference, strict=True)) if s != r]
        count[len(flipped)] += abs(amplitude) ** 2
        sz = np.array([1 - 2 * s / (spins[k] - 1) for s, k in zip(states, chosen, strict=True)])
        zz += abs(amplitude) ** 2 * np.outer(sz, sz)
        z += abs(amplitude) ** 2 * sz
        if len(flipped) == 1 and abs(states[flipped[0]] - reference[flipped[0]]) == 1:
            rest = tuple(
                index[k] // spins[k] if k in chosen else index[k] for k in range(len(dims))
            )
            w[rest] = w.get(rest, 0) + amplitude / len(chosen) ** 0.5
    return count, sum(abs(a) ** 2 for a in w.values()), zz, z


CASES = [
    ((spin(0.5),) * 4, [0, 1, 2, 3], (0, 0, 1, 1), None),
    ((spin(0.5),) * 4, [3, 1], (0, 1), {"2Sz": 0}),
    ((spin(1.0), spin(0.5), spin(1.5)), [0, 2, 1], (2, 0, 1), None),
    (kondo_chain(4, [1, 2])[1], [1, 2], (1, 0), {"N": 2, "2Sz": 0}),
    ((kondo(1.0), kondo(0.5)), [1, 0], (0, 2), None),
]


@pytest.mark.parametrize("form", ["vector", "mps"])
@pytest.mark.parametrize(("sites", "chosen", "reference", "charges"), CASES)
def test_numbers_of_flips(sites, chosen, reference, charges, form):
    state = random_vector(sites, 5, charges)
    count, w, zz, z = by_configurations(state, chosen, reference)
    state = state if form == "vector" else as_mps(state)
    assert magnons.counts(state, chosen).magnons(reference) == pytest.approx(count, abs=1e-12)
    assert magnons.counts(state, chosen).w(reference) == pytest.approx(w, abs=1e-12)
    found = magnons.counts(state, chosen).zz()
    assert found[0] == pytest.approx(zz, abs=1e-12)
    assert found[1] == pytest.approx(z, abs=1e-12)


def test_the_w_state_itself():
    reference = (0, 0, 1, 1)
    vector = np.zeros((2,) * 4)
    for k in range(4):
        flipped = list(reference)
        flipped[k] = 1 - flipped[k]
        vector[tuple(flipped)] = 0.5
    rho = np.outer(vector, vector)
    state = GroupState.from_dense(rho, (4, 4))
    assert magnons.GroupCounts(state, (2,) * 4).w(reference) == pytest.approx(1)
    expected = [0, 1, 0, 0, 0]
    found = magnons.GroupCounts(state, (2,) * 4).magnons(reference)
    assert found == pytest.approx(expected, abs=1e-14)
    # Without coherence between the flips it is one of four orthogonal superpositions.
    mixed = GroupState.from_dense(np.diag(np.diag(rho)), (4, 4))
    assert magnons.GroupCounts(mixed, (2,) * 4).w(reference) == pytest.approx(1 / 4)


def test_refusals():
    state = random_vector((spin(1.0), spin(0.5)), 0)
    for reference in ((0,), (3, 0), (0, -1)):
        with pytest.raises(InputError, match="reference"):
            magnons.counts(state, [0, 1]).magnons(reference)
    with pytest.raises(InputError, match="neither"):
        magnons.counts(state, [0, 1]).w((1, 0))
    compressed = GroupState.from_dense(np.eye(4), (2, 2), compressed=True)
    with pytest.raises(InputError, match="compressed"):
        magnons.GroupCounts(compressed, (2, 2)).magnons((0, 0))
