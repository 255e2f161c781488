"""The master equation against exponentials of the superoperator, closed forms and conservation."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import h5py
import numpy as np
import pytest
from open_systems import (
    SPINS,
    VALVE,
    Driven,
    Lindblad,
    density,
    flips,
    in_full_space,
    mixing,
    product,
    valve_jumps,
)
from scipy.integrate import solve_ivp
from solving import exact
from solving import master_equation as evolve

from tnspin.baths import JumpOperator, UniversalLindblad, group_hamiltonian, jump_operators
from tnspin.errors import InputError, RunError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.numerics.chebyshev import damped_step
from tnspin.operators.operator_sum import OperatorSum
from tnspin.solvers.lindblad.liouvillian import Liouvillian
from tnspin.states.density import DensityState
from tnspin.states.ensemble import Ensemble

TIMES = [0.0, 0.7, 2.0]


def final(model, state, times=TIMES, **options):
    *_, snapshot = evolve(model, state, times, **options)
    return snapshot.state


def two_sectors():
    """An electron at the left end, polarized both ways, towards spins down and up."""
    up, down = (product(VALVE, [level, 1, 0, 0], ("N", "2Sz")) for level in (1, 2))
    return Ensemble((up, down), (0.6, 0.4))


@pytest.mark.parametrize("jumps", [flips(), mixing(), flips(3.0), []], ids=str)
@pytest.mark.parametrize("names", [("2Sz",), ()])
def test_spins_against_the_superoperator(jumps, names):
    state = product(SPINS, [0, 1, 1], names)
    lindblad = Lindblad(SPINS, jumps)
    rho = density(state)
    for snapshot, step in zip(evolve(SPINS, state, TIMES, jumps=jumps), [0, 0.7, 1.3], strict=True):
        rho = lindblad.evolve(rho, step)
        assert np.abs(in_full_space(snapshot.state) - rho).max() < 1e-10
    definite = names and all(jump.charge is not None for jump in jumps)
    assert snapshot.state.charge_names == (names if definite else ())


def test_an_electron_passing_spins_in_contact_with_baths():
    ensemble = two_sectors()
    lindblad = Lindblad(VALVE, valve_jumps(), {"N": 1})
    rho = sum(w * density(state) for w, state in ensemble.members)
    found = final(VALVE, ensemble, jumps=valve_jumps())
    assert np.abs(in_full_space(found) - lindblad.evolve(rho, 2.0)).max() < 1e-10
    # Sectors of 2Sz: electron and two spins.
    assert [basis.charges for basis in found.bases] == [{"N": 1, "2Sz": q} for q in (-3, -1, 1, 3)]
    assert found.total_charge == {"N": 1}


@pytest.mark.parametrize("coupling", ["sum", "components"])
def test_baths_of_a_valve(coupling):
    bath = UniversalLindblad(0.3, gamma=0.2, coupling=coupling)
    jumps = jump_operators(VALVE, bath)
    ensemble = two_sectors()
    lindblad = Lindblad(VALVE, jumps, {"N": 1})
    rho = sum(w * density(state) for w, state in ensemble.members)
    found = final(VALVE, ensemble, jumps=jumps)
    assert np.abs(in_full_space(found) - lindblad.evolve(rho, 2.0)).max() < 1e-10
    assert found.charge_names == (("N",) if coupling == "sum" else ("N", "2Sz"))


def test_without_jumps_members_evolve_as_vectors():
    ensemble = two_sectors()
    found = final(VALVE, ensemble)
    moved = [list(exact(VALVE, one, TIMES))[-1].state for one in ensemble.states]
    expected = DensityState.from_state(Ensemble(moved, ensemble.weights))
    assert np.abs(found.elements - expected.elements).max() < 1e-10
    assert found.purity == pytest.approx(0.6**2 + 0.4**2, abs=1e-10)


def test_hermitian_to_the_last_bit_with_constant_trace():
    for snapshot in evolve(VALVE, two_sectors(), np.linspace(0, 8, 5), jumps=valve_jumps()):
        for block in snapshot.state.blocks:
            assert np.array_equal(block, block.conj().T)
        assert abs(snapshot.state.trace - 1) < 1e-10
        assert snapshot.state.eigenvalues()[0] > -1e-10


def test_decay_of_one_spin():
    model = KondoHeisenbergChain(sites=2, localized=[1], localized_field=(0, 0, 0.3))
    rate = 0.4
    jumps = [JumpOperator((1,), np.sqrt(rate) * np.array([[0, 0], [1, 0]]), -2, "S- 1")]
    state = product(model, [0, 0], ("N", "2Sz"))
    for snapshot in evolve(model, state, [0.0, 1.0, 30.0], jumps=jumps):
        up = snapshot.state.rdm([1], keep=[2])[0, 0].real
        assert up == pytest.approx(np.exp(-rate * snapshot.time), abs=1e-10)


def test_strong_damping():
    """Rates far above the width of H: the series is cut into pieces that round-off allows."""
    jumps = flips(80.0)
    rho = Lindblad(SPINS, jumps).evolve(density(product(SPINS, [0, 1, 1])), 2.0)
    found = final(SPINS, product(SPINS, [0, 1, 1]), jumps=jumps)
    assert np.abs(in_full_space(found) - rho).max() < 1e-9


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-12])
def test_errors_stay_below_the_tolerance(tolerance):
    rho = Lindblad(SPINS, flips()).evolve(density(product(SPINS, [0, 1, 1])), 5.0)
    found = final(SPINS, product(SPINS, [0, 1, 1]), [0, 5.0], jumps=flips(), tolerance=tolerance)
    assert np.linalg.norm(in_full_space(found) - rho) < max(tolerance, 2e-13)


def test_driven_spins():
    base = HeisenbergChain(sites=3, Jz=0.6).hamiltonian
    model = Driven(base + OperatorSum.of(base.sites, [(lambda t: np.cos(3 * t), "Sz", 0)]))
    state = product(SPINS, [0, 1, 1])
    still = Lindblad(Driven(base), flips()).generator
    push = Lindblad(Driven(OperatorSum.of(base.sites, [(1.0, "Sz", 0)])), []).generator
    reference = solve_ivp(
        lambda t, y: still @ y + np.cos(3 * t) * (push @ y),
        (0, 2.0), density(state).ravel(), method="DOP853", rtol=1e-12, atol=1e-13,
    ).y[:, -1].reshape(8, 8)  # fmt: skip
    found = final(model, state, jumps=flips())
    assert np.abs(in_full_space(found) - reference).max() < 1e-9
    assert all(np.array_equal(block, block.conj().T) for block in found.blocks)


def test_continuing_gives_the_same_bits(tmp_path):
    times = [0.0, 0.5, 1.0, 1.5]
    whole = [s.state for s in evolve(VALVE, two_sectors(), times, jumps=valve_jumps())]
    with h5py.File(tmp_path / "rho.h5", "w") as file:
        whole[2].save(file.create_group("state"))
        saved = DensityState.load(file["state"], VALVE.local_sites)
    again = final(VALVE, saved, times[2:], jumps=valve_jumps())
    assert again.elements.tobytes() == whole[3].elements.tobytes()


def test_magnets_relax_to_the_gibbs_state():
    model = HeisenbergChain(3, J=-1.0, field=(0, 0, 0.5))
    bath = UniversalLindblad(0.8, gamma=0.02, coupling="components")
    jumps = jump_operators(model, bath)
    found = final(model, product(model, [1, 1, 1]), [0, 400.0, 800.0], jumps=jumps)
    levels, vectors = np.linalg.eigh(group_hamiltonian(model, range(3)))
    gibbs = (vectors * np.exp(-levels / 0.8)) @ vectors.conj().T
    assert np.abs(in_full_space(found) - gibbs / np.trace(gibbs)).max() < 0.01


def test_progress_and_interruption():
    seen = []
    list(evolve(SPINS, product(SPINS, [0, 1, 1]), TIMES, jumps=flips(), on_step=seen.append))
    assert [p.time for p in seen][-1] == 2.0 and 0.7 in [p.time for p in seen]
    assert all(a.time < b.time for a, b in pairwise(seen))

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(evolve(SPINS, product(SPINS, [0, 1, 1]), TIMES, on_step=stop))


def test_series_in_the_generator():
    rng = np.random.default_rng(4)
    h = rng.normal(size=(12, 12))
    matrix = 1j * (h + h.T) - 0.2 * np.diag(rng.random(12))
    vector = rng.normal(size=12) + 1j * rng.normal(size=12)
    levels, modes = np.linalg.eig(matrix)
    expected = modes @ (np.exp(1.5 * levels) * np.linalg.solve(modes, vector))
    # The radius decides how fast, not whether the series converges.
    for radius in (5.0, 12.0, 30.0):
        found, error = damped_step(lambda v: matrix @ v, radius, vector, 1.5, 1e-13)
        assert np.linalg.norm(found - expected) < 1e-12 + error


def test_generator_preserves_the_trace():
    basis = two_sectors().states[0].basis
    with_n = DensityState.from_state(two_sectors(), ["N"]).bases
    generator = Liouvillian(
        VALVE.hamiltonian, [replace(j, charge=None) for j in valve_jumps()], with_n
    )
    rng = np.random.default_rng(0)
    rho = rng.normal(size=(with_n[0].dim,) * 2)
    change = generator.frozen(0.0)((rho + rho.T).astype(complex).ravel())
    assert abs(np.trace(change.reshape(rho.shape))) < 1e-12
    assert generator.damping >= 0.3 and generator.reach(0.0) > 4.0 and basis.dim < with_n[0].dim


def test_refusals():
    state = product(SPINS, [0, 1, 1])
    for times in ([0, 0], [1, 0], [], [0, np.inf]):
        with pytest.raises(InputError, match="times"):
            list(evolve(SPINS, state, times))
    with pytest.raises(InputError, match=r"solver\.tolerance"):
        list(evolve(SPINS, state, TIMES, tolerance=1e-16))
    with pytest.raises(InputError, match="does not conserve"):
        list(evolve(replace(SPINS, field=(0.1, 0, 0)), state, TIMES))
    crooked = Driven(OperatorSum.of(SPINS.local_sites, [(1.0, "Sp", 0)]))
    with pytest.raises(InputError, match="not Hermitian"):
        list(evolve(crooked, product(SPINS, [0, 1, 1], ()), TIMES))
    with pytest.raises(InputError, match="outside the chain"):
        list(evolve(SPINS, state, TIMES, jumps=[replace(flips()[0], sites=(7,))]))
    with pytest.raises(InputError, match="shape"):
        list(evolve(SPINS, state, TIMES, jumps=[replace(flips()[0], sites=(0, 1))]))
    with pytest.raises(InputError, match="negative eigenvalue"):
        odd = DensityState(state.sites, np.diag([1.5, -0.5, 0.0]), state.basis)
        list(evolve(SPINS, odd, TIMES))
    large = HeisenbergChain(16)
    with pytest.raises(InputError, match="trajectories"):
        list(evolve(large, product(large, [0, 1] * 8), TIMES))


def test_a_wrong_charge_is_noticed():
    wrong = [replace(flips()[0], charge=2)]
    with pytest.raises(RunError, match="trace"):
        list(evolve(SPINS, product(SPINS, [0, 1, 1]), TIMES, jumps=wrong))
