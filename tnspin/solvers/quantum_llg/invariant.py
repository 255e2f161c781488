"""Subspaces that a Hamiltonian and a density matrix leave alone, whatever their symmetries are.

A flow rho' = i [rho, K] whose K is made of rho and H never leaves the algebra of the two: if they
have blocks, so has rho at all later times.  Round-off has not; where the energy is lower in another
block, what leaks there grows exponentially.  Evolving block by block leaves no way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]
# Components below this, relative to the operator that makes them, are round-off.
_ROUND_OFF = 1e-11


def reachable(operators: Sequence[Any], start: Matrix) -> Matrix:
    """Orthonormal basis of all that products of operators make of some vectors.

    Parameters
    ----------
    operators : sequence of (D, D) Hermitian arrays or sparse arrays
    start : (D, r) ndarray

    Returns
    -------
    (D, d) ndarray
        d = D if they reach everything.
    """
    size = len(start)
    scales = [max(float(abs(operator).sum(axis=0).max()), 1e-300) for operator in operators]
    basis = np.zeros((size, 0), dtype=np.complex128)
    new = _orthonormal(start, basis, _ROUND_OFF)
    while new.shape[1]:
        basis = np.concatenate([basis, new], axis=1)
        if basis.shape[1] >= size:
            return np.eye(size, dtype=np.complex128)
        images = [operator @ new / s for operator, s in zip(operators, scales, strict=True)]
        new = _orthonormal(np.concatenate(images, axis=1), basis, _ROUND_OFF)
    return basis


def split(operators: Sequence[Matrix]) -> list[Matrix]:
    """Orthonormal bases of mutually orthogonal subspaces that no operator leaves.

    They are irreducible unless the operators are exceptional: each is what the operators make of an
    eigenvector of a random element of their algebra.

    Parameters
    ----------
    operators : sequence of (D, D) Hermitian ndarray

    Returns
    -------
    list of (D, d) ndarray
        Dimensions sum to D.
    """
    size = len(operators[0])
    _, seeds = np.linalg.eigh(_random_element(operators))
    basis = np.zeros((size, 0), dtype=np.complex128)
    found = []
    for seed in seeds.T:
        new = _orthonormal(seed[:, None], basis, 1e-6)
        if not new.shape[1]:
            continue
        part = reachable(operators, new)
        # The complement of what was found is left alone as well: round-off must not mix them.
        part = _orthonormal(part, basis, 0.5)
        found.append(part)
        basis = np.concatenate([basis, part], axis=1)
    return found


def _random_element(operators: Sequence[Matrix]) -> Matrix:
    """Hermitian combination of the operators, their commutators and their anticommutators."""
    random = np.random.default_rng(2024)
    scaled = [one / max(float(np.linalg.norm(one)), 1e-300) for one in operators]
    total = np.zeros_like(scaled[0])
    for a, first in enumerate(scaled):
        total = total + random.uniform(0.5, 1.5) * first
        for second in scaled[: a + 1]:
            product = first @ second
            adjoint = product.conj().T
            total = total + random.uniform(0.5, 1.5) * (product + adjoint)
            total = total + random.uniform(0.5, 1.5) * 1j * (product - adjoint)
    return total


def _orthonormal(vectors: Matrix, basis: Matrix, threshold: float) -> Matrix:
    """Orthonormal basis of what vectors have beyond ``basis``, above a length."""
    for _ in range(2):
        vectors = vectors - basis @ (basis.conj().T @ vectors)
    columns, lengths, _ = np.linalg.svd(vectors, full_matrices=False)
    new = columns[:, lengths > threshold]
    # Short columns have lost digits of their orthogonality.
    for _ in range(2):
        new, _ = np.linalg.qr(new - basis @ (basis.conj().T @ new))
    return np.asarray(new, dtype=np.complex128)
