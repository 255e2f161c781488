"""Eigenvectors of the small Hermitian matrices that a truncation needs by the thousand.

LAPACK's drivers spend two thirds of their time after the reduction to tridiagonal form: below
25 rows they rotate complex columns one by one, above it they divide and conquer with much
bookkeeping.  Here the tridiagonal problem is solved by implicit QL with real rotations of
contiguous rows, and one real matrix product transforms back.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tnspin.numerics.lapack import divide_and_conquer, gemm_real, tridiagonalize

#: Divide and conquer deflates, so it wins for larger matrices (measured).
_LARGE = 100
_MAX_ITERATIONS = 60
_EPSILON = 2.0**-52


@njit(cache=True, nogil=True)
def _rotate(n, low, high, cosines, sines, rows, carry):
    """Rotate each of the rows ``high - 1`` down to ``low`` with the row below it, in that order.

    The row that two rotations share waits in ``carry`` instead of in ``rows``.
    """
    carry[:] = rows[high * n : (high + 1) * n]
    for i in range(high - 1, low - 1, -1):
        c, s = cosines[i], sines[i]
        here, below = rows[i * n : (i + 1) * n], rows[(i + 1) * n : (i + 2) * n]
        for k in range(n):
            x, y = here[k], carry[k]
            below[k] = s * x + c * y
            carry[k] = c * x - s * y
    rows[low * n : (low + 1) * n] = carry


@njit(cache=True, nogil=True)
def _implicit_ql(n, d, e, rows):
    """Eigenvalues of a tridiagonal matrix into ``d``; rotates ``rows`` along with it.

    ``e (n)`` holds the off-diagonal in its first n - 1 entries.  Implicit shifts as in EISPACK's
    imtql2.  Returns False if an eigenvalue does not converge.
    """
    cosines, sines, carry = np.empty(n), np.empty(n), np.empty(n)
    e[n - 1] = 0.0
    for low in range(n):
        for iteration in range(_MAX_ITERATIONS + 1):
            m = low
            while m < n - 1 and abs(e[m]) > _EPSILON * (abs(d[m]) + abs(d[m + 1])):
                m += 1
            if m == low:
                break
            if iteration == _MAX_ITERATIONS:
                return False
            g = (d[low + 1] - d[low]) / (2.0 * e[low])
            r = np.sqrt(g * g + 1.0)
            g = d[m] - d[low] + e[low] / (g + (r if g >= 0.0 else -r))
            s, c, p = 1.0, 1.0, 0.0
            first = low
            for i in range(m - 1, low - 1, -1):
                f, b = s * e[i], c * e[i]
                r = np.sqrt(f * f + g * g)
                e[i + 1] = r
                if r == 0.0:  # the matrix splits here
                    d[i + 1] -= p
                    e[m] = 0.0
                    first = i + 1
                    break
                s, c = f / r, g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                cosines[i], sines[i] = c, s
            _rotate(n, first, m, cosines, sines, rows, carry)
            if first == low:
                d[low] -= p
                e[low] = g
                e[m] = 0.0
    return True


@njit(cache=True, nogil=True)
def eigh(n, g, w):
    """Eigenvalues ascending into ``w``; ``g`` becomes U^H, one eigenvector per row.

    Reads the lower triangle (row-major) of ``g (n, n)``.
    """
    if n == 1 or n > _LARGE:
        divide_and_conquer(n, g, w)
        return
    copy = g[: n * n].copy()
    d, e = np.empty(n), np.empty(n)
    tridiagonalize(n, g, d, e)
    rows = np.zeros(n * n)
    # Small entries first: QL then takes half as many rotations on a graded spectrum.
    flip = abs(d[n - 1]) < abs(d[0])
    if flip:
        d = d[::-1].copy()
        e[: n - 1] = e[: n - 1][::-1].copy()
    for i in range(n):
        rows[i * n + (n - 1 - i if flip else i)] = 1.0
    if not _implicit_ql(n, d, e, rows):
        g[: n * n] = copy
        divide_and_conquer(n, g, w)
        return
    order = np.argsort(d)
    sorted_rows = np.empty(n * n)
    for i in range(n):
        w[i] = d[order[i]]
        sorted_rows[i * n : (i + 1) * n] = rows[order[i] * n : (order[i] + 1) * n]
    basis = g[: n * n].copy()
    gemm_real(n, 2 * n, n, sorted_rows, basis.view(np.float64), g.view(np.float64))
