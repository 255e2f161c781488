"""Sectors and blocks: what bonds and tensors of a block-sparse MPS are made of."""

from __future__ import annotations

from typing import NamedTuple

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


def trivial_bond(key: int) -> Bond:
    """One sector of dimension one."""
    return Bond(np.array([key], dtype=np.int64), np.ones(1, dtype=np.int64), np.ones(1))
