"""Lindblad equations in the eigenbasis of H against the series and the superoperator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from open_systems import SPINS, Lindblad, density, flips, mixing, product
from solving import master_equation as evolve

from tnspin.baths import UniversalLindblad, jump_operators
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.operators.operator_sum import OperatorSum
from tnspin.solvers.lindblad.eigenbasis import EigenLindblad
from tnspin.solvers.lindblad.symmetries import labels, real_phases, turned_by
from tnspin.states.density import DensityState
from tnspin.states.initial import build

TIMES = [0.0, 0.7, 2.0]
RING = HeisenbergChain(4, field=(0, 0, 0.8), periodic=True)


def tilted(model):
    """The antiferromagnetic product state of FATE."""
    directions = [[0.125, 0.0], [np.pi - 0.125, 0.0]]
    return build("product", model, directions=directions).to_vector(None)


def last(*arguments, **options):
    *_, snapshot = evolve(*arguments, **options)
    return snapshot.state


@pytest.mark.parametrize("coupling", ["sum", "components"])
@pytest.mark.parametrize(
    "model",
    [
        RING, replace(RING, periodic=False), replace(RING, J=-1.0),
        HeisenbergChain(3, 1.0, field=(0.3, 0, 0.4), dmi=(0.1, 0.2, 0.3)),
    ],
    ids=["ring", "open", "ferromagnet", "complex"],
)  # fmt: skip
def test_baths_against_the_series(model, coupling):
    jumps = jump_operators(model, UniversalLindblad(1.0, gamma=0.05, coupling=coupling))
    one, other = (
        last(model, tilted(model), TIMES, jumps=jumps, method=method)
        for method in ("series", "eigenbasis")
    )
    assert np.abs(one.elements - other.elements).max() < 1e-10
    assert all(np.array_equal(block, block.conj().T) for block in other.blocks)


@pytest.mark.parametrize("jumps", [flips(), mixing()], ids=["charged", "mixing"])
@pytest.mark.parametrize("names", [("2Sz",), ()])
def test_any_jumps_in_sectors(jumps, names):
    state = product(SPINS, [0, 1, 1], names)
    found = last(SPINS, state, TIMES, jumps=jumps, method="eigenbasis")
    expected = last(SPINS, state, TIMES, jumps=jumps, method="series")
    assert found.charge_names == expected.charge_names
    assert np.abs(found.elements - expected.elements).max() < 1e-10


def test_against_the_superoperator():
    jumps = jump_operators(RING, UniversalLindblad(1.0))
    rho = Lindblad(RING, jumps).evolve(density(tilted(RING)), 2.0)
    found = last(RING, tilted(RING), TIMES, jumps=jumps, method="eigenbasis")
    assert np.abs(found.matrix - rho).max() < 1e-10


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-11])
def test_errors_stay_below_the_tolerance(tolerance):
    jumps = jump_operators(RING, UniversalLindblad(1.0, gamma=0.1))
    rho = Lindblad(RING, jumps).evolve(density(tilted(RING)), 5.0)
    found = last(
        RING, tilted(RING), [0, 5.0], jumps=jumps, method="eigenbasis", tolerance=tolerance
    )
    assert np.linalg.norm(found.matrix - rho) < max(tolerance, 2e-12)


def test_symmetries_make_it_small():
    model = replace(RING, spin=1.0)
    jumps = jump_operators(model, UniversalLindblad(1.0))
    start = DensityState.from_state(tilted(model))
    equation = EigenLindblad(model.hamiltonian, jumps, start)
    # Spins 0 and 2 may be exchanged, and 1 and 3: even and odd S_02 (6 + 3) times the same.
    assert sorted(equation.dims) == [9, 18, 18, 36]
    assert equation.nonzeros < 0.12 * sum(np.count_nonzero(jump.matrix) for jump in jumps)
    assert equation.exchanged <= 3.0 + 1e-9
    # A state without the symmetry keeps what it breaks.
    lopsided = build("product", model, directions=[[0.1, 0], [1.0, 0], [2.0, 0.3], [0.4, 0.1]])
    whole = EigenLindblad(
        model.hamiltonian, jumps, DensityState.from_state(lopsided.to_vector(None))
    )
    assert whole.dims == (81,)


def test_blocks_that_stay_empty_are_left_out():
    model = HeisenbergChain(4, 1.5, J=-1.0, field=(0, 0, 0.8), periodic=True)
    jumps = jump_operators(model, UniversalLindblad(1.0, omega_max=2.0))
    start = DensityState.from_state(
        build("product", model, directions=[[np.pi / 2, 0]]).to_vector(None)
    )
    # Other multiplets are 3 away, 2.2 with one spin turned over: beyond the cutoff of the baths.
    equation = EigenLindblad(model.hamiltonian, jumps, start)
    assert equation.dims == (13,)
    *_, (_, late) = equation.steps(start, 0.3, 1e-10)
    *_, expected = evolve(model, start, [0, 0.3], jumps=jumps, method="series", tolerance=1e-9)
    assert np.abs(late.elements - expected.state.elements).max() < 1e-9


def test_continuing_gives_the_same_bits():
    jumps = jump_operators(RING, UniversalLindblad(1.0))
    whole = [
        s.state
        for s in evolve(RING, tilted(RING), [0, 0.5, 1.0, 1.5], jumps=jumps, method="eigenbasis")
    ]
    again = last(RING, whole[2], [1.0, 1.5], jumps=jumps, method="eigenbasis")
    assert again.elements.tobytes() == whole[3].elements.tobytes()


def test_larger_systems_take_it_by_themselves(monkeypatch):
    model = HeisenbergChain(3, 2.0, field=(0, 0, 0.3))
    jumps = jump_operators(model, UniversalLindblad(1.0))
    seen = []
    steps = EigenLindblad.steps
    monkeypatch.setattr(EigenLindblad, "steps", lambda *a: seen.append(a) or steps(*a))
    last(model, tilted(model), [0, 0.1], jumps=jumps)
    assert len(seen) == 1
    last(RING, tilted(RING), [0, 0.1], jumps=jump_operators(RING, UniversalLindblad(1.0)))
    assert len(seen) == 1


def test_parities_of_a_small_pattern():
    keep = sp.csr_array(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0], [0, 0, 1, 0]]))
    flip = sp.csr_array(np.array([[0, 0, 1, 0], [0, 0, 0, 1.0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    found = labels([keep, flip])
    assert found.shape == (4, 1)
    assert found[0, 0] == found[1, 0] != found[2, 0] == found[3, 0]
    # Without the flips the halves do not see each other; with both mixed no label is left.
    assert labels([keep]).shape[1] == 1
    assert labels([sp.csr_array(keep + flip)]).shape[1] == 0


def test_phases_that_make_matrices_real():
    rng = np.random.default_rng(3)
    turn = np.exp(2j * np.pi * rng.random(6))
    real = [sp.csr_array(rng.normal(size=(6, 6)) * (rng.random((6, 6)) < 0.4)) for _ in range(2)]
    matrices = [turned_by(sp.csr_array(m.astype(complex)), turn) for m in real]
    phases = real_phases(matrices)
    assert max(np.abs(turned_by(m, phases).toarray().imag).max() for m in matrices) < 1e-12
    crooked = [sp.csr_array(rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6)))]
    assert np.array_equal(real_phases(crooked), np.ones(6))


def test_refusals():
    jumps = jump_operators(RING, UniversalLindblad(1.0))
    with pytest.raises(InputError, match=r"solver\.method"):
        last(RING, tilted(RING), TIMES, jumps=jumps, method="eigen")

    class Driven:
        local_sites = RING.local_sites
        hamiltonian = RING.hamiltonian + OperatorSum.of(RING.local_sites, [(np.cos, "Sz", 0)])

    with pytest.raises(InputError, match="depends on time"):
        last(Driven(), tilted(RING), TIMES, jumps=jumps, method="eigenbasis")
