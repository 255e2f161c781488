"""What every representation of a state has in common: text, files, sums, refusals."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import tnspin as ts
from tnspin.errors import InputError
from tnspin.mps.density import DensityMPS
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.state import State
from tnspin.states import initial, load_state
from tnspin.states.classical import ClassicalState
from tnspin.states.density import DensityState
from tnspin.states.ensemble import Ensemble
from tnspin.states.mean_field import SiteProduct
from tnspin.states.spectral import SpectralState
from tnspin.states.vector import VectorState

CHAIN = ts.HeisenbergChain(4)
NEEL = initial.product(CHAIN, ["up", "down"])
MPS, VECTOR = NEEL.to_mps(("2Sz",)), NEEL.to_vector(ChargeBasis(CHAIN.local_sites, {"2Sz": 0}))
REPRESENTATIONS = {
    "MPS of 4 sites, charges 2Sz = 0, bond dimension 1": MPS,
    "VectorState of 4 sites, charges 2Sz = 0, dimension 6": VECTOR,
    "DensityState of 4 sites, charges 2Sz = 0, dimension 6": DensityState.from_state(VECTOR),
    "SpectralState of 4 sites, charges 2Sz = 0, dimension 6, 1 eigenvectors":
        SpectralState.from_state(VECTOR),
    "Ensemble of 4 sites, charges 2Sz = 0, 2 members: MPS of 4 sites, charges 2Sz = 0, bond "
    "dimension 1": Ensemble((MPS, MPS), (0.5, 0.5)),
    "DensityMPS of 4 sites, bond dimension 1": DensityMPS.from_state(MPS),
    "PurifiedMPS of 4 sites, bond dimension 1, ancilla dimension 1": PurifiedMPS.from_state(MPS),
    "ClassicalState of 4 sites, 4 spins, 1 realizations": ClassicalState.of(CHAIN, NEEL),
    "SiteProduct of 4 sites": SiteProduct.of(CHAIN, MPS),
}  # fmt: skip


@pytest.mark.parametrize("text", REPRESENTATIONS)
def test_states_print_one_readable_line(text):
    assert repr(REPRESENTATIONS[text]) == text


@pytest.mark.parametrize("state", REPRESENTATIONS.values(), ids=lambda s: type(s).__name__)
def test_files_name_the_representation(state, tmp_path):
    with h5py.File(tmp_path / "state.h5", "w") as file:
        state.save(file.create_group("state"))
        again = load_state(file["state"], CHAIN.local_sites)
        assert repr(again) == repr(state)
        with pytest.raises(InputError, match="another chain"):
            load_state(file["state"], CHAIN.local_sites[:3])
        # As files were before: classical states known by their class, purified ones beside MPS.
        attrs = file["state"].attrs
        if isinstance(state, ClassicalState | SiteProduct):
            del attrs["format"], attrs["dims"]
            attrs["kind"] = type(state).__name__
        if isinstance(state, PurifiedMPS):
            attrs["purified"], attrs["format"] = attrs["format"], "tnspin-mps-1"
        assert repr(load_state(file["state"], CHAIN.local_sites)) == repr(state)
        attrs["format"] = "tnspin-tree-9"
        if isinstance(state, PurifiedMPS):
            del attrs["purified"]
        if "kind" not in attrs:
            with pytest.raises(InputError, match="holds no state"):
                State.load(file["state"], CHAIN.local_sites)


@pytest.mark.parametrize("state", REPRESENTATIONS.values(), ids=lambda s: type(s).__name__)
def test_files_of_their_own_hold_the_sites(state, tmp_path):
    state.save(tmp_path / "state.h5")
    again = type(state).load(tmp_path / "state.h5")
    assert repr(again) == repr(state)
    assert [site.labels for site in again.sites] == [site.labels for site in state.sites]


def test_vectors_are_added_scaled_and_moved_to_larger_sectors():
    rng = np.random.default_rng(1)
    basis = ChargeBasis(CHAIN.local_sites, {"2Sz": 0})
    a, b = (VectorState(CHAIN.local_sites, rng.normal(size=6), basis) for _ in range(2))
    for found, wanted in (
        (a + b, a.vector + b.vector), (2 * a, 2 * a.vector), (a - b, a.vector - b.vector),
        (-a, -a.vector), (a / 2j, a.vector / 2j),
    ):  # fmt: skip
        np.testing.assert_allclose(found.vector, wanted, rtol=1e-15)
        assert found.total_charge == {"2Sz": 0}
    whole = (a + b).with_charges(())
    assert whole.charge_names == () and whole.norm == pytest.approx((a + b).norm, abs=1e-14)
    states = basis.states.astype(np.int64)
    np.testing.assert_array_equal(whole.amplitudes(states), (a + b).vector)
    with pytest.raises(InputError, match="different bases"):
        a + whole


def test_what_a_representation_cannot_give_is_refused():
    classical, product = ClassicalState.of(CHAIN, NEEL), SiteProduct.of(CHAIN, MPS)
    for ask in (classical.site_rdms, product.entropies, lambda: product.schmidt(0)):
        with pytest.raises(InputError, match="state: a "):
            ask()
    with pytest.raises(InputError, match="site 0 of dimension 2 has no factor of 3"):
        MPS.rdm([0], keep=[3])
    with pytest.raises(InputError, match="2 dimensions for 1 sites"):
        MPS.rdm([0], keep=[2, 2])
    with pytest.raises(InputError, match="bond: 3 is outside the chain"):
        MPS.schmidt(3)


def test_files_that_hold_no_state_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.h5: no such file"):
        MPS.load(tmp_path / "none.h5")
    other = tmp_path / "text.h5"
    other.write_text("no state")
    with pytest.raises(InputError, match="it is not an HDF5 file"):
        MPS.load(other)
    vector = tmp_path / "vector.h5"
    ts.product(ts.HeisenbergChain(sites=2), ["up"]).to_vector().save(vector)
    with pytest.raises(InputError, match="holds no"):
        MPS.load(vector)
