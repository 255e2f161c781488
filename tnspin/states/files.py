"""States in HDF5 files: the charge sectors of exact ones, and reading any representation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import Site

if TYPE_CHECKING:
    import h5py

__all__ = ["read_sectors", "write_sectors"]


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
