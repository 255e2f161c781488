r"""Dissipators and decay of jumps on many sites, as matrix product operators.

On kets times bras (`sites.doubled`) the dissipator of a jump L is

.. math:: L \otimes L^* - \tfrac12 (L^+L \otimes 1 + 1 \otimes (L^+L)^*),

whose first part has the square of the bond dimension of L.  Its Schmidt values are the products of
those of L, most of them negligible: only pairs that matter are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tnspin.operators.mpo_sum import Automaton
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.spin_mpo import SpinOperator, pairs_above, with_rest

if TYPE_CHECKING:
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["decay", "dissipator"]

Ints = NDArray[np.int64]


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
    definite = all(jump.charge is not None for jump in jumps)
    steps = [np.subtract.outer(q, q).ravel() for q in _charges(sites, definite)]

    def term(jump: JumpOperator) -> Automaton:
        operator = _whole(jump.on(sites), sites)
        short, values, _ = operator.canonical(tolerance)
        gain = short.paired(
            short.conjugate, [pairs_above(s, tolerance) for s in values], "pqoi,pqxy->pqoxiy"
        )
        loss = -0.5 * operator.squared(tolerance)
        both = Automaton.of(gain, steps) + Automaton.of(_on_kets(loss), steps)
        return (both + Automaton.of(_on_bras(loss), steps)).compressed(tolerance)

    return _summed(jumps, term, tolerance)


def decay(sites: Sequence[Site], jumps: Sequence[JumpOperator], tolerance: float) -> Automaton:
    """``-i/2 sum L+ L`` of at least one jump, the part of H that is not Hermitian."""
    definite = all(jump.charge is not None for jump in jumps)
    steps = _charges(sites, definite)

    def term(jump: JumpOperator) -> Automaton:
        squared = jump.on(sites).squared(tolerance)
        return Automaton.of(-0.5j * _whole(squared, sites), steps)

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


def _charges(sites: Sequence[Site], definite: bool) -> list[Ints]:
    return [site.charge("2Sz") * int(definite) for site in sites]


def _whole(operator: SpinOperator, sites: Sequence[Site]) -> SpinOperator:
    """The operator on all of its sites instead of on their spins."""
    tensors = tuple(
        with_rest(w, sites[k]) for k, w in zip(operator.sites, operator.tensors, strict=True)
    )
    return replace(operator, tensors=tensors)


def _on_kets(operator: SpinOperator) -> SpinOperator:
    return replace(operator, tensors=tuple(_product(w, ket=True) for w in operator.tensors))


def _on_bras(operator: SpinOperator) -> SpinOperator:
    """Multiplication of rho from the right by a Hermitian operator."""
    other = operator.conjugate
    return replace(other, tensors=tuple(_product(w, ket=False) for w in other.tensors))


def _product(w: Matrix, ket: bool) -> Matrix:
    """A tensor on kets times the identity on bras, or the other way round."""
    one = np.eye(w.shape[2])
    whole = np.einsum("aboi,xy->aboxiy" if ket else "aboi,xy->abxoyi", w, one)
    size = w.shape[2] ** 2
    return np.asarray(whole.reshape(*w.shape[:2], size, size), dtype=np.complex128)
