"""Open Heisenberg chains: H and the dissipators of OHM Eq. 9 written out, complete positivity."""

from __future__ import annotations

import pickle
from math import cos, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_heisenberg_reference import (
    dissipated,
    hamiltonian,
    lindblad,
    operator,
    raising,
)
from open_systems import Lindblad, density

from tnspin import cli
from tnspin.baths import OpenHeisenbergBath
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, OpenHeisenbergChain
from tnspin.observables.profiles import spin
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sparse import to_sparse
from tnspin.solvers import evolve
from tnspin.states.initial.product import product

RNG = np.random.default_rng(5)


def random_matrix(dim):
    return RNG.normal(size=(dim, dim)) + 1j * RNG.normal(size=(dim, dim))


def test_the_hamiltonian_as_printed():
    model = OpenHeisenbergChain(4, V=(0.3, -0.7, 0.2), field=(0.1, 0.2, -0.4))
    found = to_sparse(model.hamiltonian).toarray()
    assert np.abs(found - hamiltonian(4, model.V, model.field)).max() < 1e-14
    assert pickle.loads(pickle.dumps(model)) == model


def test_the_field_has_the_opposite_sign_of_that_of_heisenberg_chains():
    one = OpenHeisenbergChain(3, V=(0.4, 0.4, 0.4), field=(0.1, 0.2, -0.4))
    other = HeisenbergChain(3, J=0.4, field=(-0.1, -0.2, 0.4))
    difference = to_sparse(one.hamiltonian) - to_sparse(other.hamiltonian)
    assert abs(difference).max() < 1e-14


@pytest.mark.parametrize(
    "V, field, names",
    [
        ((0.1, 0.1, 0.5), (0, 0, 1), ("2Sz",)),
        ((0.1, 0.1, 0.5), (1, 0, 0), ()),
        ((1, 0, 0), (0, 0, 1), ()),
    ],
)
def test_conserved_charges(V, field, names):
    assert OpenHeisenbergChain(3, V=V, field=field).hamiltonian.conserved() == names


@pytest.mark.parametrize(
    "bath",
    [
        OpenHeisenbergBath(),
        OpenHeisenbergBath(gamma=0.3, n_bosons=1.5, neighbour_ratio=-0.5),
        OpenHeisenbergBath(gamma=(0.1, 0.2, 0.3), neighbour_ratio=0.4),
        OpenHeisenbergBath(gamma=(0.0, 0.2, 0.3), neighbour=(0.0, 0.02, -0.1)),
        OpenHeisenbergBath(gamma=0.2, neighbour_ratio=1 / (2 * cos(pi / 4))),
        OpenHeisenbergBath(gamma=0.2, n_bosons=0.0, neighbour_ratio=0.0),
    ],
    ids=["default", "hot", "all axes", "two axes", "bound", "one rate"],
)
def test_jump_operators_make_the_dissipator_as_printed(bath):
    """Also where no eigenvalue is left: the Kossakowski matrix at the bound is singular."""
    model = OpenHeisenbergChain(3)
    rho = random_matrix(8)
    wanted = dissipated(rho, 3, bath.rates, bath.neighbour_rates)
    found = lindblad(rho, model, bath.jump_operators(model))
    assert np.abs(found - wanted).max() < 1e-8


def test_rates_are_those_of_a_thermal_bath():
    bath = OpenHeisenbergBath(gamma=0.1, n_bosons=0.08)
    g0 = 0.1 / 1.16
    np.testing.assert_allclose(bath.rates[2], [0.08 * g0, 1.08 * g0])
    np.testing.assert_allclose(bath.neighbour_rates, 0.1 * bath.rates)
    assert not bath.rates[:2].any()


def test_raising_operators_flip_the_spins_of_their_axis():
    for axis in "xyz":
        plus, sigma = raising(axis), 2 * operator(f"S{axis}", 0, 1)
        assert np.abs(sigma @ plus - plus @ sigma - 2 * plus).max() < 1e-14


@pytest.mark.parametrize("length", [2, 3, 7, 40])
def test_jumps_are_local_and_few(length):
    jumps = OpenHeisenbergBath().jump_operators(OpenHeisenbergChain(length))
    assert len(jumps) == 2 * length
    assert all(j.sites in {(k, k + 1), (k,)} for j in jumps for k in j.sites[:1])
    assert {jump.charge for jump in jumps} == {2, -2}


