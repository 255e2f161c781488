"""Couplings of classical spins, sorted in the order in which kernels read them.

Most couplings of a lattice are the same matrix at the same distance from every spin.  They are
kept as runs: ranges of spins along which matrix and distance do not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.numerics.arrays import Complexes, Ints, Reals

#: Borders of tiles and their first runs; first and last spin, distance and kind of runs.
_Tiles = tuple[Ints, Ints, Ints, Ints, Ints, Ints]
#: Spins and copies of them whose field stays in the fastest cache.
_TILE = 1024


@dataclass(frozen=True, eq=False)
class Fields:
    """The gradient of an energy at one time as arrays, for compiled kernels.

    Attributes
    ----------
    constant : (3, N)
        Field of no other spins.
    borders : (T + 1,)
        First spin of each tile, and N.
    starts : (T + 1,)
        First run of each tile.
    firsts, lasts, distances, kinds : (K,)
        Runs: the field of each spin i of first..last has ``blocks[kind] n[i + distance]``.
    blocks, diagonal : (U, 3, 3), (U,) bool
    high_starts, high_values, high_others : (3 N + 1,), (H,), (H, p)
        Beyond quadratic energies: component c = 3 i + axis has, for each
        ``k = high_starts[c]..high_starts[c+1]``, the product of ``high_values[k]`` and the
        components ``high_others[k]`` (-1: none).
    """

    constant: Reals
    borders: Ints
    starts: Ints
    firsts: Ints
    lasts: Ints
    distances: Ints
    kinds: Ints
    blocks: Reals
    diagonal: NDArray[np.bool_]
    high_starts: Ints
    high_values: Reals
    high_others: Ints

    @property
    def arrays(self) -> tuple[Any, ...]:
        """All but the constant part, in the order in which kernels take them."""
        return tuple(getattr(self, item.name) for item in fields(self)[1:])

    def largest(self) -> float:
        """Upper bound of the length of any field, for unit vectors."""
        bound = np.linalg.norm(self.constant, axis=0)
        if len(self.blocks):
            sizes = np.linalg.norm(self.blocks, 2, axis=(1, 2))[self.kinds]
            steps = np.zeros(len(bound) + 1)
            np.add.at(steps, self.firsts, sizes)
            np.add.at(steps, self.lasts, -sizes)
            bound = bound + np.cumsum(steps)[:-1]
        rows = np.repeat(np.arange(3 * len(bound)) // 3, np.diff(self.high_starts))
        bound = bound + np.bincount(rows, np.abs(self.high_values), len(bound))
        return float(bound.max(initial=0.0))


def tile_borders(size: int, copies: int) -> Ints:
    """First spin of each tile of ``size`` spins in ``copies`` copies, and ``size``."""
    each = max(1, _TILE // copies)
    return np.append(np.arange(0, size, each), size).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Couplings:
    """Derivatives of an energy, one set of coefficients for each of P functions of time.

    Attributes
    ----------
    constant : (P, 3, N) complex
    runs : (K, 4) int
        First spin, last spin + 1, distance, kind; ascending.
    blocks : (P, U, 3, 3) complex
    high_starts, high_values, high_others : (3 N + 1,), (P, H) complex, (H, p)
        As for `Fields`.
    """

    constant: Complexes
    runs: Ints
    blocks: Complexes
    high_starts: Ints
    high_values: Complexes
    high_others: Ints
    _cut: dict[int, _Tiles] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, spins: Reals, monomials: Ints, parts: Sequence[Complexes]) -> Couplings:
        """Differentiate: of (M, p) monomials, padded with 3 N, with (M,) coefficients each."""
        size, one = len(spins), 3 * len(spins)
        values = np.array(parts).reshape(len(parts), -1)
        scale = -1.0 / np.append(np.repeat(spins, 3), 1.0)
        degree = (monomials < one).sum(axis=1)
        constant = np.zeros((len(values), 3 * size), dtype=np.complex128)
        linear = np.flatnonzero(degree == 1)
        where = monomials[linear, 0]
        constant[:, where] = scale[where] * values[:, linear]
        pairs = np.flatnonzero(degree == 2)
        a, b = monomials[pairs, :2].T if len(pairs) else np.zeros((2, 0), dtype=np.int64)
        # d(n_a n_b) = n_b dn_a + n_a dn_b; of n_a^2 both are the same component.
        a, b, each = np.append(a, b), np.append(b, a), np.append(pairs, pairs)
        runs, blocks = _runs(size, a, b, scale[a] * values[:, each])
        high = _high(one, scale, monomials[degree > 2], values[:, degree > 2])
        return cls(constant.reshape(-1, size, 3).transpose(0, 2, 1), runs, blocks, *high)

    def fields(self, strengths: Complexes, copies: int) -> Fields:
        """Arrays for kernels, from the values of the functions of time and the number of copies."""

        def real(values: Complexes) -> Any:
            return np.ascontiguousarray(np.tensordot(strengths, values, axes=1).real)

        if copies not in self._cut:
            borders = tile_borders(self.constant.shape[2], copies)
            self._cut[copies] = borders, *tiled(self.runs, borders)
        blocks = real(self.blocks)
        diagonal = ~np.any(blocks * (1 - np.eye(3)), axis=(1, 2))
        return Fields(
            real(self.constant), *self._cut[copies], blocks, diagonal, self.high_starts,
            real(self.high_values), self.high_others,
        )  # fmt: skip


def tiled(runs: Ints, borders: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """First run of each tile, and the runs cut at the borders of tiles and sorted by them."""
    width = int(borders[1] - borders[0]) if len(borders) > 1 else 1
    first, last, distance, kind = runs.T
    tile = first // width
    counts = (last - 1) // width - tile + 1
    which = np.repeat(np.arange(len(first)), counts)
    tile = tile[which] + np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = np.argsort(tile, kind="stable")
    which, tile = which[order], tile[order]
    starts = np.searchsorted(tile, np.arange(len(borders)))
    firsts = np.maximum(first[which], tile * width)
    lasts = np.minimum(last[which], (tile + 1) * width)
    return starts, firsts, lasts, distance[which].copy(), kind[which].copy()


def _runs(size: int, a: Ints, b: Ints, values: Complexes) -> tuple[Ints, Complexes]:
    """Runs and blocks of the couplings of component ``a`` to ``b`` with (P, K) values."""
    keys, place = np.unique((a // 3) * size + b // 3, return_inverse=True)
    blocks = np.zeros((len(values), len(keys), 9), dtype=np.complex128)
    for part, one in zip(blocks, values, strict=True):
        flat = place.reshape(-1) * 9 + 3 * (a % 3) + b % 3
        part.ravel()[:] = np.bincount(flat, one.real, part.size)
        part.ravel()[:] += 1j * np.bincount(flat, one.imag, part.size)
    if not len(keys):
        return np.zeros((0, 4), dtype=np.int64), blocks.reshape(len(values), 0, 3, 3)
    kind, representatives = _kinds(blocks.transpose(1, 0, 2).reshape(len(keys), -1))
    row = keys // size
    distance = keys % size - row
    order = np.lexsort((row, distance))
    row, distance, kind = row[order], distance[order], kind[order]
    fresh = np.ones(len(row), dtype=bool)
    fresh[1:] = (np.diff(row) != 1) | (np.diff(distance) != 0) | (np.diff(kind) != 0)
    start = np.flatnonzero(fresh)
    stop = np.append(start[1:], len(row)) - 1
    runs = np.stack([row[start], row[stop] + 1, distance[start], kind[start]], axis=1)
    runs = runs[np.argsort(runs[:, 0], kind="stable")]
    return runs, blocks[:, representatives].reshape(len(values), len(representatives), 3, 3)


def _kinds(rows: Complexes) -> tuple[Ints, Ints]:
    """Number of the kind of each of (K, c) rows, and a row of each kind."""
    weights = np.random.default_rng(0).standard_normal(2 * rows.shape[1])
    plain = rows.view(np.float64)
    # Sorting one number per row is much faster than sorting rows.
    sums = np.zeros(len(rows))
    for column, weight in zip(plain.T, weights, strict=True):
        sums += weight * column
    _, first, kind = np.unique(sums, return_index=True, return_inverse=True)
    kind = kind.reshape(-1)
    if not np.array_equal(plain[first][kind], plain):
        _, first, kind = np.unique(plain, axis=0, return_index=True, return_inverse=True)
    return kind.reshape(-1), first


def _high(
    one: int, scale: Reals, monomials: Ints, values: Complexes
) -> tuple[Ints, Complexes, Ints]:
    """Derivatives of monomials of three and more factors, sorted by components."""
    width = monomials.shape[1]
    found = []
    for j in range(width):
        used = np.flatnonzero(monomials[:, j] < one)
        others = np.delete(monomials[used], j, axis=1)
        found.append((monomials[used, j], used, np.where(others < one, others, -1)))
    component, which, others = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(component, kind="stable")
    component, which = component[order], which[order]
    starts = np.searchsorted(component, np.arange(one + 1))
    strengths = np.ascontiguousarray(scale[component] * values[:, which])
    return starts.astype(np.int64), strengths, np.ascontiguousarray(others[order])
