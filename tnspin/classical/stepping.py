"""Midpoint steps of a group of copies of the spins: in one thread, or shared by several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.classical.couplings import Fields
from tnspin.classical.kernels import advance, finish, settled, sweep

__all__ = ["Group", "Rule", "groups_of", "step_alone", "step_shared"]

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
    """The same with the tiles shared by threads."""
    n, base = group.spins, _constant(group, fields)
    middle, out = np.empty_like(n), np.empty_like(n)
    borders = np.linspace(0, len(fields.borders) - 1, workers + 1).astype(int)
    tiles = list(pairwise(borders.tolist()))
    spins = list(pairwise((fields.borders[borders] * group.count).tolist()))
    kernel: Any = sweep
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
