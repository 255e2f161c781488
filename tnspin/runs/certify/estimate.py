"""Estimates of the error of a run from its differences to runs of other accuracy.

All errors are of arrays (time, ...): the largest over everything but time, and as running
maxima: an error at one time makes all later times doubtful, and two runs that happen to
cross are not more accurate there.

Finer runs are not exact.  With d_f the difference of the run from the finer one, d_c that from the
coarser one, and errors that fall by a factor r = d_c / d_f from each run to the next, the error of
the run in the middle is d_f r/(r - 1).  r is what is observed, within limits: never better than
theory allows, never so bad that the factor says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Errors that do not fall from one run to the next are taken as three times the last difference.
_SLOWEST = 1.5
#: Least order that a step is given credit for: with it the error is twice the difference.
_LEAST_ORDER = 1.0
#: Ratio of the differences of what moves without slowing down.
_STILL = 0.5
#: Differences of this size are rounding, from which no ratio follows.
_ROUNDING = 1e-13
#: Extrapolations through two and through three points may differ by this part of the distance.
_CURVED = 0.5


def difference(one: Array, other: Array) -> Array:
    """Running maximum of the largest difference of two series.

    Parameters
    ----------
    one, other
        (n, ...) and (m, ...) values at common times; the shorter one decides.

    Returns
    -------
    ndarray
        (min(n, m),) differences; infinite from where either is not finite.
    """
    count = min(len(one), len(other))
    apart = np.abs(np.asarray(one[:count], float) - np.asarray(other[:count], float))
    apart = apart.reshape(count, -1)
    largest = apart.max(axis=1) if apart.shape[1] else np.zeros(count)
    return np.maximum.accumulate(np.where(np.isfinite(largest), largest, np.inf))


def geometric(coarse: Array | None, fine: Array, best: float) -> Array:
    """Error of a run between a coarser and a finer one, if errors fall by equal factors.

    Parameters
    ----------
    coarse, fine
        (n,) differences from the coarser run (None: there is none) and from the finer one.
    best
        Largest factor that theory allows; infinite where it allows any.
    """
    if coarse is None:
        return _SLOWEST / (_SLOWEST - 1) * fine
    ratio = np.clip(coarse / np.maximum(fine, _ROUNDING), _SLOWEST, best)
    return np.maximum.accumulate(fine / (1 - 1 / ratio))


def relaxation(coarse: Array, fine: Array, noise: float) -> Array:
    """Error of a relaxation over some time, from runs over half and over twice that time.

    Of what is left a factor u stays in the first half: the differences are u - u^2 and u^2 - u^4,
    the error is u^2.  The slower it is, the larger the factor between the error and the second of
    them; where that is twice the first one nothing relaxes, and the error is unknown (infinite).

    Parameters
    ----------
    coarse, fine
        (n,) differences from the run for half and from that for twice the time.
    noise
        Error from elsewhere: differences below it tell no ratio.
    """
    slow = np.zeros(fine.size)
    clear = fine > max(noise, _ROUNDING)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = coarse[clear] / fine[clear]
        left = (np.sqrt(1 + 4 / ratio) - 1) / 2
        slow[clear] = np.where(ratio > _STILL, fine[clear] / (1 - left**2), np.inf)
    return np.maximum(np.maximum.accumulate(slow), geometric(coarse, fine, np.inf))


def observed_order(
    coarse: Array, fine: Array, steps: tuple[float, float, float], order: int
) -> Array:
    """Order at which errors fall with the step, between 1 and that of the method.

    Parameters
    ----------
    coarse, fine
        (n,) differences of the run from that with the longer and from that with the shorter step.
    steps
        Longer, own and shorter step.
    order
        That of the method.
    """
    long, own, short = steps
    trial = np.linspace(_LEAST_ORDER, max(float(order), _LEAST_ORDER), 61)
    ratios = (long**trial - own**trial) / (own**trial - short**trial)
    return np.interp(coarse / np.maximum(fine, _ROUNDING), ratios, trial)


def richardson(
    coarse: Array | None, fine: Array, steps: tuple[float | None, float, float], order: int
) -> Array:
    """Error of a run whose step was also made shorter (and longer, if there is such a run).

    Without a longer step the order cannot be observed, and one less than that of the method is
    taken.  Arguments as for `observed_order`.
    """
    long, own, short = steps
    if coarse is None or long is None:
        power: Array | float = max(float(order) - 1, _LEAST_ORDER)
    else:
        power = observed_order(coarse, fine, (long, own, short), order)
    return np.maximum.accumulate(fine / (1 - (short / own) ** power))


@dataclass(frozen=True)
class Extrapolation:
    """Series extrapolated to zero discarded weight.

    Attributes
    ----------
    values
        (n, ...) extrapolated values, where justified; those of the most accurate run elsewhere.
    error
        (n, ...) distance to the extrapolation that takes curvature into account.
    justified
        (n, ...) whether the values change monotonically with the weight, and so nearly linearly
        that line and parabola differ by less than half of what the line adds.
    """

    values: Array
    error: Array
    justified: NDArray[np.bool_]


def extrapolate(weights: Array, values: Array) -> Extrapolation:
    """Extrapolate three runs to zero discarded weight, component by component.

    Parameters
    ----------
    weights
        (3, n) discarded weight of each run up to each time, from the least accurate run on.
    values
        (3, n, ...) values.
    """
    w = weights.reshape(weights.shape + (1,) * (values.ndim - 2))
    falling = (w[0] > w[1]) & (w[1] > w[2]) & (w[2] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        last = (values[2] - values[1]) / (w[2] - w[1])
        before = (values[1] - values[0]) / (w[1] - w[0])
        line = values[2] - last * w[2]
        # Newton's form of the parabola through the three, at weight 0.
        parabola = line + (last - before) / (w[2] - w[0]) * w[2] * w[1]
    monotone = last * before > 0
    added, bent = np.abs(line - values[2]), np.abs(parabola - line)
    justified = falling & monotone & (bent < _CURVED * added)
    return Extrapolation(
        np.where(justified, line, values[2]), np.where(justified, bent, 0.0), justified
    )


def holds_until(times: Array, errors: Array, tolerance: float) -> float | None:
    """Last time up to which the error is within the tolerance, None if it is at no time."""
    late = np.flatnonzero(~(errors <= tolerance))
    count = int(late[0]) if late.size else len(errors)
    return float(times[count - 1]) if count else None
