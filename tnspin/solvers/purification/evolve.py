"""Steps of locally purified density matrices: H, channels, and the compression of ancillas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tnspin.models.purified import Purified
from tnspin.mps.blocks import UNLIMITED
from tnspin.mps.ledger import Ledger
from tnspin.mps.purified.ancillas import Truncation
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.mps.tebd import KrausTebd, single_threaded_blas
from tnspin.numerics.trotter import SUZUKI
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.operators.bonds import bonds
from tnspin.operators.sites import Site
from tnspin.solvers.lindblad.jumps_on_states import kept_charges
from tnspin.solvers.purification.layers import Layer, by_range, channel_layers, coupling_layers
from tnspin.solvers.solver import equal_steps
from tnspin.solvers.tebd import NetworkMotion

if TYPE_CHECKING:
    from tnspin.models import Model
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["PurifiedMotion", "motion"]

# Time steps of H in a step of order 4, with half of the channels after each of the first two.
_ENDS, _MIDDLE = 0.5 - 3**0.5 / 6, 3**0.5 / 3
# Share of the weight to be dropped that each ancilla may lose by itself, before neighbours join.
_ALONE = 0.1


def motion(
    solver: Any,
    model: Model,
    state: Any,
    jumps: Sequence[JumpOperator],
    ledger: Ledger | None,
) -> PurifiedMotion:
    """The evolution of a purified density matrix, see `tnspin.solvers.purification.solver`."""
    model = model.model if isinstance(model, Purified) else model
    charged = state.members[0][1].charge_names
    names = kept_charges(model, charged, jumps)
    rho = _initial(state, model.local_sites, names)
    near, far = by_range(model.hamiltonian)
    terms = bonds(near)
    engine = KrausTebd(
        rho, terms.matrix, [terms.time_dependent(k) for k in range(terms.length - 1)],
        # Steps of order 4 with couplings beyond neighbours consist of some of order 2.
        order=2 if far and solver.order == 4 else solver.order, method=solver.method,
        ledger=ledger, **solver.limits,
    )  # fmt: skip
    if engine.ledger.kraus is None:
        engine.ledger.kraus = np.zeros(model.length)
    channels = channel_layers(model.local_sites, jumps, tuple(names))
    couplings = coupling_layers(model.local_sites, far, tuple(names))
    limits = _Limits(
        Truncation(solver.cutoff, solver.bond_dim),
        Truncation(solver.kraus_cutoff, solver.kraus_dim),
        solver.kraus_sites,
    )  # fmt: skip
    return PurifiedMotion(model, rho, engine, solver.dt, solver.order, channels, couplings, limits)


@dataclass(eq=False)
class PurifiedMotion(NetworkMotion):
    """A purified density matrix in its engine, with the layers of a step."""

    order: int
    channels: Sequence[Layer]
    couplings: Sequence[Layer]
    limits: _Limits

    def snapshot(self, time: float) -> Snapshot:
        """A copy of the density matrix and of the ledger."""
        return Snapshot(time, self.model, self.engine.purified.copy(), self.engine.ledger.copy())

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move by equal steps."""
        steps, span = equal_steps(start, stop, self.dt)
        engine, ledger = self.engine, self.engine.ledger
        for time in _advance(
            engine, self.order, self.channels, self.couplings, self.limits, start, span, steps
        ):
            discarded = float(ledger.discarded.sum() + ledger.kraus.sum())
            yield Progress(time, int(engine.purified.bond_dims().max()), discarded)


def _initial(state: Any, sites: Sequence[Site], names: Sequence[str]) -> PurifiedMPS:
    # A state of this kind goes on as it is, so that a continued run repeats every bit.
    if isinstance(state, PurifiedMPS) and state.charge_names == tuple(names):
        return state.copy()
    return PurifiedMPS.from_state(state, sites, names)


# ---------------------------------------------------------------------- steps


@dataclass(frozen=True)
class _Limits:
    """What truncation keeps, and how many neighbours' ancillas it looks at together."""

    bonds: Truncation
    kraus: Truncation
    together: int


class _Stage(NamedTuple):
    """One layer of channels, or H where ``layer`` is None, for some time from ``begin``."""

    layer: Layer | None
    begin: float
    span: float


