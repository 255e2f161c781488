"""The current pulse side by side in tnspin and TeNPy: same Trotter step, cutoff, bond dimension.

    python scripts/bench_stt.py                       # 8 electrons, about six minutes
    python scripts/bench_stt.py --times 10 20         # the first two rows, under two minutes

Each quoted time is a block of ten steps that ends there. The programs repeat it in turns, each
from its own evolved state, so that a busy machine slows all of them alike. Needs the extra
``bench``; the numbers are seconds per step, minimum of the repeats with the median in brackets.
"TeNPy / CPU" is the ratio of CPU times, "speed-up" that of wall times to the first number of
threads, "cores" what the process really got: on a busy machine it stays near one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# First of all: it chooses the BLAS kernels that numpy then loads.
import tnspin  # noqa: F401  # isort: skip
import h5py
import numpy as np
from blas_profile import Breakdown, Clock, Profile, print_breakdown, zgemm_peak
from threadpoolctl import threadpool_limits

from tnspin.models import KondoHeisenbergChain
from tnspin.mps import MPS
from tnspin.mps import tebd as tebd_module
from tnspin.mps.tebd import Tebd
from tnspin.numerics import lapack
from tnspin.operators.bonds import bonds
from tnspin.states.initial.pulses import confined_electrons

DT = 0.1
BLOCK = 10
CHARGES = ("N", "2Sz")
CHAIN = KondoHeisenbergChain(sites=75, localized=range(35, 40), J_sd=0.5, J=0.1, Jz=0.1005)


@dataclass(frozen=True)
class Settings:
    """Truncation of the run."""

    bond_dim: int
    cutoff: float
    method: str = "auto"


class TnspinPulse:
    """The run in tnspin, with the same three verbs as `tenpy_stt.TenpyPulse`."""

    def __init__(self, state: MPS, settings: Settings, threads: int) -> None:
        terms = bonds(CHAIN.hamiltonian)
        driven = [False] * (CHAIN.length - 1)
        self.engine = Tebd(
            state, terms.matrix, driven, threads=threads,
            bond_dim=settings.bond_dim, cutoff=settings.cutoff, method=settings.method,
        )  # fmt: skip

    @property
    def state(self) -> MPS:
        """The present state."""
        return self.engine.state

    def restart(self, state: MPS) -> None:
        """Continue from a copy of ``state``."""
        self.engine.state = state.copy()

    def advance(self, steps: int) -> None:
        """Make Trotter steps; the state is canonical afterwards."""
        for _ in self.engine.advance(0.0, DT, steps):
            pass

    def localized_spins(self) -> np.ndarray:
        """<sigma_z> of each localized spin."""
        rdms = self.state.site_rdms()
        return np.array(
            [
                2 * np.trace(rdms[i] @ CHAIN.local_sites[i].op("Sz")).real
                for i in CHAIN.localized_sites
            ]
        )


@dataclass
class Timing:
    """Repeated measurements of one block, seconds per step."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def measure(self, run: Callable[[int], None]) -> None:
        """Time one block of steps."""
        cpu, wall = time.process_time(), time.perf_counter()
        run(BLOCK)
        self.cpu.append((time.process_time() - cpu) / BLOCK)
        self.wall.append((time.perf_counter() - wall) / BLOCK)


def spread(values: list[float]) -> str:
    """Minimum and, in brackets, median."""
    return f"{min(values):.4f} ({statistics.median(values):.4f})"


class Contest:
    """All runs, moved through time together.

    Parameters
    ----------
    initial
        Canonical initial state.
    settings
        Truncation.
    threads
        Numbers of threads of tnspin to measure.
    tenpy_engine
        "svd", "qr", or None to leave TeNPy out.
    """

    def __init__(
        self, initial: MPS, settings: Settings, threads: list[int], tenpy_engine: str | None
    ) -> None:
        # Threads do not change numbers, so one evolved state serves every number of threads.
        self.runs: dict[str, Any] = {}
        if tenpy_engine:
            from tenpy_stt import TenpyPulse

            self.runs["TeNPy"] = TenpyPulse(
                CHAIN, initial, dt=DT, engine=tenpy_engine,
                bond_dim=settings.bond_dim, cutoff=settings.cutoff,
            )  # fmt: skip
        for count in threads:
            self.runs[f"tnspin x{count}"] = TnspinPulse(initial, settings, count)
        self._blocks = 0

    def programs(self) -> Iterator[list[Any]]:
        """Runs that share one state: TeNPy's, and those of tnspin."""
        for prefix in ("TeNPy", "tnspin"):
            group = [run for name, run in self.runs.items() if name.startswith(prefix)]
            if group:
                yield group

    def evolve(self, stop: int) -> None:
        """Move all runs to time ``stop``, untimed."""
        while self._blocks < stop:
            for *_, last in self.programs():
                last.advance(BLOCK)
            self._blocks += 1
        for *rest, last in self.programs():
            for run in rest:
                run.restart(last.state)

    def measure(self, repeats: int) -> dict[str, Timing]:
        """Time the next block of all runs, in turns, and stay at its end."""
        before = {name: run.state.copy() for name, run in self.runs.items()}
        timings = {name: Timing() for name in self.runs}
        for _ in range(repeats):
            for name, run in self.runs.items():
                run.restart(before[name])
                timings[name].measure(run.advance)
        self._blocks += 1
        return timings


