"""Hysteresis loops: a field is taken down and up in steps, each state starting from the one before.

Any solver that takes its own states back can do it: mean fields and classical spins, which have
loops, and density matrices, whose steady state is unique if the bath connects everything: their
loops close as the field is held longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import pi, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnspin.baths import jumps_of
from tnspin.errors import InputError, RunError
from tnspin.models import Model
from tnspin.observables import OBSERVABLES
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.solvers import SOLVERS, Solver, evolve

if TYPE_CHECKING:
    from tnspin.runs.config.config import Config

Reals = NDArray[np.float64]
#: Angle of the initial states of OHM Fig. 2.
TILT = pi / 40
#: Parts of the time at one field after which it is seen whether anything still changes.
PIECES = 20
#: Most states of a chain whose steady state is looked for at every field.
MOST_STATES = 256
_SPIN = OBSERVABLES["spin"].measure


@dataclass(frozen=True, eq=False)
class Loop:
    """Spins at the end of every field, NaN at fields that are still to come.

    Attributes
    ----------
    fields : (F,)
        Values of the component that varies, ascending.
    spins : (2, F, N, 3)
        <S>/S of each localized spin, on the way down and on the way up.
    residual : (2, F)
        Largest change of any spin in the last twentieth of the time at this field.
    discarded : (2, F)
        Weight discarded while the field was held, where the solver truncates.
    """

    fields: Reals
    spins: Reals
    residual: Reals
    discarded: Reals

    @classmethod
    def empty(cls, fields: Reals, count: int) -> Loop:
        """A loop of ``count`` spins that is still to begin."""
        shape = (2, fields.size)
        spins = np.full((*shape, count, 3), np.nan)
        return cls(fields, spins, np.full(shape, np.nan), np.zeros(shape))

    def enter(self, end: LoopPosition) -> None:
        """Take note of the field that ends at a position; nothing if none does."""
        if end.piece:
            return
        branch, index = divmod(end.number - 1, self.fields.size)
        index = index if branch else self.fields.size - 1 - index
        self.spins[branch, index] = _SPIN(end.snapshot)
        self.residual[branch, index] = end.change
        if end.snapshot.ledger is not None:
            self.discarded[branch, index] = end.snapshot.ledger.discarded.sum()

    @property
    def magnetization(self) -> Reals:
        """(2, F, 3) mean over the spins."""
        return np.asarray(self.spins.mean(axis=2))

    def area(self, axis: int = 2) -> float:
        """Area of the loop, the integral of M(down) - M(up) over the field."""
        down, up = self.magnetization[..., axis]
        return float(np.trapezoid(down - up, self.fields))


@dataclass(frozen=True)
class LoopPosition:
    """Position on a hysteresis loop.

    Attributes
    ----------
    number
        Fields that are done, of 2 F.
    piece
        Twentieths of ``hold`` that have passed at the next one; 0: it is still to begin.
    snapshot
        State (and ledger) there; its time is that since the field was set.
    change
        Largest change of any spin in the last twentieth.
    """

    number: int
    piece: int
    snapshot: Snapshot
    change: float = np.inf


def hysteresis_loop(
    model: Model,
    state: Any,
    fields: Sequence[float] | Reals,
    *,
    axis: int = 2,
    solver: str | Solver = "mean_field",
    bath: Any = None,
    hold: float = 200.0,
    settled: float = 1e-8,
    tilt: float | None = None,
    on_field: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Loop:
    """Take a component of the field down and up again.

    Parameters
    ----------
    model : Model
        With a ``field``; its other components stay.
    state
        Start, at the largest field, of a kind that the solver takes.
    fields : (F,) sequence of float
        Values of the component that varies, in any order; they are taken from the largest to the
        smallest and back.
    axis : int
        Component that varies: 0, 1, 2 for x, y, z.
    solver : str or Solver
        Kind of a solver that has loops (`Solver.loops`), or a solver.
    bath
        Bath of the spins; its jump operators may depend on the field.
    hold : float
        Time at each field.
    settled : float
        A field is left as soon as no spin has changed by more than this in a twentieth of ``hold``.
    tilt : float, optional
        Angle by which mean fields and classical spins are turned about y at the beginning of every
        field; default `TILT` for those, 0 for all others.
    on_field : callable, optional
        Called after every field with the share of the loop that is done; may raise to stop.
    **options
        Keys of a solver that is given by its kind.

    Raises
    ------
    InputError
        If the model has no field, or the solver cannot do it.
    """
    values = np.unique(np.asarray(fields, float))
    if values.size < 2 or not np.all(np.isfinite(values)):
        raise InputError("fields: at least two different finite numbers are needed")
    chosen: Solver = (
        solver if isinstance(solver, Solver) else (SOLVERS.build({"kind": solver, **options}))
    )
    loop = Loop.empty(values, len(model.localized_sites))
    positions = follow(
        model, values, chosen, start=LoopPosition(0, 0, Snapshot(0.0, model, state)), axis=axis,
        bath=bath, hold=hold, settled=settled, tilt=tilt,
    )  # fmt: skip
    for position in positions:
        loop.enter(position)
        if on_field is not None and not position.piece:
            share = position.number / (2 * values.size)
            on_field(Progress(share, 0, float(loop.discarded.sum())))
    return loop


def follow(
    model: Model,
    fields: Reals,
    solver: Solver,
    *,
    start: LoopPosition,
    axis: int,
    bath: Any,
    hold: float,
    settled: float,
    tilt: float | None,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[LoopPosition]:
    """Take a component of the field down and up again, and yield every twentieth of a field.

    Going on from a position that was yielded gives the same numbers.

    Parameters
    ----------
    model, solver, axis, bath, hold, settled, tilt
        See `hysteresis_loop`.
    fields : (F,)
        Ascending.
    start : LoopPosition
        Where to begin, or to go on.
    on_step : callable, optional
        Called after every step with a `Progress` whose time is the number of fields done; may
        raise to stop.

    Raises
    ------
    InputError
        If the model has no field, or the solver cannot do it.
    """
    tilt = tilt_of(model, solver, tilt)
    times = np.linspace(0.0, hold, PIECES + 1).tolist()
    number, piece, state = start.number, start.piece, start.snapshot.state
    ledger = start.snapshot.ledger if piece else None
    for value in np.concatenate((fields[::-1], fields))[number:]:
        here = with_field(model, axis, float(value))
        if tilt and not piece:
            state = solver.turned(here, state, tilt)
        keys = solver.bath_context(bath, [] if bath is None else bath.jump_operators(here))
        if ledger is not None:
            keys["ledger"] = ledger
        if on_step is not None:
            keys["on_step"] = _counted(on_step, number, hold)
        snapshots = evolve(here, state, times[piece:], solver=solver.at_field(number), **keys)
        before, change = _SPIN(next(snapshots)), np.inf
        for now in snapshots:
            spins = _SPIN(now)
            change, before = float(np.abs(spins - before).max()), spins
            piece += 1
            if change <= settled or piece == PIECES:
                break
            yield LoopPosition(number, piece, now, change)
        number, piece, state, ledger = number + 1, 0, now.state, None
        yield LoopPosition(number, 0, now, change)


def steady_spins(
    model: Model, fields: Sequence[float] | Reals, *, axis: int = 2, bath: Any = None
) -> Reals:
    """(F, N, 3) <S>/S of the steady state at each field; NaN where it is not unique.

    Raises
    ------
    InputError
        If the chain has too many states.
    """
    from tnspin.solvers.lindblad.steady import steady_state

    size = prod(site.dim for site in model.local_sites)
    if size > MOST_STATES:
        raise InputError(f"model: {size} states are too many for steady states ({MOST_STATES})")
    found = np.full((len(fields), len(model.localized_sites), 3), np.nan)
    for k, value in enumerate(fields):
        here = with_field(model, axis, float(value))
        try:
            state = steady_state(here, jumps_of(here, bath))
        except RunError:
            continue
        found[k] = _SPIN(Snapshot(0.0, here, state))
    return found


def coercive_fields(fields: Reals, magnetization: Reals) -> Reals:
    """(2,) fields at which each branch (2, F) of a component of M passes zero first; NaN: never.

    Linear between the fields of the loop, so that a jump counts as halfway between two of them.
    """
    found = np.full(2, np.nan)
    for branch, reverse in enumerate((True, False)):
        b, m = (x[::-1] if reverse else x for x in (fields, magnetization[branch]))
        b, m = b[np.isfinite(m)], m[np.isfinite(m)]  # of a loop under way
        flips = np.flatnonzero(np.sign(m[1:]) != np.sign(m[:-1]))
        if flips.size:
            k = int(flips[0])
            found[branch] = b[k] - m[k] * (b[k + 1] - b[k]) / (m[k + 1] - m[k])
    return found


def check_loop(config: Config) -> None:
    """Refuse loops that the model, the solver, the initial state or the counterpart rules out.

    Raises
    ------
    InputError
        Before any work starts.
    """
    assert config.hysteresis is not None
    tilt_of(config.model, config.solver, config.hysteresis.tilt)
    counterpart = config.classical
    if counterpart is not None and not counterpart.in_loops:
        raise InputError(
            f"classical.kind = {counterpart.kind!r}: not with a hysteresis loop; allowed: "
            "mean_field"
        )
    if config.bath is not None and config.bath.extends_model:
        raise InputError(f"bath.kind = {config.bath.kind!r}: has no hysteresis")
    if config.initial_state.purified and config.solver.represents == "density":
        raise InputError(
            f"state.kind = {config.state.kind!r}: is purified, which hysteresis by "
            f"{config.solver.kind!r} does not take; allowed: density_matrix, purification, "
            "mean_field"
        )


def tilt_of(model: Any, solver: Solver, tilt: float | None = None) -> float:
    """Angle by which the spins are turned at every field; `TILT` by default where they are.

    Raises
    ------
    InputError
        For models without a field and solvers without loops, or whose spins are not turned.
    """
    kinds = SOLVERS.items()
    if not solver.loops:
        able = [kind for kind, cls in kinds if cls.loops]
        raise InputError(
            f"solver.kind = {solver.kind!r}: does not take its own states back; allowed for "
            f"hysteresis: {', '.join(able)}"
        )
    field: Any = getattr(model, "field", ())
    if np.shape(field) != (3,):
        raise InputError(f"model.kind = {model.kind!r}: has no field that could be varied")
    tilted = solver.loops == "tilted"
    if tilt is None:
        return TILT if tilted else 0.0
    if tilt and not tilted:
        able = [kind for kind, cls in kinds if cls.loops == "tilted"]
        raise InputError(
            f"hysteresis.tilt = {tilt!r}: only {' and '.join(able)} turn their spins, not "
            f"{solver.kind!r}"
        )
    return tilt


# ---------------------------------------------------------------------- inside


def with_field(model: Any, axis: int, value: float) -> Any:
    """The model with another value of one component of its field."""
    field = list(model.field)
    field[axis] = value
    return replace(model, field=tuple(field))


def _counted(
    on_step: Callable[[Progress], None], number: int, hold: float
) -> Callable[[Progress], None]:
    """Callback that gets the number of fields done instead of the time at this one."""
    return lambda progress: on_step(progress._replace(time=number + progress.time / hold))
