"""Classical counterparts of a quantum run: spins as vectors from the same start, and a verdict."""

from __future__ import annotations

from tnspin.runs.counterparts.base import Counterpart
from tnspin.schema import Registry

__all__ = ["COUNTERPARTS", "Counterpart"]

#: Kind -> class of counterpart.
COUNTERPARTS = Registry("classical", __name__)