def report(stop: int, timings: dict[str, Timing], contest: Contest) -> None:
    """Print the rows of one time."""
    peer = timings.get("TeNPy")
    ours = [(name, timing) for name, timing in timings.items() if name != "TeNPy"]
    dims = contest.runs[ours[0][0]].state.bond_dims()
    print(f"\nt = {stop} hbar/gamma, bond dimension {dims.max()}")
    print(
        f"  {'':12}{'CPU s/step':>20}{'wall s/step':>20}"
        f"{'TeNPy / CPU':>13}{'speed-up':>10}{'cores':>7}"
    )
    for name, timing in timings.items():
        ratio = f"{min(peer.cpu) / min(timing.cpu):.1f}" if peer else "-"
        gain = f"{min(ours[0][1].wall) / min(timing.wall):.2f}" if timing is not peer else "-"
        cores = max(cpu / wall for cpu, wall in zip(timing.cpu, timing.wall, strict=True))
        print(
            f"  {name:12}{spread(timing.cpu):>20}{spread(timing.wall):>20}"
            f"{ratio:>13}{gain:>10}{cores:>7.2f}"
        )
    spins = {name: run.localized_spins() for name, run in contest.runs.items()}
    for name in (*spins,)[: 2 if peer else 1]:
        print(f"  S_i^z {name:12}" + " ".join(f"{s:+.5f}" for s in spins[name]))
    if peer:
        gap = max(np.abs(spins["TeNPy"] - spins[name]).max() for name, _ in ours)
        print(f"  largest difference of S_i^z between the programs: {gap:.1e}")
    sys.stdout.flush()


def profile(
    path: Path, names: list[str], settings: Settings, repeats: int
) -> tuple[float, dict[str, Breakdown]]:
    """Profile one block from each saved state on one thread, in a fresh process.

    Returns the best zgemm rate seen, in real operations per second, and the fastest repeat.
    """
    calls = Profile()
    calls.install(lapack)
    engine: Any = tebd_module
    engine.update_bond = clock = Clock(engine.update_bond)
    found: dict[str, Breakdown] = {}
    with threadpool_limits(1), h5py.File(path, "r") as file:
        peak = zgemm_peak()
        for name in names:
            state = MPS.load(file[name], CHAIN.local_sites)
            run = TnspinPulse(state, settings, threads=1)
            run.advance(BLOCK)  # loads kernels and gates
            for _ in range(repeats):
                run.restart(state)
                calls.reset()
                clock.seconds, begin = 0.0, time.perf_counter()
                run.advance(BLOCK)
                wall = time.perf_counter() - begin
                if name not in found or wall < found[name].wall:
                    found[name] = Breakdown(wall, clock.seconds, calls.routines())
                # The peak is measured in between: a shared machine changes its pace.
                peak = max(peak, zgemm_peak())
    return peak, found


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--electrons", type=int, default=8)
    add("--bond-dim", type=int, default=400)
    add("--cutoff", type=float, default=1e-7, help="discarded weight of one update")
    add("--method", default="auto", help="tnspin's decomposition: auto, svd, gram or range")
    add("--times", type=int, nargs="+", default=[10, 20, 30], help="whole units of hbar/gamma")
    add("--threads", type=int, nargs="+", default=[1, 2])
    add("--repeats", type=int, default=3)
    add("--tenpy-engine", choices=("svd", "qr"), default="svd",
        help="TEBDEngine or QRBasedTEBDEngine")  # fmt: skip
    add("--skip-tenpy", action="store_true")
    add("--skip-profile", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Run the contest, then the profile."""
    options = arguments()
    settings = Settings(options.bond_dim, options.cutoff, options.method)
    initial = confined_electrons(CHAIN, options.electrons).to_mps(CHARGES)
    try:
        contest = Contest(initial, settings, options.threads,
                          None if options.skip_tenpy else options.tenpy_engine)  # fmt: skip
    except ImportError:
        print("TeNPy is not installed: pip install 'tnspin[bench]', or add --skip-tenpy",
              file=sys.stderr)  # fmt: skip
        return 2
    times = sorted(set(options.times))
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "states.h5"
        for stop in times:
            contest.evolve(stop - 1)
            before = contest.runs[f"tnspin x{options.threads[0]}"].state
            with h5py.File(path, "a") as file:
                before.save(file.create_group(f"{stop}"))
            report(stop, contest.measure(options.repeats), contest)
        if not options.skip_profile:
            # A fresh process: the wrappers must be there before any kernel is loaded.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                names = [f"{t}" for t in times]
                job = pool.submit(profile, path, names, settings, options.repeats)
                peak, found = job.result()
            for name, part in found.items():
                pace = f"one thread, {part.wall / BLOCK:.4f} s per step"
                print(f"\nprofile of tnspin at t = {name}, {pace}")
                print_breakdown(part, BLOCK, peak)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
