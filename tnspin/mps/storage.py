"""MPS in an HDF5 group: a few flat datasets, exact to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..sites import Site
from .blocks import Bond, Tensor
from .charges import ChargeCode

if TYPE_CHECKING:
    import h5py

    from .state import MPS

_FORMAT = "tnspin-mps-1"


def save(mps: MPS, group: h5py.Group) -> None:
    """Write tensors, sectors and Schmidt values of ``mps`` into ``group``."""
    group.attrs["format"] = _FORMAT
    group.attrs["charge_names"] = list(mps.charge_names)
    group.attrs["strides"] = np.array(mps.code.strides, dtype=np.int64)
    group.attrs["canonical"] = mps.canonical
    group.attrs["dims"] = np.array([site.dim for site in mps.sites])
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
    """Read what `save` wrote: the arguments of `MPS` after ``sites``.

    Raises
    ------
    InputError
        If the group holds something else or a state on other sites.
    """
    if group.attrs.get("format") != _FORMAT:
        where = f"{group.name} of {group.file.filename}"
        raise InputError(f"state: {where} holds no matrix product state")
    dims = np.array([site.dim for site in sites])
    if not np.array_equal(dims, group.attrs["dims"]):
        raise InputError(f"state: {group.file.filename} holds a state of another chain")
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
