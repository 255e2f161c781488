"""The tables of a configuration as frozen dataclasses: keys, defaults, allowed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar, Literal

import numpy as np

from tnspin.observables.groups.state import LARGEST
from tnspin.runs.config.ranges import check_ranges
from tnspin.schema.tables import require
from tnspin.units import EnergyScale

__all__ = [
    "About",
    "Classical",
    "ClosedForm",
    "DensityMatrix",
    "EdgeState",
    "Exact",
    "Llg",
    "MasterEquation",
    "Purification",
    "Record",
    "State",
    "Tdvp",
    "Tebd",
    "Time",
    "Trajectories",
    "Units",
]


@dataclass(frozen=True)
class EdgeState:
    """Equal-weight state of PRX Eq. 15 for ferromagnets of 2 to ``largest`` spins."""

    largest: int = 100
    kind: ClassVar[str] = "edge_state"

    def __post_init__(self) -> None:
        require(self.largest >= 2, "model.largest", self.largest, "2 or more")


@dataclass(frozen=True)
class State:
    """Kind of initial state and all its keys; `tnspin.states.initial` says what they mean."""

    kind: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Tebd:
    """Time-evolving block decimation; ``threads = 0`` means one per core."""

    dt: float = 0.1
    order: Literal[1, 2, 4] = 2
    bond_dim: int = 400
    cutoff: float = 1e-7
    threads: int = 0
    method: Literal["auto", "svd", "gram", "range"] = "auto"
    kind: ClassVar[str] = "tebd"

    def __post_init__(self) -> None:
        check_ranges("solver", self)


@dataclass(frozen=True)
class Tdvp:
    """Two-site TDVP, for Hamiltonians of any range; ``threads = 0`` means one per core."""

    dt: float = 0.1
    bond_dim: int = 400
    cutoff: float = 1e-10
    tolerance: float = 1e-9
    threads: int = 0
    kind: ClassVar[str] = "tdvp"

    def __post_init__(self) -> None:
        check_ranges("solver", self)


@dataclass(frozen=True)
class Exact:
    """Chebyshev propagation of the state vector in its charge sector."""

    tolerance: float = 1e-13
    kind: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        check_ranges("solver", self)


@dataclass(frozen=True)
class Trajectories:
    """Quantum jumps: up to ``trajectories`` wave functions, averaged as density matrices.

    ``chunk`` of them make one sample of the error estimate and one task of the ``workers``
    (0: one per core); sampling stops early once the error of the logarithmic negativity is below
    ``target_error``.  ``engine`` evolves one wave function: "exact" takes ``tolerance``, "tebd"
    the other keys, "auto" is "exact" where the amplitudes fit.
    """

    trajectories: int = 200
    chunk: int = 10
    seed: int = 0
    target_error: float = 0.0
    workers: int = 0
    engine: Literal["auto", "exact", "tebd"] = "auto"
    tolerance: float = 1e-8
    dt: float = 0.1
    order: Literal[1, 2, 4] = 2
    bond_dim: int = 400
    cutoff: float = 1e-7
    kind: ClassVar[str] = "trajectories"

    def __post_init__(self) -> None:
        check_ranges("solver", self)


@dataclass(frozen=True)
class MasterEquation:
    """The density matrix itself, in its charge sector; ``method`` as `solvers.master_equation`."""

    tolerance: float = 1e-10
    method: Literal["auto", "series", "eigenbasis"] = "auto"
    kind: ClassVar[str] = "master_equation"

    def __post_init__(self) -> None:
        check_ranges("solver", self)


@dataclass(frozen=True)
class Llg:
    """Classical spins: Landau-Lifshitz-Gilbert with ``damping`` (one number, or one per spin), and
    noise at a ``temperature``.

    ``torque``: vectors p of the spin-transfer torque n x (p x n), repeated along the chain;
    ``limit``: what replaces products of spin operators on one site; ``realizations``: of the noise;
    ``iterations``: 0, or 2 (with order 2) for predictor and corrector, fastest for many spins.
    """

    damping: float | tuple[float, ...] = 0.0
    torque: tuple[tuple[float, float, float], ...] = ()
    dt: float = 0.02
    order: Literal[2, 4] = 4
    limit: Literal["large_spin", "coherent"] = "large_spin"
    temperature: float = 0.0
    realizations: int = 1
    seed: int = 0
    iterations: int = 0
    threads: int = 0
    kind: ClassVar[str] = "llg"

    def __post_init__(self) -> None:
        check_ranges("solver", self)
        values = self.damping if isinstance(self.damping, tuple) else (self.damping,)
        require(min(values, default=-1) >= 0, "solver.damping", self.damping, "0 or more")
        require(self.iterations in (0, *range(2, 100)), "solver.iterations", self.iterations,
                "0 (as many as needed) or 2 to 99")  # fmt: skip


@dataclass(frozen=True)
class Classical:
    """Classical spins beside a quantum run: ``classical_spin`` in the result, and a verdict.

    They start along the quantum spins, or along ``directions`` ([theta, phi] in radians or names,
    repeated along the chain).  ``damping = "fit"`` takes the one that comes closest; ``within`` is
    the largest |S - n| of any spin that still counts as classical.  ``dt = 0``: a tenth of a radian
    in the largest field.
    """

    damping: float | Literal["fit"] = "fit"
    within: float = 0.05
    directions: tuple[Any, ...] = ()
    limit: Literal["large_spin", "coherent"] = "large_spin"
    dt: float = 0.0
    order: Literal[2, 4] = 4
    temperature: float = 0.0
    realizations: int = 1
    seed: int = 0
    kind: ClassVar[str] = "llg"

    def __post_init__(self) -> None:
        check_ranges("classical", self, besides=("dt",))
        fitted = self.damping == "fit"
        given = isinstance(self.damping, int | float) and self.damping >= 0
        require(fitted or given, "classical.damping", self.damping, '"fit", or 0 or more')
        require(self.dt >= 0, "classical.dt", self.dt, "0 (chosen) or more")


@dataclass(frozen=True)
class DensityMatrix:
    """The density matrix as a matrix product state; keys as for `Tebd`, of its matrix elements.

    ``engine``: "auto" is "tebd" where terms and jumps reach no further than neighbours, or the next
    ones in chains of spins 1/2, else "tdvp", to which ``tolerance`` belongs.  ``jump_tolerance``:
    relative error of the dissipators of jumps on more than three sites, which become matrix product
    operators.
    """

    dt: float = 0.1
    order: Literal[1, 2, 4] = 2
    bond_dim: int = 200
    cutoff: float = 1e-10
    threads: int = 0
    method: Literal["auto", "svd", "gram", "range"] = "auto"
    engine: Literal["auto", "tebd", "tdvp"] = "auto"
    tolerance: float = 1e-10
    jump_tolerance: float = 1e-6
    kind: ClassVar[str] = "density_matrix"

    def __post_init__(self) -> None:
        check_ranges("solver", self)


@dataclass(frozen=True)
class Purification:
    """The density matrix in locally purified form: positive, whatever is truncated.

    ``kraus_dim`` and ``kraus_cutoff`` limit the ancilla of every site as ``bond_dim`` and
    ``cutoff`` do the bonds; those of ``kraus_sites`` neighbours are compressed together.  Other
    keys are those of `Tebd`.
    """

    dt: float = 0.1
    order: Literal[1, 2, 4] = 4
    bond_dim: int = 200
    cutoff: float = 1e-10
    kraus_dim: int = 32
    kraus_cutoff: float = 1e-9
    kraus_sites: int = 3
    threads: int = 0
    method: Literal["auto", "svd", "gram", "range"] = "auto"
    kind: ClassVar[str] = "purification"

    def __post_init__(self) -> None:
        check_ranges("solver", self)


@dataclass(frozen=True)
class ClosedForm:
    """Formulas; nothing to integrate."""

    kind: ClassVar[str] = "closed_form"


#: Rows of a result.
_MOST_POINTS = 10_000_000


@dataclass(frozen=True)
class Time:
    """Measure at 0, every, 2 every, ... and at stop (units of hbar/energy unit)."""

    stop: float = 60.0
    every: float = 1.0

    def __post_init__(self) -> None:
        require(self.stop >= 0, "time.stop", self.stop, "0 or more")
        require(self.every > 0, "time.every", self.every, "above 0")
        least = self.stop / _MOST_POINTS
        require(self.every >= least, "time.every", self.every, f"{least:g} or more for this stop")

    @property
    def grid(self) -> np.ndarray:
        """(n,) times that do not depend on ``stop``, except that they end there."""
        # A hair of slack, so that stop = 0.3 with every = 0.1 keeps its last point.
        return self.every * np.arange(int(self.stop / self.every * (1 + 1e-12) + 1e-9) + 1)

    @property
    def points(self) -> np.ndarray:
        """(n,) the grid, and ``stop`` itself where the grid misses it."""
        grid = self.grid
        misses = self.stop - grid[-1] > 1e-9 * self.every
        return np.append(grid, self.stop) if misses else grid


@dataclass(frozen=True)
class Record:
    """What is measured (empty: all that apply); seconds between checkpoints (0: always).

    ``wavevectors``: those of the quantum Fisher information, in 1/site (PRA Fig. 8).
    ``group_cutoff``: weight that each of two groups too large for a density matrix may lose as it
    is compressed; ``group_largest``: most rows of a block of what is diagonalized, whatever that
    takes (``group_discarded`` in the result).  ``pairs``: pairs of sites whose spins' correlations
    are recorded (empty: all pairs of up to six spins, neighbours of more).
    """

    observables: tuple[str, ...] = ()
    checkpoint: float = 20.0
    wavevectors: tuple[float, ...] = (pi / 6, pi / 2)
    group_cutoff: float = 1e-8
    group_largest: int = LARGEST
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        require(self.checkpoint >= 0, "record.checkpoint", self.checkpoint, "0 or more seconds")
        cutoff, largest = self.group_cutoff, self.group_largest
        require(0 <= cutoff < 1, "record.group_cutoff", cutoff, "between 0 and 1")
        require(largest >= 1, "record.group_largest", largest, "1 or more")


@dataclass(frozen=True)
class Units:
    """``energy_ev``: the energy unit of the run in electronvolts, so that texts with units may
    stand for times ("70 fs"), temperatures ("100 K") and energies ("8.6 meV").
    """

    energy_ev: float

    def __post_init__(self) -> None:
        require(self.energy_ev > 0, "units.energy_ev", self.energy_ev, "above 0")

    @property
    def scale(self) -> EnergyScale:
        """Conversion to physical units."""
        return EnergyScale(self.energy_ev)


@dataclass(frozen=True)
class About:
    """What a configuration is for, in words; shown by ``tnspin presets``."""

    title: str = ""
    reproduces: str = ""
    cost: str = ""
