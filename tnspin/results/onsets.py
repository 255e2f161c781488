"""Onsets: first times at which recorded quantities leave their initial values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tnspin.errors import InputError
from tnspin.results.facts import group_members
from tnspin.results.result import Result

#: Change that counts as an onset: 1 % of a localized spin, 0.01 nat of entanglement.
THRESHOLD = 0.01


def onset(times: ArrayLike, values: ArrayLike, threshold: float = THRESHOLD) -> float | None:
    """First time at which a quantity differs from its first value by more than a threshold.

    Parameters
    ----------
    times
        (n,) increasing.
    values
        (n,) real.
    threshold
        Above 0.

    Returns
    -------
    float or None
        Linearly interpolated between the two samples around it; None if it never happens.

    Raises
    ------
    InputError
        If the shapes differ or the threshold is not above 0.
    """
    t, v = np.asarray(times, float), np.asarray(values, float)
    if t.ndim != 1 or t.shape != v.shape:
        raise InputError(f"values: shape {v.shape} for times of shape {t.shape}")
    if not threshold > 0:
        raise InputError(f"threshold = {threshold!r}: must be above 0")
    change = np.abs(v - v[0]) if v.size else v
    beyond = np.flatnonzero(change > threshold)
    if not beyond.size:
        return None
    after = int(beyond[0])
    # The sign matters: a jump from one side to the other passes the threshold on the second.
    end = v[after] - v[0]
    start = (v[after - 1] - v[0]) * np.sign(end)
    share = (threshold - start) / (abs(end) - start)
    return float(t[after - 1] + share * (t[after] - t[after - 1]))


def onsets(result: Result, threshold: float = THRESHOLD) -> dict[str, float | None]:
    """Onset of everything in a result that a current pulse sets going.

    Returns
    -------
    dict
        ``spin`` (mean S^z of the localized spins; ``spin_1``, ``spin_2``, ... if there are several
        groups), ``log_negativity`` and ``mutual_information``, as far as recorded, each with its
        time in hbar/energy unit or None.
    """
    if "time" not in result:
        return {}
    series: dict[str, Any] = {}
    if "spin" in result:
        groups = group_members(result)
        for k, members in enumerate(groups):
            name = "spin" if len(groups) == 1 else f"spin_{k + 1}"
            series[name] = result["spin"][:, members, 2].mean(axis=1)
    for name in ("log_negativity", "mutual_information"):
        if name in result:
            series[name] = result[name]
    return {name: onset(result["time"], values, threshold) for name, values in series.items()}
