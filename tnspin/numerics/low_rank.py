"""Eigenvalues of positive matrices whose rank is far below their size."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import zpstrf

from tnspin.numerics.arrays import Complexes

# Matrices worth factorizing before they are diagonalized, and the pivots that count as zero.
_SMALL = 128
_ROUND_OFF = 1e-16


def compact(rho: Complexes, scale: float = 1.0) -> Complexes:
    """Return a smaller matrix with the eigenvalues of a positive one, but those that are zero.

    ``rho = L L^H`` with as many columns as the rank (Cholesky with pivots), and ``L^H L`` has the
    same eigenvalues.

    Parameters
    ----------
    rho
        (n, n) Hermitian, positive up to round-off.
    scale
        What eigenvalues are compared with, such as the trace of all blocks: together those left
        out are below ``1e-16 n scale``.

    Returns
    -------
    ndarray
        (r, r), or ``rho`` itself where it is small or its rank is not low.
    """
    if len(rho) < _SMALL:
        return rho
    factor, _, rank, _ = zpstrf(rho, tol=_ROUND_OFF * scale, lower=1)
    if 2 * rank > len(rho):
        return rho
    columns = np.tril(factor)[:, :rank]
    return columns.conj().T @ columns
