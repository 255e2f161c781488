"""Density matrix of two groups of localized spins in matrix product states.

The electrons on the sites of the groups, the spacer between them and everything outside are traced
out (PRA Eq. 1).  The groups are compressed to the spaces that they use
(`tnspin.observables.groups.compress`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.state import MPS
from tnspin.mps.transfer import Matrix
from tnspin.numerics.arrays import Ints
from tnspin.observables.groups.compress import Factor, Sweep, sweeps
from tnspin.observables.groups.state import LARGEST, GroupState, least_probability

#: Weights and states of a mixture.
Members: TypeAlias = Sequence[tuple[float, MPS]]


def group_state(
    members: Members,
    part_a: Sequence[int],
    part_b: Sequence[int],
    *,
    cutoff: float = 1e-10,
    largest: int = LARGEST,
) -> GroupState:
    """Compressed density matrix of the localized spins of two groups, averaged over a mixture.

    Parameters
    ----------
    members
        Weights that sum to 1 and states, all with the same sites and charges; their totals may
        differ.
    part_a, part_b
        Distinct sites; the trailing ``spin_dim`` factor of each is kept.  ``part_b`` may be
        empty.
    cutoff
        Largest weight, as a share of 1, that each group may lose by compression.
    largest
        Most rows of a block of the density matrix and of its partial transpose: where more are
        needed for the cutoff, the least probable vectors of the two bases go, and ``discarded``
        of the result is larger.  Diagonalizing 2048 rows takes seconds.

    Raises
    ------
    InputError
        If the members differ in their charges, or the groups lie inside each other.
    """
    for _, one in members:
        if one.code != members[0][1].code:
            raise InputError("members: the states have other sites or charges")
        one.ensure_canonical()
    mirrored = bool(part_b) and min(part_b) < min(part_a)
    first, second = (part_b, part_a) if mirrored else (part_a, part_b)
    if second and max(first) > min(second):
        raise InputError(
            f"part: groups too large for their density matrix must lie apart, sites "
            f"{sorted(part_a)} and {sorted(part_b)} lie inside each other"
        )
    left, right = sweeps(members, first, second, cutoff)
    return joined(left, right, mirrored=mirrored, largest=largest)


# Columns of T at a time: bounds its memory to this many times the rows of a block.
_COLUMNS = 4096
# Squared norm below which a part of T is round-off of a matrix of trace 1.
_ROUND_OFF = 1e-18


def joined(left: Sweep, right: Sweep, *, mirrored: bool, largest: int) -> GroupState:
    """Density matrix of two groups from the factors of each at their common bond.

    Parameters
    ----------
    left, right
        Sweeps that have met.
    mirrored
        Whether part a is the group on the right.
    largest
        Most rows of a block of the density matrix and of its partial transpose.
    """
    lost = sum(left.lost) + sum(right.lost) + _limit(left, right, largest)
    code = left.factors[0].mps.code
    stride = code.strides[code.names.index("2Sz")] if "2Sz" in code.names else 1
    # The right sweep counts its keys negative.
    parts = [left.dims, {-key: size for key, size in right.dims.items()}]
    frames = [Frame.of(part, stride) for part in (reversed(parts) if mirrored else parts)]
    total = np.add.outer(frames[0].charges, frames[1].charges)
    position = np.empty(total.shape, dtype=np.int64)
    blocks = {}
    for q in np.unique(total).tolist():
        size = int(np.count_nonzero(total == q))
        position[total == q] = np.arange(size)
        blocks[q] = np.zeros((size, size), np.complex128)
    for one, other in zip(left.factors, right.factors, strict=True):
        for products in _matching(one, other).values():
            places = []
            for a, b, _ in products:
                at = (-b, a) if mirrored else (a, -b)
                places.append(position[frames[0].where[at[0]], frames[1].where[at[1]]].ravel())
            q = (products[0][0] - products[0][1]) // stride
            for rows in _product(one, other, products, mirrored):
                if sum(np.vdot(values, values).real for values in rows) < _ROUND_OFF:
                    continue
                full = np.zeros((len(blocks[q]), rows[0].shape[1]), np.complex128)
                for place, values in zip(places, rows, strict=True):
                    full[place] = values
                blocks[q] += one.weight * (full @ full.conj().T)
    trace = sum(np.trace(block).real for block in blocks.values())
    blocks = {q: block / trace for q, block in blocks.items()}
    return GroupState((frames[0].charges, frames[1].charges), blocks, lost, compressed=True)


class Frame(NamedTuple):
    """Basis of a group: 2Sz of every vector, and which vectors have a key."""

    charges: Ints
    where: dict[int, slice]

    @classmethod
    def of(cls, dims: dict[int, int], stride: int) -> Frame:
        ordered = sorted(dims.items())
        sizes = [size for _, size in ordered]
        ends = np.cumsum([0, *sizes]).tolist()
        charges = np.repeat(np.array([key // stride for key, _ in ordered], np.int64), sizes)
        where = {key: slice(ends[k], ends[k + 1]) for k, (key, _) in enumerate(ordered)}
        return cls(charges, where)


def _matching(left: Factor, right: Factor) -> dict[tuple[int, int], list[tuple[int, int, int]]]:
    """(e key left, e key right) -> (group key left, right, bond key) of the blocks that meet.

    They all have the same charge of both groups together.
    """
    meeting: dict[int, list[int]] = defaultdict(list)
    for b, key in right.blocks:
        meeting[key].append(b)
    out: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for a, key in left.blocks:
        for b in meeting[key]:
            out[key - a, key - b].append((a, b, key))
    return dict(out)


def _product(
    left: Factor, right: Factor, products: list[tuple[int, int, int]], mirrored: bool
) -> Iterator[list[Matrix]]:
    """Factors (pairs, columns) of the joint state, over the bond, a few columns at a time."""
    width = left.blocks[products[0][0], products[0][2]].shape[2]
    other = right.blocks[products[0][1], products[0][2]].shape[2]
    chunk = max(1, _COLUMNS // other)
    order = (2, 0, 1, 3) if mirrored else (0, 2, 1, 3)
    for start in range(0, width, chunk):
        rows = []
        for a, b, key in products:
            first = left.blocks[a, key][:, :, start : start + chunk]
            joint = np.tensordot(first, right.blocks[b, key], axes=(1, 1)).transpose(order)
            rows.append(joint.reshape(joint.shape[0] * joint.shape[1], -1))
        yield rows


def _limit(left: Sweep, right: Sweep, largest: int) -> float:
    """Drop the least probable basis vectors of both groups until all blocks are small enough.

    Returns the weight lost.
    """
    # The right sweep counts its keys negative.
    opposite = {-key: p for key, p in right.spectrum.items()}
    least = least_probability(left.spectrum, opposite, largest)
    lost = 0.0
    for sweep in (left, right):
        kept = {}
        for key, p in sweep.spectrum.items():
            first = int(np.searchsorted(p, least))
            lost += float(p[:first].sum())
            if first < p.size:
                kept[key] = p[first:]
        for one in sweep.factors:
            one.blocks = {
                (a, key): block[-kept[a].size :]
                for (a, key), block in one.blocks.items()
                if a in kept
            }
        sweep.spectrum = kept
    return lost
