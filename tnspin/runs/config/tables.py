"""The tables of a configuration that have no kinds: time, what is recorded, units, words."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from tnspin.schema import Table
from tnspin.schema.checks import require
from tnspin.schema.types import Count, Fraction, Index, NonNegative, Positive, Quantity, Range

if TYPE_CHECKING:
    import numpy as np

    from tnspin.units import EnergyScale

#: Names of all tables, in the order of a file.
SECTIONS = (
    "about", "run", "units", "model", "state", "bath", "solver", "time", "record", "classical",
    "hysteresis",
)  # fmt: skip
#: Rows of a result.
_MOST_POINTS = 10_000_000


@dataclass(frozen=True)
class Time(Table):
    """Output times: 0, every, 2 every, ... and stop, in units of hbar/energy unit.

    Parameters
    ----------
    stop
        End of the run.
    every
        Time between two rows of the result.
    """

    section: ClassVar[str] = "time"

    stop: Annotated[float, Range(least=0), Quantity("time")] = 60.0
    every: Annotated[float, Range(above=0), Quantity("time")] = 1.0

    def check(self) -> None:
        """Refuse more rows than a file can hold."""
        least = self.stop / _MOST_POINTS
        require(self.every >= least, "time.every", self.every, f"{least:g} or more for this stop")

    @property
    def grid(self) -> np.ndarray:
        """(n,) times that do not depend on ``stop``, except that they end there."""
        import numpy as np

        # A hair of slack, so that stop = 0.3 with every = 0.1 keeps its last point.
        return self.every * np.arange(int(self.stop / self.every * (1 + 1e-12) + 1e-9) + 1)

    @property
    def points(self) -> np.ndarray:
        """(n,) the grid, and ``stop`` itself where the grid misses it."""
        import numpy as np

        grid = self.grid
        misses = self.stop - grid[-1] > 1e-9 * self.every
        return np.append(grid, self.stop) if misses else grid


@dataclass(frozen=True)
class Record(Table):
    """What is measured at the output times, and how often a run is saved.

    Parameters
    ----------
    observables
        Names of the observables, listed below; without any, those that suit the run.
    checkpoint
        Seconds between checkpoints; 0: at every output time.
    wavevectors
        Wavevectors of the quantum Fisher information, in 1/site (PRA Fig. 8).
    group_cutoff
        Weight that each of two groups of spins too large for a density matrix may lose as it is
        compressed.
    group_largest
        Most rows of a block of the density matrix of two groups, whatever that costs
        (``group_discarded`` in the result).
    pairs
        Pairs of sites whose spin correlations are recorded; none: all pairs of up to six spins,
        neighbours of more.
    """

    section: ClassVar[str] = "record"

    observables: tuple[str, ...] = ()
    checkpoint: Annotated[float, Range(least=0, words="0 or more seconds")] = 20.0
    wavevectors: tuple[float, ...] = (pi / 6, pi / 2)
    group_cutoff: Fraction = 1e-8
    group_largest: Count = 2048
    pairs: tuple[tuple[Index, Index], ...] = ()


@dataclass(frozen=True)
class Units(Table):
    """Physical units: texts with a unit may then replace times, temperatures and energies.

    Parameters
    ----------
    energy_ev
        Energy unit of the run in electronvolts: "70 fs", "100 K" and "8.6 meV" become numbers.
    """

    section: ClassVar[str] = "units"

    energy_ev: Positive

    @property
    def scale(self) -> EnergyScale:
        """Conversion to physical units."""
        from tnspin.units import EnergyScale

        return EnergyScale(self.energy_ev)


@dataclass(frozen=True)
class About(Table):
    """What a configuration is for, in words; shown by ``tnspin presets``.

    Parameters
    ----------
    title
        What the run shows.
    reproduces
        Journal and figure.
    cost
        Rough cost.
    """

    section: ClassVar[str] = "about"

    title: str = ""
    reproduces: str = ""
    cost: str = ""


@dataclass(frozen=True)
class Run(Table):
    """How a run is carried out.

    Parameters
    ----------
    use
        Python files that register models, solvers, baths, ... of your own (``--use FILE.py``).
    """

    section: ClassVar[str] = "run"

    use: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hysteresis(Table):
    """A loop instead of a run in time: a field is swept from +largest to -largest and back.

    At each field the state of the one before is evolved.

    Parameters
    ----------
    axis
        Component of ``model.field`` that is swept; the others stay.
    largest
        Largest field.
    steps
        Steps of each of the two sweeps.
    hold
        Time at each field.
    settled
        A field is left as soon as no spin changes by more than this in a twentieth of ``hold``.
    tilt
        Angle in radians by which mean fields and classical spins are turned first, about y, since
        spins along a field never leave it; default: pi/40 (OHM Fig. 2).
    steady
        Whether a master equation also gives the state that never changes, where there is one.
    """

    section: ClassVar[str] = "hysteresis"

    axis: Literal["x", "y", "z"] = "z"
    largest: Positive = 2.0
    steps: Annotated[int, Range(least=1, most=10**6)] = 80
    hold: Positive = 200.0
    settled: NonNegative = 1e-8
    tilt: float | None = None
    steady: bool = True
