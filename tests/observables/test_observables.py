"""Observables against equations of motion, closed forms and each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import quimb.tensor as qtn
from solving import exact

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.models.edge_state import edge_mutual_information
from tnspin.mps import MPS, Ledger
from tnspin.mps.density import DensityMPS
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.observables import OBSERVABLES, chosen
from tnspin.observables.snapshot import Options, Snapshot
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sparse import to_sparse
from tnspin.solvers.trajectories.averages import Averaged
from tnspin.states import initial as states
from tnspin.states.density import DensityState
from tnspin.states.spectral import SpectralState
from tnspin.states.vector import VectorState

TOL = 1e-11
AXES = "xyz"
CHAINS = [
    KondoHeisenbergChain(4, [1, 2], hopping=0.7, J=0.3, Jz=0.4, J_sd=0.6),
    KondoHeisenbergChain(4, [1, 2], hopping=0.7, J=0.3, J_sd=0.6, convention="mixed"),
    KondoHeisenbergChain(3, [[0], [1]], J=0.3, J_sd=[0.6, -0.2], spin=1.0, convention="spin"),
    KondoHeisenbergChain(
        4, [1, 2], well=2, well_depth=3.0, electron_field=(0.2, 0.5, 0.9),
        localized_field=(0.3, -0.1, 0.4),
    ),
]  # fmt: skip
VALVE = KondoHeisenbergChain(3, [[0], [2]], J=0.3, J_sd=[0.6, 0.2])


def random_snapshot(model, seed=0):
    """A random vector of the full space: no charge is definite, nothing vanishes by symmetry."""
    rng = np.random.default_rng(seed)
    size = int(np.prod([s.dim for s in model.local_sites]))
    vector = rng.normal(size=size) + 1j * rng.normal(size=size)
    options = Options(reference=(0,) * len(model.localized_sites), wavevectors=(0.3, 1.0, 2.0))
    state = VectorState(model.local_sites, vector / np.linalg.norm(vector))
    return Snapshot(0.0, model, state, options=options)


def as_mps(snapshot, names=()):
    dims = [s.dim for s in snapshot.model.local_sites]
    psi = qtn.MatrixProductState.from_dense(np.array(snapshot.state.vector), dims)
    mps = MPS.from_quimb(psi, snapshot.model.local_sites, names)
    ledger = Ledger.empty(len(dims))
    return Snapshot(snapshot.time, snapshot.model, mps, ledger, snapshot.options)


def measure(name, snapshot):
    return np.asarray(OBSERVABLES[name].measure(snapshot))


def mean(snapshot, *items):
    """Expectation value of an operator sum, by its sparse matrix."""
    operator = to_sparse(OperatorSum.of(snapshot.model.local_sites, items))
    return np.vdot(snapshot.state.vector, operator @ snapshot.state.vector)


def rate(snapshot, hamiltonian, *item):
    """``d<O>/dt = 2 Im <O psi|H psi>`` under any part of the Hamiltonian."""
    psi = snapshot.state.vector
    operator = to_sparse(OperatorSum.of(snapshot.model.local_sites, [item]))
    return 2 * np.vdot(operator @ psi, to_sparse(hamiltonian) @ psi).imag


@pytest.mark.parametrize("model", CHAINS)
def test_profiles_and_totals(model):
    snapshot = random_snapshot(model)
    s = model.localized_spin
    for j in range(model.length):
        assert measure("electron_density", snapshot)[j] == pytest.approx(
            mean(snapshot, (1, "n", j)).real, abs=TOL
        )
        for a, axis in enumerate(AXES):
            assert measure("electron_spin", snapshot)[j, a] == pytest.approx(
                mean(snapshot, (1, f"s{axis}", j)).real, abs=TOL
            )
    for k, j in enumerate(model.localized_sites):
        for a, axis in enumerate(AXES):
            assert measure("spin", snapshot)[k, a] == pytest.approx(
                mean(snapshot, (1, f"S{axis}", j)).real / s, abs=TOL
            )
    total = [(0.5, "sz", j) for j in range(model.length)]
    total += [(1.0, "Sz", j) for j in model.localized_sites]
    assert measure("total_sz", snapshot) == pytest.approx(mean(snapshot, *total).real, abs=TOL)
    psi = snapshot.state.vector
    energy = np.vdot(psi, to_sparse(model.hamiltonian) @ psi).real
    assert measure("energy", snapshot) == pytest.approx(energy, abs=TOL)
    assert measure("norm", snapshot) == pytest.approx(1, abs=TOL)


@pytest.mark.parametrize("model", CHAINS)
def test_charge_obeys_the_continuity_equation(model):
    snapshot = random_snapshot(model)
    current = np.concatenate([[0], measure("charge_current", snapshot), [0]])
    assert np.abs(current).max() > 1e-3
    for j in range(model.length):
        change = rate(snapshot, model.hamiltonian, 1, "n", j)
        assert change == pytest.approx(current[j] - current[j + 1], abs=TOL)


@pytest.mark.parametrize("model", CHAINS[:3])
def test_electron_spin_obeys_the_continuity_equation(model):
    snapshot = random_snapshot(model)
    current = np.pad(measure("spin_current", snapshot), ((1, 1), (0, 0)))
    torque = measure("torque", snapshot)
    assert np.abs(current).max() > 1e-3
    for j in range(model.length):
        for a, axis in enumerate(AXES):
            change = rate(snapshot, model.hamiltonian, 1, f"s{axis}", j)
            source = 0.0
            if j in model.localized_sites:
                # Exchange is isotropic: what a localized spin gains, the electrons there lose.
                k = model.localized_sites.index(j)
                source = -2 * model.localized_spin * torque[k, a]
            assert change == pytest.approx(current[j, a] - current[j + 1, a] + source, abs=TOL)


@pytest.mark.parametrize("model", CHAINS)
def test_torque_is_the_electrons_part_of_the_motion(model):
    snapshot = random_snapshot(model)
    torque = measure("torque", snapshot)
    assert np.abs(torque).max() > 1e-3
    sd = _exchange_with_electrons(model)
    rest = model.hamiltonian + (-1.0) * sd
    for k, j in enumerate(model.localized_sites):
        for a, axis in enumerate(AXES):
            item = (1 / model.localized_spin, f"S{axis}", j)
            by_electrons = rate(snapshot, sd, *item)
            assert torque[k, a] == pytest.approx(by_electrons, abs=TOL)
            total = rate(snapshot, model.hamiltonian, *item)
            assert total == pytest.approx(torque[k, a] + rate(snapshot, rest, *item), abs=TOL)


def _exchange_with_electrons(model):
    """- J_sd s.S written out in Cartesian components, with the factors of the convention."""
    electron, local = {"pauli": (1, 2), "mixed": (0.5, 2), "spin": (0.5, 1)}[model.convention]
    if model.localized_spin != 0.5:
        local = 1
    os = OperatorSum(model.local_sites)
    couplings = model.J_sd if isinstance(model.J_sd, tuple) else (model.J_sd,) * len(model.groups)
    for group, coupling in zip(model.groups, couplings, strict=True):
        for j in group:
            for axis in AXES:
                os += (-coupling * electron * local, f"s{axis}", j, f"S{axis}", j)
    return os


def test_torque_on_a_product_state_is_a_cross_product():
    model = KondoHeisenbergChain(3, [1], J_sd=0.5)
    state = states.wave_packet(
        model, center=1.0, width=1.0, polarization=[0.4, 0.3], localized_spins=[[2.0, -1.0]]
    )
    snapshot = Snapshot(0.0, model, state.to_vector())
    spin, electron = measure("spin", snapshot)[0], measure("electron_spin", snapshot)[1]
    # -J_sd sigma.s on a spin 1/2 is a field 2 J_sd s on sigma: dn/dt = n x B.
    assert measure("torque", snapshot)[0] == pytest.approx(np.cross(spin, 2 * 0.5 * electron))
    # Collinear spins of product form feel nothing: the point of the paper's first figure.
    collinear = states.wave_packet(model, center=1.0, width=1.0).to_vector()
    assert np.abs(measure("torque", Snapshot(0.0, model, collinear))).max() < TOL


def test_currents_of_a_packet_move_right():
    model = KondoHeisenbergChain(60, [50], hopping=1.5)
    state = states.wave_packet(model, center=25, momentum=np.pi / 2, width=0.3, polarization="-z")
    charges = state.total_charge(("N", "2Sz"))
    snapshot = Snapshot(0.0, model, state.to_vector(ChargeBasis(model.local_sites, charges)))
    # One electron with velocity 2 g sin k, reduced by its momentum spread: <sin k>.
    velocity = 2 * 1.5 * np.exp(-(0.3**2) / 8)
    assert measure("charge_current", snapshot).sum() == pytest.approx(velocity, abs=1e-6)
    assert measure("spin_current", snapshot).sum(axis=0) == pytest.approx(
        [0, 0, -velocity], abs=1e-6
    )


@pytest.mark.parametrize("model", [*CHAINS, VALVE])
def test_matrix_product_states_give_the_same_numbers(model):
    vector = random_snapshot(model, seed=3)
    mps = as_mps(vector)
    for name, observable in OBSERVABLES.items():
        if able(observable, model, MPS) and able(observable, model, VectorState):
            assert measure(name, mps) == pytest.approx(measure(name, vector), abs=1e-9), name
    assert np.array_equal(measure("bond_dim", mps), mps.state.bond_dims())
    assert not measure("discarded_weight", mps).any()


def test_conservation_laws_along_a_run():
    model = KondoHeisenbergChain(5, [3, 4], J=0.1, Jz=0.1005)
    for polarization in ("z", "x"):
        pulse = states.confined_electrons(model, 2, well=2, polarization=polarization)
        charges = [c for c in model.hamiltonian.conserved() if c in pulse.conserved()]
        basis = ChargeBasis(model.local_sites, pulse.total_charge(charges))
        run = list(exact(model, pulse.to_vector(basis), [0.0, 3.0, 6.0]))
        first = run[0]
        assert measure("particle_number", first) == pytest.approx(2, abs=1e-10)
        start = measure("electron_spin_total", first) + measure("localized_spin_total", first)
        for snapshot in run[1:]:
            for name in ("particle_number", "total_sz", "energy", "norm"):
                assert measure(name, snapshot) == pytest.approx(measure(name, first), abs=1e-9)
            total = measure("electron_spin_total", snapshot)
            total = total + measure("localized_spin_total", snapshot)
            # Jz differs from J, so only z is conserved (PRX Eq. 9).
            assert total[2] == pytest.approx(start[2], abs=1e-9)
            assert measure("spin_length", snapshot).max() < 1 - 1e-3
            assert np.all(measure("entropy", snapshot) > 1e-3)
            half = measure("half_chain_entropy", snapshot)
            assert half == pytest.approx(measure("entropy", snapshot)[2], abs=1e-12)


@pytest.mark.parametrize("n", [2, 3])
def test_edge_information_and_meyer_wallach_of_prx_eq_15(n):
    """One electron on each of n Kondo sites; all spin configurations with n of 2n up."""
    model = KondoHeisenbergChain(n, list(range(n)))
    tensor = np.zeros((8,) * n)
    for bits in range(4**n):
        if bin(bits).count("1") == n:
            # Local index: electron up (1) or down (2) times spin up (0) or down (1).
            pairs = [(bits >> 2 * k & 1, bits >> (2 * k + 1) & 1) for k in range(n)]
            tensor[tuple((1 + e) * 2 + s for e, s in pairs)] = 1
    vector = tensor.ravel() / np.linalg.norm(tensor)
    snapshot = Snapshot(0.0, model, VectorState(model.local_sites, vector))
    for form in (snapshot, as_mps(snapshot, ("N", "2Sz"))):
        assert measure("mutual_information", form) == pytest.approx(
            edge_mutual_information(n), abs=1e-10
        )
        assert measure("meyer_wallach", form) == pytest.approx(1, abs=1e-10)
        assert np.abs(measure("spin", form)).max() < 1e-10


def test_meyer_wallach_of_product_states_vanishes():
    model = KondoHeisenbergChain(5, [3, 4])
    for polarization in ("z", "x"):
        pulse = states.confined_electrons(model, 2, well=3, polarization=polarization)
        snapshot = Snapshot(0.0, model, pulse.to_mps(("N",)))
        assert measure("meyer_wallach", snapshot) == pytest.approx(0, abs=1e-10)
        assert np.linalg.norm(measure("electron_polarization", snapshot)) == pytest.approx(1)
    paired = states.confined_electrons(model, 2, well=3, polarization="none").to_mps(("N",))
    # Two electrons with mixed one-body spin, two pure localized spins.
    assert measure("meyer_wallach", Snapshot(0.0, model, paired)) == pytest.approx(0.5, abs=1e-10)
    empty = Snapshot(0.0, model, states.product(model, ["x"]).to_mps(("N",)))
    assert measure("meyer_wallach", empty) == pytest.approx(0, abs=1e-12)
    assert not measure("electron_polarization", empty).any()


@pytest.mark.parametrize(
    "model",
    [
        HeisenbergChain(4, periodic=True, field=(0.1, 0, 0.3), dmi=(0, 0, 0.2)),
        HeisenbergChain(4, spin=1.0, dipole=0.3, anisotropy=0.2),
        HeisenbergChain(4, impurity_field=0.2),
    ],
)
def test_heisenberg_chains_of_any_range(model):
    vector = random_snapshot(model, seed=4)
    psi = vector.state.vector
    energy = np.vdot(psi, to_sparse(model.hamiltonian) @ psi).real
    for snapshot in (vector, as_mps(vector)):
        assert measure("energy", snapshot) == pytest.approx(energy, abs=1e-10)
        total = mean(vector, *[(1.0, "Sz", j) for j in range(4)]).real
        assert measure("total_sz", snapshot) == pytest.approx(total, abs=1e-10)


#: Of purified density matrices, and what is recorded only where it is asked for.
PURIFIED = ("kraus_dim", "kraus_discarded")
MOMENTS = ("transposed_moment", "p3_ppt")
#: Of tensor networks of density matrices, where they are long.
PAIRS = ("correlation_matrix", "concurrence", "bell_nonlocality")
LONG = ("renyi_negativity", "block_log_negativity", "block_smallest_eigenvalue")
MIXED = ("purity", "operator_entropy", "trace_error", "hermiticity_error", "smallest_eigenvalue")


def able(observable, model, representation):
    """Whether a representation gives what an observable needs, and the model suits it."""
    gives = representation.gives | {"reference"}
    return gives >= set(observable.needs) and observable.applies(model, gives)


def test_what_applies_to_which_run():
    spins = HeisenbergChain(4, spin=1.0)
    names = {n for n, o in OBSERVABLES.items() if able(o, spins, VectorState)}
    assert names == {
        "spin", "spin_length", "entropy", "energy", "norm", "total_sz", "localized_spin_total",
        "half_chain_entropy", "mutual_information", "log_negativity", "magnon_probability",
        "w_probability", "quantum_fisher_information", "quantum_fisher_information_mixed",
        "neel_overlap", "correlation_matrix",
    }  # fmt: skip
    without = {n for n, o in OBSERVABLES.items() if not able(o, VALVE, MPS)}
    assert without == {"neel_overlap", "eigenvalue", *MIXED, *PURIFIED, *MOMENTS, *LONG}
    wire = KondoHeisenbergChain(4, [2])
    assert not able(OBSERVABLES["mutual_information"], wire, MPS)
    for name, observable in OBSERVABLES.items():
        assert observable.kind == name
        assert observable.dims[0] == "time"


def test_what_is_recorded_without_asking():
    known = Options(reference=(0, 1))
    single = chosen((), CHAINS[0], MPS, known)
    for name in ("magnon_probability", "quantum_fisher_information", "group_entropy", "purity"):
        assert name not in single
    valve = chosen((), VALVE, MPS, known)
    unasked = {"neel_overlap", "eigenvalue", *PAIRS, *MIXED, *PURIFIED, *MOMENTS, *LONG}
    assert set(OBSERVABLES) - set(valve) == unasked
    # Spins that did not start along z have no magnons to count.
    assert set(valve) - set(chosen((), VALVE, MPS)) == {"magnon_probability", "w_probability"}
    assert "entropy" not in chosen((), VALVE, Averaged, known)
    assert "purity" in chosen((), VALVE, DensityState, known)
    assert set(MIXED) <= set(chosen((), CHAINS[0], DensityMPS))
    long = HeisenbergChain(12)
    for form in (DensityMPS, PurifiedMPS):
        assert set(LONG[1:]) <= set(chosen((), long, form))
        assert chosen(LONG, long, form) == LONG and LONG[0] not in chosen((), long, form)
    assert not set(LONG) & set(chosen((), CHAINS[0], DensityMPS))
    purified = chosen((), VALVE, PurifiedMPS, known)
    assert {*PURIFIED, "bond_dim"} <= set(purified)
    assert not {*MOMENTS, "entropy", "purity"} & set(purified)
    for form in (DensityState, DensityMPS, PurifiedMPS):
        assert chosen(MOMENTS, HeisenbergChain(4), form) == MOMENTS
    assert chosen(MOMENTS, VALVE, DensityState) == MOMENTS
    assert not able(OBSERVABLES["p3_ppt"], VALVE, PurifiedMPS)
    assert chosen(["w_probability"], CHAINS[0], MPS, known) == ("w_probability",)
    for name, problem in (("w_probability", "does not apply"), ("w_probabilty", "no such")):
        with pytest.raises(InputError, match=problem):
            chosen([name], VALVE, MPS, Options())
    # Pairs where there is little else to look at, or where they are what the run is about.
    assert set(PAIRS) <= set(chosen((), HeisenbergChain(3), DensityState))
    assert not set(PAIRS) & set(chosen((), HeisenbergChain(4), DensityState))
    assert {*PAIRS, "eigenvalue", "purity"} <= set(chosen((), HeisenbergChain(4), SpectralState))
    assert chosen(PAIRS, VALVE, MPS) == PAIRS
    assert "eigenvalue" not in chosen((), HeisenbergChain(8), SpectralState)
    many = KondoHeisenbergChain(14, [range(6), range(8, 14)])
    assert "quantum_fisher_information_mixed" not in chosen((), many, MPS, known)


def test_shapes_follow_the_dimensions():
    snapshot = as_mps(random_snapshot(VALVE))
    sizes = {
        "localized": 2, "site": 3, "bond": 2, "axis": 3, "part": 3, "magnons": 3, "wavevector": 3,
        "order": 3, "pair": 1, "other_axis": 3,
    }  # fmt: skip
    purified = replace(snapshot, state=PurifiedMPS.from_state(snapshot.state))
    for name, observable in OBSERVABLES.items():
        if name in ("purity", "eigenvalue"):
            continue
        shape = tuple(sizes[d] for d in observable.dims[1:])
        measured = purified if name in PURIFIED else snapshot
        assert measure(name, measured).shape == shape, name
        assert observable.units and observable.long_name


@pytest.mark.parametrize("sites, spin", [(4, 0.5), (3, 1.0), (5, 0.5)])
def test_halves_of_a_short_spin_chain(sites, spin):
    snapshot = random_snapshot(HeisenbergChain(sites, spin))
    half, d = (sites + 1) // 2, round(2 * spin + 1)
    assert snapshot.parts == (tuple(range(half)), tuple(range(half, sites)))
    schmidt = np.linalg.svd(snapshot.state.vector.reshape(d**half, -1), compute_uv=False)
    # A pure state: twice the logarithm of the sum of its Schmidt values.
    assert measure("log_negativity", snapshot) == pytest.approx(2 * np.log(schmidt.sum()), abs=1e-9)
    assert Snapshot(0.0, HeisenbergChain(12), snapshot.state).parts == ((0,), (11,))
    assert Snapshot(0.0, VALVE, snapshot.state).parts == ((0,), (2,))


@pytest.mark.parametrize("sites, spin", [(4, 0.5), (3, 1.0)])
def test_neel_overlap(sites, spin):
    snapshot = random_snapshot(HeisenbergChain(sites, spin))
    d = round(2 * spin + 1)
    amplitudes = snapshot.state.vector.reshape((d,) * sites)
    ends = [tuple((0, d - 1)[(k + odd) % 2] for k in range(sites)) for odd in (0, 1)]
    expected = sum(abs(amplitudes[index]) ** 2 for index in ends)
    assert measure("neel_overlap", snapshot) == pytest.approx(expected, abs=TOL)
    ferromagnet = random_snapshot(KondoHeisenbergChain(2, [0, 1]))
    assert "neel_overlap" not in chosen((), ferromagnet.model, VectorState, ferromagnet.options)
