"""The solver tables of density matrices with a constant spectrum, as in `tnspin.settings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tnspin.schema import require

__all__ = ["QuantumLl", "QuantumLlg"]


@dataclass(frozen=True)
class QuantumLlg:
    """Quantum Landau-Lifshitz-Gilbert equation with damping ``kappa``, exact to ``tolerance``.

    ``temperature``: that of a stochastic noise operator (``noise``, as in `solvers.quantum_llg`),
    with steps ``dt`` and averages over ``realizations``.
    """

    kappa: float = 0.5
    tolerance: float = 1e-12
    temperature: float = 0.0
    noise: Literal["field", "operator"] = "field"
    dt: float = 0.01
    realizations: int = 1
    seed: int = 0
    kind: ClassVar[str] = "quantum_llg"

    def __post_init__(self) -> None:
        require(self.kappa >= 0, "solver.kappa", self.kappa, "0 or more")
        require(0 < self.tolerance < 1, "solver.tolerance", self.tolerance, "between 0 and 1")
        require(self.temperature >= 0, "solver.temperature", self.temperature, "0 or more")
        require(self.dt > 0, "solver.dt", self.dt, "above 0")
        allowed = "1 or more, and 1 unless the temperature is above 0"
        fits = self.realizations == 1 or (self.realizations > 1 and self.temperature > 0)
        require(fits, "solver.realizations", self.realizations, allowed)
        require(self.seed >= 0, "solver.seed", self.seed, "0 or more")


@dataclass(frozen=True)
class QuantumLl(QuantumLlg):
    """Quantum Landau-Lifshitz equation; keys as for `QuantumLlg`."""

    kind: ClassVar[str] = "quantum_ll"
