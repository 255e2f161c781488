"""Initial states: one file for each kind of the ``[state]`` table, and what it describes.

A kind is a registered `InitialState`; its ``build(model)`` gives a `Description`, which is compiled
to the representation that a solver needs.
"""

from __future__ import annotations

from typing import Any

from tnspin.states.initial.base import STATES, Description, InitialState
from tnspin.states.initial.bell import BellPairs, bell, werner
from tnspin.states.initial.ground import GroundState, ground
from tnspin.states.initial.mixture import Mixture
from tnspin.states.initial.product import product
from tnspin.states.initial.pulses import confined_electrons, wave_packet
from tnspin.states.initial.slater import SlaterProduct, SlaterState
from tnspin.states.initial.spins import coherent, localized_spin_vectors
from tnspin.states.initial.thermal import ThermalState, gibbs

__all__ = [
    "STATES", "BellPairs", "Description", "GroundState", "InitialState", "Mixture",
    "SlaterProduct", "SlaterState", "ThermalState", "bell", "build", "coherent",
    "confined_electrons", "gibbs", "ground", "localized_spin_vectors", "product", "wave_packet",
    "werner",
]  # fmt: skip


def build(kind: str, model: Any, **values: Any) -> Description:
    """Describe the initial state of a ``[state]`` table for a model.

    Raises
    ------
    InputError
        If the kind or a key is unknown, a key is missing, or a value is out of range.
    """
    described: Description = STATES.build({"kind": kind, **values}).build(model)
    return described
