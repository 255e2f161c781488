"""Matrix product states against full vectors: form, spectra, density matrices, other formats."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from dense import (
    all_states,
    dense_rdm,
    dense_schmidt,
    full_vector,
    left_deviation,
    orthonormality,
    random_state,
    repeated,
    trace_leading,
)

from tnspin.compile import mpo_tensors
from tnspin.errors import InputError
from tnspin.mps import MPS, Ledger
from tnspin.sites import boson, electron, kondo, spin
from tnspin.terms import OperatorSum

CHAINS = {
    "spins": ((spin(0.5),) * 7, ("2Sz",)),
    "spins, dense": ((spin(0.5),) * 7, ()),
    "mixed spins": ((spin(0.5), spin(1.0), spin(1.5), spin(0.5), spin(1.0)), ("2Sz",)),
    "electrons": ((electron(),) * 5, ("N", "2Sz")),
    "electrons, N only": ((electron(),) * 5, ("N",)),
    "kondo": ((electron(), kondo(0.5), kondo(0.5), electron()), ("N", "2Sz")),
    "bosons and spins": ((boson(3), spin(0.5), boson(3), electron(), spin(1.0)), ("Nb", "N", "2Sz")),
    "two sites": ((kondo(0.5), spin(1.0)), ("N", "2Sz")),
}  # fmt: skip
#: Product state whose total charge the random states have: near the middle of the spectrum.
MIDDLE = {
    "spins": [0, 1, 0, 1, 0, 1, 0],
    "mixed spins": [0, 1, 2, 1, 1],
    "electrons": [1, 2, 0, 1, 2],
    "electrons, N only": [1, 2, 0, 1, 2],
    "kondo": [1, 3, 4, 0],
    "bosons and spins": [1, 0, 1, 1, 1],
    "two sites": [3, 1],
}


def make(name, seed=0, **options):
    sites, names = CHAINS[name]
    rng = np.random.default_rng(seed)
    return random_state(sites, names, rng, states=MIDDLE.get(name), **options)


def unit(vector):
    return vector / np.linalg.norm(vector)


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
    with pytest.raises(InputError, match="rdm"):
        make("kondo").rdm(where)


def test_density_matrix_of_an_impossible_part_is_refused():
    with pytest.raises(InputError, match="does not divide"):
        make("kondo").rdm([0, 1], keep=[3, 2])


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
