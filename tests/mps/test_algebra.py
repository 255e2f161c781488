"""Sums, multiples and other charges of matrix product states against dense vectors."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from dense import full_vector, orthonormality, random_state
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small_states import CHAINS, MIDDLE, make

from tnspin.errors import InputError
from tnspin.mps import MPS
from tnspin.operators.sites import spin

# Kernels may have to be compiled first.
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def vector(state):
    """The whole vector, its norm included."""
    return np.exp(state.log_norm) * full_vector(state)


@st.composite
def pairs(draw):
    """Two states of one chain in one sector of some of its charges, canonical or not."""
    name = draw(st.sampled_from([key for key in CHAINS if key in MIDDLE]))
    sites, every = CHAINS[name]
    names = tuple(draw(st.permutations(every))[: draw(st.integers(0, len(every)))])
    found = []
    for _ in range(2):
        rng = np.random.default_rng(draw(st.integers(0, 1000)))
        state = random_state(sites, names, rng, states=MIDDLE[name], dim=draw(st.integers(1, 5)))
        if draw(st.booleans()):
            state.canonicalize()
        found.append(state)
    return found


def numbers(least=1e-3):
    part = st.floats(-3, 3)
    return st.builds(complex, part, part).filter(lambda z: abs(z) > least)


@SETTINGS
@given(pairs(), numbers(), numbers())
def test_sums_and_multiples(states, x, y):
    a, b = states
    wanted = x * full_vector(a) - y * full_vector(b)
    size = np.linalg.norm(wanted)
    scale = abs(x) * a.norm + abs(y) * b.norm
    assume(size > 1e-6 * scale)
    found = x * a - b * y
    assert found.canonical and orthonormality(found) < 1e-12
    assert np.abs(vector(found) - wanted).max() < 1e-13 * scale
    assert found.norm == pytest.approx(size, abs=1e-13 * scale)
    assert found.charge_names == a.charge_names and found.total_charge == a.total_charge


@SETTINGS
@given(pairs(), st.data())
def test_fewer_charges_and_back(states, data):
    a = states[0]
    names = data.draw(st.permutations(a.charge_names))
    names = tuple(names[: data.draw(st.integers(0, len(names)))])
    less = a.with_charges(names)
    assert less.charge_names == names and less.canonical == a.canonical
    assert np.abs(full_vector(less) - full_vector(a)).max() < 1e-14 * max(1.0, a.norm)
    assert np.array_equal(less.bond_dims(), a.bond_dims())
    a.canonicalize()
    less = a.with_charges(names)
    assert orthonormality(less) < 1e-12
    np.testing.assert_allclose(less.entropies(), a.entropies(), atol=1e-13)
    for one, two in zip(less.site_rdms(), a.site_rdms(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-13)
    back = less.with_charges(a.charge_names)
    assert back.total_charge == a.total_charge
    assert np.abs(full_vector(back) - full_vector(a)).max() < 1e-12


@pytest.mark.parametrize("name", list(CHAINS))
def test_norms_go_along(name):
    a = make(name)
    a.canonicalize()
    assert (2 * a).norm == pytest.approx(2) and (a / 4).norm == pytest.approx(0.25)
    assert (3j * a).overlap(a) == pytest.approx(-3j)
    assert (a + a).norm == pytest.approx(2)
    assert np.array_equal((a + a).bond_dims(), a.bond_dims())
    double = 2 * a
    assert np.abs(vector(double.copy().with_charges(())) - 2 * full_vector(a)).max() < 1e-12
    assert np.abs(vector(-(a - double)) - full_vector(a)).max() < 1e-12
    assert np.abs(vector(double.conj()) - 2 * full_vector(a).conj()).max() < 1e-12
    for one, two in zip(double.site_rdms(), a.site_rdms(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-14)
    states = np.argwhere(np.ones([site.dim for site in a.sites]))
    np.testing.assert_allclose(double.amplitudes(states), 2 * full_vector(a), atol=1e-12)


def test_what_cannot_be_added():
    a = make("spins")
    a.canonicalize()
    other = MPS.product(a.sites, [[1, 0]] * 7, ("2Sz",))
    with pytest.raises(InputError, match="with_charges"):
        a + other
    both = a.with_charges(()) + other.with_charges(())
    assert both.norm == pytest.approx(np.sqrt(2))
    with pytest.raises(InputError, match="other sites or charges"):
        a + other.with_charges(())
    for state in (a, other):
        with pytest.raises(InputError, match=r"cancel|norm is zero"):
            state - state
    with pytest.raises(InputError, match="0 times"):
        0 * a
    with pytest.raises(InputError, match="no eigenstate"):
        both.with_charges(("2Sz",))


@pytest.mark.parametrize("name", list(CHAINS))
def test_files_with_their_sites(name, tmp_path):
    a = 0.5 * make(name)
    a.save(tmp_path / "state.h5")
    for back in (MPS.load(tmp_path / "state.h5"), MPS.load(str(tmp_path / "state.h5"), a.sites)):
        assert np.array_equal(vector(back), vector(a)) and back.code == a.code
    for one, two in zip(MPS.load(tmp_path / "state.h5").sites, a.sites, strict=True):
        assert (one.name, one.labels, one.charges, one.parity, one.spin_dim) == (
            two.name, two.labels, two.charges, two.parity, two.spin_dim,
        )  # fmt: skip
        assert list(one.operators) == list(two.operators)
        assert all(np.array_equal(one.op(k), two.op(k)) for k in two.operators)
    with pytest.raises(InputError, match="another chain"):
        MPS.load(tmp_path / "state.h5", (spin(1.0),) * 3)
    with h5py.File(tmp_path / "group.h5", "w") as file:
        a.save(file.create_group("state"))
        with pytest.raises(InputError, match="does not say on which sites"):
            MPS.load(file["state"])
