"""Run of a hysteresis loop: from a configuration with ``[hysteresis]`` to its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import isclose, prod
from typing import Any

import numpy as np

from tnspin.errors import InputError, Interrupted
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.results.result import Result, Variable
from tnspin.runs.checkpoint import Checkpoint, Saved
from tnspin.runs.config.config import Config
from tnspin.runs.config.tables import Hysteresis
from tnspin.runs.hysteresis.loop import (
    MOST_STATES,
    Loop,
    LoopPosition,
    coercive_fields,
    follow,
    hysteresis_loop,
    steady_spins,
    with_field,
)
from tnspin.runs.record import Stopwatch, provenance

Say = Callable[[str], None]
_DIMS = ("branch", "field", "localized", "axis")
#: Series of a loop that certificates compare, and what they are.
OBSERVED = {
    "loop_spin": "localized spin <S>/S at the end of a field",
    "magnetization": "mean of <S>/S over the spins",
    "loop_area": "area that the loop has enclosed so far",
}


def hysteresis_result(
    config: Config,
    *,
    saved: Saved | None = None,
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[Any], None] | None = None,
    on_snapshot: Callable[[Any], None] | None = None,
    say: Say = lambda text: None,
) -> Result:
    """Carry out the loop that a configuration describes.

    Parameters
    ----------
    config
        The run; it has ``hysteresis``.
    saved
        Checkpoint to continue from.
    checkpoint
        File in which it is saved, with the state of every twentieth of a field.
    on_step
        Called after every step with a `Progress` whose time is the number of fields done; may
        raise `Interrupted`.
    on_snapshot
        Called with the state of every twentieth of a field.
    say
        Called with each line of text for the user.

    Returns
    -------
    Result
        With dimensions ``branch`` (down, up), ``field``, ``localized`` and ``axis``.  If it was
        interrupted, its attribute ``complete`` is 0, and NaN stands for fields still to come.
    """
    watch, axis = Stopwatch(None if saved is None else saved.result), _axis(config)
    loop = _begun(config, saved)
    position = _start(config, say) if saved is None else _continued(config, saved, say)

    def so_far(here: LoopPosition, complete: bool = False) -> Result:
        attrs: dict[str, Any] = {"loop_done": here.number}
        attrs |= {"loop_area": loop.area(axis)} if complete else {"loop_piece": here.piece}
        attrs |= provenance(config) | watch.attrs(complete)
        return Result(_variables(loop, config, axis), attrs)

    try:
        positions = follow(
            config.model, loop.fields, config.solver, start=position, tilt=_keys(config).tilt,
            on_step=on_step, **_common(config),
        )  # fmt: skip
        for position in positions:
            loop.enter(position)
            if checkpoint is not None:
                checkpoint.offer(position.snapshot, partial(so_far, position))
            if on_snapshot is not None:
                on_snapshot(position.snapshot)
        if checkpoint is not None:
            checkpoint.flush()
        more = _mean_field(config, on_step, say) | _steady(config, say)
    except Interrupted:
        return so_far(position)
    finally:
        # Keep the last position, whatever ended the run.
        if checkpoint is not None:
            checkpoint.flush()
    result = so_far(position, complete=True)
    return Result({**result.variables, **more}, result.attrs)


def loop_fields(config: Config) -> np.ndarray:
    """(F,) values of the varied component of the field of a hysteresis loop, ascending."""
    keys = _keys(config)
    return np.linspace(-keys.largest, keys.largest, keys.steps + 1)


def fields_taken(config: Config) -> np.ndarray | None:
    """(2 F,) fields of a loop in the order in which they are taken; None without a loop."""
    if config.hysteresis is None:
        return None
    fields = loop_fields(config)
    return np.concatenate((fields[::-1], fields))


def loop_series(result: Result, config: Config) -> Result:
    """Rows of a loop at the fields of a configuration, whose steps may be longer.

    Parameters
    ----------
    result
        Of a whole loop.
    config
        That of the run in question; its fields are among those of the result.

    Returns
    -------
    Result
        Variables of `OBSERVED` with the dimension ``time``, fields done; attributes as they were.
    """
    keys, found = config.hysteresis, result["field"]
    assert keys is not None
    stride = (found.size - 1) // keys.steps
    assert stride * keys.steps == found.size - 1 and isclose(found[-1], keys.largest)
    branch = np.arange(0, found.size, stride)
    rows = np.concatenate((branch, found.size + branch))
    path = {name: _in_order(result[name]) for name in ("loop_spin", "magnetization")}
    along = path["magnetization"][:, "xyz".index(keys.axis)]
    taken = np.concatenate((found[::-1], found))
    # Along the path M dB is minus the area between the branches; on the steps of this very run.
    parts = -np.diff(taken) * (along[1:] + along[:-1]) / 2
    path["loop_area"] = np.concatenate(([0.0], np.cumsum(parts)))
    dims = {"loop_spin": ("localized", "axis"), "magnetization": ("axis",), "loop_area": ()}
    units = {"loop_area": "energy unit"}
    variables = {
        name: Variable(("time", *dims[name]), path[name][rows], units.get(name, "1"), text)
        for name, text in OBSERVED.items()
    }
    numbers = np.arange(1.0, 2 * (keys.steps + 1) + 1)
    return Result(
        {"time": Variable(("time",), numbers, "1", "fields done"), **variables}, result.attrs
    )


# ---------------------------------------------------------------------- inside


def _keys(config: Config) -> Hysteresis:
    if config.hysteresis is None:
        raise InputError("hysteresis: the configuration has no such table")
    return config.hysteresis


def _axis(config: Config) -> int:
    return "xyz".index(_keys(config).axis)


def _begun(config: Config, saved: Saved | None) -> Loop:
    """The loop so far."""
    loop = Loop.empty(loop_fields(config), len(config.model.localized_sites))
    if saved is not None:
        loop.spins[:], loop.residual[:] = saved.result["loop_spin"], saved.result["residual"]
        if "loop_discarded" in saved.result:
            loop.discarded[:] = saved.result["loop_discarded"]
    return loop


def _start(config: Config, say: Say) -> LoopPosition:
    """The initial state at the largest field."""
    first = _at_largest_field(config)
    build = first.solver.prepare(first.problem, first.solver.jumps(first.problem))
    say("building the initial state")
    state = build()
    say("taking the field down and up")
    return LoopPosition(0, 0, Snapshot(0.0, config.model, state))


def _continued(config: Config, saved: Saved, say: Say) -> LoopPosition:
    """The position at which a loop was saved."""
    number, piece = (int(saved.result.attrs.get(key, 0)) for key in ("loop_done", "loop_piece"))
    say(f"resuming after {number} of {2 * loop_fields(config).size} fields")
    return LoopPosition(number, piece, Snapshot(0.0, config.model, saved.state, saved.ledger))


def _common(config: Config) -> dict[str, Any]:
    keys = _keys(config)
    return {
        "axis": _axis(config), "bath": config.bath, "hold": keys.hold, "settled": keys.settled,
    }  # fmt: skip


def _mean_field(
    config: Config, on_step: Callable[[Any], None] | None, say: Say
) -> dict[str, Variable]:
    """The loop of the mean field, where the run asks for it."""
    solver: Any = config.classical
    if solver is None:
        return {}
    say("the same loop of the mean field")

    def on_field(progress: Progress) -> None:
        if on_step is not None:  # all fields of the run itself are done
            on_step(progress._replace(time=config.length))

    start = solver.prepare(_at_largest_field(config).problem, ())()
    other = hysteresis_loop(
        config.model, start, loop_fields(config), solver=solver, on_field=on_field,
        **_common(config),
    )  # fmt: skip
    text = f"mean field of the localized spins, {solver.variant}"
    return {"loop_classical_spin": Variable(_DIMS, other.spins, "1", text)}


def _steady(config: Config, say: Say) -> dict[str, Variable]:
    """The steady states, where the run asks for them and there are few states enough."""
    few = prod(site.dim for site in config.model.local_sites) <= MOST_STATES
    wanted = config.solver.represents == "density" and _keys(config).steady
    if not (wanted and config.bath and few):
        return {}
    say("looking for the steady states")
    fields = loop_fields(config)
    steady = steady_spins(config.model, fields, axis=_axis(config), bath=config.bath)
    text = "localized spin <S>/S of the steady state (nan: not unique)"
    return {"steady_spin": Variable(_DIMS[1:], steady, "1", text)}


def _at_largest_field(config: Config) -> Config:
    """The configuration with its model in the largest field."""
    return replace(
        config, model=with_field(config.model, _axis(config), float(_keys(config).largest))
    )


def _variables(loop: Loop, config: Config, axis: int) -> dict[str, Variable]:
    unit = "energy unit"
    sites = np.array(config.model.localized_sites, dtype=np.int64)
    coercive = coercive_fields(loop.fields, loop.magnetization[..., axis])
    found = {
        "field": Variable(("field",), loop.fields, unit, f"{'xyz'[axis]} component of the field"),
        "branch": Variable(("branch",), np.array(["down", "up"]), "1", "direction of the field"),
        "localized": Variable(("localized",), sites, "1", "site of the localized spin"),
        "axis": Variable(("axis",), np.array(["x", "y", "z"]), "1", "direction of spin"),
        "loop_spin": Variable(_DIMS, loop.spins, "1", "localized spin <S>/S at the end of a field"),
        "magnetization": Variable(
            ("branch", "field", "axis"), loop.magnetization, "1", "mean of <S>/S over the spins"
        ),
        "coercive_field": Variable(
            ("branch",), coercive, unit, "field at which this component of M passes zero"
        ),
        "residual": Variable(
            ("branch", "field"), loop.residual, "1",
            "largest change of a spin in the last twentieth of the time at a field",
        ),
    }  # fmt: skip
    if loop.discarded.any():
        text = "weight discarded at a field"
        found["loop_discarded"] = Variable(("branch", "field"), loop.discarded, "1", text)
    return found


def _in_order(values: np.ndarray) -> np.ndarray:
    """(2 F, ...) values in the order taken, from those of the two branches (2, F, ...)."""
    down, up = values
    return np.concatenate((down[::-1], up))
