"""Reduced density matrices of a few sites, or of their spins, met from both ends.

The environment left of a middle bond has one slot per pair of configurations (i, i') of the
sites to its left, the one right of it per pair (j, j'); their product is the density matrix:

    (i) +--- m ---+ (j)
        L         R          rho[i j, i' j'] = sum_{m m'} L[m, i i', m'] R[m, j j', m']
    (i')+--- m' --+ (j')

One of (i, i') and (i', i) is carried, and likewise of (j, j'): the other is its adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .transfer import Environment, Ints, Matrix, Rule, left_edge, right_edge, take_in

if TYPE_CHECKING:
    from .state import MPS


def rdm(mps: MPS, sites: Sequence[int], keep: Sequence[int] | None = None) -> Matrix:
    """Reduced density matrix of ``sites`` in the order given; see `MPS.rdm`.

    With ``D`` configurations on the wider side of the middle and bonds of dimension chi the
    effort is at most ``D^2 chi^3`` per site from the first to the last, charges divide it.
    """
    sites = list(sites)
    if len(set(sites)) != len(sites) or not all(0 <= i < mps.length for i in sites):
        raise InputError(f"rdm: sites {sites} must be distinct and within 0..{mps.length - 1}")
    dims = [mps.sites[i].dim for i in sites] if keep is None else list(keep)
    if any(mps.sites[i].dim % d for i, d in zip(sites, dims, strict=True)):
        raise InputError(f"rdm: keep {dims} does not divide the dimensions of sites {sites}")
    order = sorted(range(len(sites)), key=lambda k: sites[k])
    chain = {sites[k]: dims[k] for k in order}
    size = prod(dims)
    tensor = _in_chain_order(mps, chain).reshape([dims[k] for k in order] * 2)
    back = [order.index(k) for k in range(len(sites))]
    tensor = tensor.transpose(back + [len(sites) + k for k in back])
    return np.ascontiguousarray(tensor).reshape(size, size)


def _in_chain_order(mps: MPS, kept: dict[int, int]) -> Matrix:
    """(D, D) density matrix of the sites in ``kept``, ascending, of the dimensions given there."""
    sites = list(kept)
    if not sites:
        return np.ones((1, 1), dtype=np.complex128)
    # The fewest pairs on the wider side; the bare sites between belong to the narrower side.
    middle = min(
        range(1, len(sites) + 1),
        key=lambda k: _side(kept, sites[:k]) ** 2 + _side(kept, sites[k:]) ** 2,
    )
    left, right = sites[:middle], sites[middle:]
    bond = left[-1] + 1
    if right and _side(kept, left) <= _side(kept, right):
        bond = right[0]
    left_dim, right_dim = _side(kept, left), _side(kept, right)
    first, last = left[0], right[-1] if right else bond - 1
    from_left = left_edge(mps, first)
    for i in range(first, bond):
        rule = _appended(left_dim, kept[i]) if i in kept else None
        from_left = take_in(from_left, mps, i, rightward=True, kept=kept.get(i, 1), rule=rule)
    from_right, taken = right_edge(mps, last + 1), 1
    for i in reversed(range(bond, last + 1)):
        rule = _prepended(right_dim, taken) if i in kept else None
        taken *= kept.get(i, 1)
        from_right = take_in(from_right, mps, i, rightward=False, kept=kept.get(i, 1), rule=rule)
    return _meet(from_left, left_dim, from_right, right_dim)


def _side(kept: dict[int, int], sites: Sequence[int]) -> int:
    return prod(kept[i] for i in sites)


def _appended(size: int, kept: int) -> Rule:
    """Rule of pairs ``i size + i'`` of configurations, of which a new site is the fastest."""

    def rule(labels: Ints, s: int, t: int) -> Ints:
        i, j = labels // size, labels % size
        new = (i * kept + s) * size + (j * kept + t)
        return np.where((i == j) & (s < t), -1, new)

    return rule


def _prepended(size: int, taken: int) -> Rule:
    """Rule of pairs ``i size + i'`` of configurations, of which a new site is the slowest."""

    def rule(labels: Ints, s: int, t: int) -> Ints:
        i, j = labels // size, labels % size
        new = (i + s * taken) * size + (j + t * taken)
        return np.where((i == j) & (s < t), -1, new)

    return rule


def _meet(left: Environment, left_dim: int, right: Environment, right_dim: int) -> Matrix:
    """Join two environments of one bond."""
    rho = np.zeros((left_dim, right_dim) * 2, dtype=np.complex128)
    for (key, other), block in left.blocks.items():
        rows = left.labels[key - other]
        i, j = rows // left_dim, rows % left_dim
        flat = block.transpose(1, 0, 2).reshape(rows.size, -1)
        for at, mirrored in (((key, other), False), ((other, key), True)):
            if at not in right.blocks:
                continue
            columns = right.labels[at[0] - at[1]]
            k, m = columns // right_dim, columns % right_dim
            part = right.blocks[at]
            if mirrored:
                # R[m, j j', m'] = conj R[m', j' j, m]; those with j = j' are there already.
                strict = np.flatnonzero(k != m)
                part = part.transpose(2, 1, 0)[:, strict].conj()
                k, m = m[strict], k[strict]
            value = flat @ part.transpose(0, 2, 1).reshape(flat.shape[1], -1)
            rho[i[:, None], k, j[:, None], m] += value
    size = left_dim * right_dim
    matrix = rho.reshape(size, size)
    # Of the left pairs those with i < i' were not carried.
    above = np.triu_indices(left_dim, 1)
    rho[above[0], :, above[1], :] = rho[above[1], :, above[0], :].conj().transpose(0, 2, 1)
    return matrix
