"""Steady states against null vectors of the superoperator and Gibbs states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from open_systems import SPINS, Lindblad, density, flips, mixing
from scipy.linalg import expm

from tnspin.baths import ReactionCoordinate, UniversalLindblad, WithCoordinate, jump_operators
from tnspin.errors import RunError
from tnspin.models import HeisenbergChain
from tnspin.observables.entanglement import trace_distance
from tnspin.solvers.lindblad.steady import gibbs_state, steady_state
from tnspin.states.initial import build

RING = HeisenbergChain(4, field=(0, 0, 0.8), periodic=True)
#: No symmetry at all.
OPEN = HeisenbergChain(3, field=(0.3, 0.1, 0.8), impurity_field=0.2, dmi=(0.1, 0.2, 0.3))


def null_vector(model, jumps):
    generator = Lindblad(model, jumps).generator
    _, values, vectors = np.linalg.svd(generator)
    assert values[-2] > 1e6 * values[-1]
    rho = vectors[-1].conj()
    size = round(np.sqrt(rho.size))
    return rho.reshape(size, size) / np.trace(rho.reshape(size, size))


@pytest.mark.parametrize(
    "model, jumps",
    [
        (OPEN, jump_operators(OPEN, UniversalLindblad(0.7, gamma=0.5))),
        (OPEN, jump_operators(OPEN, UniversalLindblad(0.7, coupling="components"))),
        (RING, jump_operators(RING, UniversalLindblad(1.0))),
        (SPINS, flips(1.0) + mixing(0.2)),
        (SPINS, mixing(50.0) + flips(2.0)),
    ],
    ids=["strong", "components", "ring", "any", "overdamped"],
)
def test_against_the_superoperator(model, jumps):
    found = steady_state(model, jumps, tolerance=1e-11)
    assert np.abs(found.matrix - null_vector(model, jumps)).max() < 1e-8
    assert found.trace == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("sign, temperature", [("kms", 1.0), ("printed", -1.0)])
@pytest.mark.parametrize(
    "spin, coupled, coupling",
    [(0.5, 1.0, "sum"), (0.5, -1.0, "sum"), (0.5, 1.0, "components"), (1.0, 1.0, "sum")],
)
def test_weak_baths_lead_to_the_gibbs_state(spin, coupled, sign, temperature, coupling):
    model = replace(RING, spin=spin, J=coupled)
    gibbs = gibbs_state(model, temperature)
    distance = {}
    for gamma in (1e-3, 1e-4):
        bath = UniversalLindblad(1.0, gamma=gamma, sign=sign, coupling=coupling)
        found = steady_state(model, jump_operators(model, bath))
        distance[gamma] = trace_distance(found.matrix, gibbs.matrix)
    assert distance[1e-4] < 1e-4
    # Of first order in the coupling, or nothing at all.
    assert distance[1e-4] == pytest.approx(0.1 * distance[1e-3], rel=0.05, abs=1e-9)


def test_gibbs_state_at_low_temperature_is_the_ground_state():
    model = HeisenbergChain(4, periodic=True)
    cold, hot = gibbs_state(model, 1e-3), gibbs_state(model, 1e9)
    assert cold.purity == pytest.approx(1.0) and hot.purity == pytest.approx(1 / 16)
    assert trace_distance(cold.matrix, hot.matrix) == pytest.approx(15 / 16)


def test_steady_states_that_are_not_unique_are_refused():
    with pytest.raises(RunError, match="not unique"):
        # One bath for all spins leaves their total spin alone.
        steady_state(RING, jump_operators(RING, UniversalLindblad(1.0, common=True)))
    model = WithCoordinate(HeisenbergChain(2, field=(0, 0, 0.5)), ReactionCoordinate(1.0, levels=4))
    with pytest.raises(RunError, match="not unique, 2 sets"):
        steady_state(model, model.bath.jump_operators(model))


def gapped():
    """A ring of two spins 1 whose highest levels are beyond the cutoff of the baths."""
    model = HeisenbergChain(2, 1.0, field=(0, 0, 0.3))
    return model, jump_operators(model, UniversalLindblad(0.7, gamma=0.05, omega_max=1.5))


@pytest.mark.parametrize("directions", [[[0.3, 0.0]], [[0.2, 0.0], [2.0, 1.0]]])
def test_levels_beyond_the_cutoff_keep_their_probability(directions):
    model, jumps = gapped()
    with pytest.raises(RunError, match="not unique"):
        steady_state(model, jumps)
    start = build("product", model, directions=directions).to_vector(None)
    found = steady_state(model, jumps, start=start, tolerance=1e-12)
    late = expm(1e5 * Lindblad(model, jumps).generator) @ density(start).ravel()
    assert np.abs(found.matrix - late.reshape(found.matrix.shape)).max() < 1e-8


def test_spin_three_halves_is_thermal_to_first_order():
    model = replace(RING, spin=1.5)
    gibbs = gibbs_state(model, 1.0)
    distance = []
    for gamma in (1e-4, 1e-5):
        found = steady_state(model, jump_operators(model, UniversalLindblad(1.0, gamma=gamma)))
        distance.append(trace_distance(found.matrix, gibbs.matrix))
    assert distance[1] == pytest.approx(0.1 * distance[0], rel=0.01)
    assert distance[1] < 2e-5


def test_lasting_coherence_is_refused():
    start = build("product", RING, directions=[[0.1, 0], [1.0, 0], [2.0, 0.3], [0.4, 0.1]])
    jumps = jump_operators(RING, UniversalLindblad(1.0, common=True))
    with pytest.raises(RunError, match="coherence"):
        steady_state(RING, jumps, start=start.to_vector(None))
