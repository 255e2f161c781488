"""Observables of one's own: registered in one class, recorded by name, refused before the run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.mps.state import MPS
from tnspin.observables import OBSERVABLES, Observable, chosen
from tnspin.runs.config.loading import from_dict
from tnspin.runs.simulation import simulate
from tnspin.schema.register import _CLASSES, register
from tnspin.states.classical import ClassicalState

TABLES = {
    "model": {"kind": "heisenberg", "sites": 4},
    "state": {"kind": "product", "directions": ["up", "down"]},
    "solver": {"kind": "exact"},
    "time": {"stop": 0.5, "every": 0.25},
}


@pytest.fixture
def staggered(monkeypatch):
    assert OBSERVABLES  # registered by now
    monkeypatch.setitem(_CLASSES, "observable", dict(_CLASSES["observable"]))

    @register
    @dataclass(frozen=True)
    class Staggered(Observable):
        """Staggered magnetization."""

        kind = "staggered"
        long_name = "staggered magnetization"
        needs = ("bonds",)

        def measure(self, snapshot):
            sz = [np.trace(rho @ np.diag([1, 0, 0, -1])).real for rho in snapshot.bond_rdms]
            return float(np.abs(sz).sum())

    return Staggered


def test_one_class_is_recorded_by_its_name(staggered):
    result = simulate(from_dict({**TABLES, "record": {"observables": ["spin", "staggered"]}}))
    assert result["staggered"].shape == (3,) and result["staggered"][0] == pytest.approx(0.0)
    assert result.variables["staggered"].long_name == "staggered magnetization"
    assert list(OBSERVABLES)[-1] == "staggered"
    assert "staggered" not in chosen((), HeisenbergChain(4), MPS)


def test_what_the_states_of_a_solver_do_not_give_is_refused_before_the_run(staggered):
    tables = {**TABLES, "solver": {"kind": "llg"}, "record": {"observables": ["staggered"]}}
    with pytest.raises(InputError) as error:
        simulate(from_dict(tables))
    assert str(error.value) == (
        "record.observables = 'staggered': does not apply to this run, a set of classical spins "
        "gives no 'bonds'; allowed: spin, spin_length, energy, norm, total_sz, "
        "localized_spin_total"
    )
    with pytest.raises(InputError, match=r"no such observable; .*did you mean 'energy'"):
        chosen(["enrgy"], HeisenbergChain(4), ClassicalState)
