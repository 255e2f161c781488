"""Classical spins: unit vectors that follow from the same operator sum as the quantum run.

Names load what they need on first use: reports judge a comparison without compiling anything.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison import Comparison, compare
    from .energy import ClassicalEnergy, classical_energy
    from .fit import DampingFit, fit_damping
    from .integrator import LandauLifshitz
    from .judgement import Verdict, verdict
    from .state import ClassicalState

_HOMES = {
    "comparison": ("Comparison", "compare"),
    "energy": ("ClassicalEnergy", "classical_energy"),
    "fit": ("DampingFit", "fit_damping"),
    "integrator": ("LandauLifshitz",),
    "state": ("ClassicalState",),
    "judgement": ("Verdict", "verdict"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ClassicalEnergy",
    "ClassicalState",
    "Comparison",
    "DampingFit",
    "LandauLifshitz",
    "Verdict",
    "classical_energy",
    "compare",
    "fit_damping",
    "verdict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tnspin.classical' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
