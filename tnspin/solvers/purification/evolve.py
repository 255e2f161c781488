"""Steps of locally purified density matrices: H, channels, and the compression of ancillas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tnspin.models.purified import Purified
from tnspin.mps.blocks import UNLIMITED
from tnspin.mps.purified.ancillas import Truncation
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.mps.tebd import KrausTebd, single_threaded_blas
from tnspin.numerics.trotter import SUZUKI
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.operators.bonds import bonds
from tnspin.solvers.evolution.motion import NetworkMotion, equal_steps, kept_charges
from tnspin.solvers.purification.layers import Layer, by_range, channel_layers, coupling_layers

# Time steps of H in a step of order 4, with half of the channels after each of the first two.
_ENDS, _MIDDLE = 0.5 - 3**0.5 / 6, 3**0.5 / 3
# Parts of a step of each order: H (0), or the layers of channels forwards (1) or backwards (-1);
# when in the step, and for which share of it.
_PARTS = {
    1: ((1, 0.0, 1.0), (0, 0.0, 1.0)),
    2: ((1, 0.0, 0.5), (0, 0.0, 1.0), (-1, 0.0, 0.5)),
    4: (
        (0, 0.0, _ENDS), (1, 0.0, 0.5), (0, _ENDS, _MIDDLE), (-1, 0.0, 0.5), (0, 1 - _ENDS, _ENDS),
    ),
}  # fmt: skip
# Share of the weight to be dropped that each ancilla may lose by itself, before neighbours join.
_ALONE = 0.1


class PurifiedMotion(NetworkMotion):
    """A locally purified density matrix: Trotter steps of H between layers of channels.

    It begins with an `MPS` (also of `models.Purified`, whose ancillas become Kraus indices), an
    `Ensemble` of them, or a `PurifiedMPS`; 2Sz is dropped where the jumps change it by no definite
    amount.  Terms of H beyond neighbours cost a matrix product operator for each pair of sites;
    jumps act on any few sites, not too many states together (`channels.LARGEST`).
    """

    evolves = PurifiedMPS

    def begin(self, state: Any) -> PurifiedMPS:
        """Check the state, and compile gates and channels."""
        self.model = self.model.model if isinstance(self.model, Purified) else self.model
        keys, sites = self.solver, self.model.local_sites
        names = kept_charges(self.model, state.members[0][1].charge_names, self.jumps)
        # A state of this kind goes on as it is, so that a continued run repeats every bit.
        if isinstance(state, PurifiedMPS) and state.charge_names == tuple(names):
            rho = state.copy()
        else:
            rho = PurifiedMPS.from_state(state, sites, names)
        near, far = by_range(self.model.hamiltonian)
        # Steps of order 4 with couplings beyond neighbours consist of some of order 2.
        order = 2 if far and keys.order == 4 else keys.order
        self.engine = self.by_gates(KrausTebd, rho, bonds(near), order)
        if self.engine.ledger.kraus is None:
            self.engine.ledger.kraus = np.zeros(self.model.length)
        self.channels = channel_layers(sites, self.jumps, tuple(names))
        self.couplings = coupling_layers(sites, far, tuple(names))
        self.bond_cut = Truncation(keys.cutoff, keys.bond_dim)
        return rho

    def snapshot(self, time: float) -> Snapshot:
        """A copy of the density matrix and of the ledger."""
        return Snapshot(time, self.model, self.engine.purified.copy(), self.engine.ledger.copy())

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move by equal steps, with a `Progress` whenever H has acted."""
        steps, dt = equal_steps(start, stop, self.solver.dt)
        order, engine, ledger = self.solver.order, self.engine, self.engine.ledger
        made = ledger.steps
        for stage in _stages(self.channels, order, start, dt, steps):
            if stage.layer is not None:
                self._apply(stage.layer, stage.span, stage.begin)
                continue
            self._move(stage.begin, stage.span)
            discarded = float(ledger.discarded.sum() + ledger.kraus.sum())
            time = stage.begin + stage.span
            yield Progress(time, int(engine.purified.bond_dims().max()), discarded)
        # What is one step to the engine is a part of one here.
        ledger.order, ledger.dt, ledger.steps = order, dt, made + steps

    def _move(self, begin: float, span: float) -> None:
        """Evolve under H alone, to the order asked for."""
        order = self.solver.order
        if order == 1 or not self.couplings:
            for layer in self.couplings:
                self._apply(layer, span, begin + span / 2)
            self.engine.move(begin, span, 1)
            return
        for fraction in SUZUKI if order == 4 else (1.0,):
            part = fraction * span
            for layer in self.couplings:
                self._apply(layer, part / 2, begin + part / 2)
            self.engine.move(begin, part, 1)
            for layer in reversed(self.couplings):
                self._apply(layer, part / 2, begin + part / 2)
            begin += part

    def _apply(self, layer: Layer, span: float, time: float) -> None:
        """Apply one layer of channels, and compress what it has made larger."""
        state, ledger = self.engine.purified, self.engine.ledger
        operators = layer.operators(span, time)
        with single_threaded_blas():
            if layer.local:
                state.apply_local(operators)
                grown = [one.where[0] for one in operators]
            else:
                state.apply_all(operators)
                lost = state.purification.canonicalize(*self.bond_cut)
                # One bond stands for all that compressing the product has cost.
                ledger.add(min(operators[0].tensors), lost)
                grown = [one.centre for one in operators if len(one.charges) > 1]
            self._compress(grown)
            state.purification.ensure_canonical()

    def _compress(self, grown: Sequence[int]) -> None:
        """Reduce the ancillas that have grown, alone and then with their neighbours."""
        state, ledger, keys = self.engine.purified, self.engine.ledger, self.solver
        if keys.kraus_sites == 1:
            ledger.add_kraus(state.compress_kraus(keys.kraus_cutoff, keys.kraus_dim))
            return
        ledger.add_kraus(state.compress_kraus(_ALONE * keys.kraus_cutoff, UNLIMITED))
        share = Truncation((1 - _ALONE) * keys.kraus_cutoff, keys.kraus_dim)
        width = min(keys.kraus_sites, state.length)
        weights, covered = np.zeros(state.length), -1
        for site in sorted(grown):
            if site <= covered:
                continue
            first = min(max(site - width // 2, 0), state.length - width)
            covered = first + width - 1
            weights[site], between = state.compress_ancillas(
                range(first, covered + 1), share, self.bond_cut
            )
            for bond, weight in between.items():
                ledger.add(bond, weight)
        ledger.add_kraus(weights)


class _Stage(NamedTuple):
    """One layer of channels, or H where ``layer`` is None, for some time from ``begin``."""

    layer: Layer | None
    begin: float
    span: float


def _stages(
    layers: Sequence[Layer], order: int, start: float, dt: float, steps: int
) -> list[_Stage]:
    """Stages of some steps, in order; consecutive stages of one layer are merged."""
    found: list[_Stage] = []

    def add(layer: Layer | None, begin: float, span: float) -> None:
        # Only parts of one step: without channels H would be all that there is.
        if found and found[-1].layer is layer and found[-1].span + span < 1.001 * dt:
            last = found.pop()
            begin, span = last.begin, last.span + span
        found.append(_Stage(layer, begin, span))

    for step in range(steps):
        begin = start + step * dt
        for direction, offset, share in _PARTS[order]:
            for layer in layers[::direction] if direction else [None]:
                add(layer, begin + offset * dt, share * dt)
    return found
