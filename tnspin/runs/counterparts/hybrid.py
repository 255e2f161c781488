"""Classical spins among quantum electrons as the counterpart of a quantum run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tnspin.results.result import Result, Variable
from tnspin.runs.counterparts.base import Counterpart, Say
from tnspin.schema import register
from tnspin.schema.types import Positive
from tnspin.solvers.hybrid.solver import Hybrid

if TYPE_CHECKING:
    from tnspin.runs.config.config import Config


@register
@dataclass(frozen=True)
class HybridCounterpart(Counterpart, Hybrid):
    """Classical spins among quantum electrons from the same start: the conventional torque.

    The result has ``classical_spin``, ``classical_torque`` and ``classical_electron_spin_total``,
    and a verdict.

    Parameters
    ----------
    within
        Largest |S - n| of any spin that still counts as classical.
    """

    kind: ClassVar[str] = "hybrid"

    within: Positive = 0.05

    def check_run(self, config: Config) -> None:
        """Refuse chains without electrons, and interacting ones."""
        self.check_hybrid(config.problem)

    def follow(self, result: Result, config: Config, say: Say) -> Result:
        """Evolve electrons and classical spins at the times of the result."""
        from tnspin.observables import OBSERVABLES

        say("following classical spins among the electrons")
        start = self.prepare(config.problem, ())()
        snapshots = list(self.evolve(config.model, start, result["time"].tolist()))
        variables = dict(result.variables)
        for name in ("spin", "torque", "electron_spin_total"):
            one = OBSERVABLES[name]
            data = np.array([one.measure(snapshot) for snapshot in snapshots])
            text = f"{one.long_name}, with classical spins"
            variables[f"classical_{name}"] = Variable(one.dims, data, one.units, text)
        energy = np.array([OBSERVABLES["energy"].measure(snapshot) for snapshot in snapshots])
        norm = np.array([OBSERVABLES["norm"].measure(snapshot) for snapshot in snapshots])
        attrs = {
            "classical_kind": self.kind, "classical_damping": np.array(self.damping),
            "classical_energy_drift": float(np.abs(energy - energy[0]).max()),
            "classical_norm_drift": float(np.abs(norm - 1.0).max()),
        }  # fmt: skip
        if "spin" in result:
            apart = result["spin"] - variables["classical_spin"].data
            attrs["classical_rms"] = float(np.sqrt(np.square(apart).sum(axis=-1).mean()))
        return Result(variables, {**result.attrs, **attrs})
