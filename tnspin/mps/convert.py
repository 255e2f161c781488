"""Block-sparse states from and to other forms: operators applied, quimb's dense tensors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.blocks import Bond, Tensor
from tnspin.mps.purified.kraus import side
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Site

if TYPE_CHECKING:
    import quimb.tensor as qtn

    from tnspin.mps.state import MPS

#: Per bond {key: dimension} and per site {(left key, p): matrix}: arguments of `MPS.from_blocks`.
_Parts: TypeAlias = tuple[list[dict[int, int]], list[dict[tuple[int, int], np.ndarray]]]


def apply_mpo(mps: MPS, ws: Sequence[np.ndarray], bond_charges: Sequence[np.ndarray]) -> _Parts:
    """Blocks of the product of an MPO and ``mps``; see `MPS.apply_mpo`.

    The new bond sector of key K is the direct sum over operator states a of the old sectors
    ``K - key(a)``::

        --[ W ]--      --[ W A ]--
           |       =        |
        --[ A ]--
    """
    sides = [
        side(bond, mps.code.encode(charges).tolist())
        for bond, charges in zip(mps.bonds, bond_charges, strict=True)
    ]
    out = []
    for i, w in enumerate(ws):
        q, near, beyond = mps.site_keys[i].tolist(), *sides[i : i + 2]
        new: dict[tuple[int, int], np.ndarray] = {}
        old: dict[int, list[tuple[int, np.ndarray]]] = defaultdict(list)
        for (key, p), block in mps.blocks(i).items():
            old[p].append((key, block))
        for a, b, after, p in zip(*(index.tolist() for index in np.nonzero(w)), strict=True):
            for key, block in old[p]:
                left, right = key + near.shifts[a], key + q[p] + beyond.shifts[b]
                if left + q[after] != right:
                    raise InputError(f"apply_mpo: the operator at site {i} changes the charge")
                if (left, after) not in new:
                    shape = near.dims[left], beyond.dims[right]
                    new[left, after] = np.zeros(shape, dtype=np.complex128)
                x, y = near.place[a, key], beyond.place[b, key + q[p]]
                target = new[left, after]
                target[x : x + block.shape[0], y : y + block.shape[1]] += w[a, b, after, p] * block
        out.append(new)
    return _drop_unreached([one.dims for one in sides], out, list(mps.site_keys))


def _drop_unreached(
    dims: list[dict[int, int]],
    blocks: list[dict[tuple[int, int], np.ndarray]],
    site_keys: list[np.ndarray],
) -> _Parts:
    """Remove sectors that no path from the left end to the right end visits."""
    length = len(blocks)
    reached = [{0}]
    for i in range(length):
        reached.append({k + int(site_keys[i][p]) for k, p in blocks[i] if k in reached[i]})
    if not reached[-1]:
        raise InputError("apply_mpo: the operator annihilates the state")
    for i in reversed(range(length)):
        used = {k for k, p in blocks[i] if k + int(site_keys[i][p]) in reached[i + 1]}
        reached[i] &= used
    kept = [
        {
            (k, p): m
            for (k, p), m in blocks[i].items()
            if k in reached[i] and k + int(site_keys[i][p]) in reached[i + 1]
        }
        for i in range(length)
    ]
    return [{k: d for k, d in dims[i].items() if k in reached[i]} for i in range(length + 1)], kept


def dense(mps: MPS, i: int) -> np.ndarray:
    """One site as an array (left, p, right); see `MPS.dense`."""
    bonds = mps.bonds[i : i + 2]
    ends = [np.cumsum(bond.dims) for bond in bonds]
    left, right = (
        dict(zip(bond.keys.tolist(), (end - bond.dims).tolist(), strict=True))
        for bond, end in zip(bonds, ends, strict=True)
    )
    found = np.zeros((ends[0][-1], mps.sites[i].dim, ends[1][-1]), dtype=np.complex128)
    for (key, p), block in mps.blocks(i).items():
        a, b = left[key], right[key + int(mps.site_keys[i][p])]
        found[a : a + block.shape[0], p, b : b + block.shape[1]] = block
    return found


def to_quimb(mps: MPS) -> qtn.MatrixProductState:
    """Dense quimb MPS with sectors side by side in ascending key order."""
    import quimb.tensor as qtn

    arrays = [mps.dense(i).transpose(0, 2, 1) for i in range(mps.length)]
    if mps.length == 1:
        return qtn.MatrixProductState([arrays[0][0, 0]], shape="lrp")
    arrays[0], arrays[-1] = arrays[0][0], arrays[-1][:, 0]
    return qtn.MatrixProductState(arrays, shape="lrp")


def from_quimb(psi: qtn.MatrixProductState, sites: Sequence[Site], code: ChargeCode) -> _Parts:
    """Charge blocks of a dense MPS, from the left: rows of one charge are split off exactly."""
    psi = psi.copy()
    psi.right_canonize()
    length = psi.L
    if length != len(sites):
        raise InputError(f"from_quimb: the state has {length} sites, the chain {len(sites)}")
    carry = {0: np.ones((1, 1), dtype=np.complex128)}
    dims = [{0: 1}]
    blocks = []
    for i, site in enumerate(sites):
        dense = _lrp(psi, i, site)
        stacks: dict[int, list[tuple[int, int, np.ndarray]]] = defaultdict(list)
        for key, factor in carry.items():
            for p, q in enumerate(code.site_keys(site).tolist()):
                stacks[key + q].append((key, p, factor @ dense[:, :, p]))
        carry, dim, new = {}, {}, {}
        for key, parts in stacks.items():
            u, s, vh = np.linalg.svd(np.vstack([m for _, _, m in parts]), full_matrices=False)
            rank = int(np.sum(s > 1e-13))
            if rank == 0:
                continue
            dim[key], carry[key] = rank, s[:rank, None] * vh[:rank]
            at = 0
            for left, p, m in parts:
                new[left, p] = u[at : at + m.shape[0], :rank]
                at += m.shape[0]
        dims.append(dim)
        blocks.append(new)
    weights = {key: float(np.linalg.norm(factor)) for key, factor in carry.items()}
    total = max(weights, key=lambda key: weights[key])
    if any(w > 1e-10 * weights[total] for key, w in weights.items() if key != total):
        raise InputError(f"from_quimb: the state is no eigenstate of {code.names}")
    keys = [code.site_keys(site) for site in sites]
    dims[-1] = {total: 1}
    blocks[-1] = {
        (key, p): m * carry[total][0, 0]
        for (key, p), m in blocks[-1].items()
        if key + int(keys[-1][p]) == total
    }
    return _drop_unreached(dims, blocks, keys)


def _lrp(psi: qtn.MatrixProductState, i: int, site: Site) -> np.ndarray:
    """Tensor i of a quimb MPS as (left, right, physical), edges included."""
    tensor = psi[i]
    physical = psi.site_ind(i)
    inds = [physical]
    if i + 1 < psi.L:
        inds.insert(0, psi.bond(i, i + 1))
    if i > 0:
        inds.insert(0, psi.bond(i - 1, i))
    data = np.asarray(tensor.transpose(*inds).data, dtype=np.complex128)
    if data.shape[-1] != site.dim:
        raise InputError(f"from_quimb: site {i} has dimension {data.shape[-1]}, not {site.dim}")
    left = data.shape[0] if i > 0 else 1
    return data.reshape(left, -1, site.dim)


if TYPE_CHECKING:
    import h5py

    from tnspin.mps.state import MPS


def save(mps: MPS, group: h5py.Group) -> None:
    """Write tensors, sectors and Schmidt values of ``mps`` into ``group``."""
    group.attrs["charge_names"] = list(mps.charge_names)
    group.attrs["strides"] = np.array(mps.code.strides, dtype=np.int64)
    group.attrs["canonical"] = mps.canonical
    bonds, tensors = mps.bonds, mps.tensors
    group["sectors"] = np.array([bond.keys.size for bond in bonds])
    group["keys"] = np.concatenate([bond.keys for bond in bonds])
    group["sector_dims"] = np.concatenate([bond.dims for bond in bonds])
    group["schmidt_sizes"] = np.array([bond.schmidt.size for bond in bonds])
    group["schmidt"] = np.concatenate([bond.schmidt for bond in bonds])
    group["offsets"] = np.concatenate([tensor.offset.ravel() for tensor in tensors])
    group["data_sizes"] = np.array([tensor.data.size for tensor in tensors])
    group["data"] = np.concatenate([tensor.data for tensor in tensors])


def _split(group: h5py.Group, name: str, sizes: np.ndarray) -> list[np.ndarray]:
    return [part.copy() for part in np.split(group[name][:], np.cumsum(sizes)[:-1])]


def load(
    group: h5py.Group, sites: Sequence[Site]
) -> tuple[ChargeCode, list[Bond], list[Tensor], bool]:
    """Read what `save` wrote: the arguments of `MPS` after ``sites``."""
    dims = np.array([site.dim for site in sites])
    code = ChargeCode(
        tuple(str(name) for name in group.attrs["charge_names"]),
        tuple(int(stride) for stride in group.attrs["strides"]),
    )
    sectors = group["sectors"][:]
    bonds = [
        Bond(*parts)
        for parts in zip(
            _split(group, "keys", sectors),
            _split(group, "sector_dims", sectors),
            _split(group, "schmidt", group["schmidt_sizes"][:]),
            strict=True,
        )
    ]
    offsets = _split(group, "offsets", sectors[:-1] * dims)
    data = _split(group, "data", group["data_sizes"][:])
    tensors = [
        Tensor(offset.reshape(-1, dim), values)
        for offset, dim, values in zip(offsets, dims, data, strict=True)
    ]
    return code, bonds, tensors, bool(group.attrs["canonical"])
