"""How much of the bases of two compressed groups fits into blocks of a given size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST", "least_probability"]

#: Rows of a block whose eigenvalues take seconds.
LARGEST = 2048

Spectra = Mapping[int, NDArray[np.float64]]


def least_probability(a: Spectra, b: Spectra, largest: int) -> float:
    """Smallest probability of basis vectors to keep for all blocks to be small enough.

    Parameters
    ----------
    a, b
        2Sz (or any label that adds up) -> probabilities of the basis vectors of each group.
    largest
        Most rows of a block of their density matrix, labelled by ``q_a + q_b``, and of its
        partial transpose, labelled by ``q_b - q_a``.

    Returns
    -------
    float
        One of the probabilities; vectors of at least this one are to be kept.
    """
    values = np.sort(np.concatenate([*a.values(), *b.values()]))
    low, high = 0, values.size - 1
    while low < high:
        middle = (low + high) // 2
        if _largest_block(_counts(a, values[middle]), _counts(b, values[middle])) <= largest:
            high = middle
        else:
            low = middle + 1
    return float(values[low])


def _counts(spectra: Spectra, least: float) -> dict[int, int]:
    """Basis vectors of at least this probability, by charge."""
    return {q: int(np.count_nonzero(p >= least)) for q, p in spectra.items()}


def _largest_block(a: Mapping[int, int], b: Mapping[int, int]) -> int:
    sizes: dict[tuple[str, int], int] = defaultdict(int)
    for s, n in a.items():
        for t, m in b.items():
            sizes["rho", s + t] += n * m
            sizes["transposed", t - s] += n * m
    return max(sizes.values())
