"""Operators on states, quimb and HDF5."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from dense import (
    full_vector,
    orthonormality,
)
from small_states import CHAINS, make, unit

from tnspin.errors import InputError
from tnspin.mps import MPS, Ledger
from tnspin.operators.mpo import mpo_tensors
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import spin

# ---------------------------------------------------------------- operators


OPERATORS = {
    "electrons": [
        *[(-1.0, f"cdag_{s}", a, f"c_{s}", b) for s in ("up", "dn") for a, b in ((0, 3), (3, 0))],
        (0.4j, "sp", 1, "sm", 4), (0.7, "n_up", 2, "n_dn", 2), (0.3, "sz", 0),
    ],
    "kondo": [
        (0.5, "Sp", 1, "Sm", 2), (0.5, "Sm", 1, "Sp", 2), (0.3, "sp", 1, "Sm", 1),
        (-1, "cdag_up", 0, "c_up", 3), (0.2, "Sz", 2, "n", 0),
    ],
    "spins": [(1.0, "Sp", 0, "Sm", 5), (0.5, "Sz", 1, "Sz", 2, "Sz", 6), (0.2j, "Sz", 3)],
    "spins, dense": [(1.0, "Sx", 0, "Sy", 5), (0.5, "Sx", 1, "Sz", 2, "Sx", 6), (0.2j, "Sp", 3)],
}  # fmt: skip


def full_operator(os):
    """Kronecker products of the local matrices (signs included there)."""
    size = int(np.prod([site.dim for site in os.sites]))
    total = np.zeros((size, size), dtype=complex)
    for term in os.local_terms():
        product = np.ones((1, 1))
        for k, site in enumerate(os.sites):
            product = np.kron(product, term.matrices.get(k, np.eye(site.dim)))
        total += term.value() * product
    return total


@pytest.mark.parametrize("name", list(OPERATORS))
def test_apply_mpo(name):
    psi = make(name)
    os = OperatorSum.of(psi.sites, OPERATORS[name])
    wanted = full_operator(os) @ full_vector(psi)
    out = psi.apply_mpo(*mpo_tensors(os, charge_names=psi.charge_names))
    assert np.abs(full_vector(out) - wanted).max() < 1e-12 * np.abs(wanted).max()
    out.canonicalize()
    assert np.abs(full_vector(out) - unit(wanted)).max() < 1e-12


def ladder(name):
    """One operator on the first of two spins as an MPO."""
    site = spin(0.5)
    return [site.op(name)[None, None], site.op("Id")[None, None]]


def test_apply_mpo_that_changes_the_total_charge():
    """S- on one site: the shift of the charge is declared on the bonds to the right."""
    psi = MPS.product((spin(0.5),) * 2, [[1, 0], [1, 0]], ("2Sz",))
    shift = [np.array([[0]]), np.array([[-2]]), np.array([[-2]])]
    out = psi.apply_mpo(ladder("Sm"), shift)
    assert out.total_charge == {"2Sz": 0}
    assert np.array_equal(full_vector(out), [0, 0, 1, 0])


def test_apply_mpo_with_wrong_charges_is_refused():
    psi = MPS.product((spin(0.5),) * 2, [[1, 0], [1, 0]], ("2Sz",))
    with pytest.raises(InputError, match="site 0 changes the charge"):
        psi.apply_mpo(ladder("Sm"), [np.array([[0]])] * 3)


def test_apply_mpo_that_annihilates_is_refused():
    psi = MPS.product((spin(0.5),) * 2, [[1, 0], [1, 0]], ("2Sz",))
    shift = [np.array([[0]]), np.array([[2]]), np.array([[2]])]
    with pytest.raises(InputError, match="annihilates"):
        psi.apply_mpo(ladder("Sp"), shift)


# ---------------------------------------------------------------- other formats


@pytest.mark.parametrize("name", list(CHAINS))
def test_quimb_round_trip(name):
    psi = make(name)
    vector = unit(full_vector(psi))
    dense = psi.to_quimb()
    assert np.abs(dense.to_dense().ravel() - vector).max() < 1e-13
    for names in (psi.charge_names, ()):
        back = MPS.from_quimb(dense, psi.sites, names)
        assert back.charge_names == names
        assert np.abs(full_vector(back) - vector).max() < 1e-12
        assert orthonormality(back) < 1e-12
    assert MPS.from_quimb(dense, psi.sites, psi.charge_names).total_charge == psi.total_charge


def test_from_quimb_of_a_state_that_is_not_ours():
    """A dense random MPS, normalized by quimb, and one in no canonical form at all."""
    import quimb.tensor as qtn

    psi = qtn.MPS_rand_state(6, 5, phys_dim=2, seed=4, dtype=complex)
    mine = MPS.from_quimb(psi, (spin(0.5),) * 6)
    assert np.abs(full_vector(mine) - unit(psi.to_dense().ravel())).max() < 1e-12
    scaled = psi.copy()
    scaled[2].modify(data=1e-3 * scaled[2].data)
    mine = MPS.from_quimb(scaled, (spin(0.5),) * 6)
    assert np.abs(full_vector(mine) - unit(psi.to_dense().ravel())).max() < 1e-12


def test_from_quimb_refuses_what_is_no_charge_eigenstate():
    import quimb.tensor as qtn

    psi = qtn.MPS_rand_state(5, 4, phys_dim=2, seed=4, dtype=complex)
    with pytest.raises(InputError, match="no eigenstate of"):
        MPS.from_quimb(psi, (spin(0.5),) * 5, ("2Sz",))


def test_from_quimb_refuses_other_chains():
    import quimb.tensor as qtn

    psi = qtn.MPS_rand_state(5, 4, phys_dim=2, seed=4, dtype=complex)
    with pytest.raises(InputError, match="5 sites"):
        MPS.from_quimb(psi, (spin(0.5),) * 4)
    with pytest.raises(InputError, match="dimension 2, not 3"):
        MPS.from_quimb(psi, (spin(1.0),) * 5)


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize("name", list(CHAINS))
def test_file_round_trip_is_exact_to_the_bit(name, canonical, tmp_path):
    psi = make(name)
    if canonical:
        psi.canonicalize()
    with h5py.File(tmp_path / "state.h5", "w") as file:
        psi.save(file.create_group("state"))
    with h5py.File(tmp_path / "state.h5") as file:
        back = MPS.load(file["state"], psi.sites)
    assert back.code == psi.code
    assert back.canonical == canonical
    for a, b in zip((*psi.bonds, *psi.tensors), (*back.bonds, *back.tensors), strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
    for x, y in zip(psi.site_rdms(), back.site_rdms(), strict=True):
        assert np.array_equal(x, y)


def test_foreign_groups_are_refused(tmp_path):
    psi = make("spins")
    with h5py.File(tmp_path / "state.h5", "w") as file:
        psi.save(file.create_group("state"))
        file.create_group("other").attrs["format"] = "something else"
        file.create_group("bare")
        for name in ("other", "bare"):
            with pytest.raises(InputError, match="holds no matrix product state"):
                MPS.load(file[name], psi.sites)
        with pytest.raises(InputError, match="another chain"):
            MPS.load(file["state"], (spin(1.0),) * 7)
        with pytest.raises(InputError, match="another chain"):
            MPS.load(file["state"], psi.sites[:-1])


def test_ledger_round_trip_and_sums(tmp_path):
    ledger = Ledger.empty(4)
    ledger.add(0, 0.1)
    ledger.add(2, 0.2)
    ledger.add(2, 0.3)
    ledger.dt, ledger.order, ledger.steps, ledger.layers = 0.1, 2, 7, 15
    assert ledger.discarded == pytest.approx([0.1, 0.0, 0.5], abs=1e-16)
    assert ledger.norm**2 == pytest.approx(0.9 * 0.8 * 0.7, abs=1e-15)
    assert ledger.norm_lost == pytest.approx(1 - 0.9 * 0.8 * 0.7, abs=1e-15)
    with h5py.File(tmp_path / "ledger.h5", "w") as file:
        ledger.save(file.create_group("ledger"))
        back = Ledger.load(file["ledger"])
    assert np.array_equal(back.discarded, ledger.discarded)
    assert (back.log_kept, back.dt, back.order, back.steps, back.layers) == (
        ledger.log_kept, 0.1, 2, 7, 15,
    )  # fmt: skip
    other = ledger.copy()
    other.add(1, 0.5)
    assert ledger.discarded[1] == 0
