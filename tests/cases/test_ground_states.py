"""Ground states that a variational search does not reach, and says nothing."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tnspin as ts
from tnspin.cli import main

NOT_REACHED = pytest.mark.xfail(
    strict=True, reason="case 03: DMRG says converged, in a state that is not the lowest"
)


@pytest.mark.parametrize(
    ("coupling", "options"),
    [
        pytest.param(0.0, {}, marks=NOT_REACHED),
        pytest.param(0.0, {"bond_dim": 400, "sweeps": 60}, marks=NOT_REACHED),
        pytest.param(0.0, {"seed": 1}, marks=NOT_REACHED),
        pytest.param(0.0, {"seed": 2}, marks=NOT_REACHED),
        pytest.param(0.0, {"seed": 3}, marks=NOT_REACHED),
        (1e-3, {}),
    ],
)
def test_two_leads_and_a_level_that_are_not_coupled(
    coupling: float, options: dict[str, Any]
) -> None:
    """Free electrons: the four lowest levels of the hopping matrix, each twice."""
    left, length = 4, 9
    h = np.zeros((length, length))
    H = ts.OperatorSum((ts.electron(),) * length)
    for i in range(length - 1):
        t = coupling if i in (left - 1, left) else 1.0
        h[i, i + 1] = h[i + 1, i] = -t
        if t:
            for s in ("up", "dn"):
                H = H.plus_hc(-t, f"cdag_{s}", i, f"c_{s}", i + 1)
    h[left, left] = -0.5
    H += -0.5, "n", left
    right = 2 * np.linalg.eigvalsh(h)[:4].sum()
    assert right == pytest.approx(-8.944272, abs=1e-4)
    found = ts.ground_state(H, {"N": 8, "2Sz": 0}, **options)
    assert found.energy == pytest.approx(right, abs=1e-6)


@NOT_REACHED
def test_a_diagonal_hamiltonian() -> None:
    """sum J_ij Sz_i Sz_j in the sector 2Sz = 0: the lowest configuration, by enumeration."""
    J = np.triu(np.random.default_rng(2).normal(size=(10, 10)), 1)
    configurations = np.array([c for c in product([0.5, -0.5], repeat=10) if sum(c) == 0])
    lowest = np.einsum("ci,ij,cj->c", configurations, J, configurations).min()
    H = ts.OperatorSum.of(
        (ts.spin(0.5),) * 10,
        [(float(J[i, j]), "Sz", i, "Sz", j) for i in range(10) for j in range(i + 1, 10)],
    )
    found = ts.ground_state(H, {"2Sz": 0})
    assert found.energy == pytest.approx(lowest, abs=1e-6)


QUENCH = """
[model]
kind = "heisenberg"
sites = 12
J = 1.0
impurity_field = 0.5
[state]
kind = "ground"
bond_dim = 3
charges = {"2Sz" = 0}
[solver]
kind = "tebd"
order = 4
bond_dim = 100
cutoff = 1e-9
[time]
stop = 4
every = 0.5
"""


@pytest.mark.xfail(
    strict=True, reason="case 12: the estimate varies the evolution and not the start"
)
def test_a_bad_start_is_not_certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """<S> is off by 0.27 (exact solver; bond dimension 64): the tolerance 1e-2 is refused."""
    monkeypatch.chdir(tmp_path)
    Path("quench.toml").write_text(QUENCH)
    refused = 3
    command = ["certify", "quench.toml", "--tol", "1e-2", "--estimate", "--quiet"]
    assert main(command) == refused
