"""The solver tables of density matrices with a constant spectrum, as in `tnspin.settings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tnspin.settings.ranges import check_ranges

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
        check_ranges("solver", self)


@dataclass(frozen=True)
class QuantumLl(QuantumLlg):
    """Quantum Landau-Lifshitz equation; keys as for `QuantumLlg`."""

    kind: ClassVar[str] = "quantum_ll"
