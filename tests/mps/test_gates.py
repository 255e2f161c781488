"""Two-site gates as row tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.mps.tebd import compile_gate, evolution_gate
from tnspin.operators.bonds import bonds


def dense(gate, size):
    out = np.zeros((size, size), dtype=complex)
    for row in range(size):
        for entry in range(gate.pointer[row], gate.pointer[row + 1]):
            out[row, gate.source[entry]] += gate.amplitude[entry]
    return out


MATRICES = {
    "xxz": bonds(HeisenbergChain(sites=2, J=1.1, Jz=0.4, field=(0, 0, 0.3)).hamiltonian).matrix(0),
    "tilted field": bonds(
        HeisenbergChain(
            sites=2, spin=1.0, J=1.1, field=(0.2, -0.4, 0.3), dmi=(0.1, 0.2, 0.3)
        ).hamiltonian
    ).matrix(0),
    "kondo": bonds(KondoHeisenbergChain(sites=2, localized=[0, 1], Jz=0.2).hamiltonian).matrix(0),
    "electrons": bonds(KondoHeisenbergChain(sites=2, localized=[]).hamiltonian).matrix(0),
    "zero": np.zeros((6, 6), dtype=complex),
}


@pytest.mark.parametrize("name", list(MATRICES))
@pytest.mark.parametrize("span", [0.0, 0.07, -0.3, 2.5])
def test_evolution_gate_is_the_exponential(name, span):
    matrix = MATRICES[name]
    gate = dense(evolution_gate(matrix, span), len(matrix))
    assert np.abs(gate - expm(-1j * span * matrix)).max() < 1e-13
    assert np.abs(gate @ gate.conj().T - np.eye(len(matrix))).max() < 1e-13


def test_undeclared_symmetries_leave_exact_zeros():
    """S_z of an XXZ bond, N and S_z of a Kondo bond: nothing between their sectors."""
    for name, charge in (
        ("xxz", [1, 0, 0, -1]),
        ("electrons", [a + 10 * b for a, b in
                       [(n1 + n2, s1 + s2) for n1, s1 in [(0, 0), (1, 1), (1, -1), (2, 0)]
                        for n2, s2 in [(0, 0), (1, 1), (1, -1), (2, 0)]]]),
    ):  # fmt: skip
        gate = dense(evolution_gate(MATRICES[name], 0.1), len(charge))
        changes = np.not_equal.outer(charge, charge)
        assert not np.any(gate[changes])


def test_not_hermitian():
    """Damped bonds (effective Hamiltonians of trajectories) go through the general exponential."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    gate = dense(evolution_gate(matrix, 0.2), 4)
    assert np.abs(gate - expm(-0.2j * matrix)).max() < 1e-13


def test_table_of_a_dense_gate():
    rng = np.random.default_rng(2)
    gate = rng.normal(size=(9, 9)) + 1j * rng.normal(size=(9, 9))
    gate[rng.random((9, 9)) < 0.5] = 0
    gate[4] = 0  # a row without entries
    table = compile_gate(gate)
    assert table.pointer.shape == (10,)
    assert table.pointer[-1] == np.count_nonzero(gate) == table.source.size
    assert np.array_equal(dense(table, 9), gate)
    assert all(array.dtype == np.int64 for array in table[:2])


def test_round_off_parts_are_removed():
    gate = np.array([[1.0 + 1e-17j, 1e-17], [3e-17j, 1j + 2e-17]])
    table = compile_gate(gate)
    assert table.source.tolist() == [0, 1]
    assert table.amplitude.tolist() == [1.0, 1j]
