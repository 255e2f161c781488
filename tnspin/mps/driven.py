"""The matrix product operator of a sum whose coefficients may depend on time."""

from __future__ import annotations

import numpy as np

from ..mpo import mpo_tensors
from ..terms import LocalTerm, OperatorSum
from .automaton import Automaton
from .charges import ChargeCode
from .hops import MpoTables

__all__ = ["DrivenMpo"]


class DrivenMpo:
    """Tables of an operator sum at one time after another.

    Driven fields on single sites only change one entry of W, the one from "not begun" to "done";
    other driven terms make the operator anew.

    Parameters
    ----------
    os
        The sum.
    code
        Charges to follow, all conserved.
    constant
        More terms, constant in time, that conserve them too.

    Attributes
    ----------
    tables
        The operator at the time of the last `set_time`.
    """

    def __init__(
        self, os: OperatorSum, code: ChargeCode, constant: Automaton | None = None
    ) -> None:
        self._sum, self._code, self._constant = os, code, constant
        self._site_keys = [code.site_keys(site) for site in os.sites]
        pairs = list(zip(os.terms, os.local_terms(), strict=True))
        driven = [(term, local) for term, local in pairs if callable(term.coeff)]
        self._driven = bool(driven)
        self._fields: dict[int, list[LocalTerm]] | None = None
        if all(len(local.matrices) == 1 for _, local in driven):
            self._fields = {}
            for _, local in driven:
                (site,) = local.matrices
                self._fields.setdefault(site, []).append(local)
            static = tuple(term for term in os.terms if not callable(term.coeff))
            self.tables = self._build(OperatorSum(os.sites, static), 0.0)
            self._static = {k: self.tables.tensors[k] for k in self._fields}

    def _build(self, os: OperatorSum, t: float) -> MpoTables:
        names = self._code.names
        tensors, charges = mpo_tensors(os, t, charge_names=names)
        if self._constant is not None:
            column = names.index("2Sz") if "2Sz" in names else None
            tensors, charges = self._constant.beside(tensors, charges, column)
        return MpoTables(tensors, charges, self._code, self._site_keys)

    def set_time(self, t: float) -> bool:
        """Take the coefficients at time ``t``; returns whether the operator has changed."""
        if not self._driven:
            return False
        if self._fields is None:
            self.tables = self._build(self._sum, t)
            return True
        last = len(self._sum.sites) - 1
        for k, terms in self._fields.items():
            q = self._site_keys[k]
            tensor = self._static[k].copy()
            field = sum(term.value(t) * term.matrices[k] for term in terms)
            # Parts that change a charge cancel in the whole sum.
            tensor[0, 0 if k == last else 1] += np.where(q[:, None] == q[None, :], field, 0.0)
            self.tables.replace(k, tensor)
        return True
