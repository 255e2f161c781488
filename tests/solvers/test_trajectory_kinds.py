"""Trajectories of all kinds of states: the same jumps at the same times, the same averages."""

from __future__ import annotations

import numpy as np
import pytest
from dense import all_states
from open_systems import (
    MINUS,
    PLUS,
    SPINS,
    VALVE,
    Z,
    effective_evolution,
    embedded,
    flips,
    mixing,
    product,
    valve_jumps,
)
from solving import trajectories

from tnspin.baths import JumpOperator, UniversalLindblad, jump_operators
from tnspin.models import KondoHeisenbergChain
from tnspin.mps import MPS
from tnspin.solvers.trajectories import Trajectories
from tnspin.solvers.trajectories.mps import MPSBackend
from tnspin.solvers.trajectories.one_electron import OneElectronBackend
from tnspin.solvers.trajectories.vector import VectorBackend
from tnspin.states.ensemble import Ensemble
from tnspin.states.one_electron.state import OneElectronState
from tnspin.states.vector import VectorState

TIMES = [0.0, 0.8, 2.0]
CHARGES = ("N", "2Sz")
#: An electron with spin up on site 0, localized spins up and down.
START = [1, 0, 0, 1]


def valve_mixing(rate=0.4):
    return [
        JumpOperator((1,), np.sqrt(rate) * (PLUS + 0.5 * Z), None, "mixed 1"),
        JumpOperator((3,), np.sqrt(rate) * (MINUS + PLUS), None, "mixed 3"),
    ]


def as_mps(model, states, names=CHARGES):
    vectors = [np.eye(s.dim)[k] for s, k in zip(model.local_sites, states, strict=True)]
    return MPS.product(model.local_sites, vectors, names)


def as_one_electron(model, states, names=CHARGES):
    """Of product states with one electron, whose spin is the local state 1 or 2 of its site."""
    orbital = np.zeros((model.length, 2))
    groups = []
    for k, (site, state) in enumerate(zip(model.local_sites, states, strict=True)):
        electron, spin = divmod(state, site.spin_dim)
        if electron:
            orbital[k, electron - 1] = 1.0
        if site.spin_dim > 1:
            groups.append(((k,), np.eye(site.spin_dim)[spin]))
    return OneElectronState.from_groups(model.local_sites, orbital, groups, names)


def amplitudes(state):
    if isinstance(state, VectorState | MPS):
        return state.amplitudes(all_states(state.sites))
    table, sites = all_states(state.sites), state.sites
    vector = np.zeros(len(table), dtype=complex)
    for c, local in enumerate(state.configurations.basis.states.tolist()):
        for x, amplitude in enumerate(state.amplitudes[c]):
            spins = iter(local[1:])
            digits = [next(spins) if site.spin_dim > 1 else 0 for site in sites]
            digits[x] += (1 + local[0]) * sites[x].spin_dim
            vector[np.flatnonzero((table == digits).all(axis=1))] = amplitude
    return vector


def difference(one, other):
    """Largest element of the difference of two vectors, up to a phase."""
    phase = np.vdot(one, other)
    return np.abs(one * phase / abs(phase) - other).max()


def trajectory_average(state, jumps, **options):
    options = {"trajectories": 24, "chunk": 6, "workers": 1, "seed": 3} | options
    return list(trajectories(VALVE, state, TIMES, jumps=jumps, **options))


@pytest.mark.parametrize("jumps", [valve_jumps(), valve_mixing()], ids=["definite", "mixing"])
def test_one_electron_goes_the_way_of_the_vector(jumps):
    vectors = trajectory_average(product(VALVE, START, CHARGES), jumps)
    ones = trajectory_average(as_one_electron(VALVE, START), jumps)
    for one, other in zip(vectors, ones, strict=True):
        assert np.abs(one.state.vector - other.state.vector).max() < 1e-6


@pytest.mark.parametrize("jumps", [valve_jumps(), valve_mixing()], ids=["definite", "mixing"])
def test_matrix_product_states_go_the_way_of_the_vector(jumps):
    options = {"trajectories": 12, "chunk": 3, "dt": 0.04, "cutoff": 1e-12}
    vectors = trajectory_average(product(VALVE, START, CHARGES), jumps, **options)
    chains = trajectory_average(as_mps(VALVE, START), jumps, **options)
    for one, other in zip(vectors, chains, strict=True):
        for part in ("site", "bond", "spins"):
            for a, b in zip(
                one.state.layout.matrices(part, one.state.vector),
                other.state.layout.matrices(part, other.state.vector),
                strict=True,
            ):
                # Trotter errors of the second order in 0.04, and jumps where they differ.
                assert np.abs(a - b).max() < 5e-3
        assert other.ledger is not None
        assert other.state.bond_dims().max() > 1 or other.time == 0


