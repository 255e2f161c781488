"""The solver tables of density matrices with a constant spectrum, as in `settings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tnspin.runs.config.ranges import check_ranges
from tnspin.schema.tables import require

__all__ = [
    "Hybrid",
    "HybridBeside",
    "Hysteresis",
    "MeanField",
    "MeanFieldBeside",
    "QuantumLl",
    "QuantumLlg",
]


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


@dataclass(frozen=True)
class Hysteresis:
    """Instead of a run in time: a field swept from +largest to -largest and back.

    ``axis``: component of ``model.field`` that is swept, the others stay; ``steps`` of each sweep.
    At each field the state of the one before is evolved for a time ``hold``, or until no spin
    changes by more than ``settled`` in a twentieth of it.  ``tilt``: angle in radians by which
    mean fields and classical spins are turned first, about y, since spins along a field never leave
    it (default: pi/40, OHM Fig. 2).  ``steady``: whether a master equation also gives the state
    that never changes, where there is one.
    """

    axis: Literal["x", "y", "z"] = "z"
    largest: float = 2.0
    steps: int = 80
    hold: float = 200.0
    settled: float = 1e-8
    tilt: float | None = None
    steady: bool = True

    def __post_init__(self) -> None:
        require(self.largest > 0, "hysteresis.largest", self.largest, "above 0")
        require(1 <= self.steps <= 10**6, "hysteresis.steps", self.steps, "1 to 1000000")
        require(self.hold > 0, "hysteresis.hold", self.hold, "above 0")
        require(self.settled >= 0, "hysteresis.settled", self.settled, "0 or more")


@dataclass(frozen=True)
class Hybrid:
    """A Slater determinant of electrons among classical spins with Gilbert ``damping`` (one number,
    or one per localized spin); ``limit``: what replaces products of spin operators on one site.
    """

    damping: float | tuple[float, ...] = 0.0
    dt: float = 0.1
    order: Literal[2, 4] = 4
    limit: Literal["large_spin", "coherent"] = "large_spin"
    kind: ClassVar[str] = "hybrid"

    def __post_init__(self) -> None:
        _check("solver", self)


@dataclass(frozen=True)
class HybridBeside:
    """Classical spins among quantum electrons beside a quantum run: ``classical_spin``,
    ``classical_torque`` and ``classical_electron_spin_total`` in the result, and a verdict.

    Keys as for `Hybrid`; ``within`` is the largest |S - n| of any spin that still counts as
    classical.
    """

    damping: float | tuple[float, ...] = 0.0
    within: float = 0.05
    dt: float = 0.1
    order: Literal[2, 4] = 4
    limit: Literal["large_spin", "coherent"] = "large_spin"
    kind: ClassVar[str] = "hybrid"

    def __post_init__(self) -> None:
        _check("classical", self)


def _check(section: str, keys: Hybrid | HybridBeside) -> None:
    values = keys.damping if isinstance(keys.damping, tuple) else (keys.damping,)
    require(min(values, default=-1) >= 0, f"{section}.damping", keys.damping, "0 or more")
    check_ranges(section, keys)


@dataclass(frozen=True)
class MeanField:
    """Product states: ``hartree``, the reduction of the Lindblad equation for any spins, or
    ``printed``, the generalized Landau-Lifshitz equation of OHM Eqs. 12-14.

    ``damping``: alpha of ``printed``, whose D has alpha B_eff added (OHM Fig. 2).
    """

    variant: Literal["hartree", "printed"] = "hartree"
    damping: float = 0.0
    tolerance: float = 1e-10
    kind: ClassVar[str] = "mean_field"

    def __post_init__(self) -> None:
        _check_mean_field("solver", self)


@dataclass(frozen=True)
class MeanFieldBeside:
    """A mean field beside a quantum run: ``classical_spin`` in the result, and a verdict.

    Keys as for `MeanField`; ``within`` is the largest difference of any spin that still counts as
    agreement.
    """

    variant: Literal["hartree", "printed"] = "hartree"
    damping: float = 0.0
    tolerance: float = 1e-10
    within: float = 0.05
    kind: ClassVar[str] = "mean_field"

    def __post_init__(self) -> None:
        _check_mean_field("classical", self)


def _check_mean_field(section: str, keys: MeanField | MeanFieldBeside) -> None:
    allowed = "0 or more" if keys.variant == "printed" else "0: only variant 'printed' has one"
    fits = keys.damping >= 0 if keys.variant == "printed" else keys.damping == 0
    require(fits, f"{section}.damping", keys.damping, allowed)
    check_ranges(section, keys)
