"""Environments of many reduced quantities at once, carried along a chain block by block.

An environment holds, for every pair of sectors of one bond (ket and bra), a stack of matrices
with one slot per label: a pair of spin configurations, a number of flips, an inserted operator.

      +--- key ---           block[key, key'] has shape (d, slots, d'), so that taking in a
      E    slots             site is two products of plain matrices per block,
      +--- key' --           (m, d) x (d, slots d') and (m slots, d') x (d', m').

The charges alone decide which blocks exist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.mps.blocks import BlockState
from tnspin.numerics.arrays import Ints

Matrix: TypeAlias = NDArray[np.complex128]
#: New labels of an array of labels when a site adds |s><s'|; negative where the slot is dropped.
#: Slots that survive must keep distinct labels.
Rule: TypeAlias = Callable[[Ints, int, int], Ints]


class BlockMap(NamedTuple):
    """One block of a site, as the map from the sector on one side to that on the other."""

    p: int
    to: int
    #: (d_to, d_from) for the ket.
    ket: Matrix
    #: (d_from, d_to), its adjoint, for the bra.
    bra: Matrix


class Environment(NamedTuple):
    """Stacks ``blocks[key, key']`` of (d, slots, d'), and the ``labels`` of their slots.

    The slots of a block are those of ``labels[key - key']``.
    """

    blocks: dict[tuple[int, int], Matrix]
    labels: dict[int, Ints]


def steps(mps: BlockState, i: int, *, rightward: bool) -> dict[int, list[BlockMap]]:
    """Blocks of site ``i`` by the sector that they start from, in either direction."""
    out: dict[int, list[BlockMap]] = defaultdict(list)
    q = mps.site_keys[i]
    for (key, p), block in mps.blocks(i).items():
        to = key + int(q[p])
        if rightward:
            out[key].append(BlockMap(p, to, np.ascontiguousarray(block.T), block.conj()))
        else:
            out[to].append(BlockMap(p, key, block, np.ascontiguousarray(block.conj().T)))
    return dict(out)


def left_edge(mps: BlockState, bond: int) -> Environment:
    """Everything left of ``bond`` traced out: the Schmidt weights."""
    blocks = {
        (key, key): np.diag(part.astype(np.complex128) ** 2)[:, None, :]
        for key, part in mps.bonds[bond].schmidt_by_key().items()
    }
    return Environment(blocks, {0: np.zeros(1, dtype=np.int64)})


def right_edge(mps: BlockState, bond: int) -> Environment:
    """Everything right of ``bond`` traced out: one, as the tensors are right-orthonormal."""
    blocks = {
        (key, key): np.eye(dim, dtype=np.complex128)[:, None, :]
        for key, dim in mps.bonds[bond].sizes().items()
    }
    return Environment(blocks, {0: np.zeros(1, dtype=np.int64)})


def take_in(
    environment: Environment,
    mps: BlockState,
    i: int,
    *,
    rightward: bool,
    kept: int = 1,
    rule: Rule | None = None,
) -> Environment:
    """Add site ``i``, the next one, to an environment.

    Parameters
    ----------
    environment
        Left of the site if ``rightward``, otherwise right of it.
    kept
        Dimension of the trailing factor of the site that ``rule`` sees; the leading one is
        traced out.
    rule
        How the labels change; None traces the whole site.
    """
    if rule is None:
        kept, rule = 1, _unchanged
    q = mps.site_keys[i].reshape(-1, kept) * (1 if rightward else -1)
    moves, labels = _route(environment.labels, q, rule)
    table = steps(mps, i, rightward=rightward)
    out: dict[tuple[int, int], Matrix] = {}
    for (key, other), block in environment.blocks.items():
        rows, slots, columns = block.shape
        flat = block.reshape(rows, -1)
        partners = table.get(other, [])
        for step in table.get(key, []):
            lead, s = divmod(step.p, kept)
            fitting = [
                (partner, moves[key - other, s, partner.p % kept])
                for partner in partners
                if partner.p // kept == lead and (key - other, s, partner.p % kept) in moves
            ]
            if not fitting:
                continue
            half = (step.ket @ flat).reshape(-1, slots, columns)
            for partner, (source, new) in fitting:
                part = half if source.size == slots else half[:, source]
                value = (part.reshape(-1, columns) @ partner.bra).reshape(
                    len(half), source.size, -1
                )
                _add(out, (step.to, partner.to), value, new, labels[step.to - partner.to])
    return Environment(out, labels)


def _unchanged(labels: Ints, s: int, t: int) -> Ints:
    return labels


def _route(
    labels: dict[int, Ints], q: Ints, rule: Rule
) -> tuple[dict[tuple[int, int, int], tuple[Ints, Ints]], dict[int, Ints]]:
    """Slots that survive |s><t| with their new labels, and all labels after the site.

    ``q``, (lead, kept): the keys of the site's states, signed by the direction.
    """
    moves: dict[tuple[int, int, int], tuple[Ints, Ints]] = {}
    found: dict[int, list[Ints]] = defaultdict(list)
    for difference, old in labels.items():
        for s in range(q.shape[1]):
            for t in range(q.shape[1]):
                new = rule(old, s, t)
                source = np.flatnonzero(new >= 0)
                if source.size:
                    moves[difference, s, t] = source, new[source]
                    for shift in set((q[:, s] - q[:, t]).tolist()):
                        found[difference + shift].append(new[source])
    return moves, {key: np.unique(np.concatenate(parts)) for key, parts in found.items()}


def _add(
    out: dict[tuple[int, int], Matrix],
    at: tuple[int, int],
    value: Matrix,
    new: Ints,
    labels: Ints,
) -> None:
    """Add ``value``, whose slots have the labels ``new``, to the block ``at``."""
    if new.size == labels.size and np.array_equal(new, labels):
        if at in out:
            out[at] += value
        else:
            out[at] = value
        return
    if at not in out:
        out[at] = np.zeros((value.shape[0], labels.size, value.shape[2]), dtype=np.complex128)
    out[at][:, np.searchsorted(labels, new)] += value


def rdm(mps: BlockState, sites: Sequence[int], keep: Sequence[int] | None = None) -> Matrix:
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


def _in_chain_order(mps: BlockState, kept: dict[int, int]) -> Matrix:
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
        rule = _pairs(left_dim, kept[i], 1) if i in kept else None
        from_left = take_in(from_left, mps, i, rightward=True, kept=kept.get(i, 1), rule=rule)
    from_right, taken = right_edge(mps, last + 1), 1
    for i in reversed(range(bond, last + 1)):
        rule = _pairs(right_dim, 1, taken) if i in kept else None
        taken *= kept.get(i, 1)
        from_right = take_in(from_right, mps, i, rightward=False, kept=kept.get(i, 1), rule=rule)
    return _meet(from_left, left_dim, from_right, right_dim)


def _side(kept: dict[int, int], sites: Sequence[int]) -> int:
    return prod(kept[i] for i in sites)


def _pairs(size: int, old: int, new: int) -> Rule:
    """Rule of pairs ``i size + i'`` of configurations that a site extends to ``old i + new s``."""

    def rule(labels: Ints, s: int, t: int) -> Ints:
        i, j = labels // size, labels % size
        return np.where((i == j) & (s < t), -1, (old * i + new * s) * size + old * j + new * t)

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
