"""New directions for a bond: where the terms that are still open would take the state.

See `tdvp` for why two-site updates need them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tnspin.mps.kernels.effective import Environment, Leg, sketch
from tnspin.mps.kernels.split import Plan
from tnspin.mps.mpo_tables import Channels, Hops

#: Directions tried per sector, at least and as a share of those kept.
_PROBES = 12, 8
#: Squared directions below this are round-off.
_SMALLEST = 1e-24
#: Mean square of `decompose.fill_random`.
_VARIANCE = 2.0 / 3.0


class Rows(NamedTuple):
    """States kept of each middle sector: how many, where they begin, and their adjoints."""

    kept: np.ndarray
    start: np.ndarray
    vectors: np.ndarray


class Side(NamedTuple):
    """A pair of sites as seen from the end where the isometry will be."""

    near: Leg
    far: Leg
    near_keys: np.ndarray
    far_keys: np.ndarray
    keys: np.ndarray
    states: np.ndarray
    offset: np.ndarray
    data: np.ndarray


def expanded(
    best: Rows,
    side: Side,
    plan: Plan,
    environment: Environment,
    hops: Hops,
    channels: Channels,
    reach: list[np.ndarray],
    *,
    least: float,
    most: int,
    seed: int,
) -> Rows:
    """Directions of weight above ``least``, at most ``most`` of them, added to the best ones.

    Parameters
    ----------
    best, side, plan
        The split as it stands.
    environment, hops
        Near end and W of the near site (lifted to the pair).
    channels, reach
        MPO states of the middle bond and their weights (`hops.MpoTables.reach`).
    seed
        Of the random combinations in which directions are sought.
    """
    kept, start, vectors = best
    probes = np.minimum(plan.rows - kept, _PROBES[0] + kept // _PROBES[1])
    places = np.concatenate([[0], np.cumsum(channels.widths)])
    at, y = sketch(
        environment, hops, side.near, side.far, side.keys, side.offset, side.data, plan,
        side.states, channels.charges, channels.widths, np.concatenate(reach), places, probes, seed,
    )  # fmt: skip
    found = []
    for m, count in enumerate(probes):
        rows = plan.rows[m]
        samples = y[at[m] : at[m + 1]].reshape(rows, count)
        old = vectors[start[m] : start[m] + kept[m] * rows].reshape(kept[m], rows)
        found.append(_directions(samples, old, least))
    pieces, total = [], kept.copy()
    for m, new in enumerate(_strongest(found, most)):
        pieces += [vectors[start[m] : start[m] + kept[m] * plan.rows[m]], new.ravel()]
        total[m] += new.shape[0]
    begin = np.concatenate([[0], np.cumsum(total * plan.rows)]).astype(np.int64)
    return Rows(total, begin, np.concatenate(pieces))


def _directions(
    samples: np.ndarray, old: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights above ``least`` and vectors (adjoints, one per row) that ``samples`` add to ``old``.

    Parameters
    ----------
    samples
        (rows, probes), random combinations of the columns of a matrix X.
    old
        (kept, rows), orthonormal adjoints.
    """
    count = samples.shape[1]
    new = samples / np.sqrt(max(count, 1) * _VARIANCE)
    for _ in range(2):
        new = new - old.conj().T @ (old @ new)
    u, s, _ = np.linalg.svd(new, full_matrices=False)
    number = int(np.sum(s**2 > max(least, _SMALLEST)))
    # Once more, for what is small was round-off of what is large.
    u = u[:, :number] - old.conj().T @ (old @ u[:, :number])
    return s[:number] ** 2, np.linalg.qr(u)[0].conj().T


def _strongest(found: list[tuple[np.ndarray, np.ndarray]], limit: int) -> list[np.ndarray]:
    """The vectors of the ``limit`` largest weights of all sectors."""
    every = np.sort(np.concatenate([weights for weights, _ in found]))[::-1]
    least = every[limit] if limit < every.size else -1.0
    return [vectors[: int(np.sum(weights > least))] for weights, vectors in found]
