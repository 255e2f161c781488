"""Model Hamiltonians against the formulas written out with dense operators."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from reference import Reference

from tnspin.errors import InputError
from tnspin.models import MODELS, HeisenbergChain, KondoHeisenbergChain
from tnspin.operators.sparse import to_sparse


def matrix(model):
    return to_sparse(model.hamiltonian).toarray()


def dot(ref, a, b, weights=(1, 1, 1)):
    return sum(w * a(x) @ b(x) for w, x in zip(weights, "xyz", strict=True))


SCALES = {"pauli": (2, 1), "mixed": (2, 0.5), "spin": (1, 0.5)}


@pytest.mark.parametrize("convention", SCALES)
def test_kondo_heisenberg_as_printed(convention):
    model = KondoHeisenbergChain(
        sites=3, localized=[1, 2], hopping=0.9, J=0.3, Jz=0.4, J_sd=0.7, convention=convention,
        well=2, well_depth=1.1, electron_field=(0.1, 0.2, 0.3), localized_field=(0.4, 0.5, 0.6),
    )  # fmt: skip
    ref = Reference([("electron",), ("kondo", 0.5), ("kondo", 0.5)])
    big, small = SCALES[convention]

    def local(i):
        return lambda x: big * ref.operator(f"S{x}", i)

    def moving(i):
        return lambda x: small * ref.operator(f"s{x}", i)

    wanted = np.zeros((ref.dim, ref.dim), dtype=complex)
    for i in range(2):
        for s in ("up", "dn"):
            hop = ref.operator(f"cdag_{s}", i) @ ref.operator(f"c_{s}", i + 1)
            wanted -= 0.9 * (hop + hop.conj().T)
        wanted -= 1.1 * ref.operator("n", i)
    for i in (1, 2):
        wanted -= 0.7 * dot(ref, moving(i), local(i))
        wanted -= sum(b * local(i)(x) for b, x in zip((0.4, 0.5, 0.6), "xyz", strict=True))
    wanted -= dot(ref, local(1), local(2), (0.3, 0.3, 0.4))
    for i in range(3):
        wanted -= sum(b * moving(i)(x) for b, x in zip((0.1, 0.2, 0.3), "xyz", strict=True))
    assert np.abs(matrix(model) - wanted).max() < 1e-13


def test_mixed_is_pauli_with_half_the_sd_exchange():
    mixed = KondoHeisenbergChain(sites=3, localized=[1], J_sd=0.5, convention="mixed")
    pauli = KondoHeisenbergChain(sites=3, localized=[1], J_sd=0.25)
    assert np.abs(matrix(mixed) - matrix(pauli)).max() < 1e-15


def test_larger_spins_are_spin_matrices():
    model = KondoHeisenbergChain(sites=2, localized=[0, 1], spin=1, hopping=0, J=0.3, J_sd=0.7)
    ref = Reference([("kondo", 1), ("kondo", 1)])

    def op(name, i):
        return lambda x: ref.operator(f"{name}{x}", i)

    wanted = -0.3 * dot(ref, op("S", 0), op("S", 1))
    for i in range(2):
        wanted -= 0.7 * dot(ref, op("s", i), op("S", i))
    assert np.abs(matrix(model) - wanted).max() < 1e-13
    assert model.localized_spin == 1.0


def test_groups_have_their_own_couplings():
    both = KondoHeisenbergChain(
        sites=4, localized=[[0, 1], [3]], J=[0.1, 0.2], Jz=[0.3, 0.4], J_sd=[0.5, 0.6],
        localized_field=[[0, 0, 1], [0, 0, -1]],
    )  # fmt: skip
    assert both.groups == ((0, 1), (3,)) and both.localized_sites == (0, 1, 3)
    first = KondoHeisenbergChain(sites=4, localized=[0, 1], J=0.1, Jz=0.3, J_sd=0.5)
    names = [(t.factors, t.coeff) for t in both.hamiltonian.terms]
    assert all((t.factors, t.coeff) in names for t in first.hamiltonian.terms)
    assert ((("sz", 3), ("Sz", 3)), -2 * 0.6) in names
    assert ((("Sz", 3),), 2.0) in names and ((("Sz", 0),), -2.0) in names


def test_exchange_stays_within_a_group():
    joined = KondoHeisenbergChain(sites=4, localized=[1, 2], hopping=0, J_sd=0)
    apart = KondoHeisenbergChain(sites=4, localized=[[1], [2]], hopping=0, J_sd=0)
    assert len(joined.hamiltonian.terms) == 3 and not apart.hamiltonian.terms


def test_conserved_charges_of_the_wire():
    assert KondoHeisenbergChain(sites=4, localized=[1]).hamiltonian.conserved() == ("N", "2Sz")
    tilted = KondoHeisenbergChain(sites=4, localized=[1], localized_field=(1, 0, 0))
    assert tilted.hamiltonian.conserved() == ("N",)


@pytest.mark.parametrize("spin", [0.5, 1])
@pytest.mark.parametrize("periodic", [False, True])
def test_heisenberg_as_documented(spin, periodic):
    field, dmi = np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6])
    model = HeisenbergChain(
        sites=4, spin=spin, J=0.7, Jz=0.9, field=field, dmi=dmi, periodic=periodic,
        anisotropy=0.25, impurity_field=0.35, dipole=0.15,
    )  # fmt: skip
    ref = Reference([("spin", spin)] * 4)
    s = [np.array([ref.operator(f"S{x}", i) for x in "xyz"]) for i in range(4)]

    def pair(a, b):
        return np.einsum("aij,ajk->aik", s[a], s[b])

    wanted = -0.35 * s[0][2]
    for i in range(4):
        wanted = wanted - np.tensordot(field, s[i], 1) - 0.25 * s[i][2] @ s[i][2]
        for j in range(i + 1, 4):
            r = min(j - i, 4 - j + i) if periodic else j - i
            wanted += 0.15 * (pair(i, j).sum(axis=0) - 3 * pair(i, j)[2]) / r**3
    ring = [*pairwise(range(4)), (3, 0)] if periodic else list(pairwise(range(4)))
    for i, j in ring:
        wanted += np.tensordot([0.7, 0.7, 0.9], pair(i, j), 1)
        cross = [
            s[i][1] @ s[j][2] - s[i][2] @ s[j][1],
            s[i][2] @ s[j][0] - s[i][0] @ s[j][2],
            s[i][0] @ s[j][1] - s[i][1] @ s[j][0],
        ]
        wanted += np.tensordot(dmi, np.array(cross), 1)
    assert np.abs(matrix(model) - wanted).max() < 1e-13


def test_heisenberg_ring_of_four_has_the_known_ground_state():
    for spin, energy in ((0.5, -2.0), (1, -6.0)):
        values = np.linalg.eigvalsh(matrix(HeisenbergChain(sites=4, spin=spin, periodic=True)))
        assert values[0] == pytest.approx(energy, abs=1e-12)
    open_chain = np.linalg.eigvalsh(matrix(HeisenbergChain(sites=4)))
    assert open_chain[0] == pytest.approx(-(3 + 2 * np.sqrt(3)) / 4, abs=1e-12)


def test_conserved_charges_of_the_spin_chain():
    assert HeisenbergChain(sites=3, field=(0, 0, 1), dmi=(0, 0, 1), dipole=1, anisotropy=1,
                           impurity_field=1).hamiltonian.conserved() == ("2Sz",)  # fmt: skip
    assert HeisenbergChain(sites=3, field=(1, 0, 0)).hamiltonian.conserved() == ()
    assert HeisenbergChain(sites=3, dmi=(1, 0, 0)).hamiltonian.conserved() == ()


@pytest.mark.parametrize(
    "model",
    [
        KondoHeisenbergChain(sites=5, localized=range(1, 3), J=np.float64(0.3)),
        KondoHeisenbergChain(sites=5, localized=[[1], [3]], J=[0.1, 0.2]),
        HeisenbergChain(sites=3, field=[1, 2, 3], dmi=np.array([0.1, 0, 0])),
    ],
)
def test_models_compare_hash_and_travel(model):
    assert hash(model) == hash(pickle.loads(pickle.dumps(model)))
    assert pickle.loads(pickle.dumps(model)) == model
    assert model.hamiltonian is model.hamiltonian
    assert model.hamiltonian.is_hermitian()
    assert MODELS[model.kind] is type(model)
    assert len(model.local_sites) == model.length == model.sites


def wire(**changes):
    return lambda: KondoHeisenbergChain(**({"sites": 75, "localized": [35]} | changes))


def chain(**changes):
    return lambda: HeisenbergChain(**({"sites": 4} | changes))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (wire(localized=[80]), r"^model.localized = \[80\]: must be sites of the chain \(0..74\)"),
        (wire(localized=[-1]), r"model.localized = \[-1\]"),
        (wire(localized=[3, 3]), "model.localized.* each named once"),
        (wire(localized=[[1, 2], [2]]), "model.localized.* each named once"),
        (wire(localized=[1, [2]]), "model.localized.* a list"),
        (wire(localized=[1.5]), r"model.localized = \[1.5\]: must be .*whole number"),
        (wire(localized=35), "model.localized = 35: must be a list"),
        (wire(sites=1, localized=[]), "model.sites = 1"),
        (wire(sites=7.5), "model.sites = 7.5"),
        (wire(J="x"), "model.J = 'x'"),
        (wire(J=float("nan")), "model.J = nan"),
        (wire(J=[0.1, 0.2]), r"model.J = \[0.1, 0.2\]: .* each of the 1 groups"),
        (wire(J_sd=[0.1, 0.2]), r"model.J_sd = \[0.1, 0.2\]"),
        (wire(Jz=True), "model.Jz = True"),
        (wire(convention="paulli"), "did you mean 'pauli'"),
        (wire(spin=0.7), "model.spin = 0.7: must be a positive multiple of 0.5"),
        (wire(well=76), "model.well = 76"),
        (wire(well=-1), "model.well = -1"),
        (wire(well_depth="deep"), "model.well_depth"),
        (wire(electron_field=(1, 2)), "model.electron_field"),
        (wire(localized_field=[(1, 2, 3), (1, 2, 3)]), "model.localized_field.* each of the 1"),
        (wire(localized_field=[]), "model.localized_field = .*must be one value"),
        (wire(JJ=1.0), "model.JJ = 1.0: no such key.* did you mean 'J'"),
        (lambda: KondoHeisenbergChain(sites=4), "model.localized: missing"),
        (chain(sites=2, periodic=True), "model.sites = 2: must be 3 or more"),
        (chain(periodic=1), "model.periodic = 1"),
        (chain(spin=-1), "model.spin = -1"),
        (chain(field=1.0), "model.field = 1.0"),
        (chain(dmi=(0, 0, "z")), r"model.dmi = \[0, 0, 'z'\]"),
        (chain(Jz="a"), "model.Jz = 'a'"),
        (chain(anisotropy=None), "model.anisotropy = None"),
    ],
)
def test_refusals_name_the_field(build, message):
    with pytest.raises(InputError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)
