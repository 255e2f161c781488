"""What a run will take, before it begins: time and memory from a pilot run of a second.

The pilot follows the same state with long steps and a loose cutoff.  Its Schmidt spectra say how
many values each cut needs for the cutoff of the run: D grows by equal factors as the cutoff falls
by equal factors, which is how it behaves in the chains that this package treats.  The time of an
update of a bond is a constant plus a power of the size of its blocks, measured once and scaled by
the speed of the machine.  Expect it to be right within a factor of two or three, no better.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.numerics.trotter import layers_of_run
from tnspin.observables.snapshot import Options
from tnspin.runs.config.config import Config

Array = NDArray[np.float64]
#: The pilot: seconds it may take, of the processor and on a busy machine; number of times at
#: which it looks, Schmidt values, cutoff.
_BUDGET, _PATIENCE = 1.5, 10.0
_LOOKS = 24
_PILOT_DIM = 40
_PILOT_CUTOFF = 1e-4
#: Weights between which it counts how the number of Schmidt values grows, if it is more than few.
_WEIGHTS, _FEW, _SLOWER = (1e-1, 1e-2, 1e-3), 4, 0.85
#: Seconds of an update at 46 Gflop/s: _SMALLEST + _PER_SIZE (D d)^_POWER fill^_FULL, with bond
#: dimension D, local dimension d and the share of a tensor that its blocks fill.  Fitted to 65
#: steps of current pulses with D from 12 to 400, which it meets within a sixth (rms).
_SMALLEST, _PER_SIZE, _POWER, _FULL = 2.3e-5, 9.0e-8, 1.74, 0.62
_REFERENCE_SPEED = 46e9
#: Two threads are this much faster than one in large updates, and so on in proportion.
_PARALLEL = 0.85
#: Seconds after which a run is judged by itself.
_WATCHED = 3.0
#: Bytes of the program itself, and copies of a matrix product state.
_PROGRAM = 230 * 2**20
_COPIES = 4


@dataclass(frozen=True)
class Forecast:
    """Expected cost of a run.

    Attributes
    ----------
    times, shares
        (n,) times of the run and the share of its time that has passed by then: the bar moves
        evenly.
    seconds
        Of wall time, on a machine as busy as during the pilot; None where only the run itself
        can tell.
    cpu_seconds
        Of processor time.
    memory
        Bytes.
    bond_dim
        (n,) largest bond dimension expected.
    least
        Whether it may be much more: the pilot did not come to the end.
    """

    memory: float
    seconds: float | None = None
    cpu_seconds: float | None = None
    times: Array | None = None
    shares: Array | None = None
    bond_dim: Array | None = None
    least: bool = False

    def share(self, t: float) -> float:
        """Share of the work that is done at a time."""
        assert self.times is not None and self.shares is not None
        return float(np.interp(t, self.times, self.shares))

    def text(self) -> str:
        """In words."""
        memory = f"{_bytes(self.memory)} of memory"
        if self.seconds is None:
            return f"expected: {memory}"
        if self.least:
            return f"expected: {_duration(self.seconds)} or more, {memory} or more"
        reached = ""
        if self.times is not None and self.bond_dim is not None:
            top = float(self.bond_dim.max())
            first = float(self.times[int(np.argmax(self.bond_dim >= top))])
            reached = f", bond dimension {top:.0f} from t = {first:.3g} on"
        return f"expected: about {_duration(self.seconds)}, {memory}{reached}"

    def warning(self) -> str | None:
        """What to say if the memory would not suffice."""
        free = free_memory()
        if free is None or self.memory < free:
            return None
        return (
            f"warning: this run needs about {_bytes(self.memory)} of memory and {_bytes(free)} are "
            "free; lower solver.bond_dim, or take fewer sites or spins"
        )


def forecast(config: Config) -> Forecast | None:
    """Expect time and memory of a run; None where nothing can be said.

    Raises
    ------
    InputError
        What the run itself would refuse.
    """
    if not config.solver.integrates:
        return None
    if config.solver.pilots:
        from tnspin.mps.warm_up import is_compiled

        return _of_pilot(config) if is_compiled() else None
    memory = None if config.state is None else config.solver.memory(config.problem)
    return None if memory is None else Forecast(_PROGRAM + memory)


def free_memory() -> float | None:
    """Bytes that a new program can use without swapping, None if the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * float(line.split()[1])
    except OSError:
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return None


@dataclass(frozen=True)
class _Look:
    """Bond dimensions expected at one time, and how full the tensors are."""

    time: float
    dims: Array
    fill: Array


