"""Observables of a small spin valve, in every kind of state, against dense density matrices."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import quimb.tensor as qtn
from solving import exact

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.mps import MPS
from tnspin.observables import OBSERVABLES, entanglement, magnons, measures
from tnspin.observables.fisher import fisher_information
from tnspin.observables.groups.spins import group_state
from tnspin.observables.groups.state import GroupState
from tnspin.observables.snapshot import Options, Snapshot
from tnspin.operators.basis import ChargeBasis
from tnspin.solvers.trajectories.averages import Averaged
from tnspin.solvers.trajectories.layout import Layout
from tnspin.states import initial as states
from tnspin.states.density import DensityState
from tnspin.states.ensemble import Ensemble
from tnspin.states.one_electron.configurations import Configurations
from tnspin.states.one_electron.state import OneElectronState
from tnspin.states.vector import VectorState

MODEL = KondoHeisenbergChain(7, [[1, 2], [4, 5]], J=0.2, J_sd=0.8)
SPINS = MODEL.localized_sites
UP_DOWN = Options(reference=(0, 0, 1, 1), wavevectors=(np.pi / 6, np.pi / 2))
PURE = ("vector", "mps", "one electron", "full space")
KINDS = (*PURE, "density", "average")
TOL = 1e-9


@cache
def pure(polarization):
    """One electron through both groups, in its own sector of 2Sz."""
    packet = states.wave_packet(
        MODEL, center=0, width=1.0, polarization=polarization, localized_spins=["up", "down"]
    )
    basis = ChargeBasis(MODEL.local_sites, packet.total_charge(("N", "2Sz")))
    *_, last = exact(MODEL, packet.to_vector(basis), [0.0, 4.0])
    return last.state


def full(state):
    """Amplitudes in the full space."""
    dims = [site.dim for site in state.sites]
    vector = np.zeros(int(np.prod(dims)), complex)
    vector[np.ravel_multi_index(tuple(state.basis.states.T.astype(int)), dims)] = state.vector
    return vector


def converted(state, kind):
    """The same state in another form."""
    if kind == "full space":
        return VectorState(state.sites, full(state))
    if kind == "mps":
        dims = [site.dim for site in state.sites]
        psi = qtn.MatrixProductState.from_dense(full(state), dims)
        return MPS.from_quimb(psi, state.sites, state.charge_names)
    if kind == "one electron":
        return one_electron(state)
    if kind == "density":
        return DensityState.from_state(state)
    return state


def one_electron(state):
    """Amplitudes moved from one order of the configurations to the other."""
    charges = dict(state.total_charge)
    places = Configurations(state.sites, charges)
    index = places.basis.states.astype(int)
    amplitudes = np.zeros((len(index), len(state.sites)), complex)
    for j in range(len(state.sites)):
        local = np.zeros((len(index), len(state.sites)), int)
        for k in SPINS:
            local[:, k] = index[:, places.spin(k)]
        level = 1 + index[:, 0]  # one electron, up or down
        local[:, j] += level * state.sites[j].spin_dim
        amplitudes[:, j] = state.amplitudes(local)
    return OneElectronState(places, amplitudes)


@cache
def snapshot(kind):
    """The unpolarized packet: half of it up, half of it down (PRA Eq. 10)."""
    form = kind if kind in PURE else "vector"
    members = tuple(converted(pure(polarization), form) for polarization in ("z", "-z"))
    state = Ensemble(members, (0.5, 0.5))
    if kind == "density":
        state = converted(state, kind)
    if kind == "average":
        layout = Layout(MODEL.local_sites, ("N", "2Sz"), MODEL.groups)
        state = Averaged(layout, np.mean([layout.pack(one) for one in members], axis=0))
    return Snapshot(4.0, MODEL, state, options=UP_DOWN)


def dense_spins(state, chosen_sites=SPINS):
    """Density matrix of localized spins, summed over configurations of everything else."""
    inside = np.zeros(state.basis.dim, int)
    outside = state.basis.states.astype(int)
    for k in chosen_sites:
        inside = inside * 2 + outside[:, k] % 2
        outside[:, k] //= 2
    _, row = np.unique(outside, axis=0, return_inverse=True)
    table = np.zeros((row.max() + 1, 2 ** len(chosen_sites)), complex)
    table[row.ravel(), inside] = state.vector
    return table.T @ table.conj() / np.linalg.norm(state.vector) ** 2


@cache
def reference():
    return (dense_spins(pure("z")) + dense_spins(pure("-z"))) / 2


def measure(name, kind):
    return np.asarray(OBSERVABLES[name].measure(snapshot(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_groups_of_the_mixture(kind):
    rho = reference()
    assert snapshot(kind).group_state.to_dense() == pytest.approx(rho, abs=TOL)
    negativity = entanglement.log_negativity(rho, (4, 4), [0])
    assert negativity > 1e-3
    assert measure("log_negativity", kind) == pytest.approx(negativity, abs=TOL)
    information = entanglement.mutual_information(rho, (4, 4), [0])
    assert measure("mutual_information", kind) == pytest.approx(information, abs=1e-7)
    parts = [rho, *(entanglement.partial_trace(rho, (4, 4), [k]) for k in (0, 1))]
    entropies = [entanglement.von_neumann(part) for part in parts]
    assert measure("group_entropy", kind) == pytest.approx(entropies, abs=1e-7)
    assert measure("group_discarded", kind) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_magnons_of_the_mixture(kind):
    p = np.diag(reference()).real.reshape((2,) * 4)
    flipped = p[:, :, ::-1, ::-1]  # counted from up, up, down, down
    counts = [sum(flipped[i] for i in np.ndindex(2, 2, 2, 2) if sum(i) == m) for m in range(5)]
    assert measure("magnon_probability", kind) == pytest.approx(counts, abs=TOL)
    assert counts[1] > 1e-2
    w = np.zeros(16)
    w[[0b1011, 0b0111, 0b0001, 0b0010]] = 0.5
    assert measure("w_probability", kind) == pytest.approx((w @ reference() @ w).real, abs=TOL)


@pytest.mark.parametrize("kind", KINDS)
def test_fisher_information_of_the_mixture(kind):
    p, sz = np.diag(reference()).real, 1 - 2 * np.indices((2,) * 4).reshape(4, -1)
    found = measure("quantum_fisher_information", kind)
    for k, value in zip(UP_DOWN.wavevectors, found, strict=True):
        waves = np.exp(1j * k * np.array(SPINS)) @ sz
        variance = p @ np.abs(waves) ** 2 - abs(p @ waves) ** 2
        assert value == pytest.approx(variance, abs=1e-8)  # 4 / N with N = 4
    state = GroupState.from_dense(reference(), (4, 4))
    expected = fisher_information(state, (2,) * 4, SPINS, UP_DOWN.wavevectors)
    assert measure("quantum_fisher_information_mixed", kind) == pytest.approx(expected, abs=1e-7)
    assert np.all(expected < found)


@pytest.mark.parametrize("kind", KINDS)
def test_functions_of_states_agree_with_those_of_the_density_matrix(kind):
    """What serves groups that are too large for a density matrix."""
    state, ref = snapshot(kind).state, UP_DOWN.reference
    counted = magnons.counts(state, SPINS)
    assert counted.magnons(ref) == pytest.approx(measure("magnon_probability", kind), abs=TOL)
    assert counted.w(ref) == pytest.approx(measure("w_probability", kind), abs=TOL)
    zz, z = counted.zz()
    group = GroupState.from_dense(reference(), (4, 4))
    expected = magnons.GroupCounts(group, (2,) * 4).zz()
    assert zz == pytest.approx(expected[0], abs=TOL)
    assert z == pytest.approx(expected[1], abs=TOL)


@pytest.mark.parametrize("kind", [*PURE, "density"])
def test_order_of_sites_and_pure_members(kind):
    state = converted(pure("z"), kind)
    for a, b in (([5], [1, 2]), ([4, 1], [5]), ([2, 1], [5, 4]), ([2], [4])):
        rho = dense_spins(pure("z"), [*a, *b])
        group = group_state(state, a, b)
        assert group.to_dense() == pytest.approx(rho, abs=TOL), (a, b)
        keep = [2] * (len(a) + len(b))
        expected = entanglement.log_negativity(rho, group.dims, [0])
        assert measures.log_negativity(state, a, b, keep=keep) == pytest.approx(expected, abs=TOL)


def test_the_density_matrix_of_the_whole_chain():
    """Its cuts have the entropy of the mixture; the members are in different sectors."""
    assert measure("purity", "density") == pytest.approx(1 / 2, abs=1e-12)
    left = sum(measures.rdm(pure(p), [0, 1, 2]) for p in ("z", "-z")) / 2
    expected = entanglement.von_neumann(left)
    found = measures.entropy(snapshot("density").state, 2)
    assert found == pytest.approx(expected, abs=1e-9)
    assert measure("entropy", "density")[2] == pytest.approx(expected, abs=1e-9)
    assert expected > measure("entropy", "vector")[2] + 0.1
    with pytest.raises(InputError, match="purity"):
        measure("purity", "vector")


@pytest.mark.parametrize("kind", PURE)
def test_entropies_of_cuts_are_means_of_the_members(kind):
    expected = [
        np.mean([entanglement.schmidt_entropy(pure(p).schmidt(bond)) for p in ("z", "-z")])
        for bond in range(6)
    ]
    assert measure("entropy", kind) == pytest.approx(expected, abs=1e-7)
    assert measure("half_chain_entropy", kind) == pytest.approx(expected[3], abs=1e-7)
    with pytest.raises(InputError, match="Schmidt"):
        measures.schmidt(snapshot(kind).state, 2)


@pytest.mark.parametrize("kind", ["mps", "one electron"])
def test_compressed_groups(kind):
    """Groups beyond the dense limit keep their measures up to the weight they discard."""
    state = snapshot(kind).state
    group = group_state(state, *MODEL.groups, cutoff=1e-12, dense=1)
    assert group.compressed and group.discarded <= 2e-12
    rho = reference()
    negativity = entanglement.log_negativity(rho, (4, 4), [0])
    assert group.log_negativity() == pytest.approx(negativity, abs=1e-5)
    assert group.entropies()[0] == pytest.approx(entanglement.von_neumann(rho), abs=1e-8)


def test_refusals():
    state = pure("z")
    for parts, message in (
        (([1], [1]), "twice"), (([], [1]), "no sites"), (([0], [1]), "no localized spin"),
        (([1], [9]), "outside"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            group_state(state, *parts)
    no_reference = replace(snapshot("vector"), options=Options())
    with pytest.raises(InputError, match="start along"):
        OBSERVABLES["magnon_probability"].measure(no_reference)
    with pytest.raises(InputError, match="too large"):
        chain = HeisenbergChain(14)
        large = states.product(chain, ["z"]).to_vector(ChargeBasis(chain.local_sites, {"2Sz": 14}))
        group_state(large, range(7), range(7, 14))
