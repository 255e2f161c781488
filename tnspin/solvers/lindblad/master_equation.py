"""The Lindblad equation for the whole density matrix: what quantum trajectories converge to.

Between two output times exp(L t) acts on rho by a Chebyshev series in the generator, whose
eigenvalues lie near the imaginary axis if the baths are weak: the number of products with it is
about the width of the spectrum of H times the time, as for a closed system.  Its error is known
from the terms left out; the step is halved wherever damping would let round-off grow.  A driven H
takes steps of the extrapolated midpoint rule (`tnspin.numerics.midpoint`).

Baths that act on every level of a larger constant H are faster in its eigenbasis (`eigenbasis`):
four spins 5/2 with 1296 states are a matter of minutes.

rho stays Hermitian to the last bit; its trace and positivity are checked at every output time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError, RunError
from tnspin.models import Model
from tnspin.numerics.adaptive import midpoint_steps
from tnspin.numerics.chebyshev import damped_step
from tnspin.observables.snapshot import Progress, Snapshot, output_times
from tnspin.operators.operator_sum import OperatorSum
from tnspin.solvers.lindblad.eigenbasis import EigenLindblad
from tnspin.solvers.lindblad.jumps_on_states import kept_charges
from tnspin.solvers.lindblad.liouvillian import Liouvillian, reachable
from tnspin.states.density import MOST_ELEMENTS, DensityState, sectors

if TYPE_CHECKING:
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["evolve"]

Vector = NDArray[np.complex128]
OnStep = Callable[[Progress], None]

Interval = Callable[[DensityState, float, float], Iterator[tuple[float, DensityState]]]

METHODS = ("auto", "series", "eigenbasis")
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


def evolve(
    model: Model,
    state: Any,
    times: Sequence[float],
    *,
    jumps: Sequence[JumpOperator] = (),
    tolerance: float = 1e-10,
    method: str = "auto",
    on_step: OnStep | None = None,
) -> Iterator[Snapshot]:
    """Evolve a density matrix and yield it at each of ``times``.

    The first time is that of ``state``. Every interval is computed from its initial state
    alone, so continuing from a yielded state gives the same numbers.

    Parameters
    ----------
    model : Model
        Its Hamiltonian may be long-ranged and time-dependent.
    state : VectorState, Ensemble of them, or DensityState
        Initial state (vectors are normalized); its charges must be conserved. Where the jumps have
        no definite ``charge``, it is written in sectors without 2Sz.
    times : sequence of float
        Ascending, in units of hbar over the model's energy unit.
    jumps : sequence of JumpOperator
        From `tnspin.baths.jump_operators`; none for a closed system.
    tolerance : float
        Error of each interval (constant H) or of each step (time-dependent H) in the
        Frobenius norm of rho.
    method : {"auto", "series", "eigenbasis"}
        Chebyshev series in the product basis, or Runge-Kutta steps in the interaction picture;
        "auto" takes the latter for 100 to 4096 levels without electrons and a constant H.
    on_step : callable, optional
        Called with the progress after every step; may raise to stop.

    Yields
    ------
    Snapshot
        Its state is a `DensityState`.

    Raises
    ------
    InputError
        For charges that are not conserved, a non-Hermitian Hamiltonian, times that do not
        ascend, a tolerance outside 1e-13..1e-2, a state that is not positive, or a density
        matrix that is too large.
    RunError
        If the trace drifts or an eigenvalue becomes negative beyond the tolerance.
    """
    points = output_times(times)
    if not 1e-13 <= tolerance <= 1e-2:
        raise InputError(f"solver.tolerance: {tolerance!r} is not between 1e-13 and 1e-2")
    os = model.hamiltonian
    if not os.is_hermitian(1e-10, points[0]):
        raise InputError(f"model: the Hamiltonian is not Hermitian at time {points[0]:g}")
    rho = _initial(model, state, jumps)
    trace = rho.trace
    if problem := _problem(rho, trace, _SLACK):
        raise InputError(f"state: {problem}")
    intervals = _intervals(method, os, jumps, rho, tolerance)
    yield Snapshot(points[0], model, rho)
    for count, (start, stop) in enumerate(pairwise(points), start=1):
        begun = rho
        for time, latest in intervals(begun, start, stop):
            rho = latest
            if on_step is not None:
                on_step(Progress(time, 0, 0.0))
        if problem := _problem(rho, trace, _SLACK + 10 * count * tolerance):
            raise RunError(f"master equation: at time {stop:g} {problem}")
        yield Snapshot(stop, model, rho)


def _intervals(
    method: str,
    os: OperatorSum,
    jumps: Sequence[JumpOperator],
    rho: DensityState,
    tolerance: float,
) -> Interval:
    """What yields (time, state) after every step of an interval; states before its end are old."""
    if method not in METHODS:
        raise InputError(f"solver.method: {method!r} is not one of {', '.join(METHODS)}")
    if method == "auto":
        electrons = any(site.has_fermions for site in rho.sites)
        suits = jumps and not electrons and not os.is_time_dependent
        fits = _FEWEST_LEVELS <= rho.dim <= _MOST_LEVELS
        method = "eigenbasis" if suits and fits else "series"
    if method == "eigenbasis":
        levels = EigenLindblad(os, jumps, rho)

        def in_eigenbasis(
            state: DensityState, start: float, stop: float
        ) -> Iterator[tuple[float, DensityState]]:
            for time, moved in levels.steps(state, stop - start, tolerance):
                yield (stop if time == stop - start else start + time), moved

        return in_eigenbasis
    generator = Liouvillian(os, jumps, rho.bases)

    def in_product_basis(
        state: DensityState, start: float, stop: float
    ) -> Iterator[tuple[float, DensityState]]:
        for time, elements in _interval(generator, state.elements, start, stop, tolerance):
            yield time, (state.with_elements(elements) if time == stop else state)

    return in_product_basis


def _initial(model: Model, state: Any, jumps: Sequence[JumpOperator]) -> DensityState:
    """The state as a density matrix with a block for every sector in reach."""
    names = kept_charges(model, sectors(state)[0].charge_names, jumps)
    bases = reachable(sectors(state, names), jumps)
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
    """What is wrong with a density matrix, None if nothing is."""
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
