"""Random states of small spin valves and their spins, traced out of the full vector."""

from __future__ import annotations

import numpy as np
from dense import full_vector, random_state

from tnspin.operators.sites import electron, kondo, purified, spin

#: Sites, charges, local states of members of a mixture (total charges differ), parts a and b.
VALVES = {
    "kondo": (
        (electron(), kondo(), kondo(), electron(), kondo(), kondo()),
        ("N", "2Sz"), ([1, 0, 0, 0, 1, 1], [2, 0, 0, 0, 1, 1]), (1, 2), (4, 5),
    ),
    "two electrons": (
        (kondo(), electron(), kondo(), kondo(), electron()),
        ("N", "2Sz"), ([2, 2, 1, 0, 0], [2, 1, 1, 1, 0]), (0, 2), (3,),
    ),
    "number only": (
        (electron(), kondo(), kondo(), electron(), kondo()),
        ("N",), ([1, 0, 0, 0, 1], [1, 0, 0, 1, 1]), (1, 2), (4,),
    ),
    "no charges": ((kondo(), electron(), kondo(), kondo()), (), ([0] * 4,), (0,), (2, 3)),
    "larger spins": (
        (spin(1.0), spin(0.5), spin(1.5), spin(0.5), spin(1.0)),
        ("2Sz",), ([0, 1, 1, 0, 1], [1, 0, 2, 1, 1]), (0, 1), (2, 4),
    ),
    "thermal": (
        (electron(), purified(kondo()), purified(kondo()), purified(kondo())),
        ("N", "2Sz"), ([1, 0, 3, 0], [2, 0, 0, 3]), (1,), (2, 3),
    ),
    "spins": (
        (spin(0.5),) * 12,
        ("2Sz",), ([0, 1] * 6, [0, 1] * 5 + [1, 1]), (0, 1, 2, 4), (6, 8, 9, 10),
    ),
}  # fmt: skip


def make(name, seed=0, dim=3):
    """Members of a mixture, part a and part b."""
    sites, names, starts, part_a, part_b = VALVES[name]
    rng = np.random.default_rng(seed)
    states = [random_state(sites, names, rng, states=start, dim=dim) for start in starts]
    for state in states:
        state.canonicalize()
    weights = rng.uniform(0.2, 1.0, len(states))
    return list(zip(weights / weights.sum(), states, strict=True)), part_a, part_b


def spins_rdm(members, sites):
    """Density matrix of the localized spins of ``sites``, in this order, from full vectors."""
    rho = 0
    for weight, state in members:
        shape = [n for site in state.sites for n in (site.dim // site.spin_dim, site.spin_dim)]
        kept = [2 * i + 1 for i in sites]
        order = [*kept, *(k for k in range(len(shape)) if k not in kept)]
        tensor = full_vector(state).reshape(shape).transpose(order)
        matrix = tensor.reshape(int(np.prod([shape[k] for k in kept])), -1)
        matrix = matrix / np.linalg.norm(matrix)
        rho = rho + weight * (matrix @ matrix.conj().T)
    return rho
