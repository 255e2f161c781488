"""Jackknife errors: how much a number made of means changes when one part of a sample is left out.

Negativities, entropies and lengths are not linear in the density matrix, so their error is not
that of a mean.  With the sample in n independent parts of equal size and t_k the number computed
from all parts but k, the variance of the number is estimated by (n - 1)/n sum_k (t_k - mean t)^2
(Efron and Stein, Ann. Statist. 9, 586).

Nor is it on average what the whole population gives.  Noise makes eigenvalues of a partial
transpose negative, so that negativities come out too large, by more than their spread if the
sample is small.  These t_k also estimate the bias as (n - 1) (mean t - t), t being the number from
all parts (Quenouille, Biometrika 43, 353).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes, Reals


def leave_one_out(parts: Sequence[Complexes]) -> Iterator[Complexes]:
    """Yield the mean of all parts but one, for each of them in turn.

    Parameters
    ----------
    parts
        At least two arrays of one shape.
    """
    total = np.sum(parts, axis=0)
    for part in parts:
        yield (total - part) / (len(parts) - 1)


def jackknife_error(values: ArrayLike) -> Reals:
    """Standard error of a number from its values with each part left out in turn.

    Parameters
    ----------
    values
        (n, ...) values, n at least 2.

    Returns
    -------
    ndarray
        (...) errors.

    Raises
    ------
    InputError
        If there is only one part.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        raise InputError(
            f"trajectories: {len(numbers)} part of a sample gives no error; at least 2"
        )
    spread = np.sum((numbers - numbers.mean(axis=0)) ** 2, axis=0)
    return np.sqrt((len(numbers) - 1) / len(numbers) * spread)


def jackknife_bias(values: ArrayLike, whole: ArrayLike) -> Reals:
    """How much too large a number from a finite sample is on average; 0 for means.

    Parameters
    ----------
    values
        (n, ...) values with each part left out in turn.
    whole
        (...) value from all parts.

    Returns
    -------
    ndarray
        (...) estimates, to be subtracted from ``whole``.
    """
    numbers = np.asarray(values, dtype=np.float64)
    return (len(numbers) - 1) * (numbers.mean(axis=0) - np.asarray(whole, dtype=np.float64))
