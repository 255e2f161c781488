"""Quantum Fisher information of the z components of localized spins, in plain numpy.

The generator is the spatial Fourier component ``sum_j exp(i k r_j) S^z_j`` with positions r_j in
lattice spacings and spin matrices divided by S, so that they have eigenvalues up to 1 (Pauli
matrices for spins 1/2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Reals
from tnspin.observables.groups.state import GroupState
from tnspin.observables.magnons import sz_values


def fisher_bound(
    correlations: ArrayLike, means: ArrayLike, positions: Sequence[float], k: Sequence[float]
) -> Reals:
    r"""Four times the variance of the Fourier components per spin: PRA Eq. 29 as printed.

    .. math::
        f_Q(k) = \frac{4}{N} \sum_{ij} e^{ik(r_i - r_j)}
                 [\langle S^z_i S^z_j\rangle - \langle S^z_i\rangle \langle S^z_j\rangle]

    (with the i that the exponent needs).  It is the quantum Fisher information of pure states.  Of
    mixed states it is only an upper bound, which classical correlations raise as well: it does
    not witness entanglement (`fisher_information` does).  Two groups of one spin each exceed
    2 in the spin valve although their negativity is zero.

    Parameters
    ----------
    correlations
        (N, N) real ``<S^z_i S^z_j>``, S^z divided by S.
    means
        (N,) real ``<S^z_i>``, likewise.
    positions
        Positions of the N spins, in lattice spacings.
    k
        Wavevectors, in 1/spacing.

    Returns
    -------
    ndarray
        One value per wavevector.
    """
    mean = np.asarray(means, float)
    covariance = np.asarray(correlations, float) - np.outer(mean, mean)
    phases = np.exp(1j * np.outer(k, positions))
    values = np.einsum("ki,ij,kj->k", phases, covariance, phases.conj()).real
    return 4 / mean.size * values


def fisher_information(
    state: GroupState, dims: Sequence[int], positions: Sequence[float], k: Sequence[float]
) -> Reals:
    r"""Quantum Fisher information of a mixed state per spin.

    .. math::
        F[A] = 2 \sum_{mn} \frac{(p_m - p_n)^2}{p_m + p_n} |\langle m|A|n\rangle|^2

    over the eigenvectors of the density matrix, summed over the two Hermitian generators
    ``A = sum_j cos(k r_j) S^z_j`` and ``sum_j sin(k r_j) S^z_j`` and divided by the number of
    spins; for pure states this is `fisher_bound`.  Separable states have at most 4 (in the units
    of the module), so that a larger value shows entanglement.

    Parameters
    ----------
    state
        Density matrix of the spins in their product basis.
    dims
        2S + 1 of each spin, in the order of the basis.
    positions, k
        As for `fisher_bound`.

    Raises
    ------
    InputError
        If the state is compressed, so that its basis is no longer that of the spins.
    """
    if state.compressed:
        raise InputError("state: compressed groups have lost the basis of their spins")
    phases = np.outer(k, positions)
    sz = sz_values(dims).reshape(len(dims), *state.dims)
    # One diagonal generator per wavevector and quadrature, over all pairs of basis vectors.
    generators = np.tensordot(np.concatenate([np.cos(phases), np.sin(phases)]), sz, axes=1)
    total = np.add.outer(*state.charges)
    values = np.zeros(len(generators))
    for q, block in state.blocks.items():
        values += _block_information(block, generators[:, total == q])
    return values.reshape(2, -1).sum(axis=0) / len(dims)


def _block_information(rho: NDArray[np.complex128], diagonals: Reals) -> Reals:
    """F of each diagonal generator (n,) in one block of the density matrix."""
    p, vectors = np.linalg.eigh(rho)
    p = np.clip(p, 0, None)
    pairs = np.add.outer(p, p)
    # Two empty eigenvectors contribute nothing.
    weights = np.divide(
        np.subtract.outer(p, p) ** 2, pairs, out=np.zeros_like(pairs), where=pairs > 0
    )
    bra = vectors.conj().T
    elements = (np.abs(bra @ (d[:, None] * vectors)) ** 2 for d in diagonals)
    return np.array([2 * float(np.vdot(weights, one)) for one in elements])
