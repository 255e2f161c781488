"""An MPS between the environments of an MPO: a window that moves along the chain."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

import numpy as np

from .state import MPS
from .sweep import (
    Block,
    EffectiveHamiltonian,
    Operator,
    Sectors,
    enlarge,
    project,
    truncate,
    turn,
)


class Window(NamedTuple):
    """Two sites to work on: enlarged blocks, their Hamiltonian, the state as a flat vector."""

    left: Block
    right: Block
    hamiltonian: EffectiveHamiltonian
    vector: np.ndarray


class Chain:
    """A state in mixed canonical form with the environments of an MPO.

    Sites left of the center hold left isometries, sites right of it right isometries, each
    with the layout of its rows::

        U--U--[center]--V--V

    Parameters
    ----------
    state
        Canonical state; not modified.
    operator
        The MPO.
    allowed
        For every bond (length + 1) the sectors through which the total can be reached.
    """

    def __init__(self, state: MPS, operator: Operator, allowed: Sequence[Container[int]]) -> None:
        state.ensure_canonical()
        self.sites, self.code, self.length = state.sites, state.code, state.length
        self.operator, self.allowed = operator, allowed
        self.isometries: list[Sectors] = [{} for _ in self.sites]
        self.slots: list[dict[tuple[int, int], tuple[int, int, int]]] = [{} for _ in self.sites]
        edges = operator.edge(0), operator.edge(int(state.bonds[-1].keys[0]))
        self.left = [edges[0]] * (self.length + 1)
        self.right = [edges[1]] * (self.length + 1)
        for i in reversed(range(self.length)):
            block = enlarge(self.right[i + 1], operator.from_right[i], allowed[i])
            self.isometries[i] = self._rows(state, i, block)
            self.slots[i] = block.slots
            if i:
                self.right[i] = project(block, self.isometries[i])
        # Site 0 is the center, as if the window had just come to it from the left.
        self.behind = block
        self.center = {key: matrix.T for key, matrix in self.isometries[0].items()}
        self.rightwards, self.site = True, 0

    def _rows(self, state: MPS, i: int, block: Block) -> Sectors:
        """Site i of the state as ``{K: (h, D)}`` with the rows of an enlarged right block."""
        out: Sectors = {}
        q = state.site_keys[i]
        for (key, p), matrix in state.blocks(i).items():
            _, start, stop = block.slots[key + int(q[p]), p]
            if key not in out:
                shape = block.dims[key], matrix.shape[0]
                out[key] = np.zeros(shape, dtype=self.operator.dtype)
            out[key][start:stop] = matrix.T if np.iscomplexobj(out[key]) else matrix.T.real
        return out

    def window(self, i: int) -> Window:
        """Sites i and i + 1, one of which must hold the center."""
        step = self.operator
        left = enlarge(self.left[i], step.from_left[i], self.allowed[i + 1])
        right = enlarge(self.right[i + 2], step.from_right[i + 1], self.allowed[i + 1])
        if self.site == i:
            mine = self._center_rows(left, self.rightwards)
            other = self.isometries[i + 1]
            theta = {k: m @ other[k].T for k, m in mine.items() if k in other}
        else:
            mine = self._center_rows(right, not self.rightwards)
            other = self.isometries[i]
            theta = {k: other[k] @ m.T for k, m in mine.items() if k in other}
        hamiltonian = EffectiveHamiltonian(left, right, step.dtype)
        return Window(left, right, hamiltonian, hamiltonian.join(theta))

    def _center_rows(self, block: Block, crossed: bool) -> Sectors:
        """The center with the rows of ``block``, from the other side of its site if ``crossed``."""
        if crossed:
            return turn(self.center, self.behind, block)
        return {key: matrix.T for key, matrix in self.center.items()}

    def move(
        self,
        i: int,
        window: Window,
        vector: np.ndarray,
        *,
        rightwards: bool,
        noise: float = 0.0,
        cutoff: float = 0.0,
        bond_dim: int | None = None,
    ) -> float:
        """Split ``vector`` in window i and move the center on; returns the discarded weight."""
        theta = window.hamiltonian.split(vector)
        if rightwards:
            block, behind, site, self.site = window.left, window.right, i, i + 1
        else:
            block, behind, site, self.site = window.right, window.left, i + 1, i
            theta = {key: matrix.T for key, matrix in theta.items()}
        isometry, discarded = truncate(theta, block, noise=noise, cutoff=cutoff, bond_dim=bond_dim)
        width = {key: matrix.shape[1] for key, matrix in theta.items()}
        self.center = {key: u.conj().T @ theta[key] for key, u in isometry.items() if key in width}
        norm = np.sqrt(sum(float(np.sum(np.abs(m) ** 2)) for m in self.center.values()))
        self.center = {key: matrix / norm for key, matrix in self.center.items()}
        self.isometries[site], self.slots[site] = isometry, block.slots
        self.behind, self.rightwards = behind, rightwards
        (self.left if rightwards else self.right)[i + 1] = project(block, isometry)
        return discarded

    def bond_dim(self) -> int:
        """Largest bond dimension."""
        inner = self.right[1:-1]
        return max(sum(block.dims.values()) for block in inner)

    def to_mps(self) -> MPS:
        """The state as a canonical MPS; the center must have moved left to site 0."""
        dims = [{0: 1}, *(block.dims for block in self.right[1:])]
        first = {
            (0, p): self.center[key][:, start:stop].T
            for (_, p), (key, start, stop) in self.behind.slots.items()
            if key in self.center
        }
        blocks = [first]
        for i in range(1, self.length):
            blocks.append(
                {
                    (key, p): self.isometries[i][key][start:stop].T
                    for (_, p), (key, start, stop) in self.slots[i].items()
                    if key in self.isometries[i]
                }
            )
        state = MPS.from_blocks(self.sites, self.code, dims, blocks)
        state.canonicalize()
        return state
