"""Basis states of charge sectors: split into kept sites and the rest, and written to files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tnspin.operators.basis import ChargeBasis, Ints
from tnspin.operators.sites import Site

if TYPE_CHECKING:
    import h5py

Codes = NDArray[np.uint8]


def write_sectors(group: h5py.Group, bases: Sequence[ChargeBasis]) -> None:
    """Write the charges of the sectors that a state occupies."""
    group.attrs["charge_names"] = list(bases[0].charge_names)
    charges = [list(basis.charges.values()) for basis in bases]
    group.attrs["charges"] = np.array(charges, dtype=np.int64)


def read_sectors(group: h5py.Group, sites: Sequence[Site]) -> list[ChargeBasis]:
    """Sectors that `write_sectors` wrote, of a chain of these sites."""
    names = [str(name) for name in group.attrs["charge_names"]]
    totals = np.atleast_2d(group.attrs["charges"]).tolist()
    return [ChargeBasis(sites, dict(zip(names, row, strict=True))) for row in totals]


def split_codes(states: Codes, sites: Sequence[int], keep: Sequence[int]) -> tuple[Ints, Codes]:
    """Number of the kept part of each basis state, first site slowest, and what is left.

    Parameters
    ----------
    states
        (D, L) local states.
    sites, keep
        Sites, and the trailing dimension to keep of each.
    """
    codes, rest = np.zeros(len(states), dtype=np.int64), states.copy()
    for k, size in zip(sites, keep, strict=True):
        codes = codes * size + states[:, k] % size
        rest[:, k] //= size
    return codes, rest


def ranks(rows: Codes) -> Ints:
    """Number equal rows alike, 0, 1, ...; all 0 if there are no columns."""
    if rows.shape[1] == 0:
        return np.zeros(len(rows), dtype=np.int64)
    # One comparison of bytes per row instead of one per column.
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()
    return np.unique(whole, return_inverse=True)[1].astype(np.int64)
