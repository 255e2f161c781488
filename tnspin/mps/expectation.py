"""Expectation values of operator sums of any range, by their matrix product operator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tnspin.mps.kernels.effective import Leg, absorb_site, edge
from tnspin.mps.mpo_tables import DrivenMpo
from tnspin.mps.state import MPS
from tnspin.operators.charges import ChargeCode
from tnspin.operators.mpo_sum import Automaton
from tnspin.operators.operator_sum import OperatorSum


class Expectation:
    """<psi| O(t) |psi> of states with one set of charges; the operator is compiled once.

    Parameters
    ----------
    os
        The operator.
    charge_names
        Charges of all states that will be asked for; the operator conserves them.
    constant
        Operators on many sites to add.
    """

    def __init__(
        self,
        os: OperatorSum,
        charge_names: Sequence[str] = (),
        constant: Automaton | None = None,
    ) -> None:
        self._mpo = DrivenMpo(os, ChargeCode.for_sites(charge_names, os.sites), constant)

    def __call__(self, state: MPS, time: float = 0.0) -> complex:
        """Value in a state at a time."""
        state.ensure_canonical()
        self._mpo.set_time(time)
        tables, q = self._mpo.tables, state.site_keys
        legs = [Leg(bond.keys, bond.dims) for bond in state.bonds]
        environment = edge(tables.bonds[-1], tables.bonds[-1].after)
        for i in reversed(range(state.length)):
            environment = absorb_site(environment, tables, i, legs, q[i], state.tensors[i], False)
        return complex(environment.data[0])


@lru_cache(maxsize=8)
def mpo_expectation(model: Any, charge_names: tuple[str, ...]) -> Expectation:
    """<H(t)> of matrix product states with these charges, for Hamiltonians of any range."""
    return Expectation(model.hamiltonian, charge_names)
