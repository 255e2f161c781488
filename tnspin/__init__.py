"""tnspin: driven quantum spins and electrons by tensor networks."""

from __future__ import annotations

from .version import __version__

__all__ = ["__version__"]
