"""States of a chain, one file per representation, and the initial states of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py

    from tnspin.operators.sites import Site
    from tnspin.operators.state import State

__all__ = ["load_state"]


def load_state(group: h5py.Group, sites: Sequence[Site]) -> State:
    """Read the state of any representation from an open HDF5 group (`State.load`)."""
    # Each of them registers the format of its files.
    from tnspin.mps import density, state  # noqa: F401
    from tnspin.mps.purified import state as purified  # noqa: F401
    from tnspin.operators.state import State
    from tnspin.states import (  # noqa: F401
        classical,
        ensemble,
        hybrid,
        mean_field,
        one_electron,
        spectral,
    )  # fmt: skip

    return State.load(group, sites)
