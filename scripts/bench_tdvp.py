"""Two-site TDVP of a dipole chain side by side in tnspin and TeNPy, and how accurate it is.

    python scripts/bench_tdvp.py                # 40 spins at bond dimension 100, and the accuracy
    python scripts/bench_tdvp.py --skip-tenpy   # needs nothing but tnspin

Exchange (J = 1, Jz = 0.5) and dipole-dipole couplings of all pairs (0.5), out of a Neel state.
Both programs start from one state, tnspin's at t = 2, and make the same steps with the same matrix
product operator, bond dimension, cutoff and tolerance of the local exponentials, in turns, so that
a busy machine slows both alike.  Numbers are CPU seconds per step on one thread, minimum of the
repeats with the median in brackets.  Needs the extra ``bench``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

# First of all: it chooses the BLAS kernels that numpy then loads.
import tnspin as ts  # isort: skip
import numpy as np
from threadpoolctl import threadpool_limits

from tnspin.models import HeisenbergChain
from tnspin.mps import MPS
from tnspin.mps.tdvp import Tdvp
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.mpo import mpo_tensors
from tnspin.states.vector import VectorState

TOLERANCE = 1e-9
CHARGES = ("2Sz",)
# Where a matrix product operator of tnspin has its states "not begun" and "done".
BEGIN, DONE = 0, 1


def chain(sites: int) -> HeisenbergChain:
    """The model."""
    return HeisenbergChain(sites, Jz=0.5, dipole=0.5)


def neel(sites: int) -> list[np.ndarray]:
    """Up, down, up, ... as vectors."""
    return [np.eye(2)[k % 2] for k in range(sites)]


def start(model: HeisenbergChain) -> MPS:
    """The Neel state as a matrix product."""
    return MPS.product(model.local_sites, neel(model.length), CHARGES)


def magnetization(rdms: list[np.ndarray]) -> np.ndarray:
    """<Sz> of every spin."""
    return np.array([rho[0, 0].real - 0.5 for rho in rdms])


def evolved(sites: int, stop: float, **options: Any) -> tuple[np.ndarray, Any]:
    """<Sz> at ``stop`` and the last snapshot, by TDVP."""
    model = chain(sites)
    *_, last = ts.evolve(model, start(model), [0.0, stop], solver="tdvp", threads=1, **options)
    return magnetization(last.state.site_rdms()), last


class Tnspin:
    """The run in tnspin."""

    def __init__(self, state: MPS, options: argparse.Namespace) -> None:
        self._first = state
        model = chain(state.length)
        self.engine = Tdvp(
            state, model.hamiltonian, bond_dim=options.bond_dim, cutoff=options.cutoff,
            tolerance=TOLERANCE, threads=1,
        )  # fmt: skip
        self._dt = options.dt

    def step(self, steps: int = 1) -> None:
        """Make steps; the state is canonical afterwards."""
        for _ in self.engine.advance(0.0, self._dt, steps):
            pass

    def measure(self) -> np.ndarray:
        """<Sz> of every spin."""
        return magnetization(self.engine.state.site_rdms())


class Tenpy:
    """The same run in TeNPy."""

    def __init__(self, state: MPS, options: argparse.Namespace) -> None:
        from tenpy.algorithms.tdvp import TwoSiteTDVPEngine
        from tenpy.models.lattice import TrivialLattice
        from tenpy.models.model import MPOModel
        from tenpy.networks.site import SpinHalfSite
        from tenpy_stt import to_tenpy

        model = chain(state.length)
        site = SpinHalfSite("Sz")
        sites = [site] * state.length
        lattice = TrivialLattice(sites, bc="open", bc_MPS="finite")
        # TeNPy reads charges off the tensors: states of no weight have none.
        state = state.copy()
        state.canonicalize(1e-20)
        psi = to_tenpy(state, sites, [["up", "down"]] * state.length)
        settings = {
            "dt": options.dt, "N_steps": 1, "max_N_sites_per_ring": state.length,
            # TeNPy compares the discarded sum of squares with the square of `trunc_cut`.
            "trunc_params": {
                "chi_max": options.bond_dim, "trunc_cut": options.cutoff**0.5, "svd_min": None,
            },
            "lanczos_params": {"P_tol": TOLERANCE},
        }  # fmt: skip
        operator = _tenpy_mpo(model, site)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.engine = TwoSiteTDVPEngine(psi, MPOModel(lattice, operator), settings)

    def step(self, steps: int = 1) -> None:
        """Make steps."""
        for _ in range(steps):
            self.engine.run()

    def measure(self) -> np.ndarray:
        """<Sz> of every spin."""
        return np.real(self.engine.psi.expectation_value("Sz"))


def _tenpy_mpo(model: HeisenbergChain, site: Any) -> Any:
    """tnspin's matrix product operator as TeNPy's, its bond states sorted by charge."""
    import tenpy.linalg.np_conserved as npc
    from tenpy.networks.mpo import MPO

    tensors, charges = mpo_tensors(model.hamiltonian, charge_names=CHARGES)
    states = [site.state_labels["up"], site.state_labels["down"]]
    orders = [np.argsort(table[:, 0], kind="stable") for table in charges]
    legs = [
        npc.LegCharge.from_qflat(site.leg.chinfo, table[order], 1).bunch()[1]
        for table, order in zip(charges, orders, strict=True)
    ]
    found = []
    for k, w in enumerate(tensors):
        sorted_w = np.zeros_like(w)
        sorted_w[:, :, np.ix_(states, states)[0], np.ix_(states, states)[1]] = w
        sorted_w = sorted_w[orders[k]][:, orders[k + 1]]
        sides = [legs[k], legs[k + 1].conj(), site.leg, site.leg.conj()]
        found.append(npc.Array.from_ndarray(sorted_w, sides, labels=["wL", "wR", "p", "p*"]))
    last = len(tensors)
    first = [0, *(int(np.flatnonzero(order == BEGIN)[0]) for order in orders[1:last]), None]
    done = [None, *(int(np.flatnonzero(order == DONE)[0]) for order in orders[1:last]), 0]
    return MPO([site] * last, found, "finite", first, done, mps_unit_cell_width=last)


def timed(run: Callable[[], None]) -> float:
    """CPU seconds of a call."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def contest(options: argparse.Namespace) -> None:
    """Steps of both programs in turns, from one state."""
    _, snapshot = evolved(
        options.sites, options.start, dt=options.dt, bond_dim=options.bond_dim,
        cutoff=options.cutoff,
    )  # fmt: skip
    runs: dict[str, Any] = {"tnspin": Tnspin(snapshot.state, options)}
    if not options.skip_tenpy:
        runs["TeNPy"] = Tenpy(snapshot.state, options)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.steps):
        for name, run in runs.items():
            seconds[name].append(timed(run.step))
    dims = snapshot.state.bond_dims()
    print(f"{options.sites} spins, t = {options.start}, bond dimension {dims.max()}")
    for name, values in seconds.items():
        print(f"  {name:8} {min(values):8.2f} ({statistics.median(values):.2f}) s of CPU per step")
    if len(runs) > 1:
        ours, theirs = seconds["tnspin"], seconds["TeNPy"]
        middle = statistics.median(theirs) / statistics.median(ours)
        gap = np.abs(runs["tnspin"].measure() - runs["TeNPy"].measure()).max()
        print(f"  ratio    {min(theirs) / min(ours):8.1f} ({middle:.1f})")
        print(f"  largest difference of <Sz> after {options.steps} steps: {gap:.1e}")
    sys.stdout.flush()


