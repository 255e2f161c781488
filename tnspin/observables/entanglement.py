"""Entanglement measures of density matrices and Schmidt spectra, in plain numpy.

`measures` makes density matrices of any state; this module turns them into numbers.  Entropies
and negativities use the natural logarithm.  ``dims`` lists the dimensions of the tensor factors
of a density matrix, slowest first, and ``part`` the factors on one side of a bipartition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import prod

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.sites import spin


def spectrum_entropy(probabilities: np.ndarray, alpha: float = 1.0) -> float:
    """Entropy of a probability distribution.

    Parameters
    ----------
    probabilities
        (n,) eigenvalues of a density matrix, or squared Schmidt values; sum 1.  Values that
        rounding made slightly negative count as zero.
    alpha
        Renyi order; 1 is the von Neumann (Shannon) entropy, 0 the logarithm of the rank,
        infinity the min-entropy.

    Returns
    -------
    float
        Entropy in nats.

    Raises
    ------
    InputError
        If the order is negative.
    """
    if not alpha >= 0:
        raise InputError(f"alpha: the Renyi order must be 0 or more, got {alpha}")
    p = np.asarray(probabilities, dtype=float)
    p = p[p > 0]
    if alpha == 1:
        return float(max(0.0, -np.sum(p * np.log(p))))
    if np.isinf(alpha):
        return float(max(0.0, -np.log(p.max())))
    if alpha == 0:
        # The rank is only defined up to rounding: eigenvalues below it are noise.
        p = p[p > p.max() * 1e-13]
        return float(np.log(p.size))
    return float(max(0.0, np.log(np.sum(p**alpha)) / (1 - alpha)))


def schmidt_entropy(schmidt: np.ndarray, alpha: float = 1.0) -> float:
    """Entropy in nats of (n,) Schmidt values, whose squares are the probabilities."""
    return spectrum_entropy(np.abs(np.asarray(schmidt)) ** 2, alpha)


def von_neumann(rho: np.ndarray) -> float:
    """Von Neumann entropy ``-Tr rho ln rho`` of a (D, D) density matrix, in nats."""
    return spectrum_entropy(np.linalg.eigvalsh(rho))


def renyi(rho: np.ndarray, alpha: float) -> float:
    """Renyi entropy ``ln(Tr rho^alpha) / (1 - alpha)`` of a (D, D) density matrix, in nats."""
    return spectrum_entropy(np.linalg.eigvalsh(rho), alpha)


def purity(rho: np.ndarray) -> float:
    """``Tr rho^2`` of a (D, D) density matrix: 1 if pure, 1/D if maximally mixed."""
    rho = np.asarray(rho)
    return float(np.vdot(rho, rho).real)


def partial_trace(rho: np.ndarray, dims: Sequence[int], keep: Sequence[int]) -> np.ndarray:
    """Reduced density matrix of the factors ``keep``, in the order given.

    Parameters
    ----------
    rho
        (D, D) density matrix, ``D = prod(dims)``.
    dims
        Dimensions of the factors.
    keep
        Factors to keep.

    Returns
    -------
    ndarray
        (D', D') with D' the product of the kept dimensions.
    """
    dims, keep = _checked(rho, dims, keep)
    traced = [k for k in range(len(dims)) if k not in keep]
    order = [*keep, *traced]
    kept, rest = prod(dims[k] for k in keep), prod(dims[k] for k in traced)
    tensor = np.asarray(rho).reshape(*dims, *dims)
    tensor = tensor.transpose(*order, *(len(dims) + k for k in order))
    return np.einsum("ambm->ab", tensor.reshape(kept, rest, kept, rest))


def partial_transpose(rho: np.ndarray, dims: Sequence[int], part: Sequence[int]) -> np.ndarray:
    """Transpose the factors ``part`` of a (D, D) density matrix and leave the others alone."""
    dims, part = _checked(rho, dims, part)
    n = len(dims)
    axes = list(range(2 * n))
    for k in part:
        axes[k], axes[n + k] = axes[n + k], axes[k]
    matrix = np.asarray(rho)
    return matrix.reshape(*dims, *dims).transpose(axes).reshape(matrix.shape)


def log_negativity(rho: np.ndarray, dims: Sequence[int], part: Sequence[int]) -> float:
    """Logarithmic negativity between ``part`` and the other factors of a density matrix.

    ``ln || rho^(T_part) ||_1``, the sum being over the absolute eigenvalues of the partial
    transpose (PRA Eq. 2).

    Parameters
    ----------
    rho
        (D, D) density matrix.
    dims
        Dimensions of the factors.
    part
        Factors of one side.

    Returns
    -------
    float
        In nats; ln 2 for a Bell pair, 0 for separable states.
    """
    eigenvalues = np.linalg.eigvalsh(partial_transpose(rho, dims, part))
    # The trace norm is 1 + 2 sum |negative|; the trace may be off by rounding, so divide by it.
    return float(max(0.0, np.log(np.abs(eigenvalues).sum() / eigenvalues.sum())))


def mutual_information(rho: np.ndarray, dims: Sequence[int], part: Sequence[int]) -> float:
    """Quantum mutual information between ``part`` and the other factors (PRX Eq. 14).

    Parameters
    ----------
    rho
        (D, D) density matrix.
    dims
        Dimensions of the factors.
    part
        Factors of one side.

    Returns
    -------
    float
        ``S_part + S_rest - S`` in nats, at least 0; 2 ln 2 for a Bell pair.
    """
    dims, part = _checked(rho, dims, part)
    rest = [k for k in range(len(dims)) if k not in part]
    one = von_neumann(partial_trace(rho, dims, part))
    other = von_neumann(partial_trace(rho, dims, rest))
    return max(0.0, one + other - von_neumann(rho))


def concurrence(rho: np.ndarray) -> float:
    """Wootters concurrence of a (4, 4) density matrix of two spins 1/2.

    ``max(0, l1 - l2 - l3 - l4)`` with l the descending square roots of the eigenvalues of
    ``rho (sy sy) rho* (sy sy)``; they are computed as singular values of
    ``sqrt(rho)^T (sy sy) sqrt(rho)``, which does not lose half of the digits.

    Raises
    ------
    InputError
        If the matrix is not 4 x 4.
    """
    rho = _of_two_spins("concurrence", rho)
    values, vectors = np.linalg.eigh(rho)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    flip = np.zeros((4, 4))
    flip[[0, 1, 2, 3], [3, 2, 1, 0]] = [-1, 1, 1, -1]
    singular = np.linalg.svd(root.T @ flip @ root, compute_uv=False)
    return float(max(0.0, singular[0] - singular[1:].sum()))


def correlation_matrix(rho: np.ndarray, dims: tuple[int, int] = (2, 2)) -> np.ndarray:
    """(3, 3) real matrix ``Tr rho S^k S^l / (S S')`` of two spins of ``dims`` states each.

    Of spins 1/2 it is the matrix T of QLLG Eq. 9.

    Raises
    ------
    InputError
        If the matrix is not that of two such spins.
    """
    _checked(rho, dims, ())
    first, second = (unit_spin(dim) for dim in dims)
    return np.einsum("abcd,kca,ldb->kl", np.reshape(rho, dims * 2), first, second).real


@cache
def unit_spin(dim: int) -> np.ndarray:
    """(3, d, d) matrices of S / S of a spin with d states."""
    site = spin((dim - 1) / 2)
    return np.stack([site.op(f"S{axis}") for axis in "xyz"]) * (2 / (dim - 1))


def bell_nonlocality(rho: np.ndarray) -> float:
    """Bell nonlocality ``sqrt(max(u1^2 + u2^2 - 1, 0))`` of two spins 1/2 (QLLG, below Eq. 9).

    u are the two largest singular values of the correlation matrix: 1 for Bell states, above 0 only
    where some measurement violates the CHSH inequality (Horodecki et al., PLA 200, 340).

    Raises
    ------
    InputError
        If the matrix is not 4 x 4.
    """
    singular = np.linalg.svd(correlation_matrix(rho), compute_uv=False)
    return float(np.sqrt(max(singular[0] ** 2 + singular[1] ** 2 - 1.0, 0.0)))


def trace_distance(rho: np.ndarray, other: np.ndarray) -> float:
    """Half the trace norm of the difference of two (D, D) density matrices: 0 to 1."""
    difference = np.asarray(rho) - np.asarray(other)
    return float(0.5 * np.abs(np.linalg.eigvalsh(difference)).sum())


def meyer_wallach(rdms: Iterable[np.ndarray], multiplicity: Sequence[float] | None = None) -> float:
    """Meyer-Wallach global entanglement of spins 1/2 from their reduced states (PRX Eq. 13).

    ``2 (1 - mean purity)``: 0 for product states, 1 when every spin is maximally mixed.

    Parameters
    ----------
    rdms
        (2, 2) density matrices, one per spin or per kind of spin.
    multiplicity
        How many spins share each density matrix (identical electrons); 1 each by default.

    Raises
    ------
    InputError
        If no density matrix is given or one is not 2 x 2.
    """
    matrices = [np.asarray(rho) for rho in rdms]
    if not matrices or any(rho.shape != (2, 2) for rho in matrices):
        raise InputError("meyer_wallach: needs the 2 x 2 density matrices of spins 1/2")
    weights = np.ones(len(matrices)) if multiplicity is None else np.asarray(multiplicity, float)
    return float(2 * (1 - np.average([purity(rho) for rho in matrices], weights=weights)))


def _checked(
    rho: np.ndarray, dims: Sequence[int], part: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Normalized ``dims`` and ``part``, refused if they do not describe ``rho``."""
    dims, part = tuple(int(d) for d in dims), tuple(int(k) for k in part)
    if np.shape(rho) != (prod(dims), prod(dims)):
        raise InputError(f"dims: {dims} does not match a matrix of shape {np.shape(rho)}")
    if len(set(part)) != len(part) or any(not 0 <= k < len(dims) for k in part):
        raise InputError(f"part: {part} must be distinct factors in 0..{len(dims) - 1}")
    return dims, part


def _of_two_spins(name: str, rho: np.ndarray) -> np.ndarray:
    """A density matrix of two spins 1/2, refused if it is of anything else."""
    rho = np.asarray(rho)
    if rho.shape != (4, 4):
        raise InputError(f"{name}: needs two spins 1/2 (4 x 4), got shape {rho.shape}")
    return rho
