"""Matrix product operators merged where they act apart, and applied with compression."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from tnspin.mps.state import MPS
from tnspin.operators.spin_mpo import Operator


def joined(operators: Sequence[Operator], where: Sequence[Sequence[int]]) -> list[Operator]:
    """Merge matrix product operators that act on separate stretches of the chain into one each.

    Parameters
    ----------
    operators
        Tensors and bond charges of each, which change no charge.
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
        Tensors and bond charges, arguments of `MPS.apply_mpo`.
    cutoff, bond_dim
        Compression of the result, as for `MPS.canonicalize`.

    Returns
    -------
    state, norm, discarded
        The canonical normalized result, the norm of the exact one (to the square of the
        discarded weight), and the sum of the discarded weights of all bonds.
    """
    after = state.apply_mpo(*operator)
    discarded = after.canonicalize(cutoff, bond_dim)
    # Each bond has kept a share 1 - weight of the norm squared; second orders do not matter.
    return after, after.divided * exp(discarded / 2), discarded
