"""Product states of the localized spins, without electrons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.schema.register import register
from tnspin.states.initial.base import InitialState
from tnspin.states.initial.slater import SlaterProduct
from tnspin.states.initial.spins import Direction, coherent, direction_angles


@register
@dataclass(frozen=True)
class Product(InitialState):
    """Every localized spin fully polarized along its own direction, no electrons.

    Parameters
    ----------
    directions
        Directions, ``[theta, phi]`` in radians or names, repeated along the localized spins.
    """

    kind = "product"

    directions: tuple[Direction, ...] = ("z",)

    def check(self) -> None:
        """Refuse an empty list and unknown directions."""
        if not self.directions:
            raise InputError("state.directions = []: must have at least one direction")
        for direction in self.directions:
            direction_angles(direction, "state.directions")

    def build(self, model: Any) -> SlaterProduct:
        """Product state of a model with localized spins."""
        angles = [direction_angles(one, "state.directions") for one in self.directions]
        spins: list[np.ndarray | None] = [None] * model.length
        for k, site in enumerate(model.localized_sites):
            spins[site] = coherent(model.localized_spin, *angles[k % len(angles)])
        return SlaterProduct(model.local_sites, np.zeros((0, model.length, 2)), tuple(spins))


def product(model: Any, *keys: Any, **more: Any) -> SlaterProduct:
    """Product state of a model; the keys are those of `Product`."""
    return Product(*keys, **more).build(model)
