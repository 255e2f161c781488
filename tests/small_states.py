"""Random states on small chains of every kind of site."""

from __future__ import annotations

import numpy as np
from dense import random_state

from tnspin.operators.sites import boson, electron, kondo, spin

CHAINS = {
    "spins": ((spin(0.5),) * 7, ("2Sz",)),
    "spins, dense": ((spin(0.5),) * 7, ()),
    "mixed spins": ((spin(0.5), spin(1.0), spin(1.5), spin(0.5), spin(1.0)), ("2Sz",)),
    "electrons": ((electron(),) * 5, ("N", "2Sz")),
    "electrons, N only": ((electron(),) * 5, ("N",)),
    "kondo": ((electron(), kondo(0.5), kondo(0.5), electron()), ("N", "2Sz")),
    "bosons and spins": (
        (boson(3), spin(0.5), boson(3), electron(), spin(1.0)),
        ("Nb", "N", "2Sz"),
    ),
    "two sites": ((kondo(0.5), spin(1.0)), ("N", "2Sz")),
}
#: Product state whose total charge the random states have: near the middle of the spectrum.
MIDDLE = {
    "spins": [0, 1, 0, 1, 0, 1, 0],
    "mixed spins": [0, 1, 2, 1, 1],
    "electrons": [1, 2, 0, 1, 2],
    "electrons, N only": [1, 2, 0, 1, 2],
    "kondo": [1, 3, 4, 0],
    "bosons and spins": [1, 0, 1, 1, 1],
    "two sites": [3, 1],
}


def make(name, seed=0, **options):
    sites, names = CHAINS[name]
    rng = np.random.default_rng(seed)
    return random_state(sites, names, rng, states=MIDDLE.get(name), **options)


def unit(vector):
    return vector / np.linalg.norm(vector)
