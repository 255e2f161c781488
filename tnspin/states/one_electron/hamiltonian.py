"""The Hamiltonian of one electron among spins, and its exponential on amplitudes.

Nothing is ever stored per amplitude but the vectors themselves: H acts row by row (a row is the
electron's wave function for one spin configuration), with hopping along the row and exchange
between rows.  A Chebyshev series (see `chebyshev`) needs two work vectors in addition to the sum.
"""

from __future__ import annotations

import os as _os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import numpy as np
import scipy.sparse as sp

from tnspin.numerics.chebyshev import Bounds, coefficients, lanczos_bounds
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Matrix
from tnspin.states.one_electron.compile import compile_parts, spin_operator
from tnspin.states.one_electron.configurations import Configurations
from tnspin.states.one_electron.kernels import chebyshev_rows

# Longest (half width of the spectrum) x time of one series; longer ones gain nothing.
_LONGEST = 128.0
# Rows of one task: small enough to share evenly, large enough to cost more than a task.
_ROWS_PER_TASK = 512


class OneElectronHamiltonian:
    """H, or ``H - i D`` with a damping D, on the amplitudes of one electron among spins.

    Parameters
    ----------
    os
        The Hamiltonian; constant, hopping independent of the spins.
    configurations
        Charge sector.
    damping
        ``(sites, matrix)`` pairs whose sum is D: positive matrices on the localized spins of
        these sites (Kronecker order), as ``sum L^dag L / 2`` of jump operators.
    threads
        Parallel tasks; default all processors.  The numbers do not depend on it.

    Raises
    ------
    InputError
        If the sum does not split so (`compile_parts`).
    """

    def __init__(
        self,
        os: OperatorSum,
        configurations: Configurations,
        damping: Iterable[tuple[Sequence[int], Matrix]] = (),
        threads: int | None = None,
    ) -> None:
        self.configurations = configurations
        self.threads = threads or _os.cpu_count() or 1
        parts = compile_parts(os, configurations)
        # The damping does not enter the bounds: a series converges off the real axis too, where
        # its terms grow by exp(|D| t) at most.
        self.bounds = _bounds(parts.hopping, parts.background, parts.local_bounds)
        background = parts.background
        for sites, matrix in damping:
            factors = tuple(configurations.spin(site) for site in sites)
            background = background - 1j * spin_operator(
                configurations, configurations, factors, matrix
            )
        centre = (self.bounds[0] + self.bounds[1]) / 2
        self.centre = centre
        self.half = max((self.bounds[1] - self.bounds[0]) / 2, 1e-10 * max(1.0, abs(centre)))
        self._rows = _rows(parts.hopping, background, parts.local, centre, 2 / self.half)

    def propagate(self, amplitudes: Matrix, time: float, tolerance: float = 1e-13) -> Matrix:
        """Return ``exp(-i H time)`` times amplitudes (C, L).

        Rows whose amplitudes could not change the result by ``tolerance`` together are skipped.
        """
        pieces = max(1, ceil(self.half * abs(time) / _LONGEST))
        step = time / pieces
        series = coefficients(self.half * abs(step), tolerance / pieces)
        if step < 0:
            series = series.conj()
        series = series * np.exp(-1j * self.centre * step)
        for _ in range(pieces):
            amplitudes = self._sum_series(series, amplitudes, tolerance / pieces)
        return amplitudes

    def _sum_series(self, series: Matrix, start: Matrix, tolerance: float) -> Matrix:
        """Sum of series[k] T_k(G) start, G being H moved and scaled to -1..1."""
        alive = np.any(start, axis=1)
        # Zeros that nobody touches take no memory: most rows of many spins are never reached.
        now, before, total = (np.zeros(start.shape, dtype=np.complex128) for _ in range(3))
        now[alive] = start[alive]
        total[alive] = series[0] * start[alive]
        now_alive, before_alive = alive, np.zeros(len(start), dtype=np.bool_)
        # A row dropped at one term changes the sum by at most the number of terms times its norm.
        norm = float(np.linalg.norm(start[alive]))
        smallest = (tolerance * norm / (len(series) ** 2 * np.sqrt(len(start)))) ** 2
        firsts = range(0, len(start), _ROWS_PER_TASK)
        with ThreadPoolExecutor(self.threads) as pool:
            for k, weight in enumerate(series[1:].tolist()):
                # T_1 = G T_0, then T_k+1 = 2 G T_k - T_k-1, which takes the place of T_k-1.
                task = partial(
                    self._rows_of_term, now, now_alive, before, before_alive, k > 0, weight,
                    total, smallest,
                )  # fmt: skip
                list(pool.map(task, firsts) if len(firsts) > 1 else map(task, firsts))
                now, before, now_alive, before_alive = before, now, before_alive, now_alive
        return total

    def _rows_of_term(
        self, now: Matrix, now_alive: Any, after: Matrix, after_alive: Any, previous: bool,
        weight: complex, total: Matrix, smallest: float, first: int,
    ) -> None:  # fmt: skip
        """Apply `chebyshev_rows` to the rows of one task."""
        last = min(first + _ROWS_PER_TASK, len(now))
        chebyshev_rows(  # type: ignore[call-arg]
            first, last, self._rows.stride, self._rows.view(now), now_alive,
            self._rows.view(after), after_alive, *self._rows.arrays, previous, weight, total,
            after, smallest, np.empty(self._rows.stride * now.shape[1], self._rows.dtype),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Rows:
    """Arrays of ``2 G`` as the kernel takes them; real (stride 2) where H is."""

    stride: int
    arrays: tuple[Any, ...]

    @property
    def dtype(self) -> Any:
        """Type of the entries of G."""
        return self.arrays[0].dtype

    def view(self, amplitudes: Matrix) -> Any:
        """Amplitudes as the kernel multiplies them: pairs of reals if G is real."""
        return amplitudes.view(np.float64) if self.stride == 2 else amplitudes


def _rows(
    hopping: Matrix, background: sp.csr_array, local: dict[int, sp.csr_array], centre: float,
    scale: float,
) -> _Rows:  # fmt: skip
    diagonal = scale * (background.diagonal() - centre)
    rest = sp.csr_array(scale * (background - sp.diags_array(background.diagonal())))
    rest.eliminate_zeros()
    offsets, bands = _bands(scale * hopping)
    starts, sites, columns, values = _local_rows(local, background.shape[0])
    values = scale * values
    real = not any(np.any(part.imag) for part in (diagonal, rest.data, bands, values))
    stride = 2 if real else 1
    kind: Any = np.real if real else np.asarray
    arrays = (
        kind(diagonal), rest.indptr.astype(np.int64), rest.indices.astype(np.int64),
        kind(rest.data), stride * offsets, np.repeat(kind(bands), stride, axis=1),
        starts, sites, columns, kind(values),
    )  # fmt: skip
    return _Rows(stride, tuple(np.ascontiguousarray(array) for array in arrays))


def _bands(hopping: Matrix) -> tuple[Any, Matrix]:
    """Nonzero diagonals of a matrix: offsets (b,) and ``bands[k, i] = hopping[i, i + offset]``."""
    length = len(hopping)
    to, source = np.nonzero(hopping)
    offsets = np.unique(source - to).astype(np.int64)
    bands = np.zeros((len(offsets), length), dtype=np.complex128)
    for k, offset in enumerate(offsets):
        i = np.arange(max(0, -offset), min(length, length - offset))
        bands[k, i] = hopping[i, i + offset]
    return offsets, bands


def _local_rows(local: dict[int, sp.csr_array], count: int) -> tuple[Any, Any, Any, Matrix]:
    """Matrices of all sites as one list sorted by row: starts, sites, columns, values."""
    parts = [(site, matrix.tocoo()) for site, matrix in sorted(local.items())]
    if not parts:
        empty = np.zeros(0, dtype=np.int64)
        return np.zeros(count + 1, dtype=np.int64), empty, empty, np.zeros(0, complex)
    rows = np.concatenate([part.row for _, part in parts])
    sites = np.concatenate([np.full(part.nnz, site, dtype=np.int64) for site, part in parts])
    columns = np.concatenate([part.col for _, part in parts]).astype(np.int64)
    values = np.concatenate([part.data for _, part in parts])
    order = np.argsort(rows, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=count)))).astype(np.int64)
    return starts, sites[order], columns[order], values[order]


def _bounds(hopping: Matrix, background: sp.csr_array, local: tuple[float, float]) -> Bounds:
    """Bounds of the spectrum: those of the three parts added, each cheap to find."""
    band = np.linalg.eigvalsh(hopping)[[0, -1]]
    low, high = lanczos_bounds(lambda v: background @ v, background.shape[0])
    return float(band[0] + low + local[0]), float(band[1] + high + local[1])
