"""Pairs of neighbouring sites of a matrix product state fused into one, and split again::

    --[B]--[B]--   <->   --[ B ]--
       p    r               pr

so that two-site gates of the fused chain act on four neighbours.  Inside a fused site nothing is
truncated until it is taken apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tnspin.mps.blocks import UNLIMITED, Blocks, Bond, tensor
from tnspin.mps.purified.kraus import least_kept
from tnspin.mps.state import MPS
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.sites import fused as fused_site

#: Smallest share of the weight that counts; below is round-off.
_ROUND_OFF = 1e-30


def pairs_of(length: int) -> list[tuple[int, ...]]:
    """Sites (0, 1), (2, 3), ... of a chain; the last one alone if the length is odd."""
    return [tuple(range(k, min(k + 2, length))) for k in range(0, length, 2)]


def fuse(state: MPS) -> MPS:
    """State on the chain of pairs of its sites, canonical if it was.

    Charges add, and keys with them: all bonds that are left stay as they are.
    """
    groups = pairs_of(state.length)
    sites = [fused_site(tuple(state.sites[k] for k in group)) for group in groups]
    bonds = [state.bonds[group[0]] for group in groups] + [state.bonds[-1]]
    tensors = [
        tensor(left.keys, site.dim, _merged(state, *group))
        if len(group) > 1
        else state.tensors[group[0]]
        for group, site, left in zip(groups, sites, bonds, strict=False)
    ]
    return MPS(sites, state.code, bonds, tensors, canonical=state.canonical)


def take_apart(
    state: MPS, sites: Sequence[Site], cutoff: float = 0.0, bond_dim: int | None = None
) -> tuple[MPS, np.ndarray]:
    """State on single sites again, the inverse of `fuse`, and the discarded weights.

    Parameters
    ----------
    state
        Canonical.
    sites
        The chain, length L.
    cutoff, bond_dim
        Largest share of the weight to discard on each bond inside a pair; its largest dimension.

    Returns
    -------
    MPS, (L - 1,) ndarray
        Canonical; discarded share of each bond, 0 on those between pairs.
    """
    state.ensure_canonical()
    bonds, tensors = [state.bonds[0]], []
    lost = np.zeros(len(sites) - 1)
    limit = UNLIMITED if bond_dim is None else bond_dim
    for n, group in enumerate(pairs_of(len(sites))):
        left, right = state.bonds[n : n + 2]
        if len(group) == 1:
            tensors.append(state.tensors[n])
        else:
            keys = [state.code.site_keys(sites[k]) for k in group]
            middle, first, second, lost[group[0]] = _split(
                state.blocks(n), left, keys, cutoff, limit
            )
            tensors.append(tensor(left.keys, keys[0].size, first))
            tensors.append(tensor(middle.keys, keys[1].size, second))
            bonds.append(middle)
        bonds.append(right)
    # What was cut off left the rows to the left of it not quite orthonormal.
    whole = not lost.any()
    result = MPS(sites, state.code, bonds, tensors, canonical=whole)
    result.ensure_canonical()
    return result, lost


def _merged(state: MPS, i: int, j: int) -> Blocks:
    """Blocks of two neighbouring sites as one."""
    by_key: dict[int, list[tuple[int, Matrix]]] = {}
    for (key, p), block in state.blocks(j).items():
        by_key.setdefault(key, []).append((p, block))
    merged: Blocks = {}
    for (key, p), block in state.blocks(i).items():
        for r, other in by_key.get(key + int(state.site_keys[i][p]), []):
            merged[key, p * state.sites[j].dim + r] = block @ other
    return merged


def _split(
    blocks: Blocks, left: Bond, keys: Sequence[np.ndarray], cutoff: float, limit: int
) -> tuple[Bond, Blocks, Blocks, float]:
    """Bond inside a pair, blocks of both sites, and the discarded share.

    Hastings' form: the second site has the right singular vectors V of the weighted tensor, the
    first the tensor times V^H, without division by a Schmidt value.
    """
    rows, columns = _sectors(blocks, keys)
    weights = left.schmidt_by_key()
    matrices, found = {}, {}
    for mid in sorted(rows):
        matrix = _assembled(blocks, rows[mid], columns[mid], keys[1].size)
        scale = np.concatenate([weights[key] for key, _, _ in rows[mid]])
        _, s, v = np.linalg.svd(scale[:, None] * matrix, full_matrices=False)
        matrices[mid], found[mid] = matrix, (s**2, v)
    squares = np.concatenate([one for one, _ in found.values()])
    least, lost = least_kept(squares, cutoff, limit, _ROUND_OFF)
    first: Blocks = {}
    second: Blocks = {}
    dims, schmidt = {}, []
    for mid, (weight, v) in found.items():
        kept = int(np.count_nonzero(weight >= least))
        if kept == 0:
            continue
        dims[mid] = kept
        schmidt.append(np.sqrt(weight[:kept]))
        inner = matrices[mid] @ v[:kept].conj().T
        ends = np.cumsum([size for *_, size in rows[mid]])[:-1]
        for (key, p, _), part in zip(rows[mid], np.split(inner, ends), strict=True):
            first[key, p] = part
        ends = np.cumsum([size for _, size in columns[mid]])[:-1]
        for (r, _), part in zip(columns[mid], np.split(v[:kept], ends, axis=1), strict=True):
            second[mid, r] = part
    values = np.concatenate(schmidt)
    bond = Bond.of(dims, values / np.linalg.norm(values))
    return bond, first, second, lost


def _sectors(
    blocks: Blocks, keys: Sequence[np.ndarray]
) -> tuple[dict[int, list[tuple[int, int, int]]], dict[int, list[tuple[int, int]]]]:
    """Rows (left key, p, size) and columns (r, size) of each sector inside a pair."""
    rows: dict[int, dict[tuple[int, int], int]] = {}
    columns: dict[int, dict[int, int]] = {}
    for (key, both), block in sorted(blocks.items(), key=lambda item: item[0]):
        p, r = divmod(both, keys[1].size)
        mid = key + int(keys[0][p])
        rows.setdefault(mid, {})[key, p] = block.shape[0]
        columns.setdefault(mid, {})[r] = block.shape[1]
    return (
        {mid: [(*place, size) for place, size in part.items()] for mid, part in rows.items()},
        {mid: sorted(part.items()) for mid, part in columns.items()},
    )


def _assembled(
    blocks: Blocks, rows: list[tuple[int, int, int]], columns: list[tuple[int, int]], dim: int
) -> Matrix:
    """The matrix of one sector; what the charges allow but no block fills is zero."""
    lines = []
    for key, p, height in rows:
        line = [
            blocks.get((key, p * dim + r), np.zeros((height, width), dtype=np.complex128))
            for r, width in columns
        ]
        lines.append(np.concatenate(line, axis=1))
    return np.concatenate(lines)
