"""Sectors and blocks: what bonds and tensors of a block-sparse MPS are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

#: Larger than any bond dimension: no limit.
UNLIMITED = np.iinfo(np.int64).max


class Bond(NamedTuple):
    """Sectors between two sites: ascending ``keys`` and ``dims`` (n), flat ``schmidt`` values.

    The Schmidt values are those of the canonical form, sector after sector.
    """

    keys: np.ndarray
    dims: np.ndarray
    schmidt: np.ndarray


class Tensor(NamedTuple):
    """Blocks of one site: ``offset (left sector, p)`` into the flat ``data``, -1 if absent."""

    offset: np.ndarray
    data: np.ndarray


def tensor(keys: np.ndarray, width: int, blocks: Mapping[tuple[int, int], np.ndarray]) -> Tensor:
    """Flat form of ``{(left key, p): matrix}``, ``keys`` being those of the left bond.

    ``width`` is the number of local states p.
    """
    offset = np.full((keys.size, width), -1, dtype=np.int64)
    parts: list[Any] = [np.empty(0, dtype=np.complex128)]
    at = 0
    for key, p in sorted(blocks):
        block = blocks[key, p]
        offset[np.searchsorted(keys, key), p] = at
        parts.append(np.ascontiguousarray(block, dtype=np.complex128).ravel())
        at += block.size
    return Tensor(offset, np.concatenate(parts))


def trivial_bond(key: int) -> Bond:
    """One sector of dimension one."""
    return Bond(np.array([key], dtype=np.int64), np.ones(1, dtype=np.int64), np.ones(1))
