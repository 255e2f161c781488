"""The reaction coordinate: what the map conserves, limits, and the larger model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from open_systems import Lindblad
from scipy.integrate import quad
from solving import master_equation as evolve

from tnspin.baths import ReactionCoordinate, WithCoordinate, residual_density
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.operators.sparse import to_sparse
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate
from tnspin.states.density import DensityState
from tnspin.states.initial import build

BATH = ReactionCoordinate(0.7, gamma=0.1, omega_max=2.5, levels=5)
MODEL = HeisenbergChain(2, field=(0.1, 0, 0.5))


def test_the_map_conserves_the_moments_of_the_density():
    def moment(power):
        return quad(lambda w: w**power * BATH.gamma * w / BATH.omega_max, 0, BATH.omega_max)[0]

    assert BATH.omega**2 == pytest.approx(moment(3) / moment(1))
    assert BATH.strength**2 == pytest.approx(moment(1) / (2 * np.pi * BATH.omega))
    printed = replace(BATH, frequency="printed")
    assert printed.omega == pytest.approx(np.sqrt(5 / 3) * 2.5)
    assert printed.strength == BATH.strength


def test_residual_density():
    w = np.array([-2.9, -1.0, -1e-9, 0.0, 1e-9, 0.4, 2.0, 2.999, 3.0, 4.0])
    found = residual_density(w, 0.6)
    with np.errstate(divide="ignore", invalid="ignore"):
        atanh = np.arctanh(w / 3.0)
        bracket = np.pi**2 * w**2 + 4 * w * atanh * (w * atanh - 6.0) + 36.0
        printed = 2 * np.sqrt(5 / 3) * np.pi * w * 9 / np.expm1(w / 0.6) / 3 / bracket
    inside = (np.abs(w) < 3) & (w != 0)
    assert np.allclose(found[inside], printed[inside], rtol=1e-6)
    assert found[3] == pytest.approx(found[4], rel=1e-6)
    assert np.array_equal(found[-2:], [0, 0])
    # Detailed balance.
    up, down = residual_density([0.4, -0.4], 0.6)
    assert up == pytest.approx(np.exp(-0.4 / 0.6) * down)
    assert np.all(residual_density([0.0, 0.5], 0.0) == 0)


def test_hamiltonian_of_the_larger_model():
    model = WithCoordinate(MODEL, BATH)
    spins = Lindblad(MODEL, [])
    half = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]]) / 2
    total = sum(np.kron(s, np.eye(2)) + np.kron(np.eye(2), s) for s in half)
    lower = np.diag(np.sqrt(np.arange(1, 5)), 1)
    # From -i [H, .] of the spins alone, H up to a constant.
    generator = spins.generator.reshape(4, 4, 4, 4)
    h = 1j * np.einsum("abcb->ac", generator) / 4
    expected = (
        np.kron(h, np.eye(5))
        + BATH.strength * np.kron(total, lower + lower.T)
        + BATH.omega * np.kron(np.eye(4), lower.T @ lower)
    )
    found = to_sparse(model.hamiltonian).toarray()
    found -= np.eye(20) * np.trace(found - expected) / 20
    assert np.abs(found - expected).max() < 1e-12
    assert model.length == 3 and model.localized_sites == (0, 1) and model.J == 1.0


def test_jump_operator_is_a_function_of_the_commutator():
    model = WithCoordinate(MODEL, BATH)
    (jump,) = BATH.jump_operators(model)
    h = Lindblad(model, []).generator.reshape((20,) * 4)
    # exp(-i ad_H t) of L and of X have the same elements between levels up to the rates.
    energies, vectors = np.linalg.eigh(1j * np.einsum("abcb->ac", h) / 20)
    lower = np.diag(np.sqrt(np.arange(1, 5)), 1)
    position = vectors.conj().T @ np.kron(np.eye(4), lower + lower.T) @ vectors
    rates = BATH.rate(energies[:, None] - energies[None, :])
    assert np.allclose(vectors.conj().T @ jump.matrix @ vectors, np.sqrt(rates) * position)
    assert jump.charge is None and jump.sites == (0, 1, 2)


def test_starts_as_a_product_with_the_thermal_oscillator():
    model = WithCoordinate(MODEL, BATH)
    psi = build("product", MODEL, directions=[[0.3, 0.1], [2.0, 0.5]]).to_vector(None)
    rho = DensityState.from_state(model.with_oscillator(psi))
    n = np.exp(-BATH.omega * np.arange(5) / 0.7)
    expected = np.kron(np.outer(psi.vector, psi.vector.conj()), np.diag(n / n.sum()))
    assert np.abs(rho.matrix - expected).max() < 1e-13
    cold = WithCoordinate(MODEL, replace(BATH, temperature=0.0)).with_oscillator(psi)
    assert len(cold.states) == 1


@pytest.mark.parametrize("method", ["series", "eigenbasis"])
def test_evolution_against_the_superoperator(method):
    model = WithCoordinate(MODEL, replace(BATH, levels=4))
    jumps = model.bath.jump_operators(model)
    psi = build("product", MODEL, directions=[[0.3, 0.1], [2.0, 0.5]]).to_vector(None)
    start = model.with_oscillator(psi)
    *_, last = evolve(model, start, [0, 0.5, 1.5], jumps=jumps, method=method)
    rho = Lindblad(model, jumps).evolve(DensityState.from_state(start).matrix, 1.5)
    assert np.abs(last.state.matrix - rho).max() < 1e-9


def test_a_run_with_a_reaction_coordinate():
    run = config.load(
        "chain-reaction-coordinate",
        ["bath.levels=3", "time.stop=1.0", "model.sites=3", "bath.gamma=0.01"],
    )
    result = simulate(run)
    assert result["spin"].shape == (3, 3, 3)
    assert np.allclose(result["norm"], 1) and np.isfinite(result["log_negativity"]).all()
    assert result["purity"][0] < 1.0


@pytest.mark.parametrize(
    "wrong",
    [{"levels": 1}, {"coupling": "components"}, {"frequency": "other"}, {"temperature": -1.0}],
)
def test_bad_parameters_name_the_key(wrong):
    (key,) = wrong
    with pytest.raises(InputError, match=rf"^bath\.{key}"):
        ReactionCoordinate(**{"temperature": 1.0, **wrong})


def test_other_solvers_refuse_it():
    with pytest.raises(InputError, match="reaction coordinate"):
        config.load("chain-reaction-coordinate", ["solver.kind='trajectories'"])
    large = WithCoordinate(HeisenbergChain(8), ReactionCoordinate(1.0))
    with pytest.raises(InputError, match=r"bath\.levels"):
        large.bath.jump_operators(large)
