r"""Moments of partially transposed density matrices, for any length of the chain.

.. math:: p_n = \mathrm{Tr}\,(\rho^{T_A})^n

needs no eigenvalues: n copies of the matrix product state of rho are contracted along the chain,
the ket of one with the bra of the next, or with that of the one before on transposed sites::

    --[B]--[B]--   copy 1        s1 |B| s2
       |    |                    s2 |B| s3      transposed: s2 |B| s1, ...
    --[B]--[B]--   copy 2        ...
       :    :                    sn |B| s1

The environment has the bond dimension to the power n, and the effort one power more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.density import DensityMPS
from tnspin.operators.sites import Matrix

#: Largest number of elements of an environment: 1 GiB.
LARGEST = 2**26
#: ``{sector of every copy: array (d1, ..., dn)}``.
_Environment = dict[tuple[int, ...], Matrix]


def moment(
    state: DensityMPS,
    order: int,
    sites: Sequence[int] | None = None,
    transposed: Sequence[int] = (),
    *,
    largest: int = LARGEST,
) -> float:
    """``Tr (rho^T)^n`` of the reduced density matrix of some sites, of trace 1.

    Parameters
    ----------
    state
        The density matrix.
    order
        n, 1 or more.
    sites
        Sites that are kept, all others are traced out; default the whole chain.
    transposed
        Sites among ``sites`` that are transposed; none for the moments of rho itself.
    largest
        Largest number of elements of an environment.

    Raises
    ------
    InputError
        If sites are outside the chain or not among those kept, or bonds are too large for n copies.
    """
    kept = set(range(state.length) if sites is None else (int(k) for k in sites))
    turned = {int(k) for k in transposed}
    if order < 1:
        raise InputError(f"order: must be 1 or more, got {order}")
    if not kept <= set(range(state.length)) or not turned <= kept:
        raise InputError(
            f"sites: {sorted(turned)} must be among {sorted(kept)}, within 0..{state.length - 1}"
        )
    total = _contracted(state, order, kept, turned, largest)
    return float(total / _contracted(state, 1, kept, set(), largest) ** order)


def p3_ppt(p2: float, p3: float) -> float:
    """``p2^2 - p3`` of the moments of a partial transpose: above 0 only if the state is entangled.

    A partial transpose without negative eigenvalues has ``p3 >= p2^2`` (Elben et al., PRL 125,
    200501); of what is entangled only some violates it.
    """
    return p2**2 - p3


def _contracted(
    state: DensityMPS, order: int, kept: set[int], turned: set[int], largest: int
) -> float:
    """Moment of the normalized vector of matrix elements, whatever its trace."""
    environment: _Environment = {(0,) * order: np.ones((1,) * order, dtype=np.complex128)}
    for k in range(state.length):
        if k not in kept:
            table = _by_sector(state, k, traced=True, turned=False)
            for copy in range(order):
                environment = _moved(environment, copy, table[0, 0], {}, largest)
            continue
        table = _by_sector(state, k, traced=False, turned=k in turned)
        environment = _site(environment, order, table, state.sites[k].dim, largest)
    return float(sum(value.sum().real for value in environment.values()))


#: ``{left key: [(right key, matrix)]}`` of one pair of row and column.
_Steps = dict[int, list[tuple[int, Matrix]]]


def _by_sector(
    state: DensityMPS, k: int, *, traced: bool, turned: bool
) -> dict[tuple[int, int], _Steps]:
    """Blocks of a site by row and column of the (transposed) matrix, or their trace at (0, 0)."""
    d, keys = state.sites[k].dim, state.mps.site_keys[k]
    table: dict[tuple[int, int], _Steps] = {}
    sums: dict[tuple[int, int], Matrix] = {}
    for (key, p), block in state.mps.blocks(k).items():
        row, column = divmod(p, d)
        to = key + int(keys[p])
        if not traced:
            pair = (column, row) if turned else (row, column)
            table.setdefault(pair, {}).setdefault(key, []).append((to, block))
        elif row == column:
            sums[key, to] = sums.get((key, to), 0) + block
    if traced:
        table[0, 0] = {key: [(to, block)] for (key, to), block in sums.items()}
    return table


def _site(
    environment: _Environment, order: int, table: dict[tuple[int, int], _Steps], d: int,
    largest: int,
) -> _Environment:  # fmt: skip
    """Take in one site, copy by copy, for every state that closes the ring of copies."""
    after: _Environment = {}
    for first in range(d):
        open_ends = {first: environment}
        for copy in range(order):
            last = copy == order - 1
            moved: dict[int, _Environment] = {}
            for row, part in open_ends.items():
                for column in (first,) if last else range(d):
                    if (row, column) in table:
                        into = after if last else moved.setdefault(column, {})
                        _moved(part, copy, table[row, column], into, largest)
            open_ends = moved
    return after


def _moved(
    environment: _Environment, copy: int, steps: _Steps, out: _Environment, largest: int
) -> _Environment:
    """Multiply the leg of one copy by the blocks of a site, adding to ``out``."""
    for keys, value in environment.items():
        for to, block in steps.get(keys[copy], ()):
            at = (*keys[:copy], to, *keys[copy + 1 :])
            shape = (*value.shape[:copy], block.shape[1], *value.shape[copy + 1 :])
            if prod(shape) > largest:
                raise InputError(
                    f"order: {len(keys)} copies of a bond of {max(shape)} states do not fit; "
                    "compress the density matrix, or take a lower order"
                )
            # As one product of matrices, (before, d) blocks one after the other.
            before = prod(value.shape[:copy])
            flat = value.reshape(before, value.shape[copy], -1)
            new = np.matmul(block.T, flat).reshape(shape)
            out[at] = out[at] + new if at in out else new
    return out
