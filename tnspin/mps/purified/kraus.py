"""Sites with a Kraus index in front, and blocks of theirs: the parts of `PurifiedMPS`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tnspin.mps.blocks import Bond
from tnspin.operators.sites import Matrix, Site

__all__ = [
    "Blocks", "Side", "appended", "enlarged", "least_kept", "left_spectrum", "product", "side",
]  # fmt: skip

Ints = NDArray[np.int64]
#: ``{(left key, local state): matrix}``, as `MPS.blocks`.
Blocks = dict[tuple[int, int], Matrix]
# Eigenvalues below this share of their sum are round-off.
_RANK = 1e-16


class Side(NamedTuple):
    """A bond after an operator: keys that its states add, dimensions of the new sectors, and where
    each old sector lies in them, by (operator state, old key).
    """

    shifts: list[int]
    dims: dict[int, int]
    place: dict[tuple[int, int], int]


def side(bond: Bond, shifts: Sequence[int]) -> Side:
    """Put the sectors of a bond side by side, once for each state of an operator's bond."""
    dims: dict[int, int] = defaultdict(int)
    place = {}
    for a, added in enumerate(shifts):
        for key, size in zip(bond.keys.tolist(), bond.dims.tolist(), strict=True):
            place[a, key] = dims[key + added]
            dims[key + added] += size
    return Side(list(shifts), dict(dims), place)


def enlarged(sites: Sequence[Site], kraus: Sequence[Ints], names: Sequence[str]) -> list[Site]:
    """Sites with a Kraus index in front of them; they have charges but no operators.

    Parameters
    ----------
    sites
        The chain.
    kraus
        Charges of the Kraus states of every site, (K, number of names).
    names
        Names of the charges.
    """
    found = []
    for site, table in zip(sites, kraus, strict=True):
        charges = {
            name: tuple(np.add.outer(table[:, c], site.charge(name)).ravel().tolist())
            for c, name in enumerate(names)
        }
        labels = tuple(f"{k};{label}" for k in range(len(table)) for label in site.labels)
        parity = site.parity * len(table)
        found.append(Site(f"kraus-{site.name}", labels, charges, {}, parity, site.spin_dim))
    return found


def appended(kraus: Ints, changes: Ints) -> Ints:
    """Charges of the Kraus states (old, new), new fastest, when operators have been applied.

    The ancilla takes what the operator takes from the site.
    """
    count = len(kraus) * len(changes)
    return (kraus[:, None, :] - changes[None, :, :]).reshape(count, kraus.shape[1])


def product(
    w: Matrix, blocks: Mapping[tuple[int, int], Matrix], site_keys: Ints, rest: int,
    left: Side, right: Side,
) -> Blocks:  # fmt: skip
    """Blocks of a site after one tensor of a channel has acted on it.

    Parameters
    ----------
    w
        (w, w', n, d, d), [left, right, Kraus, out, in], on the trailing factor d of the site.
    blocks, site_keys
        The site, its local states being (Kraus, rest, d).
    rest
        Dimension of what lies between.
    left, right
        The bonds afterwards.
    """
    n, d = w.shape[2], w.shape[3]
    actions = defaultdict(list)
    for a, b, into in zip(*np.nonzero(w.any(axis=(2, 3))), strict=True):
        x, out = np.nonzero(w[a, b, :, :, into])
        values = w[a, b, x, out, into][:, None, None]
        actions[int(into)].append((int(a), int(b), x, out, values))
    # All new local states that lead from one sector to another are filled together.
    stacks: dict[tuple[int, int], Matrix] = {}
    width = len(site_keys) * n
    for (key, local), block in blocks.items():
        lead, into = divmod(local, d)
        k, r = divmod(lead, rest)
        to = key + int(site_keys[local])
        for a, b, x, out, values in actions[into]:
            at = key + left.shifts[a], to + right.shifts[b]
            if at not in stacks:
                shape = width, left.dims[at[0]], right.dims[at[1]]
                stacks[at] = np.zeros(shape, dtype=np.complex128)
            i, j = left.place[a, key], right.place[b, to]
            rows, columns = slice(i, i + block.shape[0]), slice(j, j + block.shape[1])
            stacks[at][((k * n + x) * rest + r) * d + out, rows, columns] += values * block
    return {
        (key, int(local)): stack[local]
        for (key, _), stack in stacks.items()
        for local in np.flatnonzero(stack.any(axis=(1, 2)))
    }


def least_kept(
    values: NDArray[np.float64], cutoff: float, most: int, round_off: float = _RANK
) -> tuple[float, float]:
    """Smallest eigenvalue to keep, and the share of their sum that those below it have.

    Parameters
    ----------
    values
        Eigenvalues of all sectors, in any order.
    cutoff
        Largest share to drop.
    most
        Most values to keep, whatever their share; one is always kept.
    round_off
        Share that is dropped in any case: that of squares of singular values may be far smaller.
    """
    ascending = np.sort(values)
    total = float(ascending.sum())
    dropped = np.cumsum(ascending)
    count = int(np.searchsorted(dropped, max(cutoff, round_off) * total, side="right"))
    count = min(max(count, ascending.size - most), ascending.size - 1)
    return float(ascending[count]), float(dropped[count - 1] / total) if count else 0.0


def left_spectrum(matrix: Matrix) -> tuple[NDArray[np.float64], Matrix]:
    """Squared singular values of an (n, m) matrix, descending, and left vectors as columns."""
    if not matrix.shape[1]:
        return np.zeros(0), np.zeros((len(matrix), 0), dtype=np.complex128)
    if matrix.shape[1] < 2 * len(matrix):
        u, s, _ = np.linalg.svd(matrix, full_matrices=False)
        return s**2, u
    values, vectors = np.linalg.eigh(matrix @ matrix.conj().T)
    return np.clip(values[::-1], 0.0, None), vectors[:, ::-1]
