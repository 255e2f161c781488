"""Operators on the localized spins of a few sites, as matrix product operators.

A dense matrix on the spins is split site by site, charge by charge, so that the bonds of the
operator carry definite charges::

    |  |  |        |     |     |
    [ M  M ]  =   [W]-a-[W]-b-[W]
    |  |  |        |     |     |

Electrons and ancillas of the sites, and sites in between, are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..sites import Matrix, Site
from .charges import ChargeCode
from .state import MPS

__all__ = ["Operator", "apply_operator", "drop_charges", "joined", "spin_mpo"]

Ints = NDArray[np.int64]
#: Tensors of every site and charges of every bond of a matrix product operator.
Operator = tuple[list[Matrix], list[Ints]]
# Singular values of an operator below this share of the largest are round-off.
_RANK = 1e-14


def spin_mpo(
    matrix: Matrix, where: Sequence[int], sites: Sequence[Site], code: ChargeCode
) -> Operator:
    """Split an operator on localized spins into a matrix product operator on the whole chain.

    Parameters
    ----------
    matrix
        (D, D) on the spins (trailing factors) of ``where``, first site slowest, [out, in].
    where
        Ascending sites.
    sites
        The chain, length L.
    code
        Charges of the states it will act on; "2Sz" is the only one that it may change.

    Returns
    -------
    ws, bond_charges
        Arguments of `MPS.apply_mpo`.

    Raises
    ------
    InputError
        If the sites do not ascend, the sizes do not fit, or the operator changes 2Sz by no
        definite amount although the states have one.
    """
    where = [int(k) for k in where]
    dims = {k: sites[k].spin_dim for k in where}
    if sorted(set(where)) != where or matrix.shape != (prod(dims.values()),) * 2:
        raise InputError(f"matrix: shape {matrix.shape} does not fit the spins of sites {where}")
    count = len(where)
    # Axes out 1, in 1, out 2, in 2, ...
    order = [axis for k in range(count) for axis in (k, count + k)]
    rest = matrix.reshape([*dims.values()] * 2).transpose(order).reshape(1, -1)
    charge = np.zeros(1, dtype=np.int64)
    column = code.names.index("2Sz") if "2Sz" in code.names else None
    ws, bonds = [], [_bond_charges(charge, column, code)]
    for k, site in enumerate(sites):
        if k not in dims:
            one = np.eye(site.dim, dtype=np.complex128)
            ws.append(np.einsum("ab,oi->aboi", np.eye(charge.size), one))
        else:
            tensor, rest, charge = _split(rest, charge, dims[k], column is not None, k == where[-1])
            lead = np.eye(site.dim // dims[k])
            whole = np.einsum("abst,lm->ablsmt", tensor, lead)
            ws.append(whole.reshape(*tensor.shape[:2], site.dim, site.dim))
        bonds.append(_bond_charges(charge, column, code))
    return ws, bonds


def joined(operators: Sequence[Operator], where: Sequence[Sequence[int]]) -> list[Operator]:
    """Merge matrix product operators that act on separate stretches of the chain into one each.

    Parameters
    ----------
    operators
        From `spin_mpo`, changing no charge.
    where
        Sites that each acts on.

    Returns
    -------
    list
        Fewer operators with the same product.
    """
    merged: list[tuple[Operator, list[tuple[int, int]]]] = []
    for (ws, bonds), sites in zip(operators, where, strict=True):
        first, last = min(sites), max(sites)
        if merged and all(last < a or first > b for a, b in merged[-1][1]):
            (together, charges), stretches = merged[-1]
            together[first : last + 1] = ws[first : last + 1]
            charges[first : last + 2] = bonds[first : last + 2]
            stretches.append((first, last))
        else:
            merged.append(((list(ws), list(bonds)), [(first, last)]))
    return [operator for operator, _ in merged]


def apply_operator(
    state: MPS, operator: Operator, *, cutoff: float = 0.0, bond_dim: int | None = None
) -> tuple[MPS, float, float]:
    """Apply a matrix product operator and normalize.

    Parameters
    ----------
    state
        It is not changed.
    operator
        Tensors and bond charges, as `spin_mpo` returns them.
    cutoff, bond_dim
        Compression of the result, as for `MPS.canonicalize`.

    Returns
    -------
    state, norm, discarded
        The canonical normalized result, the norm of the exact one, and the sum of the discarded
        weights of all bonds.
    """
    after = state.apply_mpo(*operator)
    norm = after.norm
    return after, norm, after.canonicalize(cutoff, bond_dim)


def drop_charges(state: MPS, names: Sequence[str]) -> MPS:
    """Return the same state with fewer charges, its sectors put side by side."""
    if tuple(names) == state.charge_names:
        return state
    return MPS.from_quimb(state.to_quimb(), state.sites, names)


def _split(
    rest: Matrix, charge: Ints, d: int, conserving: bool, last: bool
) -> tuple[Matrix, Matrix, Ints]:
    """Split the first site off: (w, w', d, d) tensor, (w', remaining) rest, charges of w'."""
    rows = rest.reshape(charge.size * d * d, -1)
    # State m of a spin has 2Sz = d - 1 - 2 m.
    change = 2 * (np.arange(d)[None, :] - np.arange(d)[:, None]) * int(conserving)
    labels = np.add.outer(charge, change.ravel()).ravel()
    largest = np.abs(rest).max(initial=0.0)
    if last:
        found = np.unique(labels[np.abs(rows).max(axis=1, initial=0.0) > _RANK * largest])
        if found.size > 1:
            raise InputError(f"matrix: it changes 2Sz by {found.tolist()}, not a definite amount")
        total = found if found.size else labels[:1]
        # What is left elsewhere is round-off of the decompositions.
        kept_rows = np.where((labels == total)[:, None], rows, 0.0)
        tensor = kept_rows.reshape(charge.size, d, d, 1).transpose(0, 3, 1, 2)
        return tensor, np.ones((1, 1), dtype=np.complex128), total
    parts, carried, kept = [], [], []
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        u, s, vh = np.linalg.svd(rows[inside], full_matrices=False)
        rank = int(np.sum(s > _RANK * max(largest, 1e-300)))
        columns = np.zeros((len(rows), rank), dtype=np.complex128)
        columns[inside] = u[:, :rank]
        parts.append(columns)
        carried.append(s[:rank, None] * vh[:rank])
        kept += [label] * rank
    tensor = np.concatenate(parts, axis=1).reshape(charge.size, d, d, -1).transpose(0, 3, 1, 2)
    return tensor, np.concatenate(carried), np.array(kept, dtype=np.int64)


def _bond_charges(charge: Ints, column: int | None, code: ChargeCode) -> Ints:
    """(w, number of charges): only 2Sz changes."""
    table = np.zeros((charge.size, len(code.names)), dtype=np.int64)
    if column is not None:
        table[:, column] = charge
    return table
