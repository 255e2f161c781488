"""Compiled bookkeeping of charge blocks: lookups, and blocks gathered into large matrices.

Every basis state of a site has a definite charge, encoded with all U(1) charges in one
additive integer key (see `charges`), so a site tensor is a set of blocks
``(left sector, physical state) -> matrix``; the right sector follows.  It is stored as a table
``offset[left sector, p]`` (-1: no block) into one flat buffer of row-major blocks.

A local state that several others share a charge with has blocks of its own; the gathered matrices
below put all blocks of one middle sector on top of or beside each other.
"""

from typing import NamedTuple

import numpy as np
from numba import njit


class RowBlocks(NamedTuple):
    """Blocks of a left tensor on top of each other, one matrix per middle sector.

    ``row (middle, p)``: first row of a block, -1 if absent; ``left``: its left sector;
    ``height``, ``start``: rows of each matrix and where it begins in ``data``.
    """

    row: np.ndarray
    left: np.ndarray
    height: np.ndarray
    start: np.ndarray
    data: np.ndarray


class ColumnBlocks(NamedTuple):
    """Blocks of a right tensor side by side, one matrix per middle sector.

    ``column (middle, p)``: first column of a block, -1 if absent; ``right``: its right sector;
    ``width``, ``start``: columns of each matrix and where it begins in ``data``.
    """

    column: np.ndarray
    right: np.ndarray
    width: np.ndarray
    start: np.ndarray
    data: np.ndarray


@njit(cache=True, nogil=True)
def find(keys, key):
    """Position of ``key`` in the ascending ``keys``, or -1."""
    low, high = 0, keys.size
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < keys.size and keys[low] == key else -1


@njit(cache=True, nogil=True)
def starts_of(dims):
    """Where each of consecutive pieces of these sizes begins, and the total at the end."""
    start = np.zeros(dims.size + 1, dtype=np.int64)
    for k in range(dims.size):
        start[k + 1] = start[k] + dims[k]
    return start


@njit(cache=True, nogil=True)
def stacked(sector, dims):
    """Places of blocks one after the other in each matrix: first row (m, p), and total rows (m).

    ``sector (m, p)``: sector of ``dims`` from which a block comes, -1 where there is none.
    """
    first, total = np.full(sector.shape, -1, dtype=np.int64), np.zeros(len(sector), dtype=np.int64)
    for m in range(sector.shape[0]):
        for p in range(sector.shape[1]):
            if sector[m, p] >= 0:
                first[m, p] = total[m]
                total[m] += dims[sector[m, p]]
    return first, total


@njit(cache=True, nogil=True)
def set_rows(row, left, at, width, offset):
    """Enter where the blocks of one matrix (rows, width) at ``at`` begin into ``offset``."""
    for p in range(row.size):
        if row[p] >= 0:
            offset[left[p], p] = at + row[p] * width


@njit(cache=True, nogil=True)
def gather_rows(m_keys, m_dims, l_keys, l_dims, q, offset, data):
    """`RowBlocks` of a tensor whose right bond is (m_keys, m_dims)."""
    n, d = m_keys.size, q.size
    left = np.full((n, d), -1, dtype=np.int64)
    for m in range(n):
        for p in range(d):
            sector = find(l_keys, m_keys[m] - q[p])
            if sector >= 0 and offset[sector, p] >= 0:
                left[m, p] = sector
    row, height = stacked(left, l_dims)
    start = starts_of(height * m_dims)
    out = np.empty(start[n], dtype=np.complex128)
    for m in range(n):
        for p in range(d):
            if row[m, p] >= 0:
                size = l_dims[left[m, p]] * m_dims[m]
                to, at = start[m] + row[m, p] * m_dims[m], offset[left[m, p], p]
                out[to : to + size] = data[at : at + size]
    return RowBlocks(row, left, height, start, out)


@njit(cache=True, nogil=True)
def gather_columns(m_keys, m_dims, r_keys, r_dims, q, offset, data):
    """`ColumnBlocks` of a tensor whose left bond is (m_keys, m_dims)."""
    n, d = m_keys.size, q.size
    right = np.full((n, d), -1, dtype=np.int64)
    for m in range(n):
        for p in range(d):
            if offset[m, p] >= 0:
                right[m, p] = find(r_keys, m_keys[m] + q[p])
    column, width = stacked(right, r_dims)
    start = starts_of(width * m_dims)
    out = np.empty(start[n], dtype=np.complex128)
    for m in range(n):
        for p in range(d):
            if column[m, p] >= 0:
                size = r_dims[right[m, p]]
                for i in range(m_dims[m]):
                    to = start[m] + i * width[m] + column[m, p]
                    at = offset[m, p] + i * size
                    out[to : to + size] = data[at : at + size]
    return ColumnBlocks(column, right, width, start, out)


@njit(cache=True, nogil=True)
def scatter_columns(rows, cols, column, right, r_dims, source, offset, data, to):
    """Copy a matrix (rows, cols) of blocks side by side into contiguous blocks of ``data``.

    ``offset (p)`` receives where each block went; returns the next free place after ``to``.
    """
    for p in range(column.size):
        if column[p] < 0:
            continue
        size = r_dims[right[p]]
        offset[p] = to
        for i in range(rows):
            at = i * cols + column[p]
            data[to : to + size] = source[at : at + size]
            to += size
    return to
