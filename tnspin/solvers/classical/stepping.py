"""Midpoint steps of a group of copies of the spins: in one thread, or shared by several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.operators.classical.couplings import Couplings, Fields, tile_borders, tiled
from tnspin.operators.classical.kernels import advance, finish, iterate, settled

Reals = NDArray[np.float64]

#: Spins and copies that are stepped together: enough for vector instructions, few for the cache.
_TOGETHER = 1024
_NONE: Reals = np.empty((3, 0))


@dataclass(frozen=True, eq=False)
class Group:
    """Copies ``first..last`` of N spins, components first and copies side by side.

    Attributes
    ----------
    spins, external, torque : (3, N C)
        ``torque`` is (3, 0) without any.
    damping : (N C,)
    """

    first: int
    last: int
    spins: Reals
    external: Reals
    torque: Reals
    damping: Reals

    @property
    def count(self) -> int:
        """Number of copies C."""
        return self.last - self.first

    @property
    def states(self) -> Reals:
        """(C, N, 3) unit vectors."""
        return self.spins.reshape(3, -1, self.count).transpose(2, 1, 0)


@dataclass(frozen=True)
class Rule:
    """How midpoints are iterated: to a tolerance, or (``iterations`` > 0) exactly so often."""

    tolerance: float
    iterations: int


def groups_of(states: Reals, external: Reals, torque: Reals, damping: Reals) -> list[Group]:
    """Split (R, N, 3) states into groups; nothing here depends on the number of threads.

    Parameters
    ----------
    external, torque
        (N, 3), or (0, 3) for no torque.
    damping
        (R, N).
    """
    count, size, _ = states.shape
    each = max(1, _TOGETHER // size)
    groups = []
    for first in range(0, count, each):
        last = min(first + each, count)
        groups.append(
            Group(
                first,
                last,
                np.array(states[first:last].transpose(2, 1, 0), order="C").reshape(3, -1),
                np.repeat(external.T, last - first, axis=1),
                np.repeat(torque.T, last - first, axis=1),
                np.ascontiguousarray(damping[first:last].T).ravel(),
            )
        )
    return groups


def step_alone(
    group: Group, steps: int, stages: Reals, noise: Reals, fields: Fields, rule: Rule
) -> float:
    """Advance a group in place; return 0, or the last change where midpoints did not converge.

    Parameters
    ----------
    steps, stages
        Number of steps, and the sizes of the midpoint steps of each.
    noise
        (steps, 3, N C), or (0, 3, 0) for none.
    """
    kernel: Any = advance
    return kernel(
        group.spins, steps, stages, _constant(group, fields), noise, group.torque, group.damping,
        rule.tolerance, rule.iterations, group.count, fields.arrays,
    )  # fmt: skip


def step_shared(
    group: Group, steps: int, stages: Reals, noise: Reals, fields: Fields, rule: Rule,
    pool: ThreadPoolExecutor, workers: int,
) -> float:  # fmt: skip
    """Advance a group in place, as `step_alone` does, with its tiles shared by threads."""
    n, base = group.spins, _constant(group, fields)
    middle, out = np.empty_like(n), np.empty_like(n)
    borders = np.linspace(0, len(fields.borders) - 1, workers + 1).astype(int)
    tiles = list(pairwise(borders.tolist()))
    spins = list(pairwise((fields.borders[borders] * group.count).tolist()))
    kernel: Any = iterate
    for step in range(steps):
        kick = noise[step] if len(noise) else _NONE
        for h in stages:
            change, before = 0.0, np.inf
            for k in range(rule.iterations or 200):
                now = n if k == 0 else middle
                tasks = [
                    (n, now, base, kick, group.torque, group.damping, h, *part, group.count,
                     fields.arrays, out) for part in tiles
                ]  # fmt: skip
                change = max(_spread(kernel, tasks, pool))
                middle, out = out, middle
                if not rule.iterations and settled(change, before, rule.tolerance):
                    break
                before = change
            if not rule.iterations and not change <= max(rule.tolerance, 1e-13):
                return change
            _spread(finish, [(n, middle, *part) for part in spins], pool)
    return 0.0


def _constant(group: Group, fields: Fields) -> Reals:
    """(3, N C) part of the field that does not depend on the spins."""
    return np.repeat(fields.constant, group.count, axis=1) + group.external


def _spread(
    work: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], pool: ThreadPoolExecutor
) -> list[Any]:
    """``work`` on each task, the last in this thread and the others in those of the pool."""
    futures = [pool.submit(work, *task) for task in tasks[:-1]]
    own = work(*tasks[-1])
    return [*(future.result() for future in futures), own]


Ints = NDArray[np.int64]

#: Inner spins of a window: less than 1 MB with all that a step needs.
_WIDTH = 8192
#: Spins that may be lost at either edge: what it costs to move on for longer.
_EDGE = 256
#: Iterations at most of one stage, where their number follows from a tolerance.
_MOST = 64


@dataclass(frozen=True, eq=False)
class Window:
    """Spins ``first..last`` with those around them.

    Attributes
    ----------
    spins : (n,)
        All its spins, along the chain, which is taken to be a ring.
    edge
        Number of spins before the first inner one.
    layout
        Borders of tiles, their first runs, and the runs, as in `Fields`, among these spins.
    """

    first: int
    last: int
    spins: Ints
    edge: int
    layout: tuple[Ints, Ints, Ints, Ints, Ints, Ints]

    def fields(self, fields: Fields) -> Fields:
        """Of these spins, from those of all."""
        borders, starts, firsts, lasts, distances, kinds = self.layout
        return replace(
            fields, constant=fields.constant.take(self.spins, axis=1), borders=borders,
            starts=starts, firsts=firsts, lasts=lasts, distances=distances, kinds=kinds,
        )  # fmt: skip


def windows_of(couplings: Couplings, stages: int, iterations: int) -> tuple[list[Window], int]:
    """Windows of a chain and the number of steps they may move on their own; none if it is short.

    Parameters
    ----------
    stages, iterations
        Midpoint steps of one step, and their iterations (0: as many as it takes).
    """
    size = couplings.constant.shape[2]
    if couplings.high_values.size or size < 2 * _WIDTH:
        return [], 0
    first, last, distance, kind = couplings.runs.T
    # The short way round, so that a ring is as local as a chain.
    distance = (distance + size // 2) % size - size // 2
    reach = int(np.abs(distance).max(initial=1))
    each = (iterations or _MOST) * stages * reach
    steps = max(1, _EDGE // each)
    edge = each * steps
    if 4 * edge > size or edge > _WIDTH:
        return [], 0
    windows = []
    for start in range(0, size, _WIDTH):
        stop = min(start + _WIDTH, size)
        low, high = start - edge, stop + edge
        runs = []
        for turn in (-size, 0, size):
            # Where spins and their neighbours are inside, in numbers from the edge on.
            one = np.maximum(first + turn, np.maximum(low, low - distance)) - low
            end = np.minimum(last + turn, np.minimum(high, high - distance)) - low
            found = np.stack([one, end, distance, kind], axis=1)
            runs.append(found[one < end])
        among = np.concatenate(runs)
        among = among[np.argsort(among[:, 0], kind="stable")]
        borders = tile_borders(high - low, 1)
        spins = np.arange(low, high) % size
        windows.append(Window(start, stop, spins, edge, (borders, *tiled(among, borders))))
    return windows, steps


def step_windows(
    group: Any, steps: int, stages: Reals, noise: Reals, constant: Reals, fields: Fields,
    rule: Any, windows: list[Window], batch: int, spread: Callable[..., Any],
) -> float:  # fmt: skip
    """As `tnspin.solvers.classical.stepping.step_alone`, window by window.

    Parameters
    ----------
    constant
        (3, N) field that does not depend on the spins.
    batch
        Number of steps that windows move on their own.
    spread
        Maps a function over the windows, perhaps in threads.
    """
    kernel: Any = advance
    n, new = group.spins, np.empty_like(group.spins)
    # (3, 0) for no torque stays what it is.
    torques = [group.torque[:, w.spins] if group.torque.size else group.torque for w in windows]
    inner = [
        (w.fields(replace(fields, constant=constant)), group.damping[w.spins]) for w in windows
    ]
    for start in range(0, steps, batch):
        stop = min(start + batch, steps)

        def moved(k: int, start: int = start, stop: int = stop) -> float:
            window, (own, damping) = windows[k], inner[k]
            local = n.take(window.spins, axis=1)
            kick = noise
            if len(noise):
                kick = noise[start:stop].take(window.spins, axis=2)
            change = kernel(
                local, stop - start, stages, own.constant, kick, torques[k], damping,
                rule.tolerance, rule.iterations, 1, own.arrays,
            )  # fmt: skip
            count = window.last - window.first
            new[:, window.first : window.last] = local[:, window.edge : window.edge + count]
            return float(change)

        change = max(spread(moved, range(len(windows))))
        if change:
            return change
        n[:] = new
    return 0.0
