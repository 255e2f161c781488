"""Density matrices as matrix product states against the master equation and free fermions."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from free_fermions import covariances, hopping
from open_systems import (
    MINUS,
    PLUS,
    SPINS,
    Driven,
    Lindblad,
    Z,
    density,
    flips,
    in_full_space,
    mixing,
    product,
)
from small_chains import basis_state, last, same_bits
from small_runs import write_config
from solving import density_matrix as evolve
from solving import master_equation

import tnspin as ts
from tnspin.baths import JumpOperator, UniversalLindblad, jump_operators
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain, Purified
from tnspin.mps.density import DensityMPS
from tnspin.mps.ledger import Ledger
from tnspin.operators.operator_sum import OperatorSum
from tnspin.runs.config.loading import load
from tnspin.runs.simulation import simulate
from tnspin.states.ensemble import Ensemble
from tnspin.states.initial import build

EXACT = {"cutoff": 1e-16, "threads": 1}


def moved(model, psi, times, jumps, **options):
    return last(evolve(model, psi, times, jumps=jumps, **{**EXACT, **options})).state


def neel(model, names=("2Sz",)):
    return basis_state(model.local_sites, [k % 2 for k in range(model.length)], names)


def whole(state):
    return state.rdm(range(state.length))


# ---------------------------------------------------------------------- against dense matrices


@pytest.mark.parametrize("jumps", [flips(), mixing(), flips(3.0), []], ids=["f", "m", "3", "none"])
@pytest.mark.parametrize("order", [2, 4])
def test_error_falls_with_the_order(jumps, order):
    start = basis_state(SPINS.local_sites, [0, 1, 1], ("2Sz",))
    exact = Lindblad(SPINS, jumps).evolve(density(product(SPINS, [0, 1, 1])), 2.0)
    errors = []
    for dt in (0.2, 0.1, 0.05):
        state = moved(SPINS, start, [0.0, 2.0], jumps, dt=dt, order=order)
        errors.append(np.linalg.norm(whole(state) - exact))
        assert abs(state.trace - 1) < 1e-12 and state.hermiticity_error < 1e-7
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(slopes - order) < 0.25) and errors[-1] < 10.0 ** -(order + 1)


@pytest.mark.parametrize(
    "model",
    [
        HeisenbergChain(sites=6, J=1.0, Jz=0.6, field=(0, 0, 0.4)),
        HeisenbergChain(sites=5, J=0.8, field=(0.3, 0.2, 0.1), dmi=(0.1, 0, 0.4)),
        HeisenbergChain(sites=3, spin=1, J=0.5, anisotropy=0.3),
    ],
    ids=["6", "5 in a field", "spin 1"],
)
def test_against_the_master_equation(model):
    """On-site dephasing and decay, and jumps on neighbours."""
    d = round(2 * model.spin) + 1
    minus, z = (model.local_sites[0].op(name) for name in ("Sm", "Sz"))
    jumps = [JumpOperator((k,), 0.4 * z, 0, f"z {k}") for k in range(model.length)]
    jumps += [JumpOperator((k,), 0.3 * minus, -2, f"- {k}") for k in (0, 2)]
    jumps += [JumpOperator((1, 2), 0.5 * np.kron(minus.T, minus), 0, "hop")]
    names = ("2Sz",) if model.field[0] == 0 else ()
    states = [k % d for k in range(model.length)]
    dense = last(master_equation(model, product(model, states, names), [0, 1.5], jumps=jumps))
    psi = basis_state(model.local_sites, states, names)
    state = moved(model, psi, [0, 0.7, 1.5], jumps, dt=0.05, order=4)
    assert state.charge_names == names
    assert np.abs(whole(state) - in_full_space(dense.state)).max() < 3e-6


def test_universal_lindblad_of_neighbours():
    """Jump operators of pairs of spins, each spin with its neighbour to the right."""
    pair, model = HeisenbergChain(2), HeisenbergChain(4)
    bath = UniversalLindblad(0.7, gamma=0.3, coupling="components")
    jumps = [
        JumpOperator((k, k + 1), jump.matrix, jump.charge, f"{jump.name} {k}")
        for k in range(3)
        for jump in jump_operators(pair, bath)
    ]
    dense = last(master_equation(model, product(model, [0, 1, 0, 1]), [0, 2.0], jumps=jumps))
    state = moved(model, neel(model), [0, 2.0], jumps, dt=0.1, order=4)
    assert state.charge_names == ("2Sz",)
    assert np.abs(whole(state) - in_full_space(dense.state)).max() < 3e-6
    found, expected = (ts.log_negativity(s, [0, 1], [2, 3]) for s in (state, dense.state))
    assert found == pytest.approx(expected, abs=1e-5)


def test_driven_field():
    base = HeisenbergChain(sites=3, Jz=0.6).hamiltonian
    model = Driven(base + OperatorSum.of(base.sites, [(lambda t: np.cos(3 * t), "Sx", 0)]))
    dense = last(master_equation(model, product(SPINS, [0, 1, 1], ()), [0, 1.0], jumps=flips()))
    start = basis_state(SPINS.local_sites, [0, 1, 1], ())
    errors = [
        np.abs(
            whole(moved(model, start, [0, 1.0], flips(), dt=dt)) - in_full_space(dense.state)
        ).max()
        for dt in (0.1, 0.05)
    ]
    assert errors[1] < 1e-4 and np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)


# ---------------------------------------------------------------------- beyond neighbours


def three_spin_jumps(model, gamma=0.3):
    """Universal-Lindblad jump operators of windows of up to three spins."""
    bath = UniversalLindblad(1.0, gamma=gamma, coupling="components", window=1)
    return jump_operators(model, bath)


def ring_jumps(rate=0.4):
    """Dephasing everywhere, and a hop between the ends."""
    jumps = [JumpOperator((k,), np.sqrt(rate) * Z / 2, 0, f"z {k}") for k in range(4)]
    return [*jumps, JumpOperator((0, 3), np.sqrt(rate) * np.kron(PLUS, MINUS), 0, "hop 03")]


def error_of_tdvp(model, jumps, dt):
    dense = last(master_equation(model, product(model, [0, 1, 0, 1]), [0, 0.5], jumps=jumps))
    state = moved(model, neel(model), [0, 0.25, 0.5], jumps, dt=dt, engine="tdvp")
    assert state.charge_names == ("2Sz",)
    return np.abs(whole(state) - in_full_space(dense.state)).max()


def test_jumps_on_three_spins():
    model = HeisenbergChain(4)
    assert error_of_tdvp(model, three_spin_jumps(model), 0.125) < 1e-8


@pytest.mark.parametrize("length", [5, 6])
@pytest.mark.parametrize("order", [2, 4])
def test_three_neighbours_by_gates_on_pairs(length, order):
    """The error falls with the order, and the trace stays: every gate is a physical map."""
    model = HeisenbergChain(length, Jz=0.7, field=(0, 0, 0.3))
    jumps, states = three_spin_jumps(model), [k % 2 for k in range(length)]
    dense = last(master_equation(model, product(model, states), [0, 1.0], jumps=jumps))
    errors = []
    for dt in (0.5, 0.25, 0.125):
        state = moved(model, neel(model), [0, 0.5, 1.0], jumps, dt=dt, order=order)
        errors.append(np.abs(whole(state) - in_full_space(dense.state)).max())
        assert state.charge_names == ("2Sz",) and abs(state.trace - 1) < 1e-7
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(slopes - order) < 0.3) and errors[-1] < 10.0 ** -(2 * order)


def test_three_spins_are_one_gate():
    """A pair and one more: no error of the step."""
    model = HeisenbergChain(3, field=(0, 0, 0.3))
    jumps = three_spin_jumps(model)
    exact = Lindblad(model, jumps).evolve(density(product(model, [0, 1, 0])), 2.0)
    state = moved(model, neel(model), [0, 2.0], jumps, dt=1.0)
    assert np.abs(whole(state) - exact).max() < 1e-12


def test_pairs_of_a_driven_chain_without_charges():
    base = HeisenbergChain(sites=3, field=(0.4, 0, 0)).hamiltonian
    extra = [(0.3, "Sx", 0, "Sy", 2), (lambda t: np.cos(3 * t), "Sx", 0), (np.sin, "Sz", 2)]
    model = Driven(base + OperatorSum.of(base.sites, extra))
    far = [JumpOperator((0, 2), np.kron(PLUS, MINUS), 0, "far"), *mixing()]
    dense = last(master_equation(model, product(SPINS, [0, 1, 1], ()), [0, 1.0], jumps=far))
    start = basis_state(SPINS.local_sites, [0, 1, 1], ())
    errors = [
        np.abs(whole(moved(model, start, [0, 1.0], far, dt=dt)) - in_full_space(dense.state)).max()
        for dt in (0.1, 0.05)
    ]
    assert errors[1] < 1e-3 and np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)


def test_ring():
    """Bonds that still grow make an error of second order in the step, in the trace as well."""
    ring = HeisenbergChain(4, periodic=True, dipole=0.3)
    errors = [error_of_tdvp(ring, ring_jumps(), dt) for dt in (0.125, 0.0625, 0.03125)]
    assert errors[-1] < 1e-4
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.2)


# ---------------------------------------------------------------------- initial states


def test_mixtures_of_several_sectors():
    one, other = (basis_state(SPINS.local_sites, s, ("2Sz",)) for s in ([0, 1, 1], [0, 0, 1]))
    rho = 0.3 * density(product(SPINS, [0, 1, 1])) + 0.7 * density(product(SPINS, [0, 0, 1]))
    state = moved(SPINS, Ensemble((one, other), (0.3, 0.7)), [0, 1.0], flips(), dt=0.05, order=4)
    assert state.charge_names == ("2Sz",)
    assert np.abs(whole(state) - Lindblad(SPINS, flips()).evolve(rho, 1.0)).max() < 1e-6


def test_gibbs_states_stay_without_jumps():
    model = HeisenbergChain(sites=6, J=1.0, Jz=0.5, field=(0, 0, 0.2))
    pure = build("gibbs", model, temperature=0.8).to_mps(("2Sz",))
    first, final = evolve(Purified(model), pure, [0, 1.0], dt=0.1, order=4, cutoff=1e-14)
    assert first.model is model and final.state.sites == model.local_sites
    for one, two in zip(first.bond_rdms, final.bond_rdms, strict=True):
        assert np.abs(one - two).max() < 1e-5
    expected = pure.rdm([1, 4], keep=[2, 2])
    assert np.abs(first.state.rdm([1, 4]) - expected).max() < 1e-7


# ---------------------------------------------------------------------- long chains, free fermions


def compare(model, snapshots, covariance):
    """Largest errors: of S^z and of S+S- across bonds against the fermions, and of the trace."""
    worst = trace = 0.0
    for snapshot, c in zip(snapshots, covariance, strict=True):
        up = np.array([rho[0, 0].real for rho in snapshot.site_rdms])
        hops = [np.trace(rho @ np.kron(PLUS, MINUS)) for rho in snapshot.bond_rdms]
        worst = max(worst, np.abs(up - np.diag(c).real).max(), np.abs(hops - np.diag(c, 1)).max())
        trace = max(trace, abs(snapshot.state.trace - 1))
    return worst, trace


def test_xx_chain_with_boundary_driving():
    """32 spins, all down, filled from the left and emptied to the right."""
    model, rate, times = HeisenbergChain(32, J=1.0, Jz=0.0), 1.0, np.arange(7.0)
    jumps = [
        JumpOperator((0,), np.sqrt(rate) * PLUS, 2, "S+ 0"),
        JumpOperator((31,), np.sqrt(rate) * MINUS, -2, "S- 31"),
    ]
    ends = rate * np.eye(32)
    exact = covariances(hopping(32, 1.0), np.zeros(32), times, gain=ends[0], loss=ends[31])
    down = basis_state(model.local_sites, [1] * 32, ("2Sz",))
    run = evolve(model, down, times, jumps=jumps, dt=0.2, order=4, cutoff=1e-12)
    error, trace = compare(model, run, exact)
    assert error < 3e-5 and trace < 1e-4


def dephased(rate, times, **options):
    """A Neel state of 32 spins with dephasing everywhere; its errors."""
    model = HeisenbergChain(32, J=1.0, Jz=0.0)
    jumps = [JumpOperator((k,), np.sqrt(rate) * Z / 2, 0, f"z {k}") for k in range(32)]
    exact = covariances(hopping(32, 1.0), [1, 0] * 16, times, dephasing=rate)
    return compare(model, evolve(model, neel(model), times, jumps=jumps, **options), exact)


def test_xx_chain_with_dephasing():
    error, trace = dephased(2.0, [0.0, 0.6, 1.2], dt=0.2, order=4, cutoff=1e-12)
    assert error < 1e-5 and trace < 1e-4


@pytest.mark.slow
def test_xx_chain_with_dephasing_for_longer():
    """Errors fall with the cutoff, once the bonds are large enough."""
    options = {"dt": 0.2, "order": 4, "bond_dim": 150}
    (coarse, lost), (fine, kept) = (
        dephased(2.0, np.arange(5.0), cutoff=c, **options) for c in (1e-9, 1e-12)
    )
    assert fine < 5e-6 and fine < coarse / 4 and kept < 1e-4 and kept < lost / 4


# ---------------------------------------------------------------------- runs


CONFIG = """
    [model]
    kind = "heisenberg"
    sites = 5
    J = 1.0

    [state]
    kind = "product"
    directions = [[0.0, 0.0], [3.141592653589793, 0.0]]

    [bath]
    kind = "universal_lindblad"
    temperature = 1.0
    gamma = 0.1
    coupling = "components"

    [solver]
    kind = "density_matrix"
    dt = 0.1
    bond_dim = 40
    threads = 1

    [time]
    stop = 1.0
    every = 0.25

    [record]
    checkpoint = 0.0
