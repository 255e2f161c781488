"""Closed form for the edge spins of the equal-weight state of PRX Eqs. 15-17 (Fig. 8).

N electron spins enter up, N localized spins start down, and total Sz is conserved; the state
is the equal superposition of every configuration of the 2N spins with N of them up.  The
density matrix of two of the spins is then a ratio of binomial coefficients, computed here in
exact integers, so it holds for any N.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import comb, log
from typing import Annotated

import numpy as np

from tnspin.errors import InputError
from tnspin.schema import Table, register
from tnspin.schema.types import Range


@register
@dataclass(frozen=True)
class EdgeState(Table):
    """Equal-weight state of PRX Eq. 15, for ferromagnets of 2 to ``largest`` spins.

    Parameters
    ----------
    largest
        Spins of the largest ferromagnet.
    """

    section = "model"
    kind = "edge_state"
    closed_form = True

    largest: Annotated[int, Range(least=2)] = 100

    def formulas(
        self, mutual_information: Callable[..., float]
    ) -> dict[str, tuple[tuple[str, ...], np.ndarray, str, str]]:
        """Mutual information of the edge spins against the length (PRX Fig. 8).

        Parameters
        ----------
        mutual_information
            Function of a density matrix, the dimensions of its factors and the factors of one
            side; what it gives is compared with the closed form.

        Returns
        -------
        dict
            Name -> dimensions, (n,) values, units, meaning.
        """
        sizes = np.arange(2, self.largest + 1)
        numeric = np.array([mutual_information(edge_rdm(int(n)), (2, 2), (0,)) for n in sizes])
        closed = np.array([edge_mutual_information(int(n)) for n in sizes])
        dims = ("n_localized",)
        return {
            "n_localized": (dims, sizes, "1", "number of localized spins"),
            "mutual_information": (
                dims, numeric, "nat",
                "mutual information of the edge spins, from their density matrix",
            ),
            "mutual_information_closed_form": (
                dims, closed, "nat", "mutual information of the edge spins, from Eqs. 14 and 16"
            ),
        }  # fmt: skip


def edge_rdm(n: int) -> np.ndarray:
    """Density matrix of the first and the last of ``n`` localized spins (state PRX Eq. 15).

    Parameters
    ----------
    n
        Number of localized spins, equal to the number of electrons; at least 2.

    Returns
    -------
    ndarray
        (4, 4) real, basis up-up, up-down, down-up, down-down.

    Raises
    ------
    InputError
        If ``n`` is below 2.
    """
    aligned, opposite = _probabilities(n)
    rho = np.diag([aligned, opposite, opposite, aligned]).astype(float)
    # Swapping the two edge spins maps the state onto itself, so the coherence between up-down
    # and down-up counts the same configurations of the others as their probability.
    rho[1, 2] = rho[2, 1] = float(opposite)
    return rho


def edge_entropy(n: int) -> float:
    """Entropy in nats of the two edge spins together, PRX Eq. 16."""
    aligned, opposite = _probabilities(n)
    # The singlet is empty: eigenvalues are up-up, down-down and the triplet with Sz = 0.
    return -2 * _p_log_p(aligned) - _p_log_p(2 * opposite)


def edge_mutual_information(n: int) -> float:
    """Mutual information in nats of the two edge spins; tends to (ln 2)/2 (PRX Eqs. 14, 17)."""
    return 2 * log(2) - edge_entropy(n)


def _probabilities(n: int) -> tuple[Fraction, Fraction]:
    """Probabilities of up-up and of up-down for the two edge spins."""
    if n < 2:
        raise InputError(f"n: two edges need at least 2 localized spins, got {n}")
    total = comb(2 * n, n)
    return Fraction(comb(2 * n - 2, n - 2), total), Fraction(comb(2 * n - 2, n - 1), total)


def _p_log_p(p: Fraction) -> float:
    return float(p) * log(p)
