"""What exact states say of themselves in their group of an HDF5 file: the chain, the sectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import Site

if TYPE_CHECKING:
    import h5py

__all__ = ["read_sectors", "write_sectors"]


def write_sectors(group: h5py.Group, form: str, bases: Sequence[ChargeBasis]) -> None:
    """Write the kind of state, the chain and the charges of the sectors that it occupies."""
    group.attrs["format"] = form
    group.attrs["dims"] = np.array([site.dim for site in bases[0].sites])
    group.attrs["charge_names"] = list(bases[0].charge_names)
    charges = [list(basis.charges.values()) for basis in bases]
    group.attrs["charges"] = np.array(charges, dtype=np.int64)


def read_sectors(
    group: h5py.Group, form: str, sites: Sequence[Site], what: str
) -> list[ChargeBasis]:
    """Return the sectors that `write_sectors` wrote.

    Parameters
    ----------
    group
        Of an open file.
    form
        Kind of state that must be there.
    sites
        The chain that it must belong to.
    what
        The kind in words, as in "holds no state vector".

    Raises
    ------
    InputError
        If the group holds something else or a state of another chain.
    """
    if group.attrs.get("format") != form:
        raise InputError(f"state: {group.name} of {group.file.filename} {what}")
    if not np.array_equal(group.attrs["dims"], [site.dim for site in sites]):
        raise InputError(f"state: {group.file.filename} holds a state of another chain")
    names = [str(name) for name in group.attrs["charge_names"]]
    totals = np.atleast_2d(group.attrs["charges"]).tolist()
    return [ChargeBasis(sites, dict(zip(names, row, strict=True))) for row in totals]
