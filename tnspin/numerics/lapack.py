"""BLAS and LAPACK inside compiled code: row-major wrappers without the interpreter lock.

numba's own ``@`` and ``np.linalg`` allocate, check and copy on every call.  The
matrices of a block-sparse update are small (10 to 200 rows), so that overhead
would dominate.  Here the routines that scipy ships are bound by symbol name,
which keeps compiled functions cacheable on disk.

All matrices are row-major and passed as one-dimensional arrays with a leading
dimension (row stride), so a block inside a larger buffer needs no copy.  Fortran
sees the transpose of each; the wrappers choose the flags accordingly.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numba import njit, types
from numba.extending import get_cython_function_address

_Z = types.CPointer(types.complex128)
_D = types.CPointer(types.float64)
_I = types.CPointer(types.int32)
_C = types.CPointer(types.uint8)


def _bind(module: str, name: str, *arguments: Any) -> Any:
    symbol = f"tnspin_{name}"
    llvm.add_symbol(symbol, get_cython_function_address(f"scipy.linalg.cython_{module}", name))
    return types.ExternalFunction(symbol, types.void(*arguments))


_zgemm = _bind("blas", "zgemm", _C, _C, _I, _I, _I, _Z, _Z, _I, _Z, _I, _Z, _Z, _I)
_zherk = _bind("blas", "zherk", _C, _C, _I, _I, _D, _Z, _I, _D, _Z, _I)
_ztrsm = _bind("blas", "ztrsm", _C, _C, _C, _C, _I, _I, _Z, _Z, _I, _Z, _I)
_zpotrf = _bind("lapack", "zpotrf", _C, _I, _Z, _I, _I)
_zheevd = _bind("lapack", "zheevd", _C, _C, _I, _Z, _I, _D, _Z, _I, _D, _I, _I, _I, _I)
_zgesdd = _bind("lapack", "zgesdd", _C, _I, _I, _Z, _I, _D, _Z, _I, _Z, _I, _Z, _I, _D, _I, _I)
_zhetrd = _bind("lapack", "zhetrd", _C, _I, _Z, _I, _D, _D, _Z, _Z, _I, _I)
_zungtr = _bind("lapack", "zungtr", _C, _I, _Z, _I, _Z, _Z, _I, _I)
_dgemm = _bind("blas", "dgemm", _C, _C, _I, _I, _I, _D, _D, _I, _D, _I, _D, _D, _I)
_zgeqrf = _bind("lapack", "zgeqrf", _I, _I, _Z, _I, _Z, _Z, _I, _I)
_zungqr = _bind("lapack", "zungqr", _I, _I, _I, _Z, _I, _Z, _Z, _I, _I)
_zgelqf = _bind("lapack", "zgelqf", _I, _I, _Z, _I, _Z, _Z, _I, _I)
_zunglq = _bind("lapack", "zunglq", _I, _I, _I, _Z, _I, _Z, _Z, _I, _I)

PLAIN = 78  # 'N'
ADJOINT = 67  # 'C': conjugate transpose


@njit(cache=True, nogil=True)
def gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """``c (m, n) = alpha op_a(a) (m, k) @ op_b(b) (k, n) + beta c``, row-major."""
    if m == 0 or n == 0:
        return
    flags = np.array([op_b, op_a], dtype=np.uint8)
    size = np.array([n, m, k, ldb, lda, ldc], dtype=np.int32)
    scale = np.array([alpha, beta], dtype=np.complex128)
    _zgemm(
        flags.ctypes, flags[1:].ctypes, size.ctypes, size[1:].ctypes, size[2:].ctypes,
        scale.ctypes, b.ctypes, size[3:].ctypes, a.ctypes, size[4:].ctypes,
        scale[1:].ctypes, c.ctypes, size[5:].ctypes,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _gram(op, n, k, a, lda, g):
    """One triangle of a Gram matrix (n, n): Fortran's upper one, which is our lower one."""
    flags = np.array([85, op], dtype=np.uint8)
    size = np.array([n, k, lda], dtype=np.int32)
    scale = np.array([1.0, 0.0])
    _zherk(
        flags.ctypes, flags[1:].ctypes, size.ctypes, size[1:].ctypes, scale.ctypes,
        a.ctypes, size[2:].ctypes, scale[1:].ctypes, g.ctypes, size.ctypes,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def gram_rows(m, k, a, lda, g):
    """Lower triangle of ``g (m, m) = a (m, k) @ a^H``."""
    # Fortran sees f = a^T (k, m) and computes f^H f = conj(a a^H).
    _gram(ADJOINT, m, k, a, lda, g)


@njit(cache=True, nogil=True)
def gram_columns(m, k, a, lda, g):
    """Lower triangle of ``g (k, k) = a^H @ a`` for ``a (m, k)``."""
    # Fortran sees f = a^T (k, m) and computes f f^H = conj(a^H a).
    _gram(PLAIN, k, m, a, lda, g)


@njit(cache=True, nogil=True)
def cholesky(n, g):
    """In place ``g = L L^H``, L in the lower triangle (row-major). Returns LAPACK's info."""
    # Fortran holds conj(g) in its upper triangle and finds R = L^T with conj(g) = R^H R.
    flags = np.array([85], dtype=np.uint8)
    size = np.array([n, 0], dtype=np.int32)
    _zpotrf(flags.ctypes, size.ctypes, g.ctypes, size.ctypes, size[1:].ctypes)
    return size[1]


@njit(cache=True, nogil=True)
def solve_lower(m, n, lower, ldl, b, ldb):
    """In place ``b (m, n) = L^-1 b`` for the leading m rows of the factor of `cholesky`."""
    # b_f = b^T (n, m); (L^-1 b)^T = b_f L^-T, and Fortran holds L^T as its upper triangle.
    flags = np.array([82, 85, PLAIN, 78], dtype=np.uint8)
    size = np.array([n, m, ldb, ldl], dtype=np.int32)
    scale = np.array([1.0 + 0.0j])
    _ztrsm(
        flags.ctypes, flags[1:].ctypes, flags[2:].ctypes, flags[3:].ctypes, size.ctypes,
        size[1:].ctypes, scale.ctypes, lower.ctypes, size[3:].ctypes, b.ctypes, size[2:].ctypes,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def gemm_real(m, n, k, a, b, c):
    """``c (m, n) = a (m, k) @ b (k, n)`` of real matrices without gaps."""
    flags = np.array([PLAIN], dtype=np.uint8)
    size = np.array([n, m, k], dtype=np.int32)
    scale = np.array([1.0, 0.0])
    _dgemm(
        flags.ctypes, flags.ctypes, size.ctypes, size[1:].ctypes, size[2:].ctypes, scale.ctypes,
        b.ctypes, size.ctypes, a.ctypes, size[2:].ctypes, scale[1:].ctypes, c.ctypes, size.ctypes,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def tridiagonalize(n, g, diagonal, off):
    """Reduce ``g`` (lower triangle, row-major) to a real tridiagonal t.

    ``g`` becomes the unitary h with ``g = h^H t h``; ``diagonal (n)`` and ``off (n - 1)`` are t.
    """
    flags = np.array([85], dtype=np.uint8)
    lwork = 32 * n
    size = np.array([n, lwork, 0], dtype=np.int32)
    tau = np.empty(n, dtype=np.complex128)
    work = np.empty(lwork, dtype=np.complex128)
    _zhetrd(
        flags.ctypes, size.ctypes, g.ctypes, size.ctypes, diagonal.ctypes, off.ctypes, tau.ctypes,
        work.ctypes, size[1:].ctypes, size[2:].ctypes,
    )  # fmt: skip
    _zungtr(
        flags.ctypes, size.ctypes, g.ctypes, size.ctypes, tau.ctypes, work.ctypes, size[1:].ctypes,
        size[2:].ctypes,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def divide_and_conquer(n, g, w):
    """Eigenvalues ascending into ``w``; ``g`` becomes U^H, one eigenvector per row."""
    if n == 1:
        w[0] = g[0].real
        g[0] = 1.0
        return 0
    flags = np.array([86, 85], dtype=np.uint8)
    lwork, lrwork, liwork = 2 * n + n * n, 1 + 5 * n + 2 * n * n, 3 + 5 * n
    size = np.array([n, lwork, lrwork, liwork, 0], dtype=np.int32)
    work = np.empty(lwork, dtype=np.complex128)
    rwork = np.empty(lrwork)
    iwork = np.empty(liwork, dtype=np.int32)
    _zheevd(
        flags.ctypes, flags[1:].ctypes, size.ctypes, g.ctypes, size.ctypes, w.ctypes,
        work.ctypes, size[1:].ctypes, rwork.ctypes, size[2:].ctypes, iwork.ctypes,
        size[3:].ctypes, size[4:].ctypes,
    )  # fmt: skip
    return size[4]


@njit(cache=True, nogil=True)
def svd(m, n, a, s, u, vh):
    """``a (m, n) = u (m, k) diag(s) vh (k, n)``, k = min(m, n), s descending; destroys ``a``."""
    # Fortran sees a^T = vh^T diag(s) u^T: its left factor is vh^T, its right one u^T.
    k = min(m, n)
    big = max(m, n)
    lwork = k * k + 2 * k + 2 * big + 64 * (k + big)
    lrwork = max(5 * k * k + 7 * k, 2 * big * k + 2 * k * k + k)
    flags = np.array([83], dtype=np.uint8)
    size = np.array([n, m, k, lwork, 0], dtype=np.int32)
    work = np.empty(lwork, dtype=np.complex128)
    rwork = np.empty(max(1, lrwork))
    iwork = np.empty(8 * k, dtype=np.int32)
    _zgesdd(
        flags.ctypes, size.ctypes, size[1:].ctypes, a.ctypes, size.ctypes, s.ctypes,
        vh.ctypes, size.ctypes, u.ctypes, size[2:].ctypes, work.ctypes, size[3:].ctypes,
        rwork.ctypes, iwork.ctypes, size[4:].ctypes,
    )  # fmt: skip
    return size[4]


@njit(cache=True, nogil=True)
def qr(m, n, a, r):
    """``a (m, n) = q (m, k) r (k, n)``, k = min(m, n); q overwrites ``a`` with row stride k.

    ``r`` must hold k * n entries.  Fortran sees the transposed problem, an LQ.
    """
    k = min(m, n)
    lwork = 32 * max(m, n)
    size = np.array([n, m, k, lwork, 0], dtype=np.int32)
    tau = np.empty(k, dtype=np.complex128)
    work = np.empty(lwork, dtype=np.complex128)
    _zgelqf(
        size.ctypes, size[1:].ctypes, a.ctypes, size.ctypes, tau.ctypes, work.ctypes,
        size[3:].ctypes, size[4:].ctypes,
    )  # fmt: skip
    for i in range(k):
        for j in range(n):
            # Fortran's L[j, i] (lower: j >= i) lies at a[i * n + j]; r = L^T.
            r[i * n + j] = a[i * n + j] if j >= i else 0.0
    _zunglq(
        size[2:].ctypes, size[1:].ctypes, size[2:].ctypes, a.ctypes, size.ctypes, tau.ctypes,
        work.ctypes, size[3:].ctypes, size[4:].ctypes,
    )  # fmt: skip
    if k < n:
        for i in range(m):
            for j in range(k):
                a[i * k + j] = a[i * n + j]
    return k


@njit(cache=True, nogil=True)
def lq(m, n, a, low):
    """``a (m, n) = low (m, k) q (k, n)``, k = min(m, n); q overwrites the first k rows of ``a``."""
    k = min(m, n)
    lwork = 32 * max(m, n)
    size = np.array([n, m, k, lwork, 0], dtype=np.int32)
    tau = np.empty(k, dtype=np.complex128)
    work = np.empty(lwork, dtype=np.complex128)
    _zgeqrf(
        size.ctypes, size[1:].ctypes, a.ctypes, size.ctypes, tau.ctypes, work.ctypes,
        size[3:].ctypes, size[4:].ctypes,
    )  # fmt: skip
    for i in range(m):
        for j in range(k):
            # Fortran's R[j, i] (upper: j <= i) lies at a[i * n + j]; low = R^T.
            low[i * k + j] = a[i * n + j] if j <= i else 0.0
    _zungqr(
        size.ctypes, size[2:].ctypes, size[2:].ctypes, a.ctypes, size.ctypes, tau.ctypes,
        work.ctypes, size[3:].ctypes, size[4:].ctypes,
    )  # fmt: skip
    return k
