"""The Lindblad equation in blocks of charges: series, or steps in the eigenbasis of H."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError, RunError
from tnspin.numerics.adaptive import midpoint_steps
from tnspin.numerics.chebyshev import damped_step
from tnspin.observables.snapshot import Progress
from tnspin.solvers.evolution.motion import Motion, kept_charges
from tnspin.solvers.lindblad.eigenbasis import EigenLindblad
from tnspin.solvers.lindblad.jumps_on_states import reachable
from tnspin.solvers.lindblad.liouvillian import Liouvillian
from tnspin.states.density import MOST_ELEMENTS, DensityState, sectors

Vector = NDArray[np.complex128]

# Numbers of levels between which diagonalizing H pays.
_FEWEST_LEVELS = 100
_MOST_LEVELS = 4096
# Longest (width of the spectrum) x time of one series, and longest damping x time.
_LONGEST = 128.0
_MOST_DAMPED = 8.0
_MOST_PIECES = 2**20
_ROUND_OFF = 1e-13
# Trace and eigenvalues may be off by this much more than the tolerance asks for.
_SLACK = 1e-9


class DenseMotion(Motion):
    """A density matrix in blocks of charges.

    It begins with a `VectorState` (normalized), an `Ensemble` of them, or a `DensityState`, whose
    charge 2Sz is dropped where jumps have no definite ``charge``.  Every interval is computed from
    its initial state alone, so continuing from a yielded state gives the same numbers.
    """

    evolves = DensityState

    def begin(self, state: Any) -> DensityState:
        """Check the state and build the generator."""
        self.check_hermitian()
        rho = self._initial(state)
        self.trace, self.intervals = rho.trace, 0
        if problem := _problem(rho, self.trace, _SLACK):
            raise InputError(f"state: {problem}")
        os = self.model.hamiltonian
        method = self.solver.method
        if method == "auto":
            electrons = any(site.has_fermions for site in rho.sites)
            suits = self.jumps and not electrons and not os.is_time_dependent
            fits = _FEWEST_LEVELS <= rho.dim <= _MOST_LEVELS
            method = "eigenbasis" if suits and fits else "series"
        self.generator: EigenLindblad | Liouvillian
        if method == "eigenbasis":
            self.generator = EigenLindblad(os, self.jumps, rho)
        else:
            self.generator = Liouvillian(os, self.jumps, rho.bases)
        return rho

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move to ``stop``, and check trace and positivity there."""
        tolerance, before = self.solver.tolerance, self.state.elements
        if isinstance(self.generator, EigenLindblad):
            for time, state in self.generator.steps(self.state, stop - start, tolerance):
                self.state = state
                yield Progress(stop if time == stop - start else start + time, 0, 0.0)
        else:
            for time, elements in _interval(self.generator, before, start, stop, tolerance):
                after = elements
                yield Progress(time, 0, 0.0)
            self.state = self.state.with_elements(after)
        self.intervals += 1
        slack = _SLACK + 10 * self.intervals * tolerance
        if problem := _problem(self.state, self.trace, slack):
            raise RunError(f"master equation: at time {stop:g} {problem}")

    def _initial(self, state: Any) -> DensityState:
        """The state as a density matrix with a block for every sector in reach."""
        names = kept_charges(self.model, sectors(state)[0].charge_names, self.jumps)
        bases = reachable(sectors(state, names), self.jumps)
        size = sum(basis.dim**2 for basis in bases)
        if size > MOST_ELEMENTS:
            raise InputError(
                f"solver.kind = 'master_equation': the density matrix has {size:.1e} elements"
                f" ({size / 2**26:.0f} GiB), and at most {MOST_ELEMENTS:.1e} fit; use"
                " 'trajectories', or fewer sites or electrons"
            )
        given = DensityState.from_state(state, names)
        known = zip(given.bases, given.blocks, strict=True)
        blocks = {tuple(basis.charges.values()): block for basis, block in known}
        filled = [blocks.get(tuple(b.charges.values()), np.zeros((b.dim, b.dim))) for b in bases]
        return DensityState.from_blocks(given.sites, bases, filled)


def _interval(
    generator: Liouvillian, elements: Vector, start: float, stop: float, tolerance: float
) -> Iterator[tuple[float, Vector]]:
    """Yield (time, elements) after every step from ``start`` to ``stop``."""
    if generator.is_time_dependent:

        def move(v: Vector, t: float, h: float, error: float) -> Vector:
            apply = generator.frozen(t, generator.damping)
            *_, (_, moved) = _series(apply, generator, generator.reach(t), v, h, error)
            return moved

        yield from midpoint_steps(move, elements, start, stop, tolerance)
        return
    # Half the range of the damping is taken out of the series: it then lies around zero.
    apply = generator.frozen(start, generator.damping)
    length = stop - start
    for time, moved in _series(
        apply, generator, generator.reach(start), elements, length, tolerance
    ):
        yield stop if time == length else start + time, moved


def _series(
    apply: Callable[[Vector], Vector],
    generator: Liouvillian,
    reach: float,
    elements: Vector,
    length: float,
    tolerance: float,
) -> Iterator[tuple[float, Vector]]:
    """Yield (time, exp(L time) elements) from pieces as long as round-off allows."""
    damping = generator.damping
    radius = max(reach, damping, 1e-6 / length)
    pieces = max(1, ceil(max(radius * length / _LONGEST, damping * length / _MOST_DAMPED)))
    done = 0
    while done < pieces:
        step = length / pieces
        scale = float(np.exp(-damping * step))
        share = tolerance / pieces
        moved, error = damped_step(apply, radius, elements, step, 0.1 * share / scale)
        if not error * scale <= max(share, _ROUND_OFF):
            if pieces > _MOST_PIECES:
                raise RunError("master equation: the series in the generator does not converge")
            done, pieces = 2 * done, 2 * pieces
            continue
        elements = moved * scale
        done += 1
        yield (length if done == pieces else done * step), elements


def _problem(rho: DensityState, trace: float, slack: float) -> str | None:
    """Error message for a density matrix that is not physical, None for one that is."""
    if not abs(rho.trace - trace) <= slack:
        return f"the trace of the density matrix is {rho.trace:.12g} instead of {trace:.12g}"
    for block in rho.blocks:
        # Far cheaper than eigenvalues, and enough to know that none is below -slack.
        try:
            np.linalg.cholesky(block + slack * np.eye(len(block)))
        except np.linalg.LinAlgError:
            lowest = rho.eigenvalues()[0]
            return f"the density matrix has a negative eigenvalue, {lowest:.1e}"
    return None
