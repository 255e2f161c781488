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
    from tnspin.baths.base import Bath as Bath
    from tnspin.errors import InputError as InputError
    from tnspin.errors import RunError as RunError
    from tnspin.models import Model as Model
    from tnspin.models.heisenberg import HeisenbergChain as HeisenbergChain
    from tnspin.models.kondo_heisenberg import KondoHeisenbergChain as KondoHeisenbergChain
    from tnspin.models.lattice import Lattice as Lattice
    from tnspin.models.open_heisenberg import OpenHeisenbergChain as OpenHeisenbergChain
    from tnspin.models.spin_dimer import SpinDimer as SpinDimer
    from tnspin.mps.dmrg import ground_state as ground_state
    from tnspin.mps.state import MPS as MPS
    from tnspin.observables.base import Observable as Observable
    from tnspin.observables.measures import bell_nonlocality as bell_nonlocality
    from tnspin.observables.measures import concurrence as concurrence
    from tnspin.observables.measures import correlation_matrix as correlation_matrix
    from tnspin.observables.measures import entropy as entropy
    from tnspin.observables.measures import expect as expect
    from tnspin.observables.measures import log_negativity as log_negativity
    from tnspin.observables.measures import mutual_information as mutual_information
    from tnspin.observables.measures import rdm as rdm
    from tnspin.observables.measures import schmidt as schmidt
    from tnspin.observables.measures import trace_distance as trace_distance
    from tnspin.operators.jump_operator import JumpOperator as JumpOperator
    from tnspin.operators.operator_sum import OperatorSum as OperatorSum
    from tnspin.operators.sites import boson as boson
    from tnspin.operators.sites import electron as electron
    from tnspin.operators.sites import kondo as kondo
    from tnspin.operators.sites import spin as spin
    from tnspin.results.distance import Distance as Distance
    from tnspin.results.distance import distance as distance
    from tnspin.results.result import Result as Result
    from tnspin.results.result import load as load
    from tnspin.runs.record import record as record
    from tnspin.schema.register import register as register
    from tnspin.solvers import Solver as Solver
    from tnspin.solvers import evolve as evolve
    from tnspin.states.ensemble import Ensemble as Ensemble
    from tnspin.states.initial.base import InitialState as InitialState
    from tnspin.states.initial.product import product as product
    from tnspin.states.initial.pulses import confined_electrons as confined_electrons
    from tnspin.states.initial.pulses import wave_packet as wave_packet
    from tnspin.states.initial.thermal import gibbs as gibbs
    from tnspin.states.vector import VectorState as VectorState

#: Module -> names that it gives to the top level.
_HOMES = {
    "baths.base": "Bath",
    "errors": "InputError RunError",
    "models": "Model",
    "models.heisenberg": "HeisenbergChain",
    "models.kondo_heisenberg": "KondoHeisenbergChain",
    "models.lattice": "Lattice",
    "models.open_heisenberg": "OpenHeisenbergChain",
    "models.spin_dimer": "SpinDimer",
    "mps.dmrg": "ground_state",
    "mps.state": "MPS",
    "observables.base": "Observable",
    "observables.measures": "bell_nonlocality concurrence correlation_matrix entropy expect "
    "log_negativity mutual_information rdm schmidt trace_distance",
    "operators.jump_operator": "JumpOperator",
    "operators.operator_sum": "OperatorSum",
    "operators.sites": "boson electron kondo spin",
    "results.distance": "Distance distance",
    "results.result": "Result load",
    "runs.record": "record",
    "schema.register": "register",
    "solvers": "Solver evolve",
    "states.ensemble": "Ensemble",
    "states.initial.base": "InitialState",
    "states.initial.product": "product",
    "states.initial.pulses": "confined_electrons wave_packet",
    "states.initial.thermal": "gibbs",
    "states.vector": "VectorState",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tnspin' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
