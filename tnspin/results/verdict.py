"""From when on classical spins describe quantum ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnspin.results.distance import distance

__all__ = ["Verdict", "verdict"]

Reals = NDArray[np.float64]
# A window at the end shorter than this share of the run shows nothing: curves cross.
_SHARE = 0.1


@dataclass(frozen=True)
class Verdict:
    """From when on classical spins describe the quantum ones.

    Attributes
    ----------
    since
        First time from which on the distance stays within the tolerance; None: never, or for
        less than a tenth of the run.
    within
        Largest distance from then on; of the whole run if never.
    at_end
        Distance at the last time.
    aligned_since
        First time from which on the directions agree to as many radians, whatever the lengths
        (quantum spins shorter than a thousandth have none); None as for ``since``, or if no spin
        has one.
    tolerance
        What was asked for.
    """

    since: float | None
    within: float
    at_end: float
    aligned_since: float | None
    tolerance: float

    def text(self, start: float = 0.0, word: str = "classical") -> str:
        """In words; ``word``: what the spins are compared with makes of those that agree."""
        if self.since is None:
            text = (
                f"not {word}: spins differ by up to {self.within:.3g}, "
                f"by {self.at_end:.3g} at the end"
            )
            if self.aligned_since is None:
                return text
            return text + (
                f"; their directions agree to {self.tolerance:g} rad "
                f"from t = {self.aligned_since:.4g} on"
            )
        if self.since <= start:
            return f"{word} throughout, within {self.within:.3g}"
        return f"{word} from t = {self.since:.4g} on, within {self.within:.3g}"


def verdict(
    times: Sequence[float] | Reals, quantum: Reals, classical: Reals, tolerance: float = 0.05
) -> Verdict:
    """Find from when on two trajectories stay together.

    Parameters
    ----------
    times
        (T,) ascending.
    quantum, classical
        (T, N, 3) <S>/S and n.
    tolerance
        Largest |S - n| of any spin that still counts as together.
    """
    t, apart = np.asarray(times, float), distance(quantum, classical).largest
    first = _together(t, apart, tolerance)
    aligned = _together(t, _angle(quantum, classical), tolerance)
    rows = slice(first, None)
    return Verdict(
        None if first is None else float(t[first]),
        float(apart[rows].max()),
        float(apart[-1]),
        None if aligned is None else float(t[aligned]),
        float(tolerance),
    )


def _together(times: Reals, apart: Reals, tolerance: float) -> int | None:
    """Index from which on two trajectories stay together, None if they do not."""
    beyond = np.flatnonzero(~(apart <= tolerance))
    first = int(beyond[-1]) + 1 if beyond.size else 0
    # One point that happens to agree proves nothing, even at the end of the run.
    if first == len(times) or times[-1] - times[first] < _SHARE * (times[-1] - times[0]):
        return None
    return first


def _angle(quantum: Reals, classical: Reals) -> Reals:
    """(T,) largest angle between vectors of which the quantum one is not too short.

    Infinite where all are: spins that have vanished have no direction to agree in.
    """
    cross = np.linalg.norm(np.cross(quantum, classical), axis=-1)
    angles = np.arctan2(cross, (np.asarray(quantum) * classical).sum(axis=-1))
    short = np.linalg.norm(quantum, axis=-1) < 1e-3
    largest: Reals = np.where(short, 0.0, angles).max(axis=-1)
    return np.where(short.all(axis=-1), np.inf, largest)
