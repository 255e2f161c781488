"""Sums of block-sparse states and their products with operators, exact and not compressed.

In a sum, every bond is the direct sum of the bonds of the states; in a product, the direct sum
of as many copies of the old bond as the operator's bond has states::

    --[W]--      --[W A]--
       |      =      |
    --[A]--
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.blocks import Blocks, BlockState, Bond
from tnspin.operators.sites import Matrix
from tnspin.operators.spin_mpo import Operator

#: Per bond {key: dimension} and per site the blocks: arguments of `BlockState.from_blocks`.
Parts = tuple[list[dict[int, int]], list[Blocks]]


class Summand(NamedTuple):
    """A state in a direct sum.

    Attributes
    ----------
    state, factor
        The state and the number that it is multiplied by.
    keys
        ``{key: new key}`` of each bond; None: keys stay.
    first
        Number that the local state 0 of each site gets; None: 0.
    """

    state: BlockState
    factor: complex = 1.0
    keys: Sequence[Mapping[int, int]] | None = None
    first: Sequence[int] | None = None


def direct_sum(parts: Sequence[Summand]) -> Parts:
    """Dimensions and blocks of a sum of states that share both ends of the chain."""
    length = parts[0].state.length
    sizes: list[dict[int, int]] = [{} for _ in range(length + 1)]
    places = [[_placed(sizes[k], part, k) for k in range(length + 1)] for part in parts]
    blocks: list[Blocks] = [{} for _ in range(length)]
    for part, place in zip(parts, places, strict=True):
        for i, new in enumerate(blocks):
            first = 0 if part.first is None else part.first[i]
            for (key, p), block in part.state.blocks(i).items():
                to = key + int(part.state.site_keys[i][p])
                (row, x), (column, y) = place[i][key], place[i + 1][to]
                at = row, first + p
                if at not in new:
                    new[at] = np.zeros((sizes[i][row], sizes[i + 1][column]), dtype=np.complex128)
                target = new[at][x : x + block.shape[0], y : y + block.shape[1]]
                target += block if i else part.factor * block
    return sizes, blocks


def _placed(sizes: dict[int, int], part: Summand, k: int) -> dict[int, tuple[int, int]]:
    """New key and first state of each sector of bond k of a part; ``sizes`` grow by it."""
    edge, place = k in (0, part.state.length), {}
    for key, size in part.state.bonds[k].sizes().items():
        to = key if part.keys is None else part.keys[k][key]
        start = 0 if edge else sizes.get(to, 0)
        place[key], sizes[to] = (to, start), start + size
    return place


class WidenedBond(NamedTuple):
    """A bond after an operator has acted.

    Attributes
    ----------
    shifts
        Key that each state of the operator's bond adds.
    sizes
        Dimension of each new sector.
    place
        ``{(operator state, old key): first state in the new sector}``.
    """

    shifts: list[int]
    sizes: dict[int, int]
    place: dict[tuple[int, int], int]


def widened_bond(bond: Bond, shifts: Sequence[int]) -> WidenedBond:
    """Put the sectors of a bond side by side, once for each state of an operator's bond."""
    sizes: dict[int, int] = defaultdict(int)
    place = {}
    for a, added in enumerate(shifts):
        for key, size in bond.sizes().items():
            place[a, key] = sizes[key + added]
            sizes[key + added] += size
    return WidenedBond(list(shifts), dict(sizes), place)


