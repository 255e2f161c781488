r"""Dissipators and decay of jumps on many sites, as matrix product operators.

On kets times bras (`sites.doubled`) the dissipator of a jump L is

.. math:: L \otimes L^* - \tfrac12 (L^+L \otimes 1 + 1 \otimes (L^+L)^*),

whose first part has the square of the bond dimension of L.  Its Schmidt values are the products of
those of L, most of them negligible: only pairs that matter are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tnspin.numerics.arrays import Ints
from tnspin.operators.charge_split import changes
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.mpo_sum import Automaton
from tnspin.operators.sites import Site
from tnspin.operators.spin_mpo import SpinOperator, pairs_above, with_rest


def dissipator(sites: Sequence[Site], jumps: Sequence[JumpOperator], tolerance: float) -> Automaton:
    """Sum of the dissipators of jumps, on doubled sites.

    Parameters
    ----------
    sites
        The chain.
    jumps
        At least one, on any sites.
    tolerance
        Relative error of every compression, see `Automaton.compressed`.
    """
    local_charges = [changes(q) for q in _charges(sites, jumps)]

    def term(jump: JumpOperator) -> Automaton:
        operator = _whole(jump.on(sites), sites)
        short, values, _ = operator.canonical(tolerance)
        gain = short.combined(
            short.conjugate, [pairs_above(s, tolerance) for s in values], "pqoi,pqxy->pqoxiy"
        )
        loss = -0.5 * operator.squared(tolerance)
        # rho is multiplied from the right by a Hermitian operator: its conjugate on the bras.
        kets = _times_one(loss, "aboi,xy->aboxiy")
        bras = _times_one(loss.conjugate, "aboi,xy->abxoyi")
        one, two, three = (Automaton.of(part, local_charges) for part in (gain, kets, bras))
        return (one + two + three).compressed(tolerance)

    return _summed(jumps, term, tolerance)


def decay(sites: Sequence[Site], jumps: Sequence[JumpOperator], tolerance: float) -> Automaton:
    """``-i/2 sum L+ L`` of at least one jump, the part of H that is not Hermitian."""
    local_charges = _charges(sites, jumps)

    def term(jump: JumpOperator) -> Automaton:
        squared = jump.on(sites).squared(tolerance)
        return Automaton.of(-0.5j * _whole(squared, sites), local_charges)

    return _summed(jumps, term, tolerance)


def _summed(
    jumps: Sequence[JumpOperator], term: Callable[[JumpOperator], Automaton], tolerance: float
) -> Automaton:
    """Add neighbours first, so that no sum is much wider than the result."""
    if len(jumps) == 1:
        return term(jumps[0])
    half = len(jumps) // 2
    first = _summed(jumps[:half], term, tolerance)
    return (first + _summed(jumps[half:], term, tolerance)).compressed(tolerance)


def _charges(sites: Sequence[Site], jumps: Sequence[JumpOperator]) -> list[Ints]:
    """2Sz of the states of every site; zeros if some jump changes it by no definite amount."""
    definite = all(jump.charge is not None for jump in jumps)
    return [site.charge("2Sz") * int(definite) for site in sites]


def _whole(operator: SpinOperator, sites: Sequence[Site]) -> SpinOperator:
    """The operator on all of its sites instead of on their spins."""
    pairs = zip(operator.sites, operator.tensors, strict=True)
    return replace(operator, tensors=tuple(with_rest(w, sites[k]) for k, w in pairs))


def _times_one(operator: SpinOperator, rule: str) -> SpinOperator:
    """The operator on kets times the identity on bras, or the other way round."""
    tensors = []
    for w in operator.tensors:
        size = w.shape[2] ** 2
        whole = np.einsum(rule, w, np.eye(w.shape[2]))
        tensors.append(whole.reshape(*w.shape[:2], size, size))
    return replace(operator, tensors=tuple(tensors))