@pytest.mark.parametrize("jumps", [flips(), mixing()], ids=["definite", "mixing"])
def test_decay_of_matrix_product_states_is_second_order(jumps):
    names = () if jumps[0].charge is None else ("2Sz",)
    start = product(SPINS, [0, 1, 0])
    wanted = effective_evolution(SPINS, jumps, amplitudes(start), 1.0)
    errors = []
    for dt in (0.1, 0.025):
        backend = MPSBackend(SPINS, jumps, names, Trajectories(dt=dt, cutoff=1e-15))
        walk = backend.advance(backend.start(as_mps(SPINS, [0, 1, 0], ("2Sz",))), 1.0)
        assert walk.norm2 == pytest.approx(np.linalg.norm(wanted) ** 2, abs=0.1 * dt)
        found = np.sqrt(walk.norm2) * amplitudes(walk.state)
        errors.append(difference(found, wanted))
    assert errors[1] < 3e-4
    assert np.log(errors[0] / errors[1]) / np.log(4) == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("rate", [0.3, 20.0])
def test_decay_of_one_electron(rate):
    jumps = valve_jumps(rate)
    wanted = effective_evolution(VALVE, jumps, amplitudes(product(VALVE, START, CHARGES)), 1.5)
    backend = OneElectronBackend(VALVE, jumps, CHARGES, Trajectories(tolerance=1e-9))
    found = backend.advance(backend.start(as_one_electron(VALVE, START)), 1.5)
    assert np.abs(amplitudes(found) - wanted).max() < 1e-9


@pytest.mark.parametrize("kind", [VectorBackend, OneElectronBackend, MPSBackend])
@pytest.mark.parametrize("jumps", [valve_jumps(), valve_mixing()], ids=["definite", "mixing"])
def test_jumps(kind, jumps):
    """Every jump against its matrix in the full space, after some time of evolution."""
    make = {VectorBackend: product, OneElectronBackend: as_one_electron, MPSBackend: as_mps}[kind]
    names = ("N",) if jumps[0].charge is None else CHARGES
    backend = kind(VALVE, jumps, names, Trajectories(cutoff=1e-15))
    state = backend.advance(backend.start(make(VALVE, START, CHARGES)), 1.0)
    before = amplitudes(backend.measured(state)[0])
    for k, jump in enumerate(jumps):
        wanted = embedded(VALVE, jump) @ before
        after = backend.jump(state, k)
        assert backend.norm2(after) == pytest.approx(1.0, abs=1e-12)
        found = amplitudes(backend.measured(after)[0])
        assert difference(found, wanted / np.linalg.norm(wanted)) < 1e-7
    assert backend.norm2(backend.jump(state, None)) == pytest.approx(1.0, abs=1e-12)


def test_closed_matrix_product_states_are_those_of_tebd():
    from solving import tebd

    options = {"dt": 0.1, "bond_dim": 20, "cutoff": 1e-10}
    out = trajectory_average(as_mps(VALVE, START), (), **options)
    for one, other in zip(out, tebd(VALVE, as_mps(VALVE, START), TIMES, **options), strict=True):
        assert np.abs(one.state.site_rdms()[1] - other.state.site_rdms()[1]).max() < 1e-12
        assert np.allclose(one.ledger.discarded, other.ledger.discarded, atol=1e-15)


def test_bath_of_a_valve():
    """Universal-Lindblad jumps of two groups, a mixture of two sectors, in both exact kinds."""
    model = KondoHeisenbergChain(sites=6, localized=[[1, 2], [4, 5]], J=0.5, J_sd=0.8)
    bath = UniversalLindblad(temperature=0.5, gamma=0.05, coupling="components")
    jumps = jump_operators(model, bath)
    found = []
    for make in (product, as_one_electron):
        members = tuple(make(model, [k, 0, 0, 0, 1, 1], CHARGES) for k in (1, 2))
        out = trajectories(
            model, Ensemble(members, (0.5, 0.5)), TIMES, jumps=jumps, trajectories=16, chunk=4,
            workers=1, observables=("log_negativity", "spin", "energy"),
        )  # fmt: skip
        found.append(list(out))
    for one, other in zip(*found, strict=True):
        assert np.abs(one.state.vector - other.state.vector).max() < 1e-6
        for name, error in one.errors.items():
            assert np.allclose(error, other.errors[name], atol=1e-5)


@pytest.mark.parametrize("make", [as_one_electron, as_mps])
def test_kinds_travel_to_workers(make):
    """The same numbers from other processes, where states and models are unpickled."""
    state = make(VALVE, START, CHARGES)
    options = {"trajectories": 4, "chunk": 2, "dt": 0.2}
    here = trajectory_average(state, valve_jumps(), **options)
    there = trajectory_average(state, valve_jumps(), workers=2, **options)
    assert np.array_equal(here[-1].state.vector, there[-1].state.vector)
