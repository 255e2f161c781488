"""From a configuration with ``[hysteresis]`` to the result of a loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from tnspin.config import Config
from tnspin.errors import InputError
from tnspin.hysteresis.loop import (
    MOST_STATES,
    Loop,
    coercive_fields,
    hysteresis_loop,
    steady_spins,
)
from tnspin.preparation import initial_state, jump_operators, product_state
from tnspin.record import cpu_time, peak_memory, provenance
from tnspin.result import Result, Variable
from tnspin.schema import fields_of
from tnspin.settings import MasterEquation, MeanFieldBeside
from tnspin.snapshot import Progress

__all__ = ["hysteresis_result"]

Say = Callable[[str], None]


def hysteresis_result(
    config: Config, on_step: Callable[[Any], None] | None = None, say: Say = lambda text: None
) -> Result:
    """Carry out the loop that a configuration describes.

    Parameters
    ----------
    config
        The run; it has ``hysteresis``.
    on_step
        Called after every field with a `Progress` whose time is a share of ``time.stop``.
    say
        Told in words what is being done.

    Returns
    -------
    Result
        With dimensions ``branch`` (down, up), ``field``, ``localized`` and ``axis``.
    """
    keys = config.hysteresis
    if keys is None:
        raise InputError("hysteresis: the configuration has no such table")
    start = time.perf_counter(), cpu_time()
    axis = "xyz".index(keys.axis)
    fields = np.linspace(-keys.largest, keys.largest, keys.steps + 1)
    first = _at(config, axis, float(fields[-1]))
    state = initial_state(first, jump_operators(first), say)

    def on_field(progress: Progress) -> None:
        if on_step is not None:
            on_step(progress._replace(time=progress.time * config.time.stop))

    common: dict[str, Any] = {
        "axis": axis, "bath": config.bath, "hold": keys.hold, "settled": keys.settled,
    }  # fmt: skip
    options = {name: getattr(config.solver, name) for name in fields_of(type(config.solver))}
    if "threads" in options and config.solver.kind != "llg":
        options["threads"] = options["threads"] or None
    say("sweeping the field down and up")
    loop = hysteresis_loop(
        config.model, state, fields, solver=config.solver.kind, tilt=keys.tilt,
        on_field=on_field, **common, **options,
    )  # fmt: skip
    variables = _variables(loop, config, axis)
    dims = ("branch", "field", "localized", "axis")
    if isinstance(config.classical, MeanFieldBeside):
        say("the same for the mean field")
        beside = config.classical
        other = hysteresis_loop(
            config.model, product_state(first), fields, variant=beside.variant,
            damping=beside.damping, tolerance=beside.tolerance, **common,
        )  # fmt: skip
        text = f"mean field of the localized spins, {beside.variant}"
        variables["loop_classical_spin"] = Variable(dims, other.spins, "1", text)
    few = prod(site.dim for site in config.model.local_sites) <= MOST_STATES
    if isinstance(config.solver, MasterEquation) and keys.steady and config.bath and few:
        say("looking for the steady states")
        steady = steady_spins(config.model, fields, axis=axis, bath=config.bath)
        text = "localized spin <S>/S of the steady state (nan: not unique)"
        variables["steady_spin"] = Variable(dims[1:], steady, "1", text)
    attrs = {
        "loop_area": loop.area(axis),
        "wall_time_s": time.perf_counter() - start[0],
        "cpu_time_s": cpu_time() - start[1],
        "peak_memory_bytes": peak_memory(),
        "complete": 1,
    }
    return Result(variables, provenance(config.to_toml()) | attrs)


def _at(config: Config, axis: int, value: float) -> Config:
    """The same at one value of the field."""
    field = list(config.model.field)
    field[axis] = value
    return replace(config, model=replace(config.model, field=tuple(field)))


def _variables(loop: Loop, config: Config, axis: int) -> dict[str, Variable]:
    unit = "energy unit"
    sites = np.array(config.model.localized_sites, dtype=np.int64)
    four = ("branch", "field", "localized", "axis")
    coercive = coercive_fields(loop.fields, loop.magnetization[..., axis])
    found = {
        "field": Variable(("field",), loop.fields, unit, f"{'xyz'[axis]} component of the field"),
        "branch": Variable(("branch",), np.array(["down", "up"]), "1", "direction of the sweep"),
        "localized": Variable(("localized",), sites, "1", "site of the localized spin"),
        "axis": Variable(("axis",), np.array(["x", "y", "z"]), "1", "direction of spin"),
        "loop_spin": Variable(four, loop.spins, "1", "localized spin <S>/S at the end of a field"),
        "magnetization": Variable(
            ("branch", "field", "axis"), loop.magnetization, "1", "mean of <S>/S over the spins"
        ),
        "coercive_field": Variable(
            ("branch",), coercive, unit, "field at which the swept component of M passes zero"
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
