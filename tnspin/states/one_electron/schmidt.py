"""Schmidt weights of cuts through a chain with one electron.

A cut leaves the electron on one side, and the spins of the other side label the rows of a matrix
whose columns are the rest.  Along a stretch without localized spins the rows do not change and
one position after the other moves across, so the Gram matrices of all its cuts are partial sums
(over rows) or corners (over positions) of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from tnspin.numerics.arrays import Ints, Reals
from tnspin.numerics.low_rank import compact
from tnspin.operators.sites import Matrix
from tnspin.states.one_electron.amplitudes import Amplitudes


def schmidt_weights(state: Amplitudes, bonds: Sequence[int]) -> list[Reals]:
    """Squares of the Schmidt values of ascending cuts, not normalized, in no order.

    Exact to round-off relative to the norm of the state.
    """
    chain = state.configurations
    found: dict[int, list[Reals]] = {bond: [] for bond in bonds}
    left = [tuple(f for k in range(bond + 1) for f in chain.rest(k)) for bond in bonds]
    everything = range(1, len(chain.factors))
    for spins, stretch in groupby(zip(left, bonds, strict=True), key=lambda item: item[0]):
        cuts = [bond for _, bond in stretch]
        right = tuple(f for f in everything if f not in spins)
        # Spins on the left, electron on the right: fewer positions the later the cut.
        backwards = [(bond, np.arange(chain.length - 1, bond, -1)) for bond in cuts[::-1]]
        forwards = [(bond, np.arange(bond + 1)) for bond in cuts]
        for factors, nested in ((spins, backwards), (right, forwards)):
            for table in chain.table(factors):
                alive = state.weights[table.index] > 0
                index = table.index[np.ix_(alive.any(axis=1), alive.any(axis=0))]
                for bond, weights in _nested(state, index, nested):
                    found[bond].append(weights)
    return [np.concatenate(found[bond]) for bond in bonds]


def _nested(
    state: Amplitudes, index: Ints, nested: list[tuple[int, Ints]]
) -> Iterator[tuple[int, Reals]]:
    """Reals of the matrices rows x (columns, positions), each list of positions within the next.

    ``index`` is (rows, columns) of configurations.
    """
    rows, columns = index.shape
    total = float(state.weights.sum())
    if index.size == 0:
        yield from ((bond, np.zeros(0)) for bond, _ in nested)
    elif rows <= columns * len(nested[-1][1]):
        gram, done = np.zeros((rows, rows), dtype=np.complex128), 0
        for bond, positions in nested:
            part = state.amplitudes[index[:, :, None], positions[None, None, done:]]
            wide = part.reshape(rows, -1)
            gram, done = gram + wide @ wide.conj().T, len(positions)
            yield bond, _eigenvalues(gram, total)
    else:
        # Positions slowest, so that a shorter list is a corner.
        part = state.amplitudes[index[:, None, :], nested[-1][1][None, :, None]]
        wide = part.reshape(rows, -1)
        gram = wide.T @ wide.conj()
        for bond, positions in nested:
            size = columns * len(positions)
            yield bond, _eigenvalues(gram[:size, :size], total)


def _eigenvalues(gram: Matrix, total: float) -> Reals:
    """Eigenvalues of a Gram matrix above round-off; ``total`` is the norm squared of the state."""
    return np.clip(np.linalg.eigvalsh(compact(gram, total)), 0.0, None)
