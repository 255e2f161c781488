"""tnspin: driven quantum spins and electrons by tensor networks.

``import tnspin as ts`` gives the whole library; names load what they need on first use::

    ts.entropy(state, bond)                       # any state, quimb's included
    ts.log_negativity(state, part_a, part_b)
    ts.evolve(model, state, times, solver="tebd", bond_dim=400)
    ts.load("pulse.h5")["spin"]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .blas import prefer_wide_kernels

prefer_wide_kernels()

from .version import __version__  # noqa: E402  (BLAS kernels are chosen before numpy loads)

if TYPE_CHECKING:
    from .baths import JumpOperator
    from .ensemble import Ensemble
    from .errors import InputError, RunError
    from .measures import (
        bell_nonlocality,
        concurrence,
        correlation_matrix,
        log_negativity,
        mutual_information,
        trace_distance,
    )
    from .models import HeisenbergChain, KondoHeisenbergChain, SpinDimer
    from .mps import MPS
    from .mps.dmrg import ground_state
    from .reduced import entropy, expect, rdm, schmidt
    from .result import Result, load
    from .sites import boson, electron, kondo, spin
    from .solvers import evolve
    from .states import confined_electrons, gibbs, product
    from .terms import OperatorSum
    from .trajectory_distance import Distance, distance
    from .vector import VectorState

_HOMES = {
    "baths": ("JumpOperator",),
    "ensemble": ("Ensemble",),
    "errors": ("InputError", "RunError"),
    "measures": (
        "bell_nonlocality",
        "concurrence",
        "correlation_matrix",
        "log_negativity",
        "mutual_information",
        "trace_distance",
    ),
    "models": ("HeisenbergChain", "KondoHeisenbergChain", "SpinDimer"),
    "mps": ("MPS",),
    "mps.dmrg": ("ground_state",),
    "reduced": ("entropy", "expect", "rdm", "schmidt"),
    "result": ("Result", "load"),
    "sites": ("boson", "electron", "kondo", "spin"),
    "solvers": ("evolve",),
    "states": ("confined_electrons", "gibbs", "product"),
    "terms": ("OperatorSum",),
    "trajectory_distance": ("Distance", "distance"),
    "vector": ("VectorState",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "MPS",
    "Distance",
    "Ensemble",
    "HeisenbergChain",
    "InputError",
    "JumpOperator",
    "KondoHeisenbergChain",
    "OperatorSum",
    "Result",
    "RunError",
    "SpinDimer",
    "VectorState",
    "__version__",
    "bell_nonlocality",
    "boson",
    "concurrence",
    "confined_electrons",
    "correlation_matrix",
    "distance",
    "electron",
    "entropy",
    "evolve",
    "expect",
    "gibbs",
    "ground_state",
    "kondo",
    "load",
    "log_negativity",
    "mutual_information",
    "product",
    "rdm",
    "schmidt",
    "spin",
    "trace_distance",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tnspin' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
