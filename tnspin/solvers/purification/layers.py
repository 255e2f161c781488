"""Layers of a purified state's steps: jumps as channels, couplings beyond neighbours as unitaries.

Each is a set of maps on separate stretches of the chain, made for a span of time when needed.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from tnspin.mps.purified.channels import (
    Channel,
    ChannelMpo,
    channel_mpo,
    lindblad_channel,
    unitary_channel,
)
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import LocalTerm, OperatorSum, Term
from tnspin.operators.sites import Matrix, Site, kron
from tnspin.solvers.lindblad.jumps_on_states import remembered

# Channels of a few recent spans of time, each layer its own.
_REMEMBERED = 8


@dataclass(frozen=True, eq=False)
class Layer:
    """Channels on separate stretches of the chain.

    ``make(span, time)`` returns them; they are remembered by the span unless ``driven``.
    """

    make: Callable[[float, float], list[Channel]]
    sites: Sequence[Site]
    names: tuple[str, ...]
    local: bool
    driven: bool = False
    known: OrderedDict[float, list[Any]] = field(default_factory=OrderedDict)

    def operators(self, span: float, time: float) -> list[Any]:
        """Channels on single sites, or others split into operators of the chain."""
        if self.driven:
            return self._made(span, time)
        return remembered(self.known, span, lambda: self._made(span, time), _REMEMBERED)

    def _made(self, span: float, time: float) -> list[Channel] | list[ChannelMpo]:
        channels = self.make(span, time)
        if self.local:
            return channels
        return [channel_mpo(one, self.sites, self.names) for one in channels]


def channel_layers(
    sites: Sequence[Site], jumps: Sequence[JumpOperator], names: tuple[str, ...]
) -> list[Layer]:
    """Jump operators as channels, those on single sites first."""
    matrices: dict[tuple[int, ...], list[Matrix]] = defaultdict(list)
    for jump in jumps:
        matrices[jump.sites].append(jump.matrix)

    def channel(where: tuple[int, ...], span: float, time: float) -> Channel:
        dims = [sites[k].spin_dim for k in where]
        return lindblad_channel(sites, where, dims, matrices[where], span, names)

    single = sorted(where for where in matrices if len(where) == 1)
    longer = [where for where in matrices if len(where) > 1]
    groups = [single] if single else []
    return [_layer(channel, group, sites, names) for group in groups + _apart(longer)]


def coupling_layers(
    sites: Sequence[Site], far: dict[tuple[int, ...], list[LocalTerm]], names: tuple[str, ...]
) -> list[Layer]:
    """Terms of H beyond neighbours as unitary channels."""

    def coupling(where: tuple[int, ...], span: float, time: float) -> Channel:
        size = prod(sites[k].dim for k in where)
        total = np.zeros((size, size), dtype=np.complex128)
        for term in far[where]:
            total += term.value(time) * kron(term.matrices[k] for k in where)
        return unitary_channel(sites, where, total, span, names)

    def driven(group: Sequence[tuple[int, ...]]) -> bool:
        return any(callable(term.coeff) for where in group for term in far[where])

    return [_layer(coupling, g, sites, names, driven(g)) for g in _apart(list(far))]


def _layer(
    make: Callable[..., Channel], group: Sequence[tuple[int, ...]], sites: Sequence[Site],
    names: tuple[str, ...], driven: bool = False,
) -> Layer:  # fmt: skip
    def channels(span: float, time: float) -> list[Channel]:
        return [make(where, span, time) for where in group]

    return Layer(channels, sites, names, all(len(where) == 1 for where in group), driven)


def _apart(supports: Sequence[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
    """Distribute sets of sites over as few groups as a greedy choice gives, without overlap."""
    groups: list[list[tuple[int, ...]]] = []
    for where in sorted(supports):
        for group in groups:
            if all(where[0] > other[-1] or where[-1] < other[0] for other in group):
                group.append(where)
                break
        else:
            groups.append([where])
    return groups


def by_range(os: OperatorSum) -> tuple[OperatorSum, dict[tuple[int, ...], list[LocalTerm]]]:
    """Terms of at most two neighbours, and the others by the sites that they act on."""
    near: list[Term] = []
    far: list[Term] = []
    for term in os.terms:
        where = [site for _, site in term.factors]
        (near if not where or max(where) - min(where) <= 1 else far).append(term)
    groups: dict[tuple[int, ...], list[LocalTerm]] = defaultdict(list)
    for local in OperatorSum(os.sites, tuple(far)).local_terms():
        groups[tuple(local.matrices)].append(local)
    return OperatorSum(os.sites, tuple(near)), dict(groups)