def operator_on_site(
    w: Matrix,
    blocks: Mapping[tuple[int, int], Matrix],
    site_keys: np.ndarray,
    bonds: Sequence[WidenedBond],
    rest: int = 1,
) -> Blocks:
    """Blocks of a site after one tensor of an operator or of a channel has acted on it.

    Parameters
    ----------
    w
        (w, w', n, d, d), [left, right, Kraus, out, in], on the trailing factor d of the site.
    blocks, site_keys
        The site, its local states being (Kraus, rest, d).
    bonds
        Both bonds afterwards.
    rest
        Dimension of what lies between the Kraus index and the factor d.
    """
    (left, right), n, d = bonds, w.shape[2], w.shape[3]
    actions = defaultdict(list)
    for a, b, into in zip(*np.nonzero(w.any(axis=(2, 3))), strict=True):
        x, out = np.nonzero(w[a, b, :, :, into])
        values = w[a, b, x, out, into][:, None, None]
        actions[int(into)].append((int(a), int(b), x, out, values))
    # All new local states that lead from one sector to another are filled together.
    stacks: dict[tuple[int, int], Matrix] = {}
    width = len(site_keys) * n
    for (key, local), block in blocks.items():
        lead, into = divmod(local, d)
        k, r = divmod(lead, rest)
        to = key + int(site_keys[local])
        for a, b, x, out, values in actions[into]:
            at = key + left.shifts[a], to + right.shifts[b]
            if at not in stacks:
                shape = width, left.sizes[at[0]], right.sizes[at[1]]
                stacks[at] = np.zeros(shape, dtype=np.complex128)
            i, j = left.place[a, key], right.place[b, to]
            rows, columns = slice(i, i + block.shape[0]), slice(j, j + block.shape[1])
            stacks[at][((k * n + x) * rest + r) * d + out, rows, columns] += values * block
    return {
        (key, int(local)): stack[local]
        for (key, _), stack in stacks.items()
        for local in np.flatnonzero(stack.any(axis=(1, 2)))
    }


def apply_mpo(
    state: BlockState, ws: Sequence[np.ndarray], bond_charges: Sequence[np.ndarray]
) -> Parts:
    """Dimensions and blocks of the product of an MPO and a state; see `MPS.apply_mpo`."""
    bonds = [
        widened_bond(bond, state.code.encode(charges).tolist())
        for bond, charges in zip(state.bonds, bond_charges, strict=True)
    ]
    blocks = []
    for i, w in enumerate(ws):
        left, right = (np.array(one.shifts)[:, None, None] for one in bonds[i : i + 2])
        q, old = state.site_keys[i], state.blocks(i)
        occupied = sorted({p for _, p in old})
        changed = left[:, None] + np.subtract.outer(q, q[occupied]) != right
        if np.any(changed & (w[..., occupied] != 0)):
            raise InputError(f"apply_mpo: the operator at site {i} changes the charge")
        blocks.append(operator_on_site(w[:, :, None], old, q, bonds[i : i + 2]))
    return reached([one.sizes for one in bonds], blocks, state.site_keys)


def reached(
    sizes: list[dict[int, int]], blocks: list[Blocks], site_keys: Sequence[np.ndarray]
) -> Parts:
    """Sectors and blocks that lie on a path from the left end to the right end.

    Raises
    ------
    InputError
        If there is no such path: the operator has annihilated the state.
    """
    length = len(blocks)
    alive = [{0}]
    for i in range(length):
        alive.append({k + int(site_keys[i][p]) for k, p in blocks[i] if k in alive[i]})
    if not alive[-1]:
        raise InputError("apply_mpo: the operator annihilates the state")
    for i in reversed(range(length)):
        alive[i] &= {k for k, p in blocks[i] if k + int(site_keys[i][p]) in alive[i + 1]}
    kept = [
        {
            (k, p): m
            for (k, p), m in blocks[i].items()
            if k in alive[i] and k + int(site_keys[i][p]) in alive[i + 1]
        }
        for i in range(length)
    ]
    return [{k: d for k, d in sizes[i].items() if k in alive[i]} for i in range(length + 1)], kept


def joined(operators: Sequence[Operator], where: Sequence[Sequence[int]]) -> list[Operator]:
    """Merge matrix product operators that act on separate stretches of the chain into one each.

    Parameters
    ----------
    operators
        Tensors and bond charges of each, which change no charge.
    where
        Sites that each acts on.

    Returns
    -------
    list
        Fewer operators with the same product.
    """
    merged: list[tuple[Operator, list[tuple[int, int]]]] = []
    for (ws, bonds), sites in zip(operators, where, strict=True):
        first, last = min(sites), max(sites)
        if merged and all(last < a or first > b for a, b in merged[-1][1]):
            (together, charges), stretches = merged[-1]
            together[first : last + 1] = ws[first : last + 1]
            charges[first : last + 2] = bonds[first : last + 2]
            stretches.append((first, last))
        else:
            merged.append(((list(ws), list(bonds)), [(first, last)]))
    return [operator for operator, _ in merged]
