"""Every compiled form against the independent dense Kronecker construction."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from chains import chains, items, make
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.bonds import bonds
from tnspin.operators.mpo import mpo_tensors, to_mpo
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import electron, kron, spin
from tnspin.operators.sparse import term_parts, to_sparse

FEW = settings(max_examples=40, deadline=None)


def contract(tensors):
    """Full matrix of a list of W[a, b, out, in]."""
    total = np.ones((1, 1, 1), dtype=complex)
    for w in tensors:
        total = np.einsum("aij,abkl->bikjl", total, w)
        b, i, k, j, m = total.shape
        total = total.reshape(b, i * k, j * m)
    return total[0]


def sector_by_hand(site_list, totals):
    """Indices in the full space of the states with given totals, by enumeration."""
    keep = []
    for index, state in enumerate(product(*(range(s.dim) for s in site_list))):
        charges = {
            name: sum(int(s.charge(name)[x]) for s, x in zip(site_list, state, strict=True))
            for name in totals
        }
        if charges == totals:
            keep.append(index)
    return keep


@st.composite
def sums(draw):
    kinds = draw(chains())
    return kinds, draw(items(kinds))


@given(sums())
@FEW
def test_mpo_and_sparse_equal_dense_for_any_sum(case):
    kinds, terms = case
    os = OperatorSum.of([make(k) for k in kinds], terms)
    dense = Reference(kinds).matrix(terms)
    tolerance = 1e-12 * max(1.0, np.abs(dense).max())
    assert np.abs(to_sparse(os).toarray() - dense).max() <= tolerance
    tensors, charges = mpo_tensors(os)
    assert np.abs(contract(tensors) - dense).max() <= tolerance
    assert_charges(os, tensors, charges)
    vector = np.random.default_rng(1).normal(size=(2, len(dense))).T @ [1, 1j]
    ((_, operator),) = term_parts(os)
    assert np.abs(operator @ vector - dense @ vector).max() <= 50 * tolerance


def assert_charges(os, tensors, charges):
    names = os.conserved()
    for k, (w, site) in enumerate(zip(tensors, os.sites, strict=True)):
        q = np.array([site.charge(name) for name in names]).reshape(len(names), site.dim)
        left, right = charges[k], charges[k + 1]
        assert w.shape[:2] == (len(left), len(right))
        for n in range(len(names)):
            step = right[None, :, None, None, n] - left[:, None, None, None, n]
            allowed = step == q[n][:, None] - q[n][None, :]
            assert not np.any(w[~allowed])


@st.composite
def conserving_sums(draw):
    """A sum that conserves at least one charge, and the sector of a random product state."""
    kinds = draw(chains())
    chain = [make(k) for k in kinds]
    name = draw(st.sampled_from(sorted({q for site in chain for q in site.charges})))
    drawn = draw(items(kinds, max_terms=25, max_factors=3))
    kept = [x for x in drawn if name in OperatorSum.of(chain, [x]).conserved()]
    state = [draw(st.integers(0, site.dim - 1)) for site in chain]
    names = OperatorSum.of(chain, kept).conserved()
    totals = {
        q: sum(int(site.charge(q)[x]) for site, x in zip(chain, state, strict=True)) for q in names
    }
    return kinds, chain, kept, totals


@given(conserving_sums())
@FEW
def test_sector_of_any_conserving_sum(case):
    kinds, chain, terms, totals = case
    os = OperatorSum.of(chain, terms)
    keep = sector_by_hand(chain, totals)
    dense = Reference(kinds).matrix(terms)[np.ix_(keep, keep)]
    tolerance = 1e-12 * max(1.0, np.abs(dense).max())
    found = to_sparse(os, ChargeBasis(chain, totals)).toarray()
    assert np.abs(found - dense).max() <= tolerance


@given(sums())
@FEW
def test_conserved_means_commuting_with_the_charge(case):
    kinds, terms = case
    chain = [make(k) for k in kinds]
    os = OperatorSum.of(chain, terms)
    dense = Reference(kinds).matrix(terms)
    for name in os.conserved():
        charge = np.zeros(1)
        for site in chain:
            charge = np.add.outer(charge, site.charge(name)).ravel()
        assert np.abs(dense * (charge[:, None] - charge[None, :])).max() <= 1e-10


@pytest.mark.parametrize("n_electrons", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("twice_sz", [None, -1, 0, 1, 2])
def test_sector_of_a_kondo_chain(n_electrons, twice_sz):
    chain = KondoHeisenbergChain(sites=3, localized=[1, 2], J=0.3, Jz=0.7, well=1, well_depth=0.4)
    os = chain.hamiltonian
    totals = {"N": n_electrons} | ({} if twice_sz is None else {"2Sz": twice_sz})
    keep = sector_by_hand(os.sites, totals)
    if not keep:
        with pytest.raises(InputError, match="no state"):
            ChargeBasis(os.sites, totals)
        return
    kinds = [("electron",), ("kondo", 0.5), ("kondo", 0.5)]
    terms = [(t.coeff, *(x for f in t.factors for x in f)) for t in os.terms]
    dense = reference_cache(kinds, tuple(terms))[np.ix_(keep, keep)]
    basis = ChargeBasis(os.sites, totals)
    assert basis.dim == len(keep)
    assert np.abs(to_sparse(os, basis).toarray() - dense).max() <= 1e-12


_DENSE: dict = {}


def reference_cache(kinds, terms):
    if terms not in _DENSE:
        _DENSE[terms] = Reference(kinds).matrix(terms)
    return _DENSE[terms]


def test_basis_enumerates_and_ranks_in_order():
    chain = (electron(), spin(1), electron(), spin(0.5))
    basis = ChargeBasis(chain, {"N": 2, "2Sz": 1})
    keep = sector_by_hand(chain, {"N": 2, "2Sz": 1})
    dims = [s.dim for s in chain]
    assert np.array_equal(np.ravel_multi_index(tuple(basis.states.T.astype(int)), dims), keep)
    assert np.array_equal(basis.index(basis.states), np.arange(basis.dim))
    everything = np.array(list(product(*(range(d) for d in dims))))
    ranks = basis.index(everything)
    assert np.array_equal(np.flatnonzero(ranks >= 0), keep)
    assert np.all(np.delete(ranks, keep) == -1)


def test_basis_of_the_published_chain_has_450_states():
    chain = KondoHeisenbergChain(sites=75, localized=range(35, 40))
    basis = ChargeBasis(chain.local_sites, {"N": 1, "2Sz": -4})
    # 75 places x (electron up, all down; electron down, one of five spins up).
    assert basis.dim == 75 * 6
    assert len(np.unique(basis.states, axis=0)) == 450


def test_basis_refuses_what_cannot_be():
    with pytest.raises(InputError, match="did you mean '2Sz'"):
        ChargeBasis([electron()] * 2, {"2Sx": 1})
    with pytest.raises(InputError, match="no state of this chain has N = 9"):
        ChargeBasis([electron()] * 2, {"N": 9})
    with pytest.raises(InputError, match="too many states"):
        ChargeBasis([electron()] * 75)
    with pytest.raises(InputError, match="shape"):
        ChargeBasis([electron()] * 2).index(np.zeros((3, 5), int))
    bent = HeisenbergChain(sites=3, field=(1, 0, 0)).hamiltonian
    with pytest.raises(InputError, match="not conserved"):
        to_sparse(bent, ChargeBasis(bent.sites, {"2Sz": 1}))


def embedded(bond_terms, dims, t):
    """Sum of bond matrices in the full space."""
    total = 0
    for k in range(bond_terms.length - 1):
        left, right = np.eye(int(np.prod(dims[:k]))), np.eye(int(np.prod(dims[k + 2 :])))
        total = total + kron([left, bond_terms.matrix(k, t), right])
    return total


@pytest.mark.parametrize("length", [2, 3, 4])
def test_bonds_sum_to_the_hamiltonian(length):
    chain = KondoHeisenbergChain(
        sites=length, localized=range(1, length), electron_field=(0.1, 0.2, 0.3), well=2,
        well_depth=1.5, localized_field=(0.3, 0, -1),
    )  # fmt: skip
    os = chain.hamiltonian
    os += (0.7,)
    dims = [s.dim for s in os.sites]
    total = embedded(bonds(os), dims, 0.0)
    assert np.abs(total - to_sparse(os).toarray()).max() < 1e-12


def test_bonds_follow_time():
    def ramp(t):
        return 0.3 * t

    os = OperatorSum.of([spin(0.5)] * 3, [(1.0, "Sz", 0, "Sz", 1), (ramp, "Sx", 2)])
    compiled = bonds(os)
    assert [compiled.time_dependent(k) for k in range(2)] == [False, True]
    for t in (0.0, 1.7):
        wanted = Reference([("spin", 0.5)] * 3).matrix(
            [(1.0, "Sz", 0, "Sz", 1), (0.3 * t, "Sx", 2)]
        )
        assert np.abs(embedded(compiled, [2, 2, 2], t) - wanted).max() < 1e-14
        assert np.abs(to_sparse(os, t=t).toarray() - wanted).max() < 1e-14
        assert np.abs(contract(mpo_tensors(os, t)[0]) - wanted).max() < 1e-14


def test_bonds_refuse_long_terms_and_single_sites():
    ring = HeisenbergChain(sites=4, periodic=True).hamiltonian
    with pytest.raises(InputError, match="sites 0 to 3"):
        bonds(ring)
    with pytest.raises(InputError, match="at least 2"):
        bonds(OperatorSum.of([spin(0.5)], [(1.0, "Sz", 0)]))


def test_mpo_is_compressed():
    flat = OperatorSum.of(
        [spin(0.5)] * 8, [(1.0, "Sz", i, "Sz", j) for i in range(8) for j in range(i + 1, 8)]
    )
    # A distance-independent coupling needs one running operator.
    assert max(w.shape[0] for w in mpo_tensors(flat)[0]) == 3
    near = HeisenbergChain(sites=8).hamiltonian
    assert max(w.shape[0] for w in mpo_tensors(near)[0]) == 5
    hopping = KondoHeisenbergChain(sites=8, localized=[3, 4]).hamiltonian
    assert sorted({w.shape[0] for w in mpo_tensors(hopping)[0]}) == [1, 6, 9]


@pytest.mark.parametrize(
    "chain",
    [
        KondoHeisenbergChain(sites=3, localized=[1], J_sd=0.8),
        HeisenbergChain(sites=4, periodic=True, dmi=(0.1, 0.2, 0.3), dipole=0.2, field=(1, 2, 3)),
        HeisenbergChain(sites=2, spin=1),
    ],
)
def test_quimb_operator_equals_sparse(chain):
    mpo = to_mpo(chain.hamiltonian)
    assert np.abs(mpo.to_dense() - to_sparse(chain.hamiltonian).toarray()).max() < 1e-12


def test_mpo_refuses_a_charge_that_is_not_conserved():
    with pytest.raises(InputError, match="2Sz"):
        mpo_tensors(HeisenbergChain(sites=3, field=(1, 0, 0)).hamiltonian, charge_names=["2Sz"])


def test_matrix_free_norm_bound_holds():
    chain = HeisenbergChain(sites=6, spin=1, dipole=0.3, periodic=True, field=(0.3, 0.1, 0.2))
    ((_, operator),) = term_parts(chain.hamiltonian)
    norm = np.linalg.norm(to_sparse(chain.hamiltonian).toarray(), 2)
    assert norm <= operator.norm_bound() * (1 + 1e-12)
