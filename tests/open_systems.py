"""Lindblad equations in the full space, and small systems for the tests of trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from dense import all_states
from scipy.sparse import csr_array
from scipy.sparse.linalg import expm_multiply

from tnspin.baths import JumpOperator
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sparse import to_sparse
from tnspin.states.vector import VectorState

MINUS = np.array([[0, 0], [1, 0]], dtype=complex)
PLUS = MINUS.T
Z = np.diag([1.0, -1.0]).astype(complex)

#: Three spins, and one electron passing one spin in each of two groups.
SPINS = HeisenbergChain(sites=3, J=1.0, Jz=0.6, field=(0, 0, 0.4))
VALVE = KondoHeisenbergChain(sites=4, localized=[[1], [3]], J_sd=0.8)


def flips(rate=0.3):
    """Lowering and raising of single spins, and two spins together, of definite charge."""
    return [
        JumpOperator((0,), np.sqrt(rate) * MINUS, -2, "S- 0"),
        JumpOperator((1,), np.sqrt(rate / 2) * PLUS, 2, "S+ 1"),
        JumpOperator((1, 2), np.sqrt(rate / 3) * np.kron(Z, PLUS), 2, "Z S+ 12"),
        JumpOperator((1, 2), np.sqrt(rate) * np.kron(PLUS, MINUS), 0, "hop 12"),
    ]


def valve_jumps(rate=0.3):
    return [
        JumpOperator((1,), np.sqrt(rate) * PLUS, 2, "S+ 1"),
        JumpOperator((3,), np.sqrt(rate / 2) * MINUS, -2, "S- 3"),
        JumpOperator((3,), np.sqrt(rate / 2) * Z, 0, "Z 3"),
    ]


def mixing(rate=0.3):
    """Jumps that change 2Sz by no definite amount."""
    return [
        JumpOperator((0,), np.sqrt(rate) * (MINUS + 0.5 * Z), None, "mixed 0"),
        JumpOperator((1, 2), np.sqrt(rate) * np.kron(PLUS + Z, MINUS), None, "mixed 12"),
    ]


def product(model, states, names=("2Sz",)):
    """Product state vector in its sector."""
    sites = model.local_sites
    charges = {
        name: int(sum(s.charge(name)[k] for s, k in zip(sites, states, strict=True)))
        for name in names
    }
    basis = ChargeBasis(sites, charges) if names else None
    vectors = [np.eye(s.dim)[k] for s, k in zip(sites, states, strict=True)]
    return VectorState.product(sites, vectors, basis)


def embedded(model, jump):
    """Jump operator in the full space, from its action on every product state."""
    dims = [site.dim for site in model.local_sites]
    spins = [model.local_sites[k].spin_dim for k in jump.sites]
    factors = [np.eye(d) for d in dims]
    total = np.zeros((int(np.prod(dims)),) * 2, dtype=complex)
    # As a sum over matrix elements, each a product of one-site matrices.
    for out, into in np.argwhere(jump.matrix):
        parts = list(factors)
        outs, intos = np.unravel_index(out, spins), np.unravel_index(into, spins)
        for k, d, o, i in zip(jump.sites, spins, outs, intos, strict=True):
            element = np.zeros((d, d))
            element[o, i] = 1.0
            parts[k] = np.kron(np.eye(dims[k] // d), element)
        matrix = np.ones((1, 1))
        for part in parts:
            matrix = np.kron(matrix, part)
        total += jump.matrix[out, into] * matrix
    return total


class Lindblad:
    """rho(t) by the exponential of the superoperator, in the full space or among some charges."""

    def __init__(self, model, jumps, charges=None):
        full = ChargeBasis(model.local_sites)
        self.kept = full.index(ChargeBasis(model.local_sites, charges).states)
        place = np.ix_(self.kept, self.kept)
        h = to_sparse(model.hamiltonian).toarray()[place]
        one = np.eye(len(h))
        ls = [embedded(model, jump)[place] for jump in jumps]
        effective = h - 0.5j * sum((x.conj().T @ x for x in ls), np.zeros_like(h))
        self.generator = -1j * (np.kron(effective, one) - np.kron(one, effective.conj()))
        for x in ls:
            self.generator = self.generator + np.kron(x, x.conj())

    def evolve(self, rho, time):
        place = np.ix_(self.kept, self.kept)
        after = np.zeros_like(rho)
        start = rho[place]
        after[place] = expm_multiply(self.generator * time, start.ravel()).reshape(start.shape)
        return after


def density(state):
    """Density matrix of a state vector in the full space."""
    vector = state.amplitudes(all_states(state.sites))
    return np.outer(vector, vector.conj()) / state.norm**2


def effective_evolution(model, jumps, vector, time):
    """exp(-i (H - i/2 sum L+L) t) of a full-space vector."""
    h = to_sparse(model.hamiltonian).toarray()
    ls = [embedded(model, jump) for jump in jumps]
    effective = csr_array(h - 0.5j * sum(x.conj().T @ x for x in ls))
    return expm_multiply(-1j * time * effective, vector)


@dataclass(frozen=True)
class Driven:
    """A model that is nothing but its operator sum."""

    kind: ClassVar[str] = "driven"
    hamiltonian: OperatorSum

    @property
    def local_sites(self):
        return self.hamiltonian.sites


def in_full_space(rho):
    """A block-diagonal matrix with the basis of the whole chain."""
    states = all_states(rho.sites)
    total = np.zeros((len(states),) * 2, dtype=complex)
    for basis, block in zip(rho.bases, rho.blocks, strict=True):
        index = basis.index(states)
        inside = np.flatnonzero(index >= 0)
        total[np.ix_(inside, inside)] = block[np.ix_(index[inside], index[inside])]
    return total
