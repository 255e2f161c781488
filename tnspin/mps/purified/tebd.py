"""Trotter steps of locally purified states: gates of the chain, widened by the Kraus indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tnspin.mps.purified.state import PurifiedMPS
from tnspin.mps.tebd import BondMatrix, Gate, Tebd
from tnspin.numerics.trotter import TimedLayer


class KrausTebd(Tebd):
    """`Tebd` for a state whose Kraus indices the gates leave alone.

    Parameters
    ----------
    state
        It is not changed; `purified` is the evolved one.
    matrix, driven, options
        As for `Tebd`, with matrices on the sites of the chain.
    """

    def __init__(
        self, state: PurifiedMPS, matrix: BondMatrix, driven: list[bool], **options: Any
    ) -> None:
        self.purified = state.copy()
        super().__init__(state.purification, matrix, driven, **options)

    def move(self, start: float, dt: float, steps: int) -> None:
        """Evolve `purified` by some steps; it is canonical afterwards."""
        self.state = self.purified.purification.copy()
        for _ in self.advance(start, dt, steps):
            pass
        self.purified = PurifiedMPS(self.purified.sites, self.state, self.purified.kraus)

    def _gate(self, bond: int, layer: TimedLayer) -> Gate:
        first, second = self.purified.sites[bond : bond + 2]
        k1, k2 = (len(table) for table in self.purified.kraus[bond : bond + 2])
        return widened(super()._gate(bond, layer), k1, first.dim, k2, second.dim)


def widened(gate: Gate, k1: int, d1: int, k2: int, d2: int) -> Gate:
    """A gate on sites of dimensions d1, d2 times the identity on leading factors k1, k2."""
    if k1 == k2 == 1:
        return gate
    # Where state (p1, p2) goes for every (kraus 1, kraus 2): (k1, k2, d1 d2).
    first, second = np.divmod(np.arange(d1 * d2), d2)
    rows = np.add.outer(np.arange(k1) * d1, first)
    columns = np.add.outer(np.arange(k2) * d2, second)
    place = rows[:, None, :] * (k2 * d2) + columns[None, :, :]
    counts = np.diff(gate.pointer)
    target = np.repeat(np.arange(d1 * d2), counts)
    out, source = place[..., target].ravel(), place[..., gate.source].ravel()
    amplitude = np.broadcast_to(gate.amplitude, (k1, k2, target.size)).ravel()
    order = np.argsort(out, kind="stable")
    size = k1 * d1 * k2 * d2
    pointer = np.concatenate([[0], np.cumsum(np.bincount(out, minlength=size))])
    phase = np.empty(size, dtype=gate.phase.dtype)
    phase[place] = gate.phase
    return Gate(
        pointer.astype(np.int64), source[order].astype(np.int64), amplitude[order].copy(), phase
    )
