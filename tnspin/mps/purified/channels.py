r"""Quantum channels on a few sites as Kraus operators, and as operators of the whole chain.

A Lindbladian of a few sites, exponentiated, is a channel: its Choi matrix

.. math:: C_{(oi),(o'i')} = \sum_a K^a_{oi} (K^a_{o'i'})^*

is positive, and its eigenvectors are the Kraus operators.  Where the channel respects a charge,
each of them changes it by a definite amount.  Splitting them site by site gives a matrix product
operator with one more leg, the index a, on one of its sites::

    |     | a   |
   [W]---[W]---[W]
    |     |     |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np
from scipy.linalg import expm

from tnspin.errors import InputError
from tnspin.numerics.arrays import Ints
from tnspin.operators.charge_split import column_spaces
from tnspin.operators.lindbladian import dissipator_matrix
from tnspin.operators.sites import Matrix, Site

#: Largest space of a channel that dissipates: its superoperator has the square of that many rows.
LARGEST = 32
# Kraus operators of a smaller weight are round-off.
_ROUND_OFF = 1e-14
# Elements between charges that a channel may have from rounding.
_LEAK = 1e-11


@dataclass(frozen=True, eq=False)
class Channel:
    """A completely positive, trace-preserving map on some sites.

    Attributes
    ----------
    where
        Ascending sites.
    dims
        Dimension of the trailing factor of each site on which it acts.
    operators
        Kraus operators (n, D, D), [out, in], first site slowest.
    charges
        Change of each charge by each operator, (n, number of charges).
    """

    where: tuple[int, ...]
    dims: tuple[int, ...]
    operators: Matrix
    charges: Ints


@dataclass(frozen=True, eq=False)
class ChannelMpo:
    """A channel as a matrix product operator.

    Attributes
    ----------
    tensors
        Site -> (w, w', n, d, d), [left, right, Kraus, out, in]; n is 1 but on one site.
    bonds
        Site -> charges (w', number of charges) that the operator has added up to there.
    centre
        The site that carries the Kraus index.
    charges
        Change of each charge by each operator, (n, number of charges).
    """

    tensors: dict[int, Matrix]
    bonds: dict[int, Ints]
    centre: int
    charges: Ints


def lindblad_channel(
    sites: Sequence[Site],
    where: Sequence[int],
    dims: Sequence[int],
    jumps: Sequence[Matrix],
    span: float,
    names: Sequence[str] = (),
) -> Channel:
    """Evolution for a time under jump operators alone.

    Parameters
    ----------
    sites
        The chain.
    where, dims
        Ascending sites, and the dimension of the trailing factor of each that the jumps act on.
    jumps
        Matrices (D, D), rates included.
    span
        Time, at least 0.
    names
        Charges of which every jump must change a definite amount.

    Raises
    ------
    InputError
        If the sites have too many states together, or the charges are not definite.
    """
    size = prod(dims)
    if size > LARGEST:
        raise InputError(
            f"bath: a jump operator on sites {list(where)} acts on {size} states; purifications "
            f"take at most {LARGEST}; use a smaller bath.window"
        )
    generator = np.zeros((size**2, size**2), dtype=np.complex128)
    for jump in jumps:
        generator += dissipator_matrix(jump)
    # From [(out, out'), (in, in')] to [(out, in), (out', in')].
    moved = expm(span * generator).reshape((size,) * 4).transpose(0, 2, 1, 3)
    choi = moved.reshape(size**2, size**2)
    local = _charges(sites, where, dims, names)
    change = (local[:, None, :] - local[None, :, :]).reshape(size**2, -1)
    labels, label = np.unique(change, axis=0, return_inverse=True)
    label = label.ravel()
    leak = float(np.abs(choi[label[:, None] != label[None, :]]).max(initial=0.0))
    if leak > _LEAK:
        raise InputError(
            f"bath: a jump operator on sites {list(where)} changes {tuple(names)} by no definite "
            "amount"
        )
    operators, charges = [], []
    for k, charge in enumerate(labels):
        rows = np.flatnonzero(label == k)
        block = choi[np.ix_(rows, rows)]
        values, vectors = np.linalg.eigh((block + block.conj().T) / 2)
        for value, vector in zip(values[::-1], vectors.T[::-1], strict=True):
            if value > _ROUND_OFF * size:
                operator = np.zeros(size**2, dtype=np.complex128)
                operator[rows] = np.sqrt(value) * vector
                operators.append(operator.reshape(size, size))
                charges.append(charge)
    return Channel(
        tuple(where), tuple(dims), np.array(operators), np.array(charges, dtype=np.int64)
    )


def unitary_channel(
    sites: Sequence[Site],
    where: Sequence[int],
    hamiltonian: Matrix,
    span: float,
    names: Sequence[str] = (),
) -> Channel:
    """Evolution for a time under a Hermitian matrix (D, D) on whole sites."""
    energies, modes = np.linalg.eigh(hamiltonian)
    unitary = (modes * np.exp(-1j * span * energies)) @ modes.conj().T
    dims = tuple(sites[k].dim for k in where)
    local = _charges(sites, where, dims, names)
    # Degenerate modes may mix sectors by round-off.
    kept = (local[:, None, :] == local[None, :, :]).all(axis=2)
    charges = np.zeros((1, len(names)), dtype=np.int64)
    return Channel(tuple(where), dims, np.where(kept, unitary, 0.0)[None], charges)


def channel_mpo(channel: Channel, sites: Sequence[Site], names: Sequence[str] = ()) -> ChannelMpo:
    """ChannelMpo the Kraus operators of a channel site by site, the Kraus index in the middle.

    Parameters
    ----------
    channel
        On any sites; those in between, within its span, pass the bond of the operator on.
    sites
        The chain.
    names
        Charges of the blocks of the states it will act on.
    """
    count, n = len(channel.where), len(channel.operators)
    middle = count // 2
    centre = channel.where[middle]
    # Axes out 1, in 1, out 2, in 2, ... with the Kraus index in front of the middle site's.
    tensor = channel.operators.reshape(n, *channel.dims, *channel.dims)
    order = [axis for k in range(count) for axis in (1 + k, 1 + count + k)]
    order.insert(2 * middle, 0)
    rest = tensor.transpose(order).reshape(1, -1)
    charge = np.zeros((1, len(names)), dtype=np.int64)
    tensors: dict[int, Matrix] = {}
    bonds: dict[int, Ints] = {}
    for site in range(channel.where[0], channel.where[-1] + 1):
        if site not in channel.where:
            one = np.eye(len(charge), dtype=np.complex128)
            tensors[site], bonds[site] = one[:, :, None, None, None], charge
            continue
        k = channel.where.index(site)
        kraus = channel.charges if k == middle else np.zeros((1, len(names)), dtype=np.int64)
        local = _charges(sites, [site], [channel.dims[k]], names)
        tensors[site], rest, charge = _split_off(rest, charge, kraus, local, k == count - 1)
        bonds[site] = charge
    return ChannelMpo(tensors, bonds, centre, channel.charges)


def _split_off(
    rest: Matrix, charge: Ints, kraus: Ints, local: Ints, last: bool
) -> tuple[Matrix, Matrix, Ints]:
    """One site: its tensor (w, w', n, d, d), what is left (w', ...), and the charges of w'."""
    d, n = len(local), len(kraus)
    rows = rest.reshape(len(charge) * n * d * d, -1)
    # The Kraus index takes the charge that its operator adds.
    added = (
        charge[:, None, None, None] - kraus[None, :, None, None]
        + local[None, None, :, None] - local[None, None, None, :]
    ).reshape(len(rows), -1)  # fmt: skip
    if last:
        # What is left elsewhere is round-off of the decompositions.
        rows = np.where((added == 0).all(axis=1)[:, None], rows, 0.0)
        tensor = rows.reshape(len(charge), n, d, d, 1).transpose(0, 4, 1, 2, 3)
        return tensor, np.ones((1, 1), dtype=np.complex128), np.zeros_like(charge[:1])
    labels, label = np.unique(added, axis=0, return_inverse=True)
    columns, carried = zip(*column_spaces(rows, label.ravel()), strict=True)
    tensor = np.concatenate(columns, axis=1).reshape(len(charge), n, d, d, -1)
    kept = np.repeat(labels, [part.shape[1] for part in columns], axis=0)
    return tensor.transpose(0, 4, 1, 2, 3), np.concatenate(carried), kept


def _charges(
    sites: Sequence[Site], where: Sequence[int], dims: Sequence[int], names: Sequence[str]
) -> Ints:
    """Charges (D, number) of the product states of the trailing factors of some sites.

    They count from the first state of the leading factor; only differences matter.
    """
    parts = [
        np.array([sites[k].charge(name)[:d] for name in names], dtype=np.int64).reshape(-1, d).T
        for k, d in zip(where, dims, strict=True)
    ]

    def join(a: Ints, b: Ints) -> Ints:
        return (a[:, None, :] + b[None, :, :]).reshape(len(a) * len(b), -1)

    return reduce(join, parts)
