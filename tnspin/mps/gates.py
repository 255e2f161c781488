"""Two-site gates as sparse row tables, the form the compiled update takes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import expm
from scipy.sparse.csgraph import connected_components


class Gate(NamedTuple):
    """``out = sum(amplitude * source)`` over ``pointer[out]:pointer[out + 1]``.

    Local states are numbered ``p1 d2 + p2``.  ``phase``: what the gate multiplies each of them by
    if that is all it does to it, else 0.
    """

    pointer: np.ndarray
    source: np.ndarray
    amplitude: np.ndarray
    phase: np.ndarray


def evolution_gate(hamiltonian: np.ndarray, span: float) -> Gate:
    """exp(-i span H) of a bond matrix (d1 d2, d1 d2), without spurious entries.

    States that H does not connect are exponentiated apart, so every symmetry of the bond,
    declared as a charge or not, leaves exact zeros.
    """
    size = hamiltonian.shape[0]
    _, label = connected_components(hamiltonian != 0, directed=False)
    gate = np.zeros((size, size), dtype=np.complex128)
    for component in range(label.max() + 1):
        states = np.flatnonzero(label == component)
        block = hamiltonian[np.ix_(states, states)]
        gate[np.ix_(states, states)] = _exponential(block, span)
    return compile_gate(gate)


def _exponential(block: np.ndarray, span: float) -> np.ndarray:
    if np.allclose(block, block.conj().T, rtol=0, atol=1e-14):
        energies, vectors = np.linalg.eigh(block)
        return (vectors * np.exp(-1j * span * energies)) @ vectors.conj().T
    return expm(-1j * span * block)


def compile_gate(gate: np.ndarray) -> Gate:
    """Row table of a dense gate (out, in), round-off in either part set to zero."""
    tidy = np.where(np.abs(gate.real) > 1e-16, gate.real, 0.0).astype(np.complex128)
    gate = tidy + 1j * np.where(np.abs(gate.imag) > 1e-16, gate.imag, 0.0)
    out, source = np.nonzero(gate)
    pointer = np.concatenate([[0], np.cumsum(np.bincount(out, minlength=gate.shape[0]))])
    alone = (gate != 0).sum(axis=0) == 1
    return Gate(
        pointer.astype(np.int64),
        source.astype(np.int64),
        gate[out, source].astype(np.complex128),
        np.where(alone, np.diag(gate), 0.0),
    )
