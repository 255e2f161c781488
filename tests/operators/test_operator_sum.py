"""Operator sums: how they are written, their signs, adjoints and conserved charges."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from chains import chains, items, make
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.operators.bonds import bonds
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import OperatorSum, Scaled
from tnspin.operators.sites import electron, kondo, make_site, spin

FEW = settings(max_examples=40, deadline=None)


def dense(os, t=0.0):
    """Full matrix from the local terms alone."""
    dims = [s.dim for s in os.sites]
    total = np.zeros((int(np.prod(dims)),) * 2, dtype=complex)
    for term in os.local_terms():
        assert list(term.matrices) == sorted(term.matrices)
        product = np.eye(1)
        for k, d in enumerate(dims):
            product = np.kron(product, term.matrices.get(k, np.eye(d)))
        total += term.value(t) * product
    return total


@st.composite
def sums(draw):
    kinds = draw(chains())
    return kinds, draw(items(kinds))


@given(sums())
@FEW
def test_strings_reproduce_the_fermion_algebra(case):
    kinds, terms = case
    wanted = Reference(kinds).matrix(terms)
    found = dense(OperatorSum.of([make(k) for k in kinds], terms))
    assert np.abs(found - wanted).max() <= 1e-12 * max(1.0, np.abs(wanted).max())


@given(sums())
@FEW
def test_plus_hc_is_hermitian(case):
    kinds, terms = case
    os = OperatorSum(tuple(make(k) for k in kinds))
    for coeff, *factors in terms:
        os = os.plus_hc(coeff, *factors)
    matrix = dense(os)
    assert np.abs(matrix - matrix.conj().T).max() <= 1e-12 * max(1.0, np.abs(matrix).max())
    assert os.is_hermitian(1e-10 * max(1.0, np.abs(matrix).max()))


@given(sums())
@FEW
def test_hermiticity_is_found_where_it_is_and_only_there(case):
    kinds, terms = case
    os = OperatorSum.of([make(k) for k in kinds], terms)
    matrix = Reference(kinds).matrix(terms)
    if os.is_hermitian(1e-12):
        assert np.abs(matrix - matrix.conj().T).max() < 1e-9


def test_strings_touch_only_fermions_between():
    os = OperatorSum.of([electron(), spin(0.5), kondo(0.5), electron()], [
        (1.0, "cdag_up", 0, "c_up", 3), (1.0, "c_up", 3, "cdag_up", 0), (1.0, "n", 0, "n", 3),
    ])  # fmt: skip
    forward, backward, density = os.local_terms()
    assert list(forward.matrices) == [0, 2, 3]
    assert np.array_equal(forward.matrices[2], kondo(0.5).parity_operator())
    assert np.array_equal(forward.matrices[0], -backward.matrices[0])
    assert list(density.matrices) == [0, 3]


def test_sums_read_like_the_paper():
    os = OperatorSum((spin(0.5),) * 2)
    os += 0.5, "Sp", 0, "Sm", 1
    os += 0.5, "Sm", 0, "Sp", 1
    os = os + OperatorSum.of(os.sites, [(2.0, "Sz", 0, "Sz", 1), (0.0, "Sx", 0)])
    assert len(os.terms) == 3
    wanted = Reference([("spin", 0.5)] * 2).matrix(
        [(1.0, "Sx", 0, "Sx", 1), (1.0, "Sy", 0, "Sy", 1), (2.0, "Sz", 0, "Sz", 1)]
    )
    assert np.abs(dense(os) - wanted).max() < 1e-15
    assert np.abs(dense(-2.0 * os) + 2 * wanted).max() < 1e-15


def test_sums_are_added_subtracted_scaled_and_printed():
    one = HeisenbergChain(3, field=(0.1, 0.0, 0.3)).hamiltonian
    two = HeisenbergChain(3, drive=(0.0, 0.0, 0.5), drive_frequency=2.0).hamiltonian
    a, b = dense(one, 0.4), dense(two, 0.4)
    for found, wanted in (
        (one - two, a - b), (-two, -b), (two / 2, b / 2), (0.5j * two, 0.5j * b),
        (one - one, 0 * a), (2 * one - two / 4, 2 * a - b / 4),
    ):  # fmt: skip
        assert np.abs(dense(found, 0.4) - wanted).max() < 1e-14
    with pytest.raises(InputError, match="different chains"):
        one - HeisenbergChain(4).hamiltonian
    assert repr(two) == f"OperatorSum({len(two.terms)} terms on 3 sites, driven)"
    for thing in (one, one.sites[0], bonds(two), JumpOperator((0,), np.eye(2), None, "loss")):
        assert len(repr(thing)) < 100 and "\n" not in repr(thing)


def test_coefficients_of_time():
    def wave(t):
        return np.exp(2j * t)

    os = OperatorSum((spin(0.5),)).plus_hc(wave, "Sp", 0)
    assert os.is_time_dependent and not OperatorSum(os.sites).is_time_dependent
    sx, sy = spin(0.5).op("Sx"), spin(0.5).op("Sy")
    for t in (0.0, 0.4):
        wanted = 2 * np.cos(2 * t) * sx - 2 * np.sin(2 * t) * sy
        assert np.abs(dense(os, t) - wanted).max() < 1e-15
        assert np.abs(dense(3j * os, t) - 3j * wanted).max() < 1e-15
        assert np.abs(dense(2 * (3 * os), t) - 6 * wanted).max() < 1e-15
        assert os.is_hermitian(t=t)
    assert Scaled(2.0, wave) == Scaled(2.0, wave)
    assert Scaled(1.0 + 1j, wave, True)(0.4) == (1 + 1j) * wave(0.4).conjugate()


def test_conserved_charges_of_sums_not_of_terms():
    pair = (spin(0.5),) * 2
    flat = OperatorSum.of(pair, [(1.0, "Sx", 0, "Sx", 1), (1.0, "Sy", 0, "Sy", 1)])
    assert flat.conserved() == ("2Sz",)
    assert OperatorSum.of(pair, [(1.0, "Sx", 0, "Sx", 1)]).conserved() == ()
    # The same sum with two different functions of time conserves at no general time.
    driven = OperatorSum.of(
        pair, [(lambda t: t, "Sx", 0, "Sx", 1), (lambda t: t, "Sy", 0, "Sy", 1)]
    )
    assert driven.conserved() == ()
    wire = (electron(), kondo(0.5))
    hop = OperatorSum(wire).plus_hc(-1.0, "cdag_up", 0, "c_up", 1)
    assert hop.conserved() == ("N", "2Sz")
    assert (hop + OperatorSum.of(wire, [(1.0, "sx", 1)])).conserved() == ("N",)
    assert (hop + OperatorSum.of(wire, [(1.0, "sz", 1, "Sx", 1)])).conserved() == ("N",)
    pairing = hop.plus_hc(1.0, "cdag_up", 0, "cdag_dn", 0)
    assert pairing.conserved() == ("2Sz",)


def test_long_strings_keep_conservation_and_hermiticity():
    # The string spans more states than are ever compared densely.
    wire = (kondo(0.5),) * 8
    hop = OperatorSum(wire).plus_hc(0.3j, "cdag_dn", 0, "c_dn", 7)
    assert hop.conserved() == ("N", "2Sz") and hop.is_hermitian()
    lone = OperatorSum.of(wire, [(0.3j, "cdag_dn", 0, "c_up", 7)])
    assert lone.conserved() == ("N",) and not lone.is_hermitian()


def test_sums_travel():
    os = OperatorSum((electron(), kondo(0.5))).plus_hc(-1.0, "cdag_up", 0, "c_up", 1)
    back = pickle.loads(pickle.dumps(os))
    assert np.array_equal(dense(back), dense(os))
    assert len((back + os).terms) == 4


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ((1.0, "Sz"), "is not \\(coefficient"),
        (("x", "Sz", 0), "coefficient 'x'"),
        ((True, "Sz", 0), "coefficient True"),
        ((1.0, "Sz", 2), "site 2 is outside the chain \\(0..1\\)"),
        ((1.0, "Sz", -1), "site -1"),
        ((1.0, "Sz", 0.0), "not an integer"),
        ((1.0, "sz", 0), "not known on a spin-1/2 site"),
    ],
)
def test_refusals(item, message):
    with pytest.raises(InputError, match=message):
        OperatorSum((spin(0.5),) * 2) + item


def test_more_refusals():
    with pytest.raises(InputError, match="different chains"):
        OperatorSum((spin(0.5),)) + OperatorSum((spin(1),))
    lowering = make_site("half", ("a", "b"), {}, {"down": [[0, 1], [0, 0]]})
    with pytest.raises(InputError, match="adjoint of 'down' has no name"):
        OperatorSum((lowering,)).plus_hc(1.0, "down", 0)


@pytest.mark.parametrize("spin", [15.5, 16.0])
def test_two_large_spins_are_hermitian(spin):
    # Too large for the dense sum of a pair; integer spins have a -0 in Sz.
    os = HeisenbergChain(2, spin=spin, J=0.3, field=(1.0, 0.0, 0.0)).hamiltonian
    assert os.is_hermitian()
    os += 0.1j, "Sz", 0, "Sz", 1
    assert not os.is_hermitian()
