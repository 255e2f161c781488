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

from tnspin.numerics.blas import prefer_wide_kernels

prefer_wide_kernels()

from tnspin.version import __version__  # noqa: E402  (BLAS kernels are chosen before numpy loads)

if TYPE_CHECKING:
    from tnspin.errors import InputError, RunError
    from tnspin.models.heisenberg import HeisenbergChain
    from tnspin.models.kondo_heisenberg import KondoHeisenbergChain
    from tnspin.models.spin_dimer import SpinDimer
    from tnspin.mps.dmrg import ground_state
    from tnspin.mps.state import MPS
    from tnspin.observables.measures import (
        bell_nonlocality,
        concurrence,
        correlation_matrix,
        entropy,
        expect,
        log_negativity,
        mutual_information,
        rdm,
        schmidt,
        trace_distance,
    )
    from tnspin.operators.jump_operator import JumpOperator
    from tnspin.operators.operator_sum import OperatorSum
    from tnspin.operators.sites import boson, electron, kondo, spin
    from tnspin.results.distance import Distance, distance
    from tnspin.results.result import Result, load
    from tnspin.runs.record import record
    from tnspin.solvers import evolve
    from tnspin.states.ensemble import Ensemble
    from tnspin.states.initial.product import product
    from tnspin.states.initial.pulses import confined_electrons
    from tnspin.states.initial.thermal import gibbs
    from tnspin.states.vector import VectorState

_HOMES = {
    "errors": ("InputError", "RunError",),
    "models.heisenberg": ("HeisenbergChain",),
    "models.kondo_heisenberg": ("KondoHeisenbergChain",),
    "models.spin_dimer": ("SpinDimer",),
    "mps.dmrg": ("ground_state",),
    "mps.state": ("MPS",),
    "observables.measures": ("bell_nonlocality", "concurrence", "correlation_matrix",
        "entropy", "expect", "log_negativity", "mutual_information", "rdm", "schmidt",
        "trace_distance",),
    "operators.jump_operator": ("JumpOperator",),
    "operators.operator_sum": ("OperatorSum",),
    "operators.sites": ("boson", "electron", "kondo", "spin",),
    "results.distance": ("Distance", "distance",),
    "results.result": ("Result", "load",),
    "runs.record": ("record",),
    "solvers": ("evolve",),
    "states.ensemble": ("Ensemble",),
    "states.initial.product": ("product",),
    "states.initial.pulses": ("confined_electrons",),
    "states.initial.thermal": ("gibbs",),
    "states.vector": ("VectorState",),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "MPS", "Distance", "Ensemble", "HeisenbergChain", "InputError", "JumpOperator",
    "KondoHeisenbergChain", "OperatorSum", "Result", "RunError", "SpinDimer", "VectorState",
    "__version__", "bell_nonlocality", "boson", "concurrence", "confined_electrons",
    "correlation_matrix", "distance", "electron", "entropy", "evolve", "expect", "gibbs",
    "ground_state", "kondo", "load", "log_negativity", "mutual_information", "product", "rdm",
    "record", "schmidt", "spin", "trace_distance",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tnspin' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
