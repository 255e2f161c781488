"""Ground states against exact diagonalization, free fermions and Slater determinants."""

from __future__ import annotations

import numpy as np
import pytest
from chains import chains, items, make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import Reference

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.mps import MPS, dmrg
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import electron, spin
from tnspin.states import initial as states


def kind_of(site):
    """Site of the package as a kind of the reference."""
    if not site.has_fermions:
        return ("spin", (site.dim - 1) / 2)
    return ("electron",) if site.dim == 4 else ("kondo", (site.dim // 4 - 1) / 2)


def dense(os):
    """Matrix of a sum by Kronecker products."""
    terms = [(t.coeff, *(x for factor in t.factors for x in factor)) for t in os.terms]
    return Reference([kind_of(site) for site in os.sites]).matrix(terms)


def totals(site_list, name):
    """Value of a charge in every product state, site 0 slowest."""
    out = np.zeros(1, dtype=int)
    for site in site_list:
        out = np.add.outer(out, site.charge(name)).ravel()
    return out


def sectors(os, names):
    """(charges, indices) of every sector."""
    labels = np.stack([totals(os.sites, name) for name in names], axis=1)
    for values in np.unique(labels, axis=0):
        charges = dict(zip(names, values.tolist(), strict=True))
        yield charges, np.flatnonzero((labels == values).all(axis=1))


def check(os, matrix, charges, rows, **options):
    """Energy, state and what the result says of itself, against the block of ``matrix``."""
    found = dmrg.ground_state(os, charges, tolerance=1e-12, **options)
    exact = np.linalg.eigvalsh(matrix[np.ix_(rows, rows)])[0]
    assert found.energy == pytest.approx(exact, abs=1e-9)
    vector = found.state.to_quimb().to_dense().ravel()
    outside = np.delete(vector, rows)
    assert not outside.any() and np.linalg.norm(vector) == pytest.approx(1, abs=1e-12)
    assert np.vdot(vector, matrix @ vector).real == pytest.approx(exact, abs=1e-9)
    assert found.state.total_charge == charges and found.converged
    return found


SPINS = [
    HeisenbergChain(8),
    HeisenbergChain(5, spin=1.0),
    HeisenbergChain(3, spin=2.5, J=-1.0),
    HeisenbergChain(2),
    HeisenbergChain(7, J=1.0, Jz=0.4, field=(0, 0, 0.3), dmi=(0, 0, 0.7)),
    HeisenbergChain(4, spin=1.0, Jz=-1.3, anisotropy=0.6, impurity_field=0.2),
    HeisenbergChain(7, periodic=True),
    HeisenbergChain(8, periodic=True, dmi=(0, 0, 0.5), field=(0, 0, 0.1)),
    HeisenbergChain(7, dipole=0.8, J=0.3),
]


@pytest.mark.parametrize("model", SPINS)
def test_spin_chains_in_every_sector(model):
    matrix = dense(model.hamiltonian)
    for charges, rows in sectors(model.hamiltonian, ["2Sz"]):
        if charges["2Sz"] >= 0:
            check(model.hamiltonian, matrix, charges, rows)


@pytest.mark.parametrize(
    "model",
    [
        *SPINS,
        HeisenbergChain(7, Jz=0.7, field=(0.3, 0.2, 0.4), dmi=(0.5, -0.3, 0.2)),
        HeisenbergChain(4, spin=1.0, periodic=True, dmi=(0.4, 0.1, 0.0), anisotropy=0.5),
    ],
)
def test_spin_chains_without_charges(model):
    matrix = dense(model.hamiltonian)
    check(model.hamiltonian, matrix, {}, np.arange(len(matrix)))


@pytest.mark.parametrize(
    "model",
    [
        KondoHeisenbergChain(3, [1, 2]),
        KondoHeisenbergChain(3, [0, 2], J_sd=-1.5, convention="mixed"),
        KondoHeisenbergChain(3, [1], spin=1.0, J_sd=2.0, well=1, well_depth=0.7),
        KondoHeisenbergChain(3, [2], J_sd=-0.8, electron_field=(0, 0, 0.3)),
    ],
)
def test_kondo_chains_in_every_sector(model):
    matrix = dense(model.hamiltonian)
    tried = 0
    for charges, rows in sectors(model.hamiltonian, ["N", "2Sz"]):
        if 1 <= charges["N"] <= 3:
            check(model.hamiltonian, matrix, charges, rows)
            tried += 1
    assert tried > 10


def test_kondo_chain_that_conserves_only_the_number_of_electrons():
    model = KondoHeisenbergChain(
        3, [1, 2], electron_field=(0.2, 0.1, 0), localized_field=(0, 0.4, 0.3)
    )
    matrix = dense(model.hamiltonian)
    for charges, rows in sectors(model.hamiltonian, ["N"]):
        check(model.hamiltonian, matrix, charges, rows)


@st.composite
def hermitian_sums(draw):
    """Any Hermitian sum of products of up to four operators at any distance."""
    kinds = draw(chains())
    os = OperatorSum(tuple(make(kind) for kind in kinds))
    for coeff, *factors in draw(items(kinds)):
        try:
            os = os.plus_hc(coeff, *factors)
        except InputError:  # the adjoint of x on a boson site and the like
            continue
    return kinds, os


@given(hermitian_sums(), st.integers(0, 5))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_hermitian_sum_in_any_sector(case, choice):
    kinds, os = case
    matrix = Reference(kinds).matrix(
        [(t.coeff, *(x for factor in t.factors for x in factor)) for t in os.terms]
    )
    names = os.conserved()
    every = list(sectors(os, names)) if names else [({}, np.arange(len(matrix)))]
    charges, rows = every[choice * (len(every) - 1) // 5]
    check(os, matrix, charges, rows)


def hopping(length):
    """Free electrons on an open chain."""
    os = OperatorSum((electron(),) * length)
    for i in range(length - 1):
        for s in ("up", "dn"):
            os = os.plus_hc(-1.0, f"cdag_{s}", i, f"c_{s}", i + 1)
    return os


@pytest.mark.parametrize(
    ("charges", "up", "down"), [({"N": 7, "2Sz": 1}, 4, 3), ({"N": 6}, 3, 3), ({"N": 1}, 1, 0)]
)
def test_free_fermions(charges, up, down):
    length = 16
    levels = -2 * np.cos(np.pi * np.arange(1, length + 1) / (length + 1))
    found = dmrg.ground_state(hopping(length), charges, bond_dim=150, cutoff=1e-13)
    assert found.energy == pytest.approx(levels[:up].sum() + levels[:down].sum(), abs=1e-9)
    density = [np.trace(r @ electron().op("n")).real for r in found.state.site_rdms()]
    assert sum(density) == pytest.approx(charges["N"], abs=1e-10)


@pytest.mark.parametrize("names", [("N", "2Sz"), ("N",)])
def test_strong_fields_make_the_confined_slater_state(names):
    model = KondoHeisenbergChain(
        24, range(12, 15), J=0.1, Jz=0.1005, well=6, well_depth=10.0,
        electron_field=(0, 0, 100.0), localized_field=(0, 0, -100.0),
    )  # fmt: skip
    slater = states.confined_electrons(model, 5, well=6, well_depth=10.0)
    charges = slater.total_charge(names)
    found = dmrg.ground_state(model.hamiltonian, charges)
    assert abs(found.state.overlap(slater.to_mps(names))) == pytest.approx(1, abs=1e-10)


def test_start_seed_and_reports():
    os = HeisenbergChain(12).hamiltonian
    reports = []
    first = dmrg.ground_state(os, {"2Sz": 0}, on_sweep=reports.append)
    assert [r.sweep for r in reports] == list(range(first.sweeps))
    assert reports[-1].energy == first.energy and reports[-1].change == first.change
    again = dmrg.ground_state(os, {"2Sz": 0}, seed=7)
    assert again.energy == pytest.approx(first.energy, abs=1e-9)
    assert abs(again.state.overlap(first.state)) == pytest.approx(1, abs=1e-9)
    # The same seed gives the same numbers to the bit; so does a start that is not canonical.
    assert dmrg.ground_state(os, {"2Sz": 0}).energy == first.energy
    raw = MPS(os.sites, first.state.code, first.state.bonds, first.state.tensors)
    further = dmrg.ground_state(os, {"2Sz": 0}, start=raw, sweeps=4)
    assert further.energy == pytest.approx(first.energy, abs=1e-9)


def test_a_start_far_away_is_left():
    neel = [np.eye(2)[k % 2] for k in range(10)]
    os = HeisenbergChain(10, J=-1.0).hamiltonian
    start = MPS.product(os.sites, neel, ["2Sz"])
    found = dmrg.ground_state(os, {"2Sz": 0}, start=start)
    assert found.energy == pytest.approx(-9 / 4, abs=1e-9)


def test_bond_dimension_is_kept():
    found = dmrg.ground_state(HeisenbergChain(20).hamiltonian, {"2Sz": 0}, bond_dim=12)
    assert found.state.bond_dims().max() <= 12
    assert found.discarded > 1e-8


@pytest.mark.parametrize(
    ("charges", "message"),
    [
        ({"N": 3, "2Sz": 0}, "no state of this chain has N = 3, 2Sz = 0"),
        ({"N": 99}, "no state of this chain has N = 99"),
        ({"N": -1}, "no state of this chain has N = -1"),
        ({"Nb": 1}, "'Nb' is not conserved"),
    ],
)
def test_sectors_that_do_not_exist(charges, message):
    with pytest.raises(InputError, match=message):
        dmrg.ground_state(hopping(4), charges)


def test_other_bad_input():
    os = HeisenbergChain(4).hamiltonian
    with pytest.raises(InputError, match="two sites"):
        dmrg.ground_state(OperatorSum((spin(0.5),)))
    with pytest.raises(InputError, match="Hermitian"):
        dmrg.ground_state(OperatorSum.of(os.sites, [(1.0, "Sp", 0, "Sz", 1)]))
    up = MPS.product(os.sites, [np.eye(2)[0]] * 4, ["2Sz"])
    with pytest.raises(InputError, match="start: has charges"):
        dmrg.ground_state(os, {"2Sz": 0}, start=up)
    with pytest.raises(InputError, match="start: a state on other"):
        dmrg.ground_state(os, {}, start=up)
