"""Runs of electrons among classical spins: their start, and such a run beside a quantum one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.classical.electrons import hybrid_energy_of
from tnspin.results.result import Result, Variable
from tnspin.runs.config.solver_tables import Hybrid, HybridBeside
from tnspin.schema.tables import fields_of
from tnspin.states.hybrid import HybridState

if TYPE_CHECKING:
    from tnspin.runs.config.config import Config

__all__ = ["check_hybrid", "hybrid_state", "with_hybrid"]

Say = Callable[[str], None]


def hybrid_state(config: Config) -> HybridState:
    """Orbitals and unit vectors of the initial state of a run."""
    return HybridState.of(config.model, config.initial_state)


def check_hybrid(config: Config) -> None:
    """Refuse electrons among classical spins where there are none, or interacting ones."""
    for section, keys in (("solver", config.solver), ("classical", config.classical)):
        if not isinstance(keys, Hybrid | HybridBeside):
            continue
        hybrid_energy_of(config.model, keys.limit)
        hybrid_state(config)
        count = len(config.model.localized_sites)
        if isinstance(keys.damping, tuple) and len(keys.damping) != count:
            raise InputError(
                f"{section}.damping: {len(keys.damping)} values for {count} localized spins"
            )


def with_hybrid(result: Result, config: Config, keys: HybridBeside, say: Say) -> Result:
    """The same with classical spins among quantum electrons: the conventional torque."""
    from tnspin.observables import OBSERVABLES
    from tnspin.solvers import evolve

    say("following classical spins among the electrons")
    values = {name: getattr(keys, name) for name in fields_of(type(keys)) if name != "within"}
    times = result["time"].tolist()
    snapshots = list(evolve(config.model, hybrid_state(config), times, solver="hybrid", **values))
    variables = dict(result.variables)
    for name in ("spin", "torque", "electron_spin_total"):
        one = OBSERVABLES[name]
        data = np.array([one.measure(snapshot) for snapshot in snapshots])
        text = f"{one.long_name}, with classical spins"
        variables[f"classical_{name}"] = Variable(one.dims, data, one.units, text)
    energy = np.array([OBSERVABLES["energy"].measure(snapshot) for snapshot in snapshots])
    norm = np.array([OBSERVABLES["norm"].measure(snapshot) for snapshot in snapshots])
    attrs = {
        "classical_kind": keys.kind, "classical_damping": np.array(keys.damping),
        "classical_energy_drift": float(np.abs(energy - energy[0]).max()),
        "classical_norm_drift": float(np.abs(norm - 1.0).max()),
    }  # fmt: skip
    if "spin" in result:
        apart = result["spin"] - variables["classical_spin"].data
        attrs["classical_rms"] = float(np.sqrt(np.square(apart).sum(axis=-1).mean()))
    return Result(variables, {**result.attrs, **attrs})
