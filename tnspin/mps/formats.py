"""Matrix product states from and to other forms: dense arrays, quimb, HDF5."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.algebra import Parts, reached
from tnspin.mps.blocks import Blocks, BlockState, Bond, Tensor
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Site

if TYPE_CHECKING:
    import h5py
    import quimb.tensor as qtn

#: Arrays of a file: its name, and the field of a bond or tensor.
_BOND_ARRAYS = {"keys": "keys", "sector_dims": "dims", "schmidt": "schmidt"}


def sorted_into_blocks(
    arrays: Sequence[np.ndarray], sites: Sequence[Site], code: ChargeCode
) -> Parts:
    """Dimensions and charge blocks of a dense state, rows of one charge split off site by site.

    Parameters
    ----------
    arrays
        (left, p, right) of each site, right-orthonormal.
    sites, code
        The chain and the charges.

    Raises
    ------
    InputError
        If the state is no eigenstate of the charges.
    """
    keys = [code.site_keys(site) for site in sites]
    carry = {0: np.ones((1, 1), dtype=np.complex128)}
    sizes, blocks = [{0: 1}], []
    for dense, q in zip(arrays, keys, strict=True):
        stacks: dict[int, list[tuple[int, int, np.ndarray]]] = defaultdict(list)
        for key, factor in carry.items():
            for p, added in enumerate(q.tolist()):
                stacks[key + added].append((key, p, factor @ dense[:, p]))
        carry, size, new = {}, {}, {}
        for key, parts in stacks.items():
            u, s, vh = np.linalg.svd(np.vstack([m for _, _, m in parts]), full_matrices=False)
            rank = int(np.sum(s > 1e-13))
            if rank == 0:
                continue
            size[key], carry[key] = rank, s[:rank, None] * vh[:rank]
            ends = np.cumsum([len(m) for _, _, m in parts])[:-1]
            for (left, p, _), rows in zip(parts, np.split(u[:, :rank], ends), strict=True):
                new[left, p] = rows
        sizes.append(size)
        blocks.append(new)
    weights = {key: float(np.linalg.norm(factor)) for key, factor in carry.items()}
    total = max(weights, key=lambda key: weights[key])
    if any(w > 1e-10 * weights[total] for key, w in weights.items() if key != total):
        raise InputError(f"from_quimb: the state is no eigenstate of {code.names}")
    sizes[-1] = {total: 1}
    last: Blocks = blocks[-1]
    blocks[-1] = {
        (key, p): m * carry[total][0, 0]
        for (key, p), m in last.items()
        if key + int(keys[-1][p]) == total
    }
    return reached(sizes, blocks, keys)


# ---------------------------------------------------------------------- quimb


def to_quimb(state: BlockState) -> qtn.MatrixProductState:
    """Dense quimb MPS with sectors side by side in ascending key order."""
    import quimb.tensor as qtn

    arrays = [state.dense(i).transpose(0, 2, 1) for i in range(state.length)]
    if state.length == 1:
        return qtn.MatrixProductState([arrays[0][0, 0]], shape="lrp")
    arrays[0], arrays[-1] = arrays[0][0], arrays[-1][:, 0]
    return qtn.MatrixProductState(arrays, shape="lrp")


def from_quimb(psi: qtn.MatrixProductState, sites: Sequence[Site]) -> list[np.ndarray]:
    """Right-orthonormal tensors (left, p, right) of a dense quimb MPS.

    Raises
    ------
    InputError
        If it lives on other sites.
    """
    psi = psi.copy()
    psi.right_canonize()
    if len(sites) != psi.L:
        raise InputError(f"from_quimb: the state has {psi.L} sites, the chain {len(sites)}")
    arrays = []
    for i, site in enumerate(sites):
        bonds = [psi.bond(k, k + 1) for k in (i - 1, i) if 0 <= k < psi.L - 1]
        data = np.asarray(psi[i].transpose(*bonds, psi.site_ind(i)).data, dtype=np.complex128)
        if data.shape[-1] != site.dim:
            raise InputError(f"from_quimb: site {i} has dimension {data.shape[-1]}, not {site.dim}")
        left = data.shape[0] if i > 0 else 1
        arrays.append(data.reshape(left, -1, site.dim).transpose(0, 2, 1))
    return arrays


# ---------------------------------------------------------------------- HDF5


def save(state: BlockState, group: h5py.Group) -> None:
    """Write tensors, sectors and Schmidt values into ``group``."""
    group.attrs["charge_names"] = list(state.charge_names)
    group.attrs["strides"] = np.array(state.code.strides, dtype=np.int64)
    group.attrs["canonical"] = state.canonical
    bonds, tensors = state.bonds, state.tensors
    group["sectors"] = np.array([bond.keys.size for bond in bonds])
    group["schmidt_sizes"] = np.array([bond.schmidt.size for bond in bonds])
    for name, field in _BOND_ARRAYS.items():
        group[name] = np.concatenate([getattr(bond, field) for bond in bonds])
    group["offsets"] = np.concatenate([tensor.offset.ravel() for tensor in tensors])
    group["data_sizes"] = np.array([tensor.data.size for tensor in tensors])
    group["data"] = np.concatenate([tensor.data for tensor in tensors])


def load(
    group: h5py.Group, sites: Sequence[Site]
) -> tuple[ChargeCode, list[Bond], list[Tensor], bool]:
    """Read what `save` wrote: the arguments of `BlockState` after ``sites``."""
    code = ChargeCode(
        tuple(str(name) for name in group.attrs["charge_names"]),
        tuple(int(stride) for stride in group.attrs["strides"]),
    )
    dims = np.array([site.dim for site in sites])
    sectors = group["sectors"][:]
    sizes = dict.fromkeys(_BOND_ARRAYS, sectors)
    sizes |= {"schmidt": group["schmidt_sizes"][:], "offsets": sectors[:-1] * dims}
    sizes["data"] = group["data_sizes"][:]
    pieces = {
        name: [part.copy() for part in np.split(group[name][:], np.cumsum(size)[:-1])]
        for name, size in sizes.items()
    }
    bonds = [Bond(*parts) for parts in zip(*(pieces[name] for name in _BOND_ARRAYS), strict=True)]
    tensors = [
        Tensor(offset.reshape(-1, dim), values)
        for offset, dim, values in zip(pieces["offsets"], dims, pieces["data"], strict=True)
    ]
    return code, bonds, tensors, bool(group.attrs["canonical"])
