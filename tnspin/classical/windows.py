"""Long chains in windows that fit into the cache of a core, each moved on its own for a while.

What happens at the edges of a window is wrong, for the spins beyond are missing, but it takes many
iterations to get inside: one changes a spin by its neighbours within reach.  So windows overlap,
only their inner spins are kept, and threads need to meet only once in many steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.classical.couplings import Couplings, Fields, tile_borders, tiled
from tnspin.classical.kernels import advance

__all__ = ["Window", "step_windows", "windows_of"]

Reals = NDArray[np.float64]
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
    """As `tnspin.classical.stepping.step_alone`, window by window.

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
