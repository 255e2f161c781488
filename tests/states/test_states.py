"""Initial states against a second-quantized construction on bit strings and closed forms."""

from __future__ import annotations

from itertools import product as cartesian

import numpy as np
import pytest

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import electron, kondo, spin
from tnspin.operators.sparse import to_sparse
from tnspin.states import initial as states

TOL = 1e-12


def second_quantized(state: states.SlaterProduct) -> np.ndarray:
    """Full-space vector by applying creation operators to occupation bit strings.

    A mode is (site, spin) with up before down; a creation operator picks up a sign for every
    occupied mode in front of it.  No determinant and no Jordan-Wigner matrix is involved.
    """
    length = len(state.sites)
    terms: dict[int, complex] = {0: 1.0}
    for orbital in state.orbitals[::-1]:
        new: dict[int, complex] = {}
        for bits, amplitude in terms.items():
            for mode in range(2 * length):
                if bits >> mode & 1 or not orbital[mode // 2, mode % 2]:
                    continue
                sign = (-1) ** bin(bits & ((1 << mode) - 1)).count("1")
                key = bits | 1 << mode
                new[key] = new.get(key, 0) + sign * amplitude * orbital[mode // 2, mode % 2]
        terms = new
    total = np.zeros([s.dim for s in state.sites], dtype=complex).ravel()
    for bits, amplitude in terms.items():
        vector = np.array([amplitude])
        for j, (site, local) in enumerate(zip(state.sites, state.spins, strict=True)):
            occupation = np.zeros(4 if site.has_fermions else 1)
            occupation[bits >> (2 * j) & 3] = 1
            vector = np.kron(vector, np.kron(occupation, [1] if local is None else local))
        total += vector
    return total


def random_orbitals(rng, n, length):
    a = rng.normal(size=(2 * length, n)) + 1j * rng.normal(size=(2 * length, n))
    return np.linalg.qr(a)[0].T.reshape(n, length, 2)


def random_spin(rng, dim):
    v = rng.normal(size=dim) + 1j * rng.normal(size=dim)
    return v / np.linalg.norm(v)


def random_state(rng, n):
    sites = (electron(), kondo(0.5), electron(), kondo(1.0))
    spins = (None, random_spin(rng, 2), None, random_spin(rng, 3))
    return states.SlaterProduct(sites, random_orbitals(rng, n, 4), spins)


def full_basis(sites):
    return np.array(list(cartesian(*(range(s.dim) for s in sites))), dtype=np.uint8)


@pytest.mark.parametrize("n", range(6))
def test_random_slater_determinants(n):
    state = random_state(np.random.default_rng(n), n)
    exact = second_quantized(state)
    assert np.linalg.norm(exact) == pytest.approx(1, abs=TOL)
    assert state.conserved() == ("N",)
    assert np.abs(state.to_vector().vector - exact).max() < TOL
    basis = ChargeBasis(state.sites, {"N": n})
    inside = [_electrons(state.sites, row) == n for row in full_basis(state.sites)]
    assert np.linalg.norm(exact[inside]) == pytest.approx(1, abs=TOL)
    assert np.linalg.norm(state.to_vector(basis).vector) == pytest.approx(1, abs=TOL)
    amplitudes = state.amplitudes(basis.states)
    index = np.ravel_multi_index(basis.states.T, [s.dim for s in state.sites])
    assert np.abs(amplitudes - exact[index]).max() < TOL


def _electrons(sites, row):
    return sum(int(s.charge("N")[k]) for s, k in zip(sites, row, strict=True))


@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize("names", [(), ("N",)])
def test_slater_as_mps(n, names):
    state = random_state(np.random.default_rng(10 + n), n)
    mps = state.to_mps(names)
    rows = full_basis(state.sites)
    assert np.abs(mps.amplitudes(rows) - second_quantized(state)).max() < 1e-10


@pytest.mark.parametrize(
    ("polarization", "localized", "conserved"),
    [
        ("z", "down", ("N", "2Sz")),
        ("-z", ["up", "down"], ("N", "2Sz")),
        ("none", "up", ("N", "2Sz")),
        ("x", "down", ("N",)),
        ("z", "x", ("N",)),
        ([0.3, 1.2], ["up", [1.0, 0.5]], ("N",)),
    ],
)
def test_confined_electrons(polarization, localized, conserved):
    chain = KondoHeisenbergChain(sites=5, localized=[[1], [3]])
    state = states.confined_electrons(
        chain, 2, well=3, polarization=polarization, localized_spins=localized
    )
    assert state.conserved() == conserved
    exact = second_quantized(state)
    assert np.abs(state.to_vector().vector - exact).max() < TOL
    basis = ChargeBasis(state.sites, state.total_charge(conserved))
    assert np.linalg.norm(state.to_vector(basis).vector) == pytest.approx(1, abs=TOL)
    index = np.ravel_multi_index(basis.states.T, [s.dim for s in state.sites])
    for names in ((), conserved):
        amplitudes = state.to_mps(names).amplitudes(basis.states)
        assert np.abs(amplitudes - exact[index]).max() < 1e-10


def test_confined_electrons_minimize_the_energy_of_hopping_and_well():
    chain = KondoHeisenbergChain(sites=8, localized=[5, 6], hopping=1.5)
    matrix = np.zeros((8, 8))
    for j in range(7):
        matrix[j, j + 1] = matrix[j + 1, j] = -1.5
    for j in range(3):
        matrix[j, j] = -4.0
    energies = np.linalg.eigvalsh(matrix)
    polarized = states.confined_electrons(chain, 3, well=3, well_depth=4.0)
    assert _energies(polarized, matrix) == pytest.approx(energies[:3], abs=TOL)
    paired = states.confined_electrons(chain, 4, well=3, well_depth=4.0, polarization="none")
    assert _energies(paired, matrix) == pytest.approx(energies[[0, 0, 1, 1]], abs=TOL)
    assert paired.total_charge(("N", "2Sz")) == {"N": 4, "2Sz": -2}
    assert polarized.total_charge(("2Sz", "N")) == {"2Sz": 1, "N": 3}


def _energies(state, matrix):
    phi = state.orbitals
    return np.einsum("ajs,jk,aks->a", phi.conj(), matrix, phi).real


def test_pulse_of_the_paper_as_mps():
    chain = KondoHeisenbergChain(sites=75, localized=range(35, 40))
    state = states.confined_electrons(chain, 8)
    mps = state.to_mps(("N", "2Sz"))
    # Compare the largest amplitudes: eight electrons in the well, spins down.
    rng = np.random.default_rng(1)
    rows = np.zeros((20, 75), dtype=int)
    rows[:, 35:40] = 1
    for row in rows:
        row[rng.choice(11, size=8, replace=False)] = 1
    exact = state.amplitudes(rows)
    assert np.abs(exact).max() > 1e-3
    assert np.abs(mps.amplitudes(rows) - exact).max() < 1e-10
    density = [
        np.vdot(s.op("n"), rho).real for s, rho in zip(mps.sites, mps.site_rdms(), strict=True)
    ]
    correlations = np.einsum("ajs,aks->jk", state.orbitals.conj(), state.orbitals)
    assert np.abs(density - np.diag(correlations)).max() < 1e-10
    # Free fermions: the entropy of a cut follows from the one-body density matrix of one side.
    for bond in range(74):
        filling = np.linalg.eigvalsh(correlations[: bond + 1, : bond + 1])
        parts = np.concatenate([filling, 1 - filling])
        expected = -sum(p * np.log(p) for p in parts if p > 1e-15)
        assert mps.entropies()[bond] == pytest.approx(expected, abs=1e-10)


def test_wave_packet():
    chain = KondoHeisenbergChain(sites=101, localized=[80])
    state = states.wave_packet(chain, center=50, momentum=np.pi / 2, width=0.2)
    phi = state.orbitals[0]
    assert state.conserved() == ("N", "2Sz")
    assert not phi[:, 1].any()
    density = np.abs(phi[:, 0]) ** 2
    assert density.sum() == pytest.approx(1, abs=TOL)
    assert density @ np.arange(101) == pytest.approx(50, abs=1e-9)
    # |psi|^2 = exp(-dk^2 (x - x0)^2 / 2) has variance 1 / dk^2.
    assert density @ (np.arange(101) - 50.0) ** 2 == pytest.approx(25, abs=1e-6)
    # <sin k> = exp(-dk^2 / 8) sin k0 for a Gaussian packet of momentum variance dk^2 / 4.
    current = np.sum(phi[:-1, 0].conj() * phi[1:, 0]).imag
    assert current == pytest.approx(np.exp(-(0.2**2) / 8), abs=1e-6)
    # Its charge sector has one state per place of the flipped spin, found at once.
    basis = ChargeBasis(state.sites, state.total_charge(("N", "2Sz")))
    vector = state.to_vector(basis)
    assert np.linalg.norm(vector.vector) == pytest.approx(1, abs=TOL)


@pytest.mark.parametrize("s", [0.5, 1.0, 1.5, 2.5])
@pytest.mark.parametrize("angles", [(0, 0), (np.pi, 0), (np.pi / 2, 0), (0.7, 2.1), (2.0, -1.0)])
def test_coherent_states_point_where_they_should(s, angles):
    theta, phi = angles
    vector = states.coherent(s, theta, phi)
    site = spin(s)
    mean = [np.vdot(vector, site.op(a) @ vector) for a in ("Sx", "Sy", "Sz")]
    unit = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    assert np.abs(np.array(mean) - s * np.array(unit)).max() < TOL
    if theta in (0, np.pi):
        assert np.count_nonzero(vector) == 1


def test_product_states():
    chain = HeisenbergChain(sites=4)
    neel = states.product(chain, [[0, 0], [np.pi, 0]])
    assert neel.conserved() == ("2Sz",)
    assert neel.total_charge(("2Sz",)) == {"2Sz": 0}
    vector = neel.to_vector().vector
    assert abs(vector[0b0101]) == pytest.approx(1, abs=TOL)
    tilted = states.product(chain, [[0.125, 0], [np.pi - 0.125, 0]])
    assert tilted.conserved() == ()
    assert np.abs(tilted.to_vector().vector - second_quantized(tilted)).max() < TOL
    rows = full_basis(tilted.sites)
    assert np.abs(tilted.to_mps().amplitudes(rows) - tilted.to_vector().vector).max() < 1e-10
    empty = states.product(KondoHeisenbergChain(sites=4, localized=[1, 2]), ["down", "x"])
    assert empty.total_charge(("N",)) == {"N": 0}


RING = HeisenbergChain(4, periodic=True)


@pytest.mark.parametrize(
    ("model", "charges", "energy"),
    [
        # Energies in closed form: the singlet of the ring, its triplet sector, one magnon of
        # momentum pi over the ferromagnet, and an electron in a chain of hopping alone.
        (RING, None, -2.0),
        (RING, {"2Sz": 0}, -2.0),
        (RING, {"2Sz": 2}, -1.0),
        (RING, {"2Sz": 4}, 1.0),
        (HeisenbergChain(4, J=-1.0, field=(0, 0, 0.8)), None, -0.75 - 1.6),
        (KondoHeisenbergChain(5, [4], J_sd=0.0), {"N": 1}, -2 * np.cos(np.pi / 6)),
        (KondoHeisenbergChain(5, [4], J_sd=0.0), {"N": 2, "2Sz": 3}, -1 - 2 * np.cos(np.pi / 6)),
    ],
)
@pytest.mark.parametrize("form", ["vector", "mps"])
def test_ground_states(model, charges, energy, form):
    state = states.ground(model, charges)
    names = tuple(charges or ())
    assert state.conserved() == names
    if form == "mps":
        pytest.importorskip("tnspin.mps.dmrg")
        vector = state.to_mps(names).to_quimb().to_dense().ravel()
        hamiltonian = to_sparse(model.hamiltonian)
    else:
        basis = ChargeBasis(model.local_sites, charges) if charges else None
        vector = state.to_vector(basis).vector
        hamiltonian = to_sparse(model.hamiltonian, basis)
    assert np.vdot(vector, hamiltonian @ vector).real == pytest.approx(energy, abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("confined_electron", {}, r"state\.kind = .*did you mean 'confined_electrons'"),
        ("confined_electrons", {"n_electrons": 4, "wel": 3}, r"state\.wel = 3: .*mean 'well'"),
        ("confined_electrons", {}, r"state\.n_electrons: missing"),
        ("confined_electrons", {"n_electrons": 4, "well": 3}, r"n_electrons = 4: .*pol.*most 3"),
        ("confined_electrons", {"n_electrons": -1, "well": 3}, r"state\.n_electrons"),
        ("confined_electrons", {"n_electrons": 1.5, "well": 3}, r"state\.n_electrons"),
        (
            "confined_electrons",
            {"n_electrons": 1, "well": 9},
            r"state\.well = 9: must be 1 to 6",
        ),
        (
            "confined_electrons",
            {"n_electrons": 3, "well": 3, "polarization": "none"},
            r"state\.n_electrons = 3: .*pairs",
        ),
        (
            "confined_electrons",
            {"n_electrons": 1, "well": 3, "polarization": "nome"},
            r"state\.polarization = .*did you mean 'none'",
        ),
        (
            "confined_electrons",
            {"n_electrons": 1, "well": 3, "localized_spins": "dwon"},
            r"state\.localized_spins = .*did you mean 'down'",
        ),
        (
            "confined_electrons",
            {"n_electrons": 1, "well": 3, "localized_spins": ["up"]},
            r"state\.localized_spins: 1 entries for 2 groups",
        ),
        (
            "confined_electrons",
            {"n_electrons": 1, "well": 3, "well_depth": float("nan")},
            r"state\.well_depth",
        ),
        (
            "confined_electrons",
            {"n_electrons": 1, "well": 3, "localized_spins": 3},
            r"localized_spins = 3: must",
        ),
        (
            "confined_electrons",
            {"n_electrons": 1, "well": 3, "polarization": 3},
            r"state\.polarization",
        ),
        ("product", {"directions": 3}, r"state\.directions"),
        ("ground", {}, r"state\.charges: .*number"),
        ("ground", {"charges": 3}, r"state\.charges"),
        ("ground", {"charges": {"M": 3}}, r"'M' is not conserved .*N, 2Sz"),
        ("ground", {"charges": {"N": 1.5}}, r"state\.charges\.N = 1\.5: must be a whole number"),
        ("ground", {"charges": {"N": 1}, "bond_dim": 0}, r"state\.bond_dim"),
        ("ground", {"charges": {"N": 1}, "cutoff": "a"}, r"state\.cutoff"),
        ("wave_packet", {"center": 6}, r"state\.center = 6: .*outside the chain"),
        ("wave_packet", {"center": 2, "width": 0.0}, r"state\.width"),
        (
            "wave_packet",
            {"center": 2, "polarization": "nine"},
            r"state\.polarization = .*or \[theta",
        ),
        ("product", {"directions": []}, r"state\.directions"),
        ("product", {"directions": [[0, 1, 2]]}, r"state\.directions"),
    ],
)
def test_bad_input_is_one_clear_line(kind, values, message):
    chain = KondoHeisenbergChain(sites=6, localized=[[3], [4]])
    with pytest.raises(InputError, match=message) as error:
        states.build(kind, chain, **values)
    assert "\n" not in str(error.value)


def test_states_that_do_not_fit_are_refused():
    chain = KondoHeisenbergChain(sites=4, localized=[2])
    state = states.confined_electrons(chain, 1, well=2)
    with pytest.raises(InputError, match="sector"):
        state.to_vector(ChargeBasis(state.sites, {"N": 2}))
    with pytest.raises(InputError, match="2Sz"):
        states.confined_electrons(chain, 1, well=2, polarization="x").to_mps(("2Sz",))
    with pytest.raises(InputError, match="no electrons"):
        states.confined_electrons(HeisenbergChain(sites=4), 1, well=2)
    with pytest.raises(InputError, match="orthonormal"):
        states.SlaterProduct(state.sites, np.ones((1, 4, 2)), state.spins)
    with pytest.raises(InputError, match="site 2"):
        states.SlaterProduct(state.sites, state.orbitals, (None,) * 4)
