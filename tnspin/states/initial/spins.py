"""Single-spin state vectors: coherent states and the names of directions."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, cos, isfinite, pi, sin
from typing import Any

import numpy as np

from tnspin.errors import InputError, nearest

#: A named axis or the polar and azimuthal angle in radians.
Direction = str | tuple[float, float]

#: One direction of all localized spins by name, or a list with one for each group.
Spins = str | tuple[Direction, ...]

#: Names of directions -> (theta, phi) in radians.
DIRECTIONS: dict[str, tuple[float, float]] = {
    "z": (0.0, 0.0),
    "-z": (pi, 0.0),
    "x": (pi / 2, 0.0),
    "-x": (pi / 2, pi),
    "y": (pi / 2, pi / 2),
    "-y": (pi / 2, -pi / 2),
    "up": (0.0, 0.0),
    "down": (pi, 0.0),
}

#: Components below this are rounding of sines and cosines; as exact zeros they let charges
#: that the state conserves be recognized.
_ROUNDING = 1e-15


def direction_angles(
    direction: Direction, key: str, also: Sequence[str] = ()
) -> tuple[float, float]:
    """Angles (theta, phi) in radians of a direction given by name or by angles.

    Parameters
    ----------
    direction
        A name in `DIRECTIONS` or ``[theta, phi]``.
    key
        Configuration key that error messages name.
    also
        Further names that are valid for that key, for the message only.

    Raises
    ------
    InputError
        If the name is unknown or the pair is not two finite numbers.
    """
    allowed = [*DIRECTIONS, *also]
    if isinstance(direction, str) and direction in DIRECTIONS:
        return DIRECTIONS[direction]
    if not isinstance(direction, str) and len(direction) == 2 and all(map(isfinite, direction)):
        return float(direction[0]), float(direction[1])
    raise InputError(
        f"{key} = {direction!r}: must be one of {', '.join(allowed)} or [theta, phi] in radians"
        f"{nearest(direction, allowed)}"
    )


def coherent(spin: float, theta: float, phi: float) -> np.ndarray:
    """Spin-S state fully polarized along (theta, phi).

    Parameters
    ----------
    spin
        S; 0.5, 1, 1.5, ...
    theta, phi
        Polar and azimuthal angle in radians.

    Returns
    -------
    ndarray
        (2S + 1,) complex unit vector in the basis of descending Sz, first non-zero component
        real.  ``<S> = S (sin theta cos phi, sin theta sin phi, cos theta)``.
    """
    twice = round(2 * spin)
    up, down = cos(theta / 2), sin(theta / 2)
    up, down = (0.0 if abs(c) < _ROUNDING else c for c in (up, down))
    phase = complex(cos(phi), sin(phi))
    phase = complex(*(0.0 if abs(c) < _ROUNDING else c for c in (phase.real, phase.imag)))
    # 2S spins 1/2 pointing the same way, projected on the symmetric states.
    vector = np.array(
        [comb(twice, k) ** 0.5 * up ** (twice - k) * (down * phase) ** k for k in range(twice + 1)]
    )
    return vector / np.linalg.norm(vector)


def group_angles(model: Any, localized_spins: Spins) -> list[tuple[float, float]]:
    """Angles (theta, phi) of the localized spins of each group.

    Parameters
    ----------
    model
        Any model with ``groups`` of localized spins.
    localized_spins
        A direction name for all, or a list with one direction per group.

    Raises
    ------
    InputError
        If a direction is unknown or their number is not that of the groups.
    """
    key, named = "state.localized_spins", isinstance(localized_spins, str)
    directions: list[Any] = [localized_spins] * len(model.groups) if named else [*localized_spins]
    if len(directions) != len(model.groups):
        raise InputError(
            f"{key}: {len(directions)} entries for {len(model.groups)} groups of localized spins"
        )
    return [direction_angles(direction, key) for direction in directions]


def localized_spin_vectors(model: Any, localized_spins: Spins) -> tuple[np.ndarray | None, ...]:
    """Fully polarized spin vector of every localized spin, None on the other sites.

    Parameters
    ----------
    model
        Any model with ``groups`` of localized spins of size ``localized_spin``.
    localized_spins
        A direction name for all, or a list with one direction per group.

    Raises
    ------
    InputError
        If a direction is unknown or their number is not that of the groups.
    """
    vectors: list[np.ndarray | None] = [None] * model.length
    for group, angles in zip(model.groups, group_angles(model, localized_spins), strict=True):
        vector = coherent(model.localized_spin, *angles)
        for site in group:
            vectors[site] = vector
    return tuple(vectors)