def _of_pilot(config: Config) -> Forecast:
    from tnspin.solvers import evolve
    from tnspin.states.ensemble import Ensemble

    start = time.process_time(), time.perf_counter()
    problem = config.problem
    state = config.solver.prepare(problem, config.solver.jumps(problem))()
    members = len(state.states) if isinstance(state, Ensemble) else 1
    state = state.states[0] if isinstance(state, Ensemble) else state
    stop = config.time.stop
    solver: Any = config.solver  # with the keys of Trotter steps
    looks: list[_Look] = []
    points = np.linspace(0.0, stop, _LOOKS + 1).tolist() if stop else [0.0]
    longest = max(5 * solver.dt, 0.2)
    pilot = replace(
        solver, dt=longest, order=2, threads=1, method="auto",
        bond_dim=min(_PILOT_DIM, solver.bond_dim), cutoff=max(_PILOT_CUTOFF, solver.cutoff),
    )  # fmt: skip
    snapshots = evolve(config.run_model, state, points, solver=pilot)
    last, begun = None, start
    for last in snapshots:
        if not looks:  # machine code has been loaded by now
            begun = time.process_time(), time.perf_counter()
        looks.append(_look(last, config))
        spent = time.process_time() - start[0], time.perf_counter() - start[1]
        if spent[0] > _BUDGET or spent[1] > _PATIENCE:
            break
    cpu, wall = time.process_time() - begun[0], time.perf_counter() - begun[1]
    measured = _measuring(last, config) * config.time.points.size
    return _sum(config, looks, members, measured, max(1.0, wall / max(cpu, 1e-3)))


def _look(snapshot: Any, config: Config) -> _Look:
    state = snapshot.state
    solver: Any = config.solver
    dims = state.bond_dims().astype(float)
    needed = dims  # of the initial state itself
    if snapshot.time > 0:
        needed = _needed([state.schmidt(bond) for bond in range(dims.size)], solver.cutoff)
    full = np.concatenate(([1.0], dims, [1.0]))
    sizes = full[:-1] * _local(config) * full[1:]
    fill = np.array([tensor.data.size for tensor in state.tensors]) / sizes
    return _Look(float(snapshot.time), np.clip(needed, 1.0, solver.bond_dim), fill)


def _needed(spectra: list[Array], cutoff: float) -> Array:
    """Schmidt values of each bond that a cutoff keeps, from how many it takes for looser ones.

    The factor per decade is one for all bonds: each of them has too few values to tell its own.
    Bonds in which the pilot had no room for more tell less, and their factor, of larger weights,
    is too large by a little.
    """
    loose, middle, tight = (
        np.array([_count(schmidt, weight) for schmidt in spectra], float) for weight in _WEIGHTS
    )
    needed = tight.copy()
    full = np.array([schmidt.size >= 0.95 * _PILOT_DIM for schmidt in spectra])
    decades = np.maximum(np.log10(np.array(_WEIGHTS) / max(cutoff, 1e-16)), 0.0)
    for some, few, more, left, slower in (
        (~full & (tight > _FEW), middle, tight, decades[2], 1.0),
        (full, loose, middle, decades[1], _SLOWER),
    ):
        if some.any():
            factor = max(1.0, slower * more[some].sum() / few[some].sum())
            needed[some] = more[some] * factor**left
    return needed


def _count(schmidt: Array, weight: float) -> int:
    """Schmidt values that it takes to keep all but this weight."""
    weights = np.sort(np.abs(schmidt) ** 2)[::-1]
    left = 1.0 - np.cumsum(weights) / weights.sum()
    return 1 + int(np.argmax(left <= weight))


def _local(config: Config) -> Array:
    return np.array([site.dim for site in config.run_model.local_sites], float)


