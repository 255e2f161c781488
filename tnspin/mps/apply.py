"""Operators applied to matrix product states, merged where they act apart, and compressed."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from tnspin.mps.state import MPS
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.spin_mpo import Operator, SpinOperator

__all__ = ["Operator", "apply_operator", "drop_charges", "joined", "spin_mpo"]


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
    operator = SpinOperator.from_matrix(matrix, where, sites, "2Sz" in code.names)
    return operator.on_chain(sites, code)


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
        The canonical normalized result, the norm of the exact one (to the square of the
        discarded weight), and the sum of the discarded weights of all bonds.
    """
    after = state.apply_mpo(*operator)
    discarded = after.canonicalize(cutoff, bond_dim)
    # Each bond has kept a share 1 - weight of the norm squared; second orders do not matter.
    return after, after.divided * exp(discarded / 2), discarded


def drop_charges(state: MPS, names: Sequence[str]) -> MPS:
    """Return the same state with fewer charges, its sectors put side by side."""
    if tuple(names) == state.charge_names:
        return state
    return MPS.from_quimb(state.to_quimb(), state.sites, names)
