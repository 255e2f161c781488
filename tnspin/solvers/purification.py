"""Locally purified density matrices under Trotter steps: positive whatever is truncated.

A step is a palindrome of layers: jump operators as channels on their own sites, couplings beyond
neighbours as unitaries between theirs, and in the middle a Trotter step of all other terms of H::

    channels(dt/2)  couplings(dt/2)  H(dt)  couplings(dt/2)  channels(dt/2)

Every factor is a completely positive map.  A channel appends its Kraus index to the ancilla of one
site, which is then reduced to the eigenvectors of its density matrix: the ledger says what that
and the truncation of bonds have cost.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compile import bonds
from ..errors import InputError
from ..models import Purified
from ..mps.channels import Channel, Split, lindblad_channel, split, unitary_channel
from ..mps.kraus_tebd import KrausTebd
from ..mps.ledger import Ledger
from ..mps.purified import PurifiedMPS
from ..mps.tebd import single_threaded_blas
from ..sites import Matrix, Site, kron
from ..snapshot import Progress, Snapshot
from ..terms import LocalTerm, OperatorSum, Term
from .open_system import kept_charges

if TYPE_CHECKING:
    from ..baths import JumpOperator
    from ..models import Model

__all__ = ["evolve"]

# Channels of a few recent spans of time, each layer its own.
_REMEMBERED = 8


def evolve(
    model: Model,
    state: Any,
    times: Sequence[float],
    *,
    jumps: Sequence[JumpOperator] = (),
    dt: float = 0.1,
    order: int = 2,
    bond_dim: int = 200,
    cutoff: float = 1e-10,
    kraus_dim: int = 32,
    kraus_cutoff: float = 1e-9,
    threads: int | None = None,
    method: str = "auto",
    ledger: Ledger | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[Snapshot]:
    """Evolve a locally purified density matrix and yield it at each of ``times``.

    The first time is that of ``state``.  Calling again with the last yielded state, its ledger and
    the remaining times continues the run with the same numbers.

    Parameters
    ----------
    model
        Terms of H beyond neighbours cost a matrix product operator for each pair of sites.
    state
        `MPS` (also of `models.Purified`, whose ancillas become Kraus indices), `Ensemble` of
        them, or `PurifiedMPS`.  2Sz is dropped where the jumps change it by no definite amount.
    times
        Ascending, in units of hbar over the model's energy unit.
    jumps
        On any few sites, not too many states together (`channels.LARGEST`).
    dt, order
        Largest Trotter step, and 1 or 2: more would need steps back in time, which are no channels.
    bond_dim, cutoff
        As for `tnspin.solvers.tebd`.
    kraus_dim, kraus_cutoff
        A Kraus index keeps as few states as the cutoff of the weight dropped (the trace distance
        from what was) allows, and never more than ``kraus_dim``.
    threads, method, ledger, on_step
        As for `tnspin.solvers.tebd`.

    Yields
    ------
    Snapshot
        Its state is a `PurifiedMPS`, its model the bare one of a purified one.

    Raises
    ------
    InputError
        For charges that are not conserved, jump operators on too many states, or a bad order.
    """
    if order not in (1, 2):
        raise InputError(
            f"solver.order: {order} is not allowed; choose 1 or 2 (higher orders take steps back "
            "in time, which are no channels)"
        )
    model = model.model if isinstance(model, Purified) else model
    charged = state.states[0].charge_names if hasattr(state, "states") else state.charge_names
    names = kept_charges(model, charged, jumps)
    rho = _initial(state, model.local_sites, names)
    near, far = _by_range(model.hamiltonian)
    terms = bonds(near)
    engine = KrausTebd(
        rho, terms.matrix, [terms.time_dependent(k) for k in range(terms.length - 1)],
        order=order, bond_dim=bond_dim, cutoff=cutoff, method=method, threads=threads,
        ledger=ledger,
    )  # fmt: skip
    if engine.ledger.kraus is None:
        engine.ledger.kraus = np.zeros(model.length)
    layers = _layers(model.local_sites, jumps, far, tuple(names))
    limits = _Limits(bond_dim, cutoff, kraus_dim, kraus_cutoff)
    try:
        yield Snapshot(times[0], model, engine.purified.copy(), engine.ledger.copy())
        for start, stop in pairwise(times):
            steps = max(1, ceil((stop - start) / dt - 1e-9))
            for time in _advance(engine, layers, limits, start, (stop - start) / steps, steps):
                if on_step is not None:
                    on_step(_progress(engine, time))
            yield Snapshot(stop, model, engine.purified.copy(), engine.ledger.copy())
    finally:
        engine.close()


def _initial(state: Any, sites: Sequence[Site], names: Sequence[str]) -> PurifiedMPS:
    # A state of this kind goes on as it is, so that a continued run repeats every bit.
    if isinstance(state, PurifiedMPS) and state.charge_names == tuple(names):
        return state.copy()
    return PurifiedMPS.from_state(state, sites, names)


# ---------------------------------------------------------------------- layers


@dataclass(frozen=True)
class _Limits:
    """What truncation keeps."""

    bond_dim: int
    cutoff: float
    kraus_dim: int
    kraus_cutoff: float


@dataclass(frozen=True, eq=False)
class _Layer:
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
        if span not in self.known:
            self.known[span] = self._made(span, time)
            if len(self.known) > _REMEMBERED:
                self.known.popitem(last=False)
        return self.known[span]

    def _made(self, span: float, time: float) -> list[Channel] | list[Split]:
        channels = self.make(span, time)
        return channels if self.local else [split(one, self.sites, self.names) for one in channels]


def _layers(
    sites: Sequence[Site],
    jumps: Sequence[JumpOperator],
    far: dict[tuple[int, ...], list[LocalTerm]],
    names: tuple[str, ...],
) -> list[_Layer]:
    """Layers of a step in the order in which they come before the terms of neighbours."""
    matrices: dict[tuple[int, ...], list[Matrix]] = defaultdict(list)
    for jump in jumps:
        matrices[jump.sites].append(jump.matrix)

    def channel(where: tuple[int, ...], span: float, time: float) -> Channel:
        dims = [sites[k].spin_dim for k in where]
        return lindblad_channel(sites, where, dims, matrices[where], span, names)

    def coupling(where: tuple[int, ...], span: float, time: float) -> Channel:
        size = prod(sites[k].dim for k in where)
        total = np.zeros((size, size), dtype=np.complex128)
        for term in far[where]:
            total += term.value(time) * kron(term.matrices[k] for k in where)
        return unitary_channel(sites, where, total, span, names)

    def layer(make: Callable[..., Channel], group: Sequence[tuple[int, ...]]) -> _Layer:
        driven = make is coupling and any(callable(t.coeff) for w in group for t in far[w])
        local = all(len(where) == 1 for where in group)

        def channels(span: float, time: float) -> list[Channel]:
            return [make(where, span, time) for where in group]

        return _Layer(channels, sites, names, local, driven)

    single = sorted(where for where in matrices if len(where) == 1)
    longer = [where for where in matrices if len(where) > 1]
    found = [layer(channel, single)] if single else []
    found += [layer(channel, group) for group in _apart(longer)]
    return found + [layer(coupling, group) for group in _apart(list(far))]


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


def _by_range(os: OperatorSum) -> tuple[OperatorSum, dict[tuple[int, ...], list[LocalTerm]]]:
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


# ---------------------------------------------------------------------- steps


def _advance(
    engine: KrausTebd, layers: Sequence[_Layer], limits: _Limits, start: float, dt: float,
    steps: int,
) -> Iterator[float]:  # fmt: skip
    """Make ``steps`` steps of ``dt``, yielding the time after each."""
    symmetric = engine.order == 2
    for step in range(steps):
        begin = start + step * dt
        middle = begin + dt / 2
        if not symmetric:
            for layer in layers:
                _apply(engine, layer, limits, dt, middle)
        else:
            # The first layer also ends the step before, in one piece where nothing is driven.
            for k, layer in enumerate(layers):
                if k > 0 or step == 0 or layer.driven:
                    _apply(engine, layer, limits, dt / 2, middle)
        engine.move(begin, dt, 1)
        if symmetric:
            for k, layer in reversed(list(enumerate(layers))):
                whole = k == 0 and step + 1 < steps and not layer.driven
                _apply(engine, layer, limits, dt if whole else dt / 2, middle)
        yield begin + dt


def _apply(engine: KrausTebd, layer: _Layer, limits: _Limits, span: float, time: float) -> None:
    """One layer of channels, and the compression that it calls for."""
    state, ledger = engine.purified, engine.ledger
    operators = layer.operators(span, time)
    with single_threaded_blas():
        if layer.local:
            state.apply_local(operators)
        else:
            state.apply_all(operators)
            lost = state.purification.canonicalize(limits.cutoff, limits.bond_dim)
            # One bond stands for all that compressing the product has cost.
            ledger.add(min(operators[0].tensors), lost)
        ledger.add_kraus(state.compress_kraus(limits.kraus_cutoff, limits.kraus_dim))
        state.purification.ensure_canonical()


def _progress(engine: KrausTebd, time: float) -> Progress:
    ledger = engine.ledger
    discarded = float(ledger.discarded.sum())
    if ledger.kraus is not None:
        discarded += float(ledger.kraus.sum())
    return Progress(time, int(engine.purified.bond_dims().max()), discarded)
