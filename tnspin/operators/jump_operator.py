"""A jump operator of a Lindblad equation: matrix or matrix product operator, sites, charge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tnspin.operators.sites import Matrix, Site
from tnspin.operators.spin_mpo import SpinOperator


@dataclass(frozen=True, eq=False)
class JumpOperator:
    """A jump operator L of a Lindblad equation, its rate included.

    Attributes
    ----------
    sites : tuple of int
        0-based sites on whose localized spins it acts, ascending.
    form : (D, D) complex ndarray or SpinOperator
        L in the product basis of these spins (the trailing factors of the site spaces), first
        site slowest, or as a matrix product operator on them;
        ``rho' = sum L rho L+ - {L+L, rho} / 2``.
    charge : int or None
        Change of ``2Sz``; None if it is not definite.
    name : str
        E.g. ``"S+ 7"``.
    error : float
        Of a matrix: estimate of the error from the spins left out, in the spectral norm, relative
        to that of L: the change of L when the window of spins around site i grows by one coupling,
        or, if a larger one cannot be diagonalized, when it shrinks by one.  0 if no spin is left
        out.  Of a matrix product operator: see `LongJump`.
    """

    sites: tuple[int, ...]
    form: Matrix | SpinOperator
    charge: int | None
    name: str
    error: float = 0.0

    def __repr__(self) -> str:
        charge = "no definite amount" if self.charge is None else f"{self.charge:+d}"
        return f"JumpOperator({self.name!r} on sites {list(self.sites)}, changes 2Sz by {charge})"

    @property
    def matrix(self) -> Matrix:
        """L as a matrix.

        Raises
        ------
        InputError
            If it is a matrix product operator on more than 4096 states.
        """
        return self.form.matrix if isinstance(self.form, SpinOperator) else self.form

    @property
    def strength(self) -> float:
        """Scale of its rate: ``Tr L+ L``, divided by the dimension if L is no matrix."""
        if isinstance(self.form, SpinOperator):
            return self.form.norm**2
        return float(np.linalg.norm(self.form) ** 2)

    def on(self, sites: Sequence[Site]) -> SpinOperator:
        """L as a matrix product operator.

        Parameters
        ----------
        sites : sequence of Site
            The chain.
        """
        if isinstance(self.form, SpinOperator):
            return self.form
        return SpinOperator.from_matrix(self.form, self.sites, sites, self.charge is not None)