def _stages(
    layers: Sequence[Layer], order: int, start: float, dt: float, steps: int
) -> list[_Stage]:
    """All that some steps consist of; neighbours of a kind are done in one piece."""
    found: list[_Stage] = []

    def add(layer: Layer | None, begin: float, span: float) -> None:
        # Only parts of one step: without channels H would be all that there is.
        if found and found[-1].layer is layer and found[-1].span + span < 1.001 * dt:
            last = found.pop()
            begin, span = last.begin, last.span + span
        found.append(_Stage(layer, begin, span))

    def channels(begin: float, share: float, backwards: bool = False) -> None:
        for layer in reversed(layers) if backwards else layers:
            add(layer, begin, share * dt)

    for step in range(steps):
        begin = start + step * dt
        if order == 1:
            channels(begin, 1.0)
            add(None, begin, dt)
        elif order == 2:
            channels(begin, 0.5)
            add(None, begin, dt)
            channels(begin, 0.5, backwards=True)
        else:
            add(None, begin, _ENDS * dt)
            channels(begin, 0.5)
            add(None, begin + _ENDS * dt, _MIDDLE * dt)
            channels(begin, 0.5, backwards=True)
            add(None, begin + (1 - _ENDS) * dt, _ENDS * dt)
    return found


def _advance(
    engine: KrausTebd, order: int, layers: Sequence[Layer], couplings: Sequence[Layer],
    limits: _Limits, start: float, dt: float, steps: int,
) -> Iterator[float]:  # fmt: skip
    """Make ``steps`` steps of ``dt``, yielding the time whenever H has acted."""
    ledger, made = engine.ledger, engine.ledger.steps
    for stage in _stages(layers, order, start, dt, steps):
        if stage.layer is not None:
            _apply(engine, stage.layer, limits, stage.span, stage.begin)
            continue
        _move(engine, order, couplings, limits, stage.begin, stage.span)
        yield stage.begin + stage.span
    # What is one step to the engine is a part of one here.
    ledger.order, ledger.dt, ledger.steps = order, dt, made + steps


def _move(
    engine: KrausTebd, order: int, couplings: Sequence[Layer], limits: _Limits, begin: float,
    span: float,
) -> None:  # fmt: skip
    """Evolve under H alone, to the order asked for."""
    if not couplings:
        engine.move(begin, span, 1)
        return
    if order == 1:
        for layer in couplings:
            _apply(engine, layer, limits, span, begin + span / 2)
        engine.move(begin, span, 1)
        return
    for fraction in SUZUKI if order == 4 else (1.0,):
        part = fraction * span
        for layer in couplings:
            _apply(engine, layer, limits, part / 2, begin + part / 2)
        engine.move(begin, part, 1)
        for layer in reversed(couplings):
            _apply(engine, layer, limits, part / 2, begin + part / 2)
        begin += part


def _apply(engine: KrausTebd, layer: Layer, limits: _Limits, span: float, time: float) -> None:
    """One layer of channels, and the compression that it calls for."""
    state, ledger = engine.purified, engine.ledger
    operators = layer.operators(span, time)
    with single_threaded_blas():
        if layer.local:
            state.apply_local(operators)
            grown = [one.where[0] for one in operators]
        else:
            state.apply_all(operators)
            lost = state.purification.canonicalize(*limits.bonds)
            # One bond stands for all that compressing the product has cost.
            ledger.add(min(operators[0].tensors), lost)
            grown = [one.centre for one in operators if len(one.charges) > 1]
        _compress(engine, limits, grown)
        state.purification.ensure_canonical()


def _compress(engine: KrausTebd, limits: _Limits, grown: Sequence[int]) -> None:
    """Reduce the ancillas that have grown, alone and then with their neighbours."""
    state, ledger = engine.purified, engine.ledger
    cutoff, most = limits.kraus
    if limits.together == 1:
        ledger.add_kraus(state.compress_kraus(cutoff, most))
        return
    ledger.add_kraus(state.compress_kraus(_ALONE * cutoff, UNLIMITED))
    weights = np.zeros(state.length)
    covered = -1
    for site in sorted(grown):
        if site <= covered:
            continue
        width = min(limits.together, state.length)
        first = min(max(site - width // 2, 0), state.length - width)
        covered = first + width - 1
        share = Truncation((1 - _ALONE) * cutoff, most)
        weights[site], between = state.compress_ancillas(
            range(first, covered + 1), share, limits.bonds
        )
        for bond, weight in between.items():
            ledger.add(bond, weight)
    ledger.add_kraus(weights)
