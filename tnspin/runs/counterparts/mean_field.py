"""A mean field as the counterpart of a quantum run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tnspin.results.result import Result, Variable
from tnspin.runs.counterparts.base import Counterpart, Say
from tnspin.schema import register
from tnspin.schema.types import Positive
from tnspin.solvers.mean_field.solver import MeanField

if TYPE_CHECKING:
    from tnspin.runs.config.config import Config


@register
@dataclass(frozen=True)
class MeanFieldCounterpart(Counterpart, MeanField):
    """A mean field from the same start: ``classical_spin`` in the result, and a verdict.

    Parameters
    ----------
    within
        Largest difference of any spin that still counts as agreement.
    """

    kind: ClassVar[str] = "mean_field"
    in_loops: ClassVar[bool] = True

    within: Positive = 0.05

    def check_run(self, config: Config) -> None:
        """Refuse models and baths without a mean field."""
        self.check_problem(config.problem)

    def follow(self, result: Result, config: Config, say: Say) -> Result:
        """Evolve the mean field at the times of the result."""
        from tnspin.observables import OBSERVABLES

        say("following the mean field")
        problem = config.problem
        start = self.prepare(problem, ())()
        jumps = (
            []
            if self.variant == "printed" or config.bath is None
            else (config.bath.jump_operators(config.model))
        )
        snapshots = self.evolve(
            config.model, start, result["time"].tolist(),
            **self.bath_context(config.bath, jumps),
        )  # fmt: skip
        spins = np.array([OBSERVABLES["spin"].measure(snapshot) for snapshot in snapshots])
        name = f"mean field of the localized spins, {self.variant}"
        variable = Variable(("time", "localized", "axis"), spins, "1", name)
        apart = float(np.sqrt(np.square(result["spin"] - spins).sum(axis=-1).mean()))
        attrs = {
            "classical_kind": self.kind, "classical_variant": self.variant,
            "classical_damping": self.damping, "classical_rms": apart,
        }  # fmt: skip
        variables = {**result.variables, "classical_spin": variable}
        return Result(variables, {**result.attrs, **attrs})
