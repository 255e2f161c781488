"""Recorded numbers that do not mean what their name says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import tnspin as ts
from tnspin import record


@dataclass(frozen=True)
class Ferrimagnet:
    """S = 1/2 beside S = 1: a model of its own, that is no chain of equal spins."""

    kind: ClassVar[str] = "ferrimagnet"
    length: int = 2
    groups: tuple[tuple[int, ...], ...] = ((0, 1),)
    localized_sites: tuple[int, ...] = (0, 1)
    localized_spin: float = 0.5

    @property
    def local_sites(self) -> tuple:
        return ts.spin(0.5), ts.spin(1.0)

    @property
    def hamiltonian(self) -> ts.OperatorSum:
        H = ts.OperatorSum(self.local_sites)
        for s in ("Sx", "Sy", "Sz"):
            H += 1.0, s, 0, s, 1
        return H


@pytest.fixture(scope="module")
def aligned() -> ts.Result:
    """Both spins fully up, an eigenstate."""
    model = Ferrimagnet()
    up = ts.MPS.product(model.local_sites, [[1, 0], [1, 0, 0]], ("2Sz",))
    return record(ts.evolve(model, up, [0, 1.0]), ("spin", "spin_length", "correlation_matrix"))


WRONG_SCALE = pytest.mark.xfail(
    strict=True, reason="case 11: spins of a chain of unequal spins are divided by one S for all"
)


@WRONG_SCALE
def test_spin_is_divided_by_the_spin_of_its_own_site(aligned: ts.Result) -> None:
    np.testing.assert_allclose(aligned["spin"][-1][:, 2], [1.0, 1.0], atol=1e-6)


@WRONG_SCALE
def test_spin_length_is_at_most_one(aligned: ts.Result) -> None:
    np.testing.assert_allclose(aligned["spin_length"][-1], [1.0, 1.0], atol=1e-6)


def test_correlations_of_unequal_spins(aligned: ts.Result) -> None:
    assert aligned["correlation_matrix"][-1][0, 2, 2] == pytest.approx(1.0, abs=1e-6)


END_SPINS = pytest.mark.xfail(
    strict=True,
    reason="case 13: from 12 spins on it is the end spins and not the halves",
)


@pytest.mark.parametrize(
    "sites",
    [8, 11, pytest.param(12, marks=END_SPINS), pytest.param(14, marks=END_SPINS)],
)
@pytest.mark.parametrize("name", ["log_negativity", "mutual_information"])
def test_entanglement_of_the_halves_at_every_size(sites: int, name: str) -> None:
    """Of a pure state: twice the entropy, and 1.313 within finite-size changes of 1e-3."""
    chain = ts.HeisenbergChain(sites=sites)
    directions = ["up", "down"] * (sites // 2) + ["up"] * (sites % 2)
    start = ts.product(chain, directions).to_mps(("2Sz",))
    run = ts.evolve(chain, start, [0, 2.0], dt=0.05, order=4, bond_dim=100, cutoff=1e-10)
    result = record(run, (name, "half_chain_entropy"))
    entropy = result["half_chain_entropy"][-1]
    assert entropy == pytest.approx(1.055, abs=1e-3)
    right = 2 * entropy if name == "mutual_information" else 1.3133
    assert result[name][-1] == pytest.approx(right, abs=1e-3)
