"""Matrix product states against full vectors: form, spectra, density matrices."""

from __future__ import annotations

import numpy as np
import pytest
from dense import (
    all_states,
    dense_rdm,
    dense_schmidt,
    full_vector,
    left_deviation,
    orthonormality,
    repeated,
    trace_leading,
)
from small_states import CHAINS, make, unit

from tnspin.errors import InputError
from tnspin.mps import MPS
from tnspin.operators.sites import boson, electron, kondo, spin


def padded(values, size):
    return np.concatenate([values, np.zeros(max(0, size - len(values)))])


def same_values(a, b, atol):
    size = max(len(a), len(b))
    assert np.abs(padded(a, size) - padded(b, size)).max(initial=0.0) <= atol


# ---------------------------------------------------------------- product states


def test_product_state():
    sites = (spin(0.5), kondo(0.5), electron(), boson(3))
    rng = np.random.default_rng(1)
    vectors = [rng.normal(size=s.dim) + 1j * rng.normal(size=s.dim) for s in sites]
    psi = MPS.product(sites, vectors)
    wanted = np.ones(1)
    for vector in vectors:
        wanted = np.kron(wanted, unit(vector))
    assert np.abs(full_vector(psi) - wanted).max() < 1e-15
    assert psi.canonical
    assert psi.bond_dims().tolist() == [1, 1, 1]
    assert psi.norm == pytest.approx(1, abs=1e-15)
    assert np.array_equal(psi.entropies(), np.zeros(3))
    assert psi.total_charge == {}


def test_product_state_with_charges():
    sites = (electron(), kondo(0.5), electron())
    up_or_down = np.zeros(8)
    up_or_down[[3, 4]] = 0.6, 0.8j.imag  # |up>|dn> and |dn>|up>: N = 1, 2Sz = 0
    psi = MPS.product(sites, [[0, 1, 0, 0], up_or_down, [0, 0, 0, 1]], ("N", "2Sz"))
    assert psi.total_charge == {"N": 4, "2Sz": 1}
    assert psi.charge_names == ("N", "2Sz")
    assert np.abs(psi.site_rdms()[1] - np.outer(up_or_down, up_or_down)).max() < 1e-15


def test_product_state_that_is_no_eigenstate_is_refused():
    with pytest.raises(InputError, match="site 1 is no eigenstate"):
        MPS.product((spin(0.5),) * 2, [[1, 0], [1, 1]], ("2Sz",))


# ---------------------------------------------------------------- canonical form


STATES = [(name, kind) for name in CHAINS for kind in ("random", "rank-deficient", "ill")]


def prepared(name, kind):
    """A state that is not canonical and its normalized vector."""
    psi = make(name, scale=3.0) if kind == "ill" else make(name)
    if kind == "rank-deficient":
        psi = repeated(psi, None)
    return psi, unit(full_vector(psi))


@pytest.mark.parametrize("method", ["svd", "gram"])
@pytest.mark.parametrize(("name", "kind"), STATES)
def test_canonical_form(name, kind, method):
    psi, vector = prepared(name, kind)
    assert psi.canonicalize(method=method) < 1e-25
    # Squares of Schmidt values carry the round-off of a Gram matrix: 1e-16, so values 1e-8.
    accuracy = 1e-13 if method == "svd" else 3e-8
    assert psi.canonical
    assert orthonormality(psi) < 1e-12
    assert left_deviation(psi) < 1e-14
    assert psi.norm == pytest.approx(1, abs=1e-13)
    # Only the state counts: every gauge, also the phase, drops out.
    assert np.abs(full_vector(psi) - vector).max() < 1e-12
    names = psi.charge_names
    for bond in range(psi.length - 1):
        wanted = dense_schmidt(vector, psi.sites, bond, names)
        found = psi.schmidt_by_charge(bond)
        assert set(found) <= set(wanted)
        for charge, values in wanted.items():
            same_values(found.get(charge, np.zeros(0)), values, accuracy)
        flat = np.sort(np.concatenate(list(wanted.values())))[::-1]
        same_values(psi.schmidt(bond), flat, accuracy)
        assert np.all(np.diff(psi.schmidt(bond)) <= 0)
        weights = flat[flat > 0] ** 2
        assert psi.entropies()[bond] == pytest.approx(-np.sum(weights * np.log(weights)), abs=1e-12)


@pytest.mark.parametrize("name", list(CHAINS))
def test_ranks_are_found(name):
    """Doubled bonds return to the dimension that the state has."""
    psi = make(name)
    plain = psi.copy()
    plain.canonicalize()
    psi = repeated(psi, None)
    psi.canonicalize()
    for a, b in zip(psi.bonds, plain.bonds, strict=True):
        same_values(np.sort(a.schmidt)[::-1], np.sort(b.schmidt)[::-1], 1e-13)
    assert np.all(psi.bond_dims() <= plain.bond_dims() + 0)


def test_copy_is_independent_and_measuring_restores_the_form():
    psi = make("spins")
    other = psi.copy()
    before = [tensor.data.copy() for tensor in psi.tensors]
    other.site_rdms()
    assert other.canonical and not psi.canonical
    assert all(np.array_equal(a, t.data) for a, t in zip(before, psi.tensors, strict=True))


