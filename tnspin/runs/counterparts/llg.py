"""Classical spins as the counterpart of a quantum run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from tnspin.results.result import Result, Variable
from tnspin.runs.counterparts.base import Counterpart, Say
from tnspin.schema import register
from tnspin.schema.types import Count, Natural, NonNegative, Positive, Range, Temperature
from tnspin.solvers.solver import check_realizations

if TYPE_CHECKING:
    from tnspin.observables.snapshot import Snapshot
    from tnspin.runs.config.config import Config


@register
@dataclass(frozen=True)
class LlgCounterpart(Counterpart):
    """Landau-Lifshitz-Gilbert spins: ``classical_spin`` in the result, and a verdict.

    Parameters
    ----------
    damping
        Gilbert damping, or "fit" for the one that comes closest.
    within
        Largest |S - n| of any spin that still counts as classical.
    directions
        Directions of the spins at the start, [theta, phi] in radians or names, repeated along the
        chain; without any, those of the quantum spins.
    limit
        What replaces products of spin operators on one site: products of their mean values
        (``large_spin``), or the mean value of the product in a coherent state (``coherent``).
    dt
        Largest step; 0: a tenth of a radian in the largest field.
    order
        Order of the error in ``dt``.
    temperature
        Temperature of the noise.
    realizations
        Realizations of the noise.
    seed
        Seed of the noise.
    """

    kind: ClassVar[str] = "llg"

    damping: NonNegative | Literal["fit"] = "fit"
    within: Positive = 0.05
    directions: tuple[Any, ...] = ()
    limit: Literal["large_spin", "coherent"] = "large_spin"
    dt: Annotated[float, Range(least=0, words="0 (chosen) or more")] = 0.0
    order: Literal[2, 4] = 4
    temperature: Temperature = 0.0
    realizations: Count = 1
    seed: Natural = 0

    def check(self) -> None:
        """Several realizations need noise."""
        check_realizations(self)

    def check_run(self, config: Config) -> None:
        """Refuse models without a classical energy."""
        from tnspin.operators.classical.energy import energy_of

        energy_of(config.model, self.limit)

    def check_start(self, config: Config, snapshot: Snapshot) -> None:
        """Refuse spins without a direction to start from."""
        from tnspin.observables import OBSERVABLES
        from tnspin.states.classical import normalized

        if self._given_directions(config) is None:
            normalized(OBSERVABLES["spin"].measure(snapshot))

    def follow(self, result: Result, config: Config, say: Say) -> Result:
        """Evolve classical spins at the times of the result, and fit their damping if asked."""
        from tnspin.solvers.classical.comparison import compare

        say("following the classical spins")
        values = self.key_values()
        del values["within"]
        if result["time"].size == 1 and self.damping == "fit":
            values["damping"] = 0.0  # stopped at once: nothing to fit to yet
        values["directions"] = self._given_directions(config)
        found = compare(config.model, result["time"], result["spin"], **values)
        dims = ("time", "localized", "axis")
        name = "classical localized spin n"
        variables = {**result.variables, "classical_spin": Variable(dims, found.spin, "1", name)}
        if found.error is not None:
            text = "statistical error of classical_spin"
            variables["classical_spin_error"] = Variable(dims, found.error, "1", text)
        attrs = {
            "classical_damping": found.damping, "classical_rms": found.rms,
            "classical_fitted": int(found.fitted), "classical_bounded": int(found.bounded),
        }  # fmt: skip
        return Result(variables, {**result.attrs, **attrs})

    def _given_directions(self, config: Config) -> np.ndarray | None:
        """(N, 3) unit vectors of ``directions``, None without it."""
        from tnspin.states.initial.spins import direction_angles

        if not self.directions:
            return None
        angles = [direction_angles(one, "classical.directions") for one in self.directions]
        count = len(config.model.localized_sites)
        theta, phi = np.array([angles[k % len(angles)] for k in range(count)]).T
        x, y = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi)
        return np.stack([x, y, np.cos(theta)], 1)