def _sum(
    config: Config, looks: list[_Look], members: int, measured: float, busy: float
) -> Forecast:
    """Add up the updates of all steps."""
    d = _local(config)
    solver: Any = config.solver
    small, large = [], []
    slow = _REFERENCE_SPEED / _speed()
    for look in looks:
        between = np.sqrt(d[:-1] * d[1:])
        fill = np.minimum(1.0, np.sqrt(look.fill[:-1] * look.fill[1:]))
        small.append(slow * _SMALLEST * look.dims.size)
        sizes = (look.dims * between) ** _POWER * fill**_FULL
        large.append(slow * _PER_SIZE * float(sizes.sum()))
    times = np.array([look.time for look in looks])
    steps = _updates(config)
    cpu = members * steps * (np.array(small) + np.array(large))
    threads = solver.threads or os.cpu_count() or 1
    wall = members * steps * (np.array(small) + np.array(large) / (1 + _PARALLEL * (threads - 1)))
    dims = np.array([look.dims.max() for look in looks])
    least = bool(times[-1] < config.time.stop)
    if least:
        cpu, wall = (_continued(times, rate, config.time.stop) for rate in (cpu, wall))
        times, dims = np.append(times, config.time.stop), np.append(dims, dims[-1])
    done = np.concatenate(([0.0], np.cumsum(np.diff(times) * (wall[1:] + wall[:-1]) / 2)))
    total = float(done[-1])
    shares = done / total if total else np.linspace(0.0, 1.0, times.size)
    work = float(np.sum(np.diff(times) * (cpu[1:] + cpu[:-1]) / 2))
    return Forecast(
        memory=_mps_memory(looks, d, members), seconds=busy * (total + measured),
        cpu_seconds=work + measured, times=times, shares=shares, bond_dim=dims, least=least,
    )  # fmt: skip


def _continued(times: Array, rate: Array, stop: float) -> Array:
    """Cost per time with its value at the end, growing on as in the second half of the looks.

    Once bonds are full, cost grows with their number, evenly in time behind a front.
    """
    half = int(np.searchsorted(times, times[-1] / 2))
    since = times[-1] - times[half]
    slope = max(0.0, float(rate[-1] - rate[half]) / since) if since > 0 else 0.0
    return np.append(rate, rate[-1] + slope * (stop - times[-1]))


def _updates(config: Config) -> float:
    """Updates of each bond per unit of time."""
    solver: Any = config.solver
    steps = 64
    hamiltonian = config.run_model.hamiltonian
    layers = layers_of_run(solver.order, 0.0, solver.dt, steps, hamiltonian.is_time_dependent)
    return len(layers) / 2 / (steps * solver.dt)


def _mps_memory(looks: list[_Look], d: Array, members: int) -> float:
    most = 0.0
    for look in looks:
        full = np.concatenate(([1.0], look.dims, [1.0]))
        most = max(most, float(np.sum(full[:-1] * d * full[1:] * np.minimum(look.fill, 1.0))))
    return _PROGRAM + 16 * most * (members + _COPIES)


def _measuring(snapshot: Any, config: Config) -> float:
    """Seconds that measuring the observables takes, in a state as small as that of the pilot."""
    from tnspin.observables import OBSERVABLES, chosen

    reference = config.initial_state.reference(config.model.localized_sites)
    keys = config.record
    options = Options(reference, keys.wavevectors, keys.group_cutoff, keys.group_largest)
    names = chosen(keys.observables, config.run_model, config.solver.states(), options)
    now = replace(snapshot, options=options)
    start = time.process_time()
    for name in names:
        OBSERVABLES[name].measure(now)
        if time.process_time() - start > _BUDGET / 3:
            break
    return time.process_time() - start


def _speed() -> float:
    """Flop/s of a complex matrix product, in a few milliseconds."""
    matrix = np.full((300, 300), 1.0 + 0.5j)
    matrix @ matrix
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        matrix @ matrix
        best = min(best, time.process_time() - start)
    return 8.0 * 300**3 / best


def _duration(seconds: float) -> str:
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{max(seconds, 1.0):.0f} s"


def _bytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count > 2**30 else f"{count / 2**20:.0f} MiB"


class Watch:
    """Say once, after some seconds of a run, what it will take in all, from what it has taken.

    Parameters
    ----------
    config
        The run.
    say
        Called with a text.
    """

    def __init__(self, config: Config, say: Callable[[str], None]) -> None:
        self._stop = config.length
        self._grows = "bond_dim" in config.solver.key_values()
        self._say = say
        self._first: tuple[float, float] | None = None
        self._done = False

    def update(self, progress: Any) -> None:
        """Take note of a `Progress`."""
        now = time.perf_counter()
        if self._done or self._first is None:
            self._first = self._first or (progress.time, now)
            return
        since, start = self._first
        if now - start < _WATCHED or progress.time <= since:
            return
        self._done = True
        left = (now - start) / (progress.time - since) * (self._stop - progress.time)
        if left < _WATCHED:
            return
        more = "; more as the bond dimension grows" if self._grows else ""
        self._say(f"expected: about {_duration(left)} more, as far as seen{more}")