"""


@pytest.mark.parametrize("engine", ["neighbours", "pairs", "tdvp"])
def test_continuing_gives_the_same_bits(tmp_path, engine):
    model = HeisenbergChain(6, J=1.0)
    jumps = [JumpOperator((k,), 0.5 * MINUS, -2, f"- {k}") for k in range(6)]
    if engine != "neighbours":
        jumps.append(JumpOperator((1, 3), 0.5 * np.kron(PLUS, MINUS), 0, "hop 13"))
    times, options = [0.0, 0.5, 1.0, 1.5], {"bond_dim": 8, "cutoff": 1e-8, "jumps": jumps}
    options["engine"] = "tdvp" if engine == "tdvp" else "tebd"
    run = list(evolve(model, neel(model), times, **options))
    with h5py.File(tmp_path / "rho.h5", "w") as file:
        run[2].state.save(file.create_group("state"))
        run[2].ledger.save(file.create_group("ledger"))
        state = DensityMPS.load(file["state"], model.local_sites)
        ledger = Ledger.load(file["ledger"])
    again = last(evolve(model, state, times[2:], ledger=ledger, **options))
    same_bits(again.state.mps, run[3].state.mps)
    assert again.state.log_norm == run[3].state.log_norm
    assert again.ledger.discarded.tobytes() == run[3].ledger.discarded.tobytes()


def test_a_run_records_its_audit(tmp_path):
    """A chain of two has jumps on both."""
    path = write_config(tmp_path, CONFIG)
    config = load(path, ["model.sites=2"])
    result = simulate(config, tmp_path / "rho.h5")
    again = simulate(load(path, ["model.sites=2", 'solver.kind="master_equation"']))
    assert np.abs(result["spin"] - again["spin"]).max() < 1e-3
    assert np.abs(result["log_negativity"] - again["log_negativity"]).max() < 2e-3
    assert np.abs(result["purity"] - again["purity"]).max() < 1e-3
    assert result["trace_error"].max() < 1e-9 and result["hermiticity_error"].max() < 1e-7
    assert result["smallest_eigenvalue"].min() > -1e-9
    assert result["operator_entropy"].shape == (5, 1) and "entropy" not in result
    assert result["bond_dim"].max() <= 4 and result["discarded_weight"].max() < 1e-6


def test_a_run_from_a_gibbs_state_resumes(tmp_path):
    text = CONFIG.replace('"product"', '"gibbs"\n    temperature = 0.5').replace(
        "sites = 5", "sites = 2"
    )
    text = "\n".join(line for line in text.splitlines() if "directions" not in line)
    path = write_config(tmp_path, text)
    whole_run = simulate(load(path), tmp_path / "whole.h5")
    simulate(load(path, ["time.stop=0.5"]), tmp_path / "part.h5")
    resumed = simulate(load(path), tmp_path / "part.h5", resume=True)
    for name in ("spin", "energy", "purity", "trace_error"):
        assert resumed[name].tobytes() == whole_run[name].tobytes()


# ---------------------------------------------------------------------- refusals


def test_refusals():
    start, four = neel(SPINS), HeisenbergChain(4)
    with pytest.raises(InputError, match="neighbouring"):
        moved(four, neel(four), [0, 1], ring_jumps(), engine="tebd")
    with pytest.raises(InputError, match=r"solver\.order: 4 .* beyond neighbours"):
        moved(four, neel(four), [0, 1], ring_jumps(), order=4)
    with pytest.raises(InputError, match=r"solver\.engine"):
        moved(SPINS, start, [0, 1], [], engine="exact")
    with pytest.raises(InputError, match="does not conserve"):
        tilted = HeisenbergChain(3, field=(0.1, 0, 0))
        moved(tilted, neel(tilted), [0, 1], [])
    with pytest.raises(InputError, match="steps back in time"):
        moved(SPINS, start, [0, 1], flips(80.0), order=4)
    with pytest.raises(InputError, match="no electrons"):
        wire = KondoHeisenbergChain(sites=3, localized=[1])
        moved(wire, basis_state(wire.local_sites, [0, 0, 0], ("N",)), [0, 1], [])
    with pytest.raises(InputError, match="not of VectorState"):
        moved(SPINS, product(SPINS, [0, 1, 1]), [0, 1], [])