@pytest.mark.parametrize("name", ["spins", "electrons", "kondo", "spins, dense"])
def test_compression_is_the_truncated_svd_of_the_last_bond_cut(name):
    """One compressed bond alone: nothing smaller is kept, the share discarded is exact."""
    psi = make(name, dim=6)
    psi.canonicalize()
    vector = full_vector(psi)
    bond = psi.length - 2  # the first one that the sweep to the left reaches
    values = np.sort(np.concatenate(list(
        dense_schmidt(vector, psi.sites, bond, psi.charge_names).values())))[::-1]  # fmt: skip
    limit = int(np.sum(values > 1e-13)) - 1
    rest = np.sum(values[limit:] ** 2)
    small = psi.copy()
    discarded = small.canonicalize(bond_dim=limit)
    assert small.bond_dims().max() <= limit
    same_values(small.schmidt(bond), values[:limit] / np.sqrt(1 - rest), 1e-13)
    # Later bonds are cut too; the total is at least this one.
    assert discarded >= rest - 1e-14
    assert small.norm == pytest.approx(1, abs=1e-13)
    assert orthonormality(small) < 1e-12


@pytest.mark.parametrize("cutoff", [1e-3, 1e-2, 0.1])
def test_compression_by_cutoff(cutoff):
    psi = make("electrons", dim=6)
    psi.canonicalize()
    small = psi.copy()
    discarded = small.canonicalize(cutoff=cutoff)
    assert 0 < discarded <= cutoff * (psi.length - 1)
    assert abs(small.overlap(psi)) ** 2 >= 1 - discarded - 1e-12
    assert np.all(small.bond_dims() <= psi.bond_dims())


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("name", list(CHAINS))
def test_overlap(name):
    a, b = make(name, 1), make(name, 2)
    wanted = np.vdot(full_vector(a), full_vector(b))
    scale = np.linalg.norm(full_vector(a)) * np.linalg.norm(full_vector(b))
    assert abs(a.overlap(b) - wanted) < 1e-13 * scale
    assert a.norm == pytest.approx(np.linalg.norm(full_vector(a)), rel=1e-13)


def test_overlap_of_different_kinds_of_states_is_refused():
    a, b = make("spins"), make("spins, dense")
    with pytest.raises(InputError, match="other sites or charges"):
        a.overlap(b)


def test_overlap_of_different_sectors_is_zero():
    sites = (spin(0.5),) * 2
    a = MPS.product(sites, [[1, 0], [0, 1]], ("2Sz",))
    b = MPS.product(sites, [[1, 0], [1, 0]], ("2Sz",))
    assert a.overlap(b) == 0


@pytest.mark.parametrize("name", list(CHAINS))
def test_amplitudes(name):
    psi = make(name)
    psi.canonicalize()
    states = all_states(psi.sites)
    assert np.abs(psi.amplitudes(states) - full_vector(psi)).max() < 1e-14
    few = np.random.default_rng(3).permutation(len(states))[:5]
    assert np.abs(psi.amplitudes(states[few]) - full_vector(psi)[few]).max() < 1e-14


@pytest.mark.parametrize("name", list(CHAINS))
def test_site_and_bond_density_matrices(name):
    psi = make(name)
    dims = [site.dim for site in psi.sites]
    vector = unit(full_vector(psi))
    for i, rho in enumerate(psi.site_rdms()):
        assert np.abs(rho - dense_rdm(vector, dims, [i])).max() < 1e-13
    for i, rho in enumerate(psi.bond_rdms()):
        assert np.abs(rho - dense_rdm(vector, dims, [i, i + 1])).max() < 1e-13


@pytest.mark.parametrize("name", [n for n in CHAINS if n != "two sites"])
@pytest.mark.parametrize("where", [[0], [3], [1, 2], [2, 1], [0, 3], [3, 0], [2, 0, 3], [1, 3, 0]])
def test_density_matrix_of_any_sites(name, where):
    psi = make(name)
    dims = [site.dim for site in psi.sites]
    vector = unit(full_vector(psi))
    rho = psi.rdm(where)
    assert np.abs(rho - dense_rdm(vector, dims, where)).max() < 1e-13
    assert np.trace(rho) == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize("where", [[1], [1, 2], [2, 1], [2, 0, 1]])
@pytest.mark.parametrize("small", [1, 2, 4])
def test_density_matrix_of_parts_of_sites(where, small):
    """Keeping the spin of a Kondo site traces out its electron."""
    psi = make("kondo")
    dims = [site.dim for site in psi.sites]
    keep = [small if dims[k] % small == 0 else dims[k] for k in where]
    vector = unit(full_vector(psi))
    wanted = trace_leading(dense_rdm(vector, dims, where), [dims[k] for k in where], keep)
    assert np.abs(psi.rdm(where, keep=keep) - wanted).max() < 1e-13


@pytest.mark.parametrize("where", [[0, 0], [-1], [4], [0, 9]])
def test_density_matrix_of_impossible_sites_is_refused(where):
    with pytest.raises(InputError, match="sites"):
        make("kondo").rdm(where)


def test_density_matrix_of_an_impossible_part_is_refused():
    with pytest.raises(InputError, match="no factor of 3"):
        make("kondo").rdm([0, 1], keep=[3, 2])
