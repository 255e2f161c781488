"""Product states of a chain in one charge sector, ranked without a lookup table.

The sector is a layered graph: a node at level k is a value of the charges of
sites 0..k-1 from which the total can still be reached, an edge is a local
state. The number of completions of every node gives each product state its
rank in lexicographic order (site 0 slowest), so states are enumerated and
ranked in time proportional to their number; the full space is never visited.

    level 0      level 1      level 2   ...   level L
      q=0  --s-->  q'   --s-->   q''    ...    total
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError, nearest
from tnspin.operators.sites import Site

Ints = NDArray[np.int64]
# Ranks are 64-bit integers.
_MAX_STATES = 2.0**62


class ChargeBasis:
    """Basis of product states with given totals of some charges.

    Parameters
    ----------
    sites : sequence of Site
        The chain, length L.
    charges : mapping of str to int, or None
        Total of each conserved charge; None or empty is the full space, in
        Kronecker order (site 0 slowest).
    allow_empty : bool
        Accept a sector without states (``dim`` is then 0).

    Raises
    ------
    InputError
        If a charge is unknown or the sector has no states or over 2^62.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        charges: Mapping[str, int] | None = None,
        *,
        allow_empty: bool = False,
    ) -> None:
        self.sites = tuple(sites)
        self.charges = {name: int(total) for name, total in (charges or {}).items()}
        known = dict.fromkeys(name for site in self.sites for name in site.charges)
        for name in self.charges:
            if name not in known:
                raise InputError(
                    f"charges: {name!r} is not a charge of this chain"
                    f" (known: {', '.join(known)}){nearest(name, known)}"
                )
        self._build()
        if self.dim == 0 and not allow_empty:
            wanted = ", ".join(f"{name} = {total}" for name, total in self.charges.items())
            raise InputError(f"charges: no state of this chain has {wanted}")
        self._cursor = (0, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))

    @property
    def length(self) -> int:
        """Number of sites L."""
        return len(self.sites)

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Names of the fixed charges."""
        return tuple(self.charges)

    def _build(self) -> None:
        """Set node charges, edges, completion counts and rank offsets of every level."""
        local = [self.local_charges(site) for site in self.sites]
        nodes, edges = self._forward(local)
        counts = [np.ones(len(nodes[-1]), dtype=np.int64)]
        sizes = [np.ones(len(nodes[-1]))]
        for edge in reversed(edges):
            # Index -1 (no edge) reads the zero appended at the end.
            sizes.append(np.append(sizes[-1], 0.0)[edge].sum(axis=1))
            if sizes[-1].max(initial=0.0) > _MAX_STATES:
                raise InputError(
                    f"sites: the space of {self.length} sites has too many states for a vector;"
                    " fix more charges or use a tensor network"
                )
            counts.append(np.append(counts[-1], 0)[edge].sum(axis=1))
        self._prune(nodes, edges, counts[::-1])

    def _forward(self, local: list[Ints]) -> tuple[list[Ints], list[Ints]]:
        """Nodes reachable from the left whose remainder lies in the range of the sites to come."""
        target = np.array(list(self.charges.values()), dtype=np.int64)
        low = np.cumsum([q.min(axis=0) for q in local[::-1]], axis=0)[::-1]
        high = np.cumsum([q.max(axis=0) for q in local[::-1]], axis=0)[::-1]
        zero = np.zeros((1, len(target)), dtype=np.int64)
        low, high = np.concatenate([low, zero]), np.concatenate([high, zero])
        nodes, edges = [zero], []
        for k, charge in enumerate(local):
            sums = nodes[-1][:, None, :] + charge[None, :, :]
            rest = target - sums
            fits = np.all((rest >= low[k + 1]) & (rest <= high[k + 1]), axis=2)
            unique, inverse = np.unique(sums[fits], axis=0, return_inverse=True)
            edge = np.full(fits.shape, -1, dtype=np.int64)
            edge[fits] = inverse.reshape(-1)
            nodes.append(unique)
            edges.append(edge)
        return nodes, edges

    def _prune(self, nodes: list[Ints], edges: list[Ints], counts: list[Ints]) -> None:
        """Drop nodes without completions and tabulate the rank offset of every edge."""
        alive = [count > 0 for count in counts]
        renumber = [np.append(np.where(a, np.cumsum(a) - 1, -1), -1) for a in alive]
        self.nodes = [q[a] for q, a in zip(nodes, alive, strict=True)]
        self.counts = [c[a] for c, a in zip(counts, alive, strict=True)]
        self.edges = [renumber[k + 1][edge][alive[k]] for k, edge in enumerate(edges)]
        self.offsets = []
        for k, edge in enumerate(self.edges):
            size = np.append(self.counts[k + 1], 0)[edge]
            self.offsets.append(np.cumsum(size, axis=1) - size)
        self.dim = int(self.counts[0].sum())

    def local_charges(self, site: Site) -> Ints:
        """Charges of each basis state of a site, shape (d, number of charges)."""
        columns = [site.charge(name) for name in self.charges]
        return np.stack(columns, axis=1) if columns else np.zeros((site.dim, 0), dtype=np.int64)

    def prefixes(self, level: int) -> tuple[Ints, Ints]:
        """Return node and first rank of every state of sites 0..level-1, in order.

        Walking the levels upwards costs one expansion per call.
        """
        at, nodes, starts = self._cursor
        if at > level:
            at, nodes, starts = 0, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        for k in range(at, level):
            children = self.edges[k][nodes]
            present = children >= 0
            starts = (starts[:, None] + self.offsets[k][nodes])[present]
            nodes = children[present]
        self._cursor = (level, nodes, starts)
        return nodes, starts

    def node_of_state(self, level: int) -> Ints:
        """Return the node at a level of every basis state, shape (dim,)."""
        nodes, _ = self.prefixes(level)
        return np.repeat(nodes, self.counts[level][nodes])

    @cached_property
    def states(self) -> NDArray[np.uint8]:
        """All product states, shape (dim, L), in order of rank."""
        # Column order: every use reads one site of all states.
        table = np.empty((self.dim, self.length), dtype=np.uint8, order="F")
        for k, site in enumerate(self.sites):
            nodes, _ = self.prefixes(k)
            children = self.edges[k][nodes]
            present = children >= 0
            local = np.broadcast_to(np.arange(site.dim, dtype=np.uint8), children.shape)
            table[:, k] = np.repeat(local[present], self.counts[k + 1][children[present]])
        table.setflags(write=False)
        return table

    def index(self, states: NDArray[np.integer]) -> Ints:
        """Return the rank of product states, shape (n, L) to (n,); -1 outside the sector.

        Raises
        ------
        InputError
            If the states do not have one entry per site.
        """
        states = np.asarray(states)
        if states.ndim != 2 or states.shape[1] != self.length:
            raise InputError(f"states: shape {states.shape} is not (n, {self.length})")
        rank = np.zeros(len(states), dtype=np.int64)
        node = np.zeros(len(states), dtype=np.int64)
        outside = np.zeros(len(states), dtype=bool)
        if self.dim == 0:
            return rank - 1
        for k in range(self.length):
            local = states[:, k]
            rank += self.offsets[k][node, local]
            node = self.edges[k][node, local]
            # Node 0 stands in for lost states so that indexing stays valid; they end as -1.
            outside |= node < 0
            node[outside] = 0
        rank[outside] = -1
        return rank

    def paths(self, first: int, last: int) -> tuple[Ints, Ints]:
        """Follow all local states of sites first..last from each node of level ``first``.

        Returns
        -------
        ends, offsets : (nodes, D) ndarrays
            Node of level ``last + 1`` (-1 if none) and rank offset, D the product
            of the dimensions, site ``first`` slowest.
        """
        count = len(self.nodes[first])
        ends = np.arange(count)[:, None]
        offsets = np.zeros((count, 1), dtype=np.int64)
        for k in range(first, last + 1):
            edge = np.concatenate([self.edges[k], np.full((1, self.sites[k].dim), -1)])
            step = np.concatenate([self.offsets[k], np.zeros((1, self.sites[k].dim), np.int64)])
            offsets = (offsets[:, :, None] + step[ends]).reshape(count, -1)
            ends = edge[ends].reshape(count, -1)
        return ends, offsets
