"""Product states of the localized spins, without electrons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.states.initial.slater import SlaterProduct
from tnspin.states.initial.spins import Direction, coherent, direction_angles

__all__ = ["product"]


def product(model: Any, directions: Sequence[Direction] = ("z",)) -> SlaterProduct:
    """Every localized spin fully polarized along its own direction.

    Parameters
    ----------
    model
        Any model with localized spins; a chain with electrons is left empty of them.
    directions
        Directions, ``[theta, phi]`` in radians or names, repeated along the localized spins.

    Raises
    ------
    InputError
        If the list is empty or a direction is not understood.
    """
    key = "state.directions"
    if isinstance(directions, str) or not isinstance(directions, Sequence) or not directions:
        raise InputError(f"{key}: must be a list of [theta, phi], got {directions!r}")
    angles = [direction_angles(direction, key) for direction in directions]
    spins: list[np.ndarray | None] = [None] * model.length
    for k, site in enumerate(model.localized_sites):
        spins[site] = coherent(model.localized_spin, *angles[k % len(angles)])
    return SlaterProduct(model.local_sites, np.zeros((0, model.length, 2)), tuple(spins))