def accuracy(stop: float) -> None:
    """Against exact propagation, and against larger bond dimension and smaller steps."""
    model = chain(12)
    basis = ChargeBasis(model.local_sites, {"2Sz": 0})
    vector = VectorState.product(model.local_sites, neel(12), basis)
    *_, last = ts.evolve(model, vector, [0.0, stop], solver="exact")
    wanted = magnetization(last.site_rdms)
    print(f"largest deviation of <Sz> at t = {stop}")
    for dt in (0.1, 0.05):
        found, _ = evolved(12, stop, dt=dt, bond_dim=64, cutoff=1e-12)
        print(f"  12 spins, dt = {dt:<5} against exact: {np.abs(found - wanted).max():.1e}")
    base, _ = evolved(40, stop, dt=0.1, bond_dim=60, cutoff=1e-10)
    wider, _ = evolved(40, stop, dt=0.1, bond_dim=120, cutoff=1e-10)
    finer, _ = evolved(40, stop, dt=0.05, bond_dim=60, cutoff=1e-10)
    print(f"  40 spins, bond dimension 60 against 120: {np.abs(base - wider).max():.1e}")
    print(f"  40 spins, dt = 0.1 against 0.05: {np.abs(base - finer).max():.1e}")


def main() -> int:
    """The contest, then the accuracy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--sites", type=int, default=40)
    add("--bond-dim", type=int, default=100)
    add("--cutoff", type=float, default=1e-10, help="discarded weight of one split")
    add("--dt", type=float, default=0.1)
    add("--start", type=float, default=2.0, help="time at which the contest begins")
    add("--steps", type=int, default=3, help="timed steps of each program")
    add("--skip-tenpy", action="store_true")
    add("--skip-accuracy", action="store_true")
    options = parser.parse_args()
    with threadpool_limits(1):
        try:
            contest(options)
        except ImportError:
            print("TeNPy is not installed: pip install 'tnspin[bench]', or add --skip-tenpy",
                  file=sys.stderr)  # fmt: skip
            return 2
        if not options.skip_accuracy:
            accuracy(options.start)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
