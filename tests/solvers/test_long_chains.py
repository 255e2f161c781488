"""Open chains beyond dense matrices: bond dimensions against free fermions, N = 8 against dense."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from free_fermions import covariances, hopping
from open_systems import MINUS, PLUS, Z, in_full_space
from small_chains import basis_state
from solving import density_matrix as evolve
from solving import master_equation, tebd

import tnspin as ts
from tnspin import figures
from tnspin.baths import JumpOperator, ReactionCoordinate, WithCoordinate
from tnspin.models import HeisenbergChain
from tnspin.mps.density import DensityMPS
from tnspin.mps.state import MPS
from tnspin.observables import OBSERVABLES
from tnspin.observables.snapshot import Snapshot
from tnspin.results.result import Result, Variable
from tnspin.runs.config.loading import load
from tnspin.runs.simulation import simulate
from tnspin.states.ensemble import Ensemble
from tnspin.states.vector import VectorState

# ---------------------------------------------------------------------- free fermions


def driven(length, rate=1.0):
    """Spins come in on the left and leave on the right: jumps, and rates of the fermions."""
    jumps = [
        JumpOperator((0,), np.sqrt(rate) * PLUS, 2, "S+"),
        JumpOperator((length - 1,), np.sqrt(rate) * MINUS, -2, "S-"),
    ]
    ends = rate * np.eye(length)
    return jumps, {"gain": ends[0], "loss": ends[-1]}


def dephased(length, rate=2.0):
    """Every spin is measured along z."""
    jumps = [JumpOperator((k,), np.sqrt(rate) * Z / 2, 0, f"z {k}") for k in range(length)]
    return jumps, {"dephasing": rate}


def worst_errors(bath, states, times, bond_dim):
    """Largest errors of S^z and S+S- of neighbours of 32 spins, and of the trace."""
    model = HeisenbergChain(32, J=1.0, Jz=0.0)
    jumps, rates = bath(32)
    exact = covariances(hopping(32, 1.0), [1 - s for s in states], times, **rates)
    start = basis_state(model.local_sites, states, ("2Sz",))
    options = {"dt": 0.2, "order": 4, "cutoff": 1e-13, "bond_dim": bond_dim, "method": "gram"}
    worst = trace = 0.0
    run = evolve(model, start, times, jumps=jumps, **options)
    for snapshot, c in zip(run, exact, strict=True):
        up = np.array([rho[0, 0].real for rho in snapshot.site_rdms])
        hops = [np.trace(rho @ np.kron(PLUS, MINUS)) for rho in snapshot.bond_rdms]
        worst = max(worst, np.abs(up - np.diag(c).real).max(), np.abs(hops - np.diag(c, 1)).max())
        trace = max(trace, abs(snapshot.state.trace - 1))
    return worst, trace


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bath", "states", "stop", "best"),
    [(driven, [1] * 32, 6.0, 1e-6), (dephased, [0, 1] * 16, 4.0, 5e-6)],
    ids=["driven", "dephased"],
)
def test_errors_of_xx_chains_fall_with_the_bond_dimension(bath, states, stop, best):
    times = np.arange(0.0, stop + 0.1, 1.0)
    errors = [worst_errors(bath, states, times, chi) for chi in (16, 32, 64)]
    for (coarse, lost), (fine, kept) in pairwise(errors):
        assert fine < coarse / 3 and kept < lost
    assert errors[-1][0] < best


# ---------------------------------------------------------------------- against dense matrices


@pytest.mark.slow
def test_eight_spins_of_the_preset_against_the_master_equation():
    """Equal jump operators, over the whole run."""
    small = ["model.sites=8", "record.observables=[]"]
    chain = simulate(load("chain-long", [*small, "solver.bond_dim=256"]))
    dense = simulate(load("chain-long", [*small, 'solver.kind="master_equation"']))
    assert np.abs(chain["spin"] - dense["spin"]).max() < 1e-4
    assert np.abs(chain["log_negativity"] - dense["log_negativity"]).max() < 1e-3
    assert np.abs(chain["energy"] - dense["energy"]).max() < 1e-3
    assert np.abs(chain["purity"] - dense["purity"]).max() < 1e-4
    assert dense["log_negativity"].max() > 0.2
    assert 0 < chain.attrs["jump_error"] == dense.attrs["jump_error"] < 0.1


# ---------------------------------------------------------------------- an oscillator in the chain


def beside_an_oscillator(count, levels):
    """Tilted spins and a thermal oscillator that couples to all: model, network and dense start."""
    bath = ReactionCoordinate(1.0, gamma=0.1, levels=levels)
    spins = HeisenbergChain(count, field=(0, 0, 0.8))
    model = WithCoordinate(spins, bath)
    angles = [0.2 if k % 2 == 0 else np.pi / 2 - 0.2 for k in range(count)]
    vectors = [np.array([np.cos(a), np.sin(a)]) for a in angles]
    members = [MPS.product(model.local_sites, [*vectors, n]) for n in np.eye(levels)]
    network = Ensemble(tuple(members), tuple(bath.populations()))
    dense = model.with_oscillator(VectorState.product(spins.local_sites, vectors, None))
    return model, network, dense


def error_beside_an_oscillator(count, levels, jumps_of, **options):
    model, network, dense = beside_an_oscillator(count, levels)
    jumps, times = jumps_of(model), [0.0, 0.5]
    *_, exact = master_equation(model, dense, times, jumps=jumps)
    *_, found = evolve(model, network, times, jumps=jumps, threads=1, **options)
    rho = found.state.rdm(range(model.length))
    return np.abs(rho - in_full_space(exact.state)).max()


def test_reaction_coordinate_as_a_site():
    """Its jump operator acts on the spins as well."""
    options = {"dt": 0.1, "cutoff": 1e-12}
    assert error_beside_an_oscillator(2, 4, lambda m: m.bath.jump_operators(m), **options) < 1e-5


def test_damped_oscillator_coupled_to_every_spin():
    """Jumps on the oscillator alone: couplings of any range, any number of levels, by TDVP."""

    def damped(model):
        lower = np.diag(np.sqrt(np.arange(1.0, model.bath.levels)), 1).astype(complex)
        last = model.length - 1
        return [
            JumpOperator((last,), np.sqrt(0.5) * lower, 0, "b"),
            JumpOperator((last,), np.sqrt(0.1) * lower.T, 0, "b+"),
        ]

    errors = [
        error_beside_an_oscillator(3, 5, damped, dt=dt, cutoff=1e-13) for dt in (0.125, 0.0625)
    ]
    # As on rings: bonds that still grow make an error of second order in the step.
    assert errors[1] < 1e-4 and np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3), errors


# ---------------------------------------------------------------------- what long chains record


def pure(length, spin=0.5):
    """A matrix product state and the snapshot of its density matrix."""
    model = HeisenbergChain(length, spin=spin, Jz=0.6)
    start = basis_state(model.local_sites, [k % 2 for k in range(length)], ("2Sz",))
    *_, last = tebd(model, start, [0.0, 1.0], cutoff=1e-12, threads=1)
    return last.state, Snapshot(1.0, model, DensityMPS.from_state(last.state))


def test_renyi_negativity_of_a_pure_state():
    psi, snapshot = pure(13)
    weights = psi.schmidt(6) ** 2
    expected = -np.log((weights**3).sum())
    assert OBSERVABLES["renyi_negativity"].measure(snapshot) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("length", "spin", "first", "second"),
    [(12, 0.5, range(1, 6), range(6, 11)), (13, 0.5, range(2, 7), range(7, 12)),
     (9, 1.0, range(2, 5), range(5, 8)), (3, 2.5, (1,), (2,))],
)  # fmt: skip
def test_negativity_of_the_central_block(length, spin, first, second):
    psi, snapshot = pure(length, spin)
    assert snapshot.block == (tuple(first), tuple(second))
    found = OBSERVABLES["block_log_negativity"].measure(snapshot)
    assert found == pytest.approx(ts.log_negativity(psi, list(first), list(second)), abs=1e-6)
    lowest = OBSERVABLES["block_smallest_eigenvalue"].measure(snapshot)
    # Compression to 1e-14 in the Hilbert-Schmidt norm.
    assert abs(lowest) < 1e-7


# ---------------------------------------------------------------------- runs and figures


@pytest.fixture(scope="module")
def short_run():
    keys = ["model.sites=12", "time.stop=0.5", "solver.bond_dim=16", "solver.threads=1"]
    return simulate(load("chain-long", keys))


def test_a_short_run_of_the_preset(short_run, tmp_path):
    """The result says what windows of the baths cost, and has a figure of its own."""
    assert 0.01 < short_run.attrs["jump_error"] < 0.1
    assert short_run["block_log_negativity"][-1] > 0.1 and short_run["renyi_negativity"][-1] > 0.05
    drawing = figures.figure(short_run)
    panels = [ax for ax in drawing.axes if ax.get_title(loc="left").startswith("(")]
    assert [ax.get_title(loc="left")[:3] for ax in panels] == [f"({c})" for c in "abcdef"]
    assert "windows of the baths" in drawing.get_suptitle()
    assert not any("not converged" in ax.get_title(loc="right") for ax in drawing.axes)
    figures.save_figure(short_run, tmp_path / "long.png")
    assert (tmp_path / "long.png").stat().st_size > 10_000


def test_the_figure_says_from_when_on_it_is_not_converged(short_run):
    error = np.linspace(0.0, 0.03, short_run["time"].size)
    variables = {**short_run.variables, "trace_error": Variable(("time",), error, "1", "")}
    drawing = figures.figure(Result(variables, short_run.attrs))
    assert any("not converged" in ax.get_title(loc="right") for ax in drawing.axes)
