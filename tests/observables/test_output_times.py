"""Times at which solvers yield: every one of them refuses what is not a course of time."""

from __future__ import annotations

import numpy as np
import pytest

import tnspin as ts
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.observables.snapshot import output_times
from tnspin.solvers import SOLVERS
from tnspin.states.initial import build

BAD = ([], [1.0, 0.5], [0.0, 0.0], [0.0, np.nan], [0.0, np.inf])


def test_times_are_numbers():
    assert output_times(np.arange(3)) == [0.0, 1.0, 2.0]
    assert output_times([0.5]) == [0.5]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("times", BAD, ids=str)
def test_every_solver_refuses_others(solver, times):
    if solver == "hybrid":
        model = KondoHeisenbergChain(sites=4, localized=(1,))
        state = build("confined_electrons", model, n_electrons=1, well=1)
    else:
        model = HeisenbergChain(2)
        start = build("product", model, directions=["z", "-z"])
        mps = solver in ("tebd", "tdvp", "density_matrix", "purification")
        state = start.to_mps(("2Sz",)) if mps else start.to_vector()
    with pytest.raises(InputError, match="times"):
        list(ts.evolve(model, state, times, solver=solver))
