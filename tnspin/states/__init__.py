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
    import tnspin.mps.density
    import tnspin.mps.purified.state
    import tnspin.states.classical
    import tnspin.states.density
    import tnspin.states.ensemble
    import tnspin.states.hybrid
    import tnspin.states.mean_field
    import tnspin.states.one_electron
    import tnspin.states.spectral  # noqa: F401
    from tnspin.operators.state import State

    return State.load(group, sites)
