"""Constrained types of keys: what values a field of a `Table` may have.

A field annotated ``dt: Positive = 0.1`` is checked wherever the table comes from, TOML or Python;
`Range.__str__` gives the words of the refusal and of the configuration reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal


@dataclass(frozen=True)
class Range:
    """Bounds of a number; ``words`` replaces the text made from them.

    Attributes
    ----------
    above, least
        Lower bound, excluded or included.
    below, most
        Upper bound, excluded or included.
    """

    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    words: str = ""

    def allows(self, value: Any) -> bool:
        """Whether a number lies within the bounds."""
        return (
            (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
            and (self.most is None or value <= self.most)
        )

    def __str__(self) -> str:
        if self.words:
            return self.words
        low = self.above if self.least is None else self.least
        high = self.below if self.most is None else self.most
        if high is not None and low is not None:
            return f"between {low:g} and {high:g}" if self.most is None else f"{low:g} to {high:g}"
        if high is not None:
            return f"below {high:g}" if self.most is None else f"{high:g} or less"
        return f"above {low:g}" if self.least is None else f"{low:g} or more"


@dataclass(frozen=True)
class Quantity:
    """What a number measures: "time", "temperature" or "energy".

    With ``units.energy_ev`` a text with a unit ("70 fs", "100 K", "8.6 meV") may replace it.
    """

    name: str


Positive = Annotated[float, Range(above=0)]
NonNegative = Annotated[float, Range(least=0)]
#: Share that may be 0: a cutoff.
Fraction = Annotated[float, Range(least=0, below=1)]
#: Share that may not be 0: a tolerance.
Share = Annotated[float, Range(above=0, below=1)]
Count = Annotated[int, Range(least=1)]
Natural = Annotated[int, Range(least=0)]
#: Site number, counted from 0.
Index = Annotated[int, Range(least=0)]
#: Number of threads or processes.
Threads = Annotated[int, Range(least=0, words="0 (one per core) or more")]
Vector = tuple[float, float, float]
Order = Literal[1, 2, 4]
#: Numbers that a text with a unit may replace.
Temperature = Annotated[float, Range(least=0), Quantity("temperature")]
Energy = Annotated[float, Quantity("energy")]
