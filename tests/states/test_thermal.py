"""Thermal spins against matrix exponentials of Hamiltonians built spin by spin."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from types import SimpleNamespace

import numpy as np
import pytest
from dense import trace_leading
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import spin_matrices
from scipy.linalg import expm

import tnspin as ts
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain, Purified
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import spin
from tnspin.operators.sparse import to_sparse
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import initial_state, simulate
from tnspin.states import initial as states
from tnspin.states.initial.gibbs_group import GibbsGroup, cooled, own_hamiltonian

AXES = {"up": (0, 0, 1), "down": (0, 0, -1), "x": (1, 0, 0), "-y": (0, -1, 0)}


def ferromagnet(count, s, plane, along, scale, field):
    """-sum [along Sz Sz + plane (Sx Sx + Sy Sy)] - field.S with S = scale x spin matrices."""
    each = [scale * m for m in spin_matrices(s)]
    one = np.eye(len(each[0]))

    def at(k, matrix):
        return reduce(np.kron, [matrix if j == k else one for j in range(count)])

    h = np.zeros((len(one) ** count,) * 2, complex)
    for k in range(count):
        h -= sum(b * at(k, m) for b, m in zip(field, each, strict=True))
    for k in range(count - 1):
        for strength, m in zip((plane, plane, along), each, strict=True):
            h -= strength * at(k, m) @ at(k + 1, m)
    return h


def gibbs(h, temperature):
    rho = expm(-(h - np.linalg.eigvalsh(h)[0] * np.eye(len(h))) / temperature)
    return rho / np.trace(rho)


def heated(chain, **keys):
    values = {"center": 1, "width": 1.0, "temperature": 0.3, "field": 0.2}
    return states.wave_packet(chain, **{**values, **keys})


def spins_of(state, group, d):
    """Density matrix of the localized spins of a group."""
    return state.rdm(group, keep=[d] * len(group))


VALVE = KondoHeisenbergChain(sites=6, localized=[[2, 3], [5]], J=0.3, Jz=0.5)


@pytest.mark.parametrize("direction", AXES)
@pytest.mark.parametrize("convention", ["pauli", "spin"])
def test_every_group_is_in_its_gibbs_state(direction, convention):
    chain = KondoHeisenbergChain(5, [[2, 3], [4]], J=0.3, Jz=0.5, convention=convention)
    state = heated(chain, localized_spins=[direction, "down"]).to_vector()
    scale = 2.0 if convention == "pauli" else 1.0
    for group, axis in (([2, 3], AXES[direction]), ([4], AXES["down"])):
        h = ferromagnet(len(group), 0.5, 0.3, 0.5, scale, 0.2 * np.array(axis))
        assert np.abs(spins_of(state, group, 2) - gibbs(h, 0.3)).max() < 1e-13
    density = [np.trace(rho @ site.op("n")).real for rho, site in
               zip(state.site_rdms(), state.sites, strict=True)]  # fmt: skip
    packet = np.exp(-((np.arange(5) - 1) ** 2) / 2)
    assert np.allclose(density, packet / packet.sum(), atol=1e-13)


@given(
    s=st.sampled_from([0.5, 1.0]),
    count=st.integers(1, 3),
    temperature=st.floats(0.05, 5.0),
    couplings=st.tuples(*[st.integers(-1000, 1000).map(lambda k: k / 1000)] * 2),
    field=st.tuples(*[st.integers(-1000, 1000).map(lambda k: k / 1000)] * 3),
)
@settings(deadline=None, max_examples=30)
def test_tracing_out_the_ancillas_leaves_the_gibbs_state(s, count, temperature, couplings, field):
    plane, along = couplings
    chain = KondoHeisenbergChain(
        count, list(range(count)), J=plane, Jz=along, spin=s, hopping=0.0, J_sd=0.7
    ) if count > 1 else KondoHeisenbergChain(2, [0], spin=s)  # fmt: skip
    scale = chain.localized_scale
    own = own_hamiltonian(chain, range(count), [scale * b for b in field])
    group = GibbsGroup(tuple(range(count)), own, temperature)
    d = round(2 * s) + 1
    rho = trace_leading(np.outer(group.vector, group.vector.conj()), [d * d] * count, [d] * count)
    h = ferromagnet(count, s, plane, along, scale, field)
    assert np.abs(rho - gibbs(h, temperature)).max() < 1e-11
    assert np.linalg.norm(group.vector) == pytest.approx(1, abs=1e-12)


def test_without_a_field_there_is_no_magnetization():
    state = heated(VALVE, field=0.0).to_vector(
        ChargeBasis(Purified(VALVE).local_sites, {"N": 1, "2Sz": 1})
    )
    for k in VALVE.localized_sites:
        rho = spins_of(state, [k], 2)
        assert np.abs(rho - np.eye(2) / 2).max() < 1e-13


def test_charges_of_purified_states():
    along_z = heated(VALVE, localized_spins=["up", "down"])
    assert along_z.conserved() == ("N", "2Sz") and along_z.purified
    assert along_z.total_charge(("N", "2Sz")) == {"N": 1, "2Sz": 1}
    assert heated(VALVE, polarization="-z").total_charge(("2Sz",)) == {"2Sz": -1}
    across = heated(VALVE, localized_spins=["x", "down"])
    assert across.conserved() == ("N",)
    assert along_z.reference((5, 2, 3)) == (1, 0, 0) and across.reference((2, 3, 5)) is None
    mixed = heated(VALVE, polarization="none")
    assert mixed.purified and mixed.conserved() == ("N", "2Sz")
    assert mixed.reference((2, 3, 5)) == (1, 1, 1)
    with pytest.raises(InputError, match="2Sz = 1 and -1"):
        mixed.total_charge(("2Sz",))


@pytest.mark.parametrize("names", [(), ("N",), ("N", "2Sz")])
def test_matrix_products_and_vectors_have_the_same_amplitudes(names):
    # A scattered group, an end of the chain, and a packet that reaches both.
    chain = KondoHeisenbergChain(5, [[1, 3], [4]], J=0.3)
    state = heated(chain, center=2, momentum=0.4)
    basis = ChargeBasis(state.sites, {"N": 1, "2Sz": 1})
    vector, mps = state.to_vector(basis).vector, state.to_mps(names)
    assert mps.canonical and mps.norm == pytest.approx(1, abs=1e-12)
    assert np.abs(mps.amplitudes(basis.states) - vector).max() < 1e-10


def test_one_electron_among_thermal_spins():
    state = heated(VALVE, momentum=0.4, localized_spins=["up", "down"])
    one = state.to_one_electron(("N", "2Sz"))
    vector = state.to_vector(ChargeBasis(state.sites, {"N": 1, "2Sz": 1}))
    for rho, other in zip(one.bond_rdms(), vector.bond_rdms(), strict=True):
        assert np.abs(rho - other).max() < 1e-12
    with pytest.raises(InputError, match="2 electrons where one is needed"):
        states.confined_electrons(VALVE, 2, well=3, temperature=0.1).to_one_electron()


def test_confined_electrons_among_thermal_spins():
    chain = KondoHeisenbergChain(5, [[3, 4]], J=0.3)
    keys = {"n_electrons": 2, "well": 3, "polarization": "none"}
    state = states.confined_electrons(chain, **keys, temperature=0.4, field=0.1).to_mps(("N",))
    cold = states.confined_electrons(chain, **keys).to_mps(("N",))
    h = ferromagnet(2, 0.5, 0.3, 0.3, 2.0, (0, 0, -0.1))
    assert np.abs(spins_of(state, [3, 4], 2) - gibbs(h, 0.4)).max() < 1e-12
    for k in range(3):
        assert np.abs(state.rdm([k]) - cold.rdm([k])).max() < 1e-12


def test_cold_spins_in_a_field_are_polarized():
    cold = heated(VALVE, temperature=0.0)
    assert isinstance(cold, states.SlaterProduct) and not cold.purified
    nearly = heated(VALVE, temperature=1e-3).to_vector()
    for k in VALVE.localized_sites:
        wanted = cold.to_vector().rdm([k], keep=[2])
        assert np.abs(nearly.rdm([k], keep=[2]) - wanted).max() < 1e-12


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (HeisenbergChain(5, J=-0.8, Jz=0.3, field=(0, 0, 0.2)), (0.0, 0.0, 0.1)),
        (HeisenbergChain(4, dmi=(0.1, 0.0, 0.4), anisotropy=0.3, spin=1.0), (0.2, 0.0, 0.0)),
        (HeisenbergChain(5, J=-1.0), (0.0, 0.0, 0.0)),
    ],
)
@pytest.mark.parametrize("temperature", [0.1, 2.0])
def test_cooling_ends_in_the_gibbs_state(model, field, temperature):
    own = own_hamiltonian(model, range(model.length), field)
    group = GibbsGroup(tuple(range(model.length)), own, temperature)
    names = ("2Sz",) if group.conserves_sz else ()
    mps = cooled(OperatorSum(group.chain, own.terms), temperature, names)
    d = group.chain[0].spin_dim
    h = to_sparse(model.hamiltonian).toarray()
    for axis, b in zip("xyz", field, strict=True):
        total = [(1.0, f"S{axis}", k) for k in range(model.length)]
        h -= b * to_sparse(OperatorSum.of(model.local_sites, total)).toarray()
    rho = gibbs(h, temperature)
    assert np.abs(mps.rdm(range(model.length), keep=[d] * model.length) - rho).max() < 1e-6


def test_the_error_of_cooling_falls_with_the_fourth_power_of_the_step():
    own = own_hamiltonian(HeisenbergChain(5, J=-0.8, Jz=0.3, field=(0, 0, 0.2)), range(5))
    group = GibbsGroup(tuple(range(5)), own, 0.1)
    rho = gibbs(to_sparse(own).toarray(), 0.1)
    errors = []
    for step in (1.0, 0.5, 0.25):
        chain = OperatorSum(group.chain, own.terms)
        mps = cooled(chain, 0.1, ("2Sz",), step=step, cutoff=1e-14)
        errors.append(np.abs(mps.rdm(range(5), keep=[2] * 5) - rho).max())
    assert np.log2(errors[0] / errors[2]) / 2 == pytest.approx(4, abs=0.7)


def test_large_groups_are_cooled_and_small_ones_diagonalized():
    chain = KondoHeisenbergChain(6, [[2, 3, 4]], J=0.3)
    exact = heated(chain).to_mps(("N", "2Sz"))
    group = replace(heated(chain).groups[0], largest_mps=4, largest=4)
    approximate = replace(heated(chain), groups=(group,)).to_mps(("N", "2Sz"))
    for rho, other in zip(exact.bond_rdms(), approximate.bond_rdms(), strict=True):
        assert np.abs(rho - other).max() < 1e-6
    with pytest.raises(InputError, match="at most 4 states, this one has 8"):
        replace(heated(chain), groups=(group,)).to_vector()


def test_too_few_bond_states_for_the_cooling_are_told():
    own = own_hamiltonian(HeisenbergChain(4), range(4))
    group = GibbsGroup((0, 1, 2, 3), own, 0.5)
    with pytest.warns(RuntimeWarning, match="cooling 4 spins lost"):
        cooled(OperatorSum(group.chain, own.terms), 0.5, ("2Sz",), bond_dim=2)


def test_gibbs_states_of_spin_chains_stand_still():
    ring = HeisenbergChain(4, periodic=True, field=(0, 0, 0.3))
    state = states.build("gibbs", ring, temperature=0.7)
    rho = gibbs(to_sparse(ring.hamiltonian).toarray(), 0.7)
    run = ts.evolve(Purified(ring), state.to_vector(), [0.0, 0.5, 2.0], solver="exact")
    for now in run:
        assert np.abs(now.state.rdm(range(4), keep=[2] * 4) - rho).max() < 1e-12
    empty = states.gibbs(VALVE, 0.3, field=0.2, localized_spins=["up", "down"])
    assert empty.total_charge(("N", "2Sz")) == {"N": 0, "2Sz": 0}


def test_a_run_at_finite_temperature_is_that_of_the_density_matrix():
    model = {"kind": "kondo_heisenberg", "sites": 3, "localized": [[1], [2]], "J_sd": 0.8}
    state = {
        "kind": "wave_packet", "center": 0, "width": 2.0, "polarization": "none",
        "temperature": 0.5, "field": 0.4, "localized_spins": ["up", "down"],
    }  # fmt: skip
    tables = {"model": model, "state": state, "time": {"stop": 2.0, "every": 1.0}}
    run = config.from_dict({**tables, "solver": {"kind": "exact"}})
    assert run.run_model == Purified(run.model)
    result = simulate(run)
    # rho = |packet><packet| x 1/2 x Gibbs x Gibbs in the space without ancillas.
    chain = run.model
    packet = np.exp(0.5j * np.pi * np.arange(3) - np.arange(3) ** 2)
    packet /= np.linalg.norm(packet)
    rho = 0
    for spin_index in (0, 1):
        weights = [gibbs(ferromagnet(1, 0.5, 0, 0, 2.0, (0, 0, b)), 0.5) for b in (0.4, -0.4)]
        for m, n in np.ndindex(2, 2):
            orbital = np.zeros((1, 3, 2), complex)
            orbital[0, :, spin_index] = packet
            spins = (None, np.eye(2)[m], np.eye(2)[n])
            v = states.SlaterProduct(chain.local_sites, orbital, spins).to_vector().vector
            p = 0.5 * weights[0][m, m].real * weights[1][n, n].real
            rho = rho + p * np.outer(v, v.conj())
    h = to_sparse(chain.hamiltonian).toarray()
    for k, time in enumerate(result["time"]):
        u = expm(-1j * h * time)
        now = u @ rho @ u.conj().T
        for j, site in enumerate(chain.localized_sites):
            for a, axis in enumerate("xyz"):
                op = to_sparse(OperatorSum.of(chain.local_sites, [(2.0, f"S{axis}", site)]))
                assert result["spin"][k, j, a] == pytest.approx(
                    np.trace(op.toarray() @ now).real, abs=1e-10
                )
        assert result["energy"][k] == pytest.approx(np.trace(h @ now).real, abs=1e-10)
    tebd = {"kind": "tebd", "dt": 0.05, "order": 4, "cutoff": 1e-14, "threads": 1}
    by_mps = simulate(config.from_dict({**tables, "solver": tebd}))
    assert np.abs(by_mps["spin"] - result["spin"]).max() < 1e-6
    assert np.abs(by_mps["log_negativity"] - result["log_negativity"]).max() < 1e-6


def test_a_thermal_run_takes_one_electron_amplitudes():
    model = {"kind": "kondo_heisenberg", "sites": 12, "localized": [[4, 5], [8, 9]]}
    state = {"kind": "wave_packet", "center": 1, "temperature": 0.1, "field": 0.1}
    run = config.from_dict({"model": model, "state": state, "solver": {"kind": "exact"}})
    prepared = initial_state(run)
    assert type(prepared).__name__ == "OneElectronState"
    assert prepared.total_charge == {"N": 1, "2Sz": 1}


BAD = [
    ({"temperature": -0.1}, r"state\.temperature = -0\.1: must be 0 or more"),
    ({"temperature": float("nan")}, r"state\.temperature"),
    ({"field": float("inf")}, r"state\.field"),
    ({"localized_spins": ["up"]}, r"state\.localized_spins: 1 entries for 2 groups"),
]


@pytest.mark.parametrize(("keys", "message"), BAD)
def test_bad_keys_are_refused(keys, message):
    with pytest.raises(InputError, match=message):
        heated(VALVE, **keys)


def test_other_refusals():
    with pytest.raises(InputError, match=r"state\.temperature = 0\.0: must be above 0"):
        states.gibbs(VALVE, 0.0)
    with pytest.raises(InputError, match="no localized spins"):
        heated(KondoHeisenbergChain(4, []))
    with pytest.raises(InputError, match="interleaved at site 2"):
        heated(KondoHeisenbergChain(5, [[1, 3], [2, 4]])).to_mps(("N",))
    sites = (spin(0.5),) * 3
    coupled = SimpleNamespace(
        local_sites=sites,
        localized_sites=(0, 1, 2),
        hamiltonian=OperatorSum.of(sites, [(1.0, "Sz", 1, "Sz", 2)]),
    )
    with pytest.raises(InputError, match=r"sites \[1, 2\] are coupled"):
        own_hamiltonian(coupled, [0, 1])
    assert not own_hamiltonian(coupled, [0]).terms


def test_interleaved_groups_have_exact_amplitudes():
    chain = KondoHeisenbergChain(4, [[0, 2], [1, 3]])
    state = states.gibbs(chain, 0.5, field=0.3).to_vector()
    rho = gibbs(ferromagnet(1, 0.5, 0, 0, 2.0, (0, 0, 0.3)), 0.5)
    assert np.abs(state.rdm([0, 2], keep=[2, 2]) - np.kron(rho, rho)).max() < 1e-12
