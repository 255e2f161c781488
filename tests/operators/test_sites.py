"""Local operators against their algebra; charges against the operators that carry them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from tnspin.errors import InputError
from tnspin.operators import sites

SPINS = [0.5, 1, 1.5, 2.5]
ALL = [
    sites.spin(0.5),
    sites.spin(2.5),
    sites.electron(),
    sites.kondo(0.5),
    sites.kondo(1),
    sites.boson(5),
    sites.purified(sites.spin(1)),
    sites.purified(sites.kondo(0.5)),
]


def commutator(a, b):
    return a @ b - b @ a


@pytest.mark.parametrize("s", SPINS)
@pytest.mark.parametrize("make", [sites.spin, sites.kondo])
def test_spin_algebra(s, make):
    site = make(s)
    x, y, z = (site.op(f"S{a}") for a in "xyz")
    assert np.abs(commutator(x, y) - 1j * z).max() < 1e-14
    assert np.abs(commutator(y, z) - 1j * x).max() < 1e-14
    assert np.abs(x @ x + y @ y + z @ z - s * (s + 1) * np.eye(site.dim)).max() < 1e-13
    assert np.abs(site.op("Sp") - (x + 1j * y)).max() < 1e-14
    assert np.array_equal(site.op("Sm"), site.op("Sp").conj().T)


def test_spin_basis_is_sz_descending():
    assert np.array_equal(np.diag(sites.spin(0.5).op("Sz")), [0.5, -0.5])
    assert sites.spin(0.5).labels == ("up", "dn")
    assert sites.spin(1).labels == ("+1", "0", "-1")
    assert sites.spin(1.5).labels == ("+3/2", "+1/2", "-1/2", "-3/2")
    assert sites.spin(1).charges["2Sz"] == (2, 0, -2)


@pytest.mark.parametrize("make", [sites.electron, sites.kondo])
def test_electron_algebra(make):
    site = make()
    c = {s: site.op(f"c_{s}") for s in ("up", "dn")}
    one = np.eye(site.dim)
    for s in c:
        for r in c:
            anti = c[s] @ c[r].conj().T + c[r].conj().T @ c[s]
            assert np.array_equal(anti, one * (s == r))
            assert not np.any(c[s] @ c[r] + c[r] @ c[s])
        assert np.array_equal(site.op(f"cdag_{s}"), c[s].conj().T)
        assert np.array_equal(site.op(f"n_{s}"), c[s].conj().T @ c[s])
    assert np.array_equal(site.op("n"), site.op("n_up") + site.op("n_dn"))
    pauli = {"sx": [[0, 1], [1, 0]], "sy": [[0, -1j], [1j, 0]], "sz": [[1, 0], [0, -1]]}
    for name, sigma in pauli.items():
        wanted = sum(
            sigma[i][j] * c[s].conj().T @ c[r]
            for i, s in enumerate(("up", "dn"))
            for j, r in enumerate(("up", "dn"))
        )
        assert np.array_equal(site.op(name), wanted)


def test_electron_states_are_what_their_labels_say():
    site = sites.electron()
    empty = np.eye(4)[0]
    up, dn = site.op("cdag_up") @ empty, site.op("cdag_dn") @ empty
    assert np.array_equal([up, dn, site.op("cdag_up") @ dn], np.eye(4)[1:])
    assert site.labels == ("empty", "up", "dn", "updn")
    assert site.charges["N"] == (0, 1, 1, 2) and site.charges["2Sz"] == (0, 1, -1, 0)


def test_kondo_is_electron_times_spin():
    site = sites.kondo(1)
    assert np.array_equal(site.op("n_up"), np.kron(sites.electron().op("n_up"), np.eye(3)))
    assert np.array_equal(site.op("Sy"), np.kron(np.eye(4), sites.spin(1).op("Sy")))
    total = np.diag(site.op("sz") + 2 * site.op("Sz")).real
    assert np.array_equal(site.charge("2Sz"), total)
    assert site.labels[4] == "up,0"


def test_boson_algebra():
    site = sites.boson(5)
    product = site.op("bdag") @ site.op("b")
    assert np.allclose(product, site.op("n"), atol=1e-15)
    inner = commutator(site.op("b"), site.op("bdag"))[:-1, :-1]
    assert np.allclose(inner, np.eye(4), atol=1e-14)
    assert np.array_equal(site.op("x"), site.op("b") + site.op("bdag"))
    assert site.charges["Nb"] == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("site", ALL, ids=lambda s: s.name)
def test_parity_of_every_operator(site):
    parity = site.parity_operator()
    for name, matrix in site.operators.items():
        sign = -1 if site.is_fermionic(name) else 1
        assert np.array_equal(parity @ matrix @ parity, sign * matrix)
    fermionic = {name for name in site.operators if site.is_fermionic(name)}
    wanted = {"c_up", "c_dn", "cdag_up", "cdag_dn"} if site.has_fermions else set()
    assert fermionic == wanted


def test_an_operator_without_parity_is_refused():
    odd = sites.make_site("odd", ("a", "b"), {}, {"mix": [[1, 1], [0, 0]]}, (0, 1))
    with pytest.raises(InputError, match="parity"):
        odd.is_fermionic("mix")


@pytest.mark.parametrize("site", ALL, ids=lambda s: s.name)
def test_sites_are_read_only_and_travel(site):
    with pytest.raises(ValueError, match="read-only"):
        site.op("Id")[0, 0] = 2
    back = pickle.loads(pickle.dumps(site))
    assert back.labels == site.labels and dict(back.charges) == dict(site.charges)
    assert back.spin_dim == site.spin_dim
    assert all(np.array_equal(back.op(n), m) for n, m in site.operators.items())
    assert np.array_equal(site.charge("unknown"), np.zeros(site.dim))


def test_dimension_of_the_localized_spin():
    for s in SPINS:
        n = round(2 * s) + 1
        assert sites.spin(s).spin_dim == sites.kondo(s).spin_dim == n
        assert sites.purified(sites.kondo(s)).spin_dim == n
        assert sites.purified(sites.kondo(s)).dim == 4 * n * n
    assert sites.electron().spin_dim == sites.boson(3).spin_dim == 1


@pytest.mark.parametrize("s", [0.5, 1])
def test_purified_site_is_electron_times_ancilla_times_spin(s):
    n, m2 = round(2 * s) + 1, np.array(sites.spin(s).charges["2Sz"])
    one, level = np.eye(n), sites.electron()
    site = sites.purified(sites.kondo(s))
    assert set(site.operators) == set(sites.kondo(s).operators)
    for name, matrix in level.operators.items():
        assert np.array_equal(site.op(name), np.kron(matrix, np.eye(n * n)))
    for name, matrix in sites.spin(s).operators.items():
        assert np.array_equal(site.op(name), np.kron(np.eye(4 * n), matrix))
        alone = sites.purified(sites.spin(s))
        assert np.array_equal(alone.op(name), np.kron(one, matrix))
    electron = np.array(level.charges["2Sz"])
    wanted = electron[:, None, None] - m2[None, :, None] + m2[None, None, :]
    assert np.array_equal(site.charge("2Sz"), wanted.ravel())
    assert np.array_equal(site.charge("N"), np.repeat(level.charges["N"], n * n))
    assert len(set(site.labels)) == site.dim


def test_only_localized_spins_are_purified():
    assert sites.purified(sites.electron()) is sites.electron()
    assert sites.purified(sites.boson(4)) is sites.boson(4)
    assert sites.purified(sites.kondo(1)) is sites.purified(sites.kondo(1))


def test_sites_are_made_once():
    assert sites.spin(0.5) is sites.spin(1 / 2) and sites.kondo() is sites.kondo(0.5)


@pytest.mark.parametrize("bad", [0, -0.5, 0.3, "a", None, True, float("nan")])
def test_bad_spins_are_refused(bad):
    with pytest.raises(InputError, match="spin"):
        sites.spin(bad)


def test_other_refusals():
    with pytest.raises(InputError, match="did you mean 'cdag_up'"):
        sites.electron().op("cdagup")
    with pytest.raises(InputError, match="levels"):
        sites.boson(1)
    with pytest.raises(InputError, match="spin_dim"):
        sites.make_site("x", ("a", "b"), {}, {}, spin_dim=3)
    with pytest.raises(InputError, match="shape"):
        sites.make_site("x", ("a", "b"), {}, {"o": np.eye(3)})


def test_kron():
    a, b = np.diag([1.0, 2.0]), np.array([[0, 1j], [0, 0]])
    assert np.array_equal(sites.kron([a, b]), np.kron(a, b))
    assert np.array_equal(sites.kron([]), [[1]])
