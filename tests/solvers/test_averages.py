"""Packed density matrices and their averages against those of the states themselves."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from small_states import make

from tnspin.errors import InputError
from tnspin.observables.groups.spins import group_state
from tnspin.solvers.trajectories.averages import Averaged
from tnspin.solvers.trajectories.layout import LARGEST, Layout
from tnspin.states.ensemble import Ensemble

GROUPS = {"kondo": [[1], [2]], "two sites": [[0, 1]], "mixed spins": [[3, 0], [1, 4, 2]]}


def mixture(name):
    """Three states of one sector with weights, and their layout."""
    states = tuple(make(name, seed) for seed in range(3))
    layout = Layout(states[0].sites, states[0].charge_names, GROUPS[name], cuts=True)
    return Ensemble(states, (0.5, 0.3, 0.2)), layout


def averaged(ensemble, layout):
    vectors = [weight * layout.pack(state) for weight, state in ensemble.members]
    return Averaged(layout, np.sum(vectors, axis=0))


def close(one, other):
    return one.shape == other.shape and np.abs(one - other).max() < 1e-12


@pytest.mark.parametrize("name", GROUPS)
def test_answers_like_the_mixture(name):
    ensemble, layout = mixture(name)
    mean = averaged(ensemble, layout)
    assert mean.vector.shape == (layout.size,)
    for one, other in zip(mean.site_rdms(), ensemble.site_rdms(), strict=True):
        assert close(one, other)
    for one, other in zip(mean.bond_rdms(), ensemble.bond_rdms(), strict=True):
        assert close(one, other)
    assert close(mean.entropies(), ensemble.entropies())
    assert mean.norm == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", GROUPS)
def test_density_matrices_of_spins_in_any_order(name):
    ensemble, layout = mixture(name)
    mean = averaged(ensemble, layout)
    spins = [k for group in GROUPS[name] for k in group]
    for chosen in (spins, spins[::-1], sorted(spins), spins[1:], spins[:1]):
        keep = [mean.sites[k].spin_dim for k in chosen]
        assert close(mean.rdm(chosen, keep=keep), ensemble.rdm(chosen, keep))
    assert close(mean.rdm([1, 0]), ensemble.rdm([1, 0]))


@pytest.mark.parametrize("name", GROUPS)
def test_group_states(name):
    ensemble, layout = mixture(name)
    mean = averaged(ensemble, layout)
    groups = GROUPS[name] if len(GROUPS[name]) == 2 else [[1], [0]]
    one, other = group_state(mean, *groups), group_state(ensemble, *groups)
    assert all(map(np.array_equal, one.charges, other.charges))
    assert close(one.to_dense(), other.to_dense())
    assert one.log_negativity() == pytest.approx(other.log_negativity(), abs=1e-12)


def test_only_what_charges_allow_is_kept():
    states = make("spins"), make("spins, dense")
    sizes = [Layout(s.sites, s.charge_names, [range(7)]).size for s in states]
    # Pairs of product states with the same 2Sz, j <= i: of one spin, of two, of seven.
    pairs = [7 * 2, 6 * (1 + 3 + 1), (3432 + 128) // 2]
    assert sizes[0] == sum(pairs) + 2 * 6
    assert sizes[1] == 7 * 3 + 6 * 10 + 128 * 129 // 2 + 2 * 6


def test_what_was_not_kept_is_refused():
    state = make("kondo")
    bare = Averaged(Layout(state.sites, state.charge_names, [], bonds=False), np.zeros(30))
    for ask in (bare.bond_rdms, bare.entropies, lambda: bare.schmidt(0)):
        with pytest.raises(InputError, match="state: "):
            ask()
    ensemble, layout = mixture("kondo")
    with pytest.raises(InputError, match="was not sampled"):
        averaged(ensemble, layout).rdm([0, 3])
    with pytest.raises(InputError, match=r"site 0 .*carries no localized spin"):
        group_state(averaged(ensemble, layout), [0], [1])


def test_too_many_spins_are_left_out():
    sites = make("spins").sites[:1] * 12
    assert 2**11 <= LARGEST < 2**12
    assert Layout(sites, ["2Sz"], [range(12)]).spins == ()
    assert Layout(sites, ["2Sz"], [range(11)]).spins == tuple(range(11))


@pytest.mark.parametrize("name", GROUPS)
def test_saved_and_loaded_bit_for_bit(name, tmp_path):
    mean = averaged(*mixture(name))
    with h5py.File(tmp_path / "mean.h5", "w") as file:
        mean.save(file.create_group("state"))
    with h5py.File(tmp_path / "mean.h5") as file:
        again = Averaged.load(file["state"], mean.sites)
        with pytest.raises(InputError, match="another chain"):
            Averaged.load(file["state"], mean.sites[:2] + mean.sites[:1])
    assert again.vector.tobytes() == mean.vector.tobytes()
    assert again.layout.groups == mean.layout.groups