def sized(low, high):
    """Numbers that a configuration takes: 0, or of no absurd size."""
    return st.floats(low, high).map(lambda x: x if abs(x) > 1e-50 else 0.0)


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(2, 12), ratio=sized(-1.5, 1.5), bosons=sized(0.0, 3.0),
    gamma=st.floats(1e-3, 10.0),
)  # fmt: skip
def test_one_axis_is_refused_beyond_the_bound(length, ratio, bosons, gamma):
    bound = 1 / (2 * cos(pi / (length + 1)))
    bath = OpenHeisenbergBath(gamma=gamma, n_bosons=bosons, neighbour_ratio=ratio)
    lowest = bath.rates[2].max() * (1 - 2 * abs(ratio) * cos(pi / (length + 1)))
    found = np.linalg.eigvalsh(bath.kossakowski(length))[0]
    # The third operator of an axis has no rate at all.
    assert found == pytest.approx(min(lowest, 0.0), abs=1e-12 * gamma)
    if abs(ratio) <= bound * (1 - 1e-9):
        bath.check_length(length)
    elif abs(ratio) >= bound * (1 + 1e-9):
        with pytest.raises(InputError, match="not completely positive"):
            bath.check_length(length)


@pytest.mark.parametrize(
    "V, field, start",
    [((0.5, 0.1, 0.1), (0.25, 0.25, -0.5), ["x"]), ((0.3, 0.3, 0.1), (0, 0, -0.5), ["z", "-z"])],
    ids=["no charge", "2Sz"],
)
def test_every_solver_of_open_systems_takes_the_jumps(V, field, start):
    model = OpenHeisenbergChain(4, V=V, field=field)
    jumps = OpenHeisenbergBath(gamma=0.4, neighbour_ratio=0.5).jump_operators(model)
    state, times = product(model, start), [0.0, 0.5]
    names = model.hamiltonian.conserved()
    sector = ChargeBasis(model.local_sites, state.total_charge(names)) if names else None
    rho = density(state.to_vector())
    wanted = Lindblad(model, jumps).evolve(rho, 0.5)
    spins = np.array([[2 * np.trace(operator(f"S{a}", k, 4) @ wanted).real for a in "xyz"]
                      for k in range(4)])  # fmt: skip
    options = {"jumps": jumps, "dt": 0.05, "cutoff": 1e-12}
    runs = {
        "master_equation": (state.to_vector(sector), {"jumps": jumps}),
        "density_matrix": (state.to_mps(names), options),
        "purification": (state.to_mps(names), {**options, "kraus_cutoff": 1e-12}),
    }
    for solver, (begin, keys) in runs.items():
        *_, last = evolve(model, begin, times, solver=solver, **keys)
        tolerance = 1e-9 if solver == "master_equation" else 2e-4
        np.testing.assert_allclose(spin(last), spins, atol=tolerance, err_msg=solver)


def test_neighbour_rates_of_axes_without_on_site_rates_are_refused():
    bath = OpenHeisenbergBath(gamma=0.1, neighbour=(0.01, 0.01, 0.01))
    lowest = np.linalg.eigvalsh(bath.kossakowski(3))[0]
    assert lowest < -1e-3
    with pytest.raises(InputError, match=f"{lowest:.6g}"):
        bath.jump_operators(OpenHeisenbergChain(3))


def test_the_command_refuses_with_the_eigenvalue(tmp_path, capsys):
    override = "bath.neighbour_ratio=0.8"
    status = cli.main(["run", "open-heisenberg", "--set", override, "-o", str(tmp_path / "run.h5")])
    # gamma_- (1 - 2 * 0.8 cos(pi/4)) with gamma_- = 0.1 * 1.08 / 1.16
    lowest = 0.1 * 1.08 / 1.16 * (1 - 1.6 * cos(pi / 4))
    text = capsys.readouterr().err
    assert status == 2 and f"{lowest:.6g}" in text and "0.707107 gamma" in text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "keys, match",
    [
        ({"gamma": -0.1}, "bath.gamma"),
        ({"gamma": (0.1, 0.1)}, r"bath.gamma = \[0.1, 0.1\]: must be"),
        ({"n_bosons": -1.0}, "bath.n_bosons"),
        ({"neighbour_ratio": float("nan")}, "bath.neighbour_ratio"),
        ({"neighbour": (1, 2)}, "bath.neighbour"),
    ],
)
def test_wrong_values_are_refused(keys, match):
    with pytest.raises(InputError, match=match):
        OpenHeisenbergBath(**keys)


def test_rings_are_refused():
    with pytest.raises(InputError, match="open chains"):
        OpenHeisenbergBath().jump_operators(HeisenbergChain(4, periodic=True))
