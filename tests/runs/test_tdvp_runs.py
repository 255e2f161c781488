"""TDVP as a user runs it: configurations, resuming, a dipole-dipole chain against exact."""

from __future__ import annotations

import numpy as np
import pytest
from solving import exact

import tnspin as ts
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.mps import MPS
from tnspin.operators.basis import ChargeBasis
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate
from tnspin.states.vector import VectorState

RING = {
    "model": {"kind": "heisenberg", "sites": 6, "spin": 1.0, "periodic": True, "dipole": 0.2},
    "state": {"kind": "product", "directions": [[0.0, 0.0], [2.5, 0.4]]},
    "time": {"stop": 1.0, "every": 0.25},
}
TDVP = {"kind": "tdvp", "dt": 0.05, "cutoff": 1e-14, "threads": 1}


def test_a_ring_in_every_observable():
    """The negativity of a pure state sums Schmidt values: no square hides their errors."""
    run = config.from_dict(RING | {"solver": TDVP | {"dt": 0.025}})
    assert (run.solver.bond_dim, run.solver.tolerance) == (400, 1e-9)
    found = simulate(run)
    wanted = simulate(config.from_dict(RING | {"solver": {"kind": "exact"}}))
    names = [name for name in wanted.variables if name in found and name != "time"]
    assert {"spin", "entropy", "energy", "mutual_information", "total_sz"} <= set(names)
    for name in names:
        assert found[name] == pytest.approx(wanted[name], abs=2e-4), name
    assert np.ptp(found["energy"]) < 1e-6
    assert found["discarded_weight"].shape == (5, 5)


def test_resumed_runs_are_the_same_to_the_last_bit(tmp_path):
    tables = RING | {"solver": TDVP | {"bond_dim": 9}, "record": {"checkpoint": 0.0}}
    whole = simulate(config.from_dict(tables), tmp_path / "whole.h5")
    steps = []

    def interrupt(progress):
        steps.append(progress)
        if len(steps) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(config.from_dict(tables), tmp_path / "part.h5", on_step=interrupt)
    rest = simulate(config.from_dict(tables), tmp_path / "part.h5", resume=True)
    for name in ("spin", "entropy", "energy", "discarded_weight"):
        assert rest[name].tobytes() == whole[name].tobytes()


@pytest.mark.parametrize("bad", ["dt=0", "bond_dim=0", "cutoff=1", "tolerance=0", "threads=-1"])
def test_what_the_configuration_refuses(bad):
    with pytest.raises(InputError, match=rf"solver\.{bad.partition('=')[0]}"):
        config.load("chain-impurity", ["solver.kind=tdvp", f"solver.{bad}"])


def dipole_chain(sites):
    """Anisotropic exchange and dipole-dipole couplings of all pairs, out of a Neel state."""
    model = HeisenbergChain(sites, Jz=0.5, dipole=0.5)
    vectors = [np.eye(2)[k % 2] for k in range(sites)]
    return model, vectors


def test_dipole_chain_of_twelve_spins_against_exact():
    model, vectors = dipole_chain(12)
    basis = ChargeBasis(model.local_sites, {"2Sz": 0})
    psi = MPS.product(model.local_sites, vectors, ("2Sz",))
    start = VectorState.product(model.local_sites, vectors, basis)
    times = [0.0, 1.0, 2.0]
    run = ts.evolve(model, psi, times, solver="tdvp", dt=0.1, threads=1)
    for found, wanted in zip(run, exact(model, start, times), strict=True):
        pairs = zip(found.site_rdms, wanted.site_rdms, strict=True)
        assert max(np.abs(a - b).max() for a, b in pairs) < 2e-5
        # 64 states at most: the whole space, up to the cutoff of the splits.
        assert found.state.entropies() == pytest.approx(wanted.state.entropies(), abs=2e-4)


@pytest.mark.slow
def test_dipole_chain_of_forty_spins_is_converged_in_bond_dimension():
    model, vectors = dipole_chain(40)
    psi = MPS.product(model.local_sites, vectors, ("2Sz",))
    found = []
    for bond_dim in (40, 80):
        *_, final = ts.evolve(model, psi, [0.0, 2.0], solver="tdvp", dt=0.1, bond_dim=bond_dim)
        found.append(np.array([rho[0, 0].real - 0.5 for rho in final.site_rdms]))
    assert np.abs(found[0] - found[1]).max() < 1e-4
