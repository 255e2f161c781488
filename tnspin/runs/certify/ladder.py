"""The ladder of a certificate: levels, which are runs of other accuracy.

The names of a solver's keys say what can be more accurate, so that a new solver with keys of these
names needs nothing here:

==============================  ==================================================================
``bond_dim``, ``kraus_dim``     half and twice; only once the run has reached its own
``cutoff``, ``kraus_cutoff``    ten times and a tenth
``dt``                          twice and half the step that is really taken, with a tenth of the
                                cutoffs
``order``                       4 instead of 1 or 2, with a tenth of the cutoffs
``tolerance``                   a tenth, or a hundred times where nothing tighter makes sense
``bath.levels``                 a third more
``hysteresis.hold``             half and twice, to the end: with ``settled = 0``
``hysteresis.settled``          0
``hysteresis.steps``            twice
==============================  ==================================================================

And the exact solver, where it fits: it replaces those of the solver, for then the error is known.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, cast

from tnspin.errors import InputError, nearest
from tnspin.observables import chosen
from tnspin.results.result import Result
from tnspin.runs.config.config import Config
from tnspin.runs.config.loading import from_dict
from tnspin.runs.hysteresis.loop import PIECES
from tnspin.runs.hysteresis.run import OBSERVED
from tnspin.runs.simulation import options_of

#: Axis, the key that is varied -> in words.
AXES = {
    "bond_dim": "bond dimension",
    "kraus_dim": "dimension of the ancillas",
    "cutoff": "cutoff",
    "kraus_cutoff": "cutoff of the ancillas",
    "dt": "step",
    "order": "order",
    "tolerance": "tolerance",
    "levels": "levels of the reaction coordinate",
    "hold": "time at each field",
    "settled": "change at which a field is left",
    "steps": "steps of the field",
    "sample": "statistics",
    "exact": "exact solver",
}
#: Error ledger of a truncated run, recorded in any case.
_LEDGER = ("bond_dim", "discarded_weight", "kraus_dim")
#: Largest exact runs that replace a ladder: minutes, not hours.
_MOST_AMPLITUDES = 2**20
_MOST_OF_ONE_ELECTRON = 2**24
_MOST_ELEMENTS = 2**20
#: Factor between cutoffs.
_FINER = 10
#: Below this a tolerance is rounding.
_TIGHTEST = 1e-14


@dataclass(frozen=True)
class Level:
    """One run of the ladder.

    Attributes
    ----------
    axis
        What differs from the run in question, a key of `AXES`; "base" is that run itself.
    side
        "base", "coarser", "finer" or "exact".
    value
        Of what differs.
    config
        The run.
    cost
        Rough cost relative to the base, for the progress bar.
    """

    axis: str
    side: str
    value: Any
    config: Config
    cost: float = 1.0

    @property
    def name(self) -> str:
        """Such as "bond_dim 800"."""
        return self.axis if self.axis in ("base", "exact") else f"{self.axis} {self.value:g}"


@dataclass
class LevelResult:
    """Outcome of a level so far.

    Attributes
    ----------
    level
        The level.
    run
        Its run so far; None if there is none.
    series
        What is compared: the run, or of a hysteresis loop its rows in the order taken.
    note
        Why there is no run.
    """

    level: Level
    run: Result | None = None
    series: Result = field(default_factory=lambda: Result({}, {}))
    note: str = ""


def ladder(
    config: Config, observables: Sequence[str] = (), *, exact: bool = True
) -> tuple[Level, ...]:
    """The base and the levels of its ladder; the exact solver alone where it fits.

    Parameters
    ----------
    config
        The run to certify.  Only the base computes its classical counterpart.
    observables
        What the levels record; none named: what the base does.
    exact
        Whether the exact solver may replace the other levels.

    Raises
    ------
    InputError
        For closed forms, which have no errors, for loops of fields with noise, and for
        observables that do not apply.
    """
    if not config.solver.integrates:
        raise InputError(f"model.kind = {config.model.kind!r}: a closed form; nothing to certify")
    base, config = Level("base", "base", None, config), replace(config, classical=None)
    if config.hysteresis is None:
        names = chosen(
            config.record.observables, config.run_model, config.solver.states(),
            options_of(config),
        )  # fmt: skip
    else:
        names = tuple(OBSERVED)
    for name in observables:
        if name not in names:
            raise InputError(
                f"--observables {name}: is not recorded; allowed: {', '.join(names)}"
                f"{nearest(name, names)}"
            )
    known = _exact(config) if exact else None
    if known is not None:
        found = [Level("exact", "exact", None, known)]
    else:
        found = [*_of_the_solver(config), *_of_the_bath(config)]
    if config.hysteresis is not None:
        return base, *map(_without_steady_states, (*found, *_of_the_loop(config)))
    wanted = [n for n in names if not observables or n in observables or n in _LEDGER]
    return base, *(replace(level, config=_recording(level.config, wanted)) for level in found)


def _recording(config: Config, names: Sequence[str]) -> Config:
    """The configuration, recording those of the names that apply to it."""
    kind, options = config.solver.states(), options_of(config)
    able: list[str] = []
    for name in names:
        with contextlib.suppress(InputError):
            able += chosen([name], config.run_model, kind, options)
    return replace(config, record=replace(config.record, observables=tuple(able)))


def own_step(config: Config, dt: float | None = None) -> float:
    """Step that is really taken: ``time.every``, of a loop what is looked at, is divided evenly."""
    every = min(config.time.every, config.time.stop) or config.time.every
    if config.hysteresis is not None:
        every = config.hysteresis.hold / PIECES
    return float(every / max(1, ceil(every / (dt or config.solver.key_values()["dt"]) - 1e-9)))


def _of_the_solver(config: Config) -> list[Level]:
    """Levels for each key of the solver that has a say in its accuracy."""
    keys, unused = config.solver.key_values(), config.solver.unused_keys(config.problem)
    return [
        level
        for axis, build in _BUILDERS.items()
        if axis in keys and axis not in unused
        for level in build(config, axis, keys[axis])
    ]


def _varied(
    config: Config, axis: str, side: str, value: float, cost: float, **others: float
) -> Level:
    """The level with another value of a key of the solver."""
    solver = replace(cast(Any, config.solver), **{axis: value}, **others)
    return Level(axis, side, value, replace(config, solver=solver), cost)


def _dimension(config: Config, axis: str, own: int) -> list[Level]:
    coarse = [_varied(config, axis, "coarser", own // 2, 0.3)] if own > 1 else []
    return [*coarse, _varied(config, axis, "finer", 2 * own, 4.0)]


def _cutoff(config: Config, axis: str, own: float) -> list[Level]:
    sides = ("coarser", min(_FINER * own, 0.1), 0.8), ("finer", own / _FINER, 1.3)
    return [_varied(config, axis, *side) for side in sides] if own > 0 else []


def _dt(config: Config, axis: str, own: float) -> list[Level]:
    step, tighter = own_step(config), _tighter(config)
    longer = own_step(config, 2 * step)
    coarse = [_varied(config, axis, "coarser", longer, 0.6, **tighter)]
    fine = _varied(config, axis, "finer", step / 2, 2.5, **tighter)
    return [*coarse, fine] if longer > 1.2 * step else [fine]


def _order(config: Config, axis: str, own: int) -> list[Level]:
    return [_varied(config, axis, "finer", 4, 5.0, **_tighter(config))] if own != 4 else []


def _tighter(config: Config) -> dict[str, float]:
    """Cutoffs of runs with other steps, which are compared with the run of the finer cutoff.

    More updates truncate more often: with the cutoff of the base that would pass for an error of
    its step.
    """
    keys = config.solver.key_values()
    if "kraus_cutoff" in keys:
        return {}  # two cutoffs: there is no run with both of them finer
    return {"cutoff": keys["cutoff"] / _FINER} if keys.get("cutoff", 0.0) > 0 else {}


def _tolerance(config: Config, axis: str, own: float) -> list[Level]:
    if own / 10 >= _TIGHTEST:
        return [_varied(config, axis, "finer", own / 10, 1.2)]
    return [_varied(config, axis, "coarser", 100 * own, 0.9)]


_BUILDERS: dict[str, Callable[[Config, str, Any], list[Level]]] = {
    "bond_dim": _dimension,
    "kraus_dim": _dimension,
    "cutoff": _cutoff,
    "kraus_cutoff": _cutoff,
    "dt": _dt,
    "order": _order,
    "tolerance": _tolerance,
}


def _of_the_bath(config: Config) -> list[Level]:
    """A larger reaction coordinate, if the run has one and the larger one fits."""
    keys = {} if config.bath is None else config.bath.key_values()
    if "levels" not in keys:
        return []
    more = keys["levels"] + max(2, keys["levels"] // 3)
    larger = replace(config, bath=replace(config.bath, levels=more))
    return [Level("levels", "finer", more, larger, 2.5)]


def _of_the_loop(config: Config) -> list[Level]:
    """Loops that hold each field to the end, for half or twice as long, or take shorter steps.

    Those that hold it to the end differ by relaxation alone, not by when a field was left.

    Raises
    ------
    InputError
        For noise, whose statistical error loops do not tell.
    """
    if config.solver.noisy:
        temperature = config.solver.key_values()["temperature"]
        raise InputError(
            f"solver.temperature = {temperature:g}: loops of fields do not tell the statistical "
            "error of their noise; nothing to certify but at temperature 0"
        )
    keys = config.hysteresis
    assert keys is not None
    full = replace(keys, settled=0.0)
    half, double = (replace(full, hold=factor * keys.hold) for factor in (0.5, 2.0))
    slower = replace(keys, steps=2 * keys.steps)
    changes: list[tuple[str, str, float, Any, float]] = [
        ("hold", "coarser", half.hold, half, 1.5),
        ("hold", "finer", double.hold, double, 6.0),
        ("steps", "finer", slower.steps, slower, 2.0),
    ]
    if keys.settled:
        changes.insert(0, ("settled", "finer", 0.0, full, 3.0))
    return [
        Level(axis, side, value, replace(config, hysteresis=loop), cost)
        for axis, side, value, loop, cost in changes
    ]


def _without_steady_states(level: Level) -> Level:
    """The level without the steady states, which nothing is compared with."""
    keys = level.config.hysteresis
    assert keys is not None
    return replace(level, config=replace(level.config, hysteresis=replace(keys, steady=False)))


def _exact(config: Config) -> Config | None:
    """The run by an exact solver, None where there is none or it is too large."""
    kind = config.solver.referee
    if not kind:
        return None
    mixed = kind == "master_equation"
    try:
        other = from_dict({**config.as_dict(), "solver": {"kind": kind}}, name=config.name)
        size = other.solver.size(other.problem)
    except InputError:
        return None
    if mixed:
        return other if size.elements <= _MOST_ELEMENTS else None
    most = _MOST_OF_ONE_ELECTRON if size.one_electron else _MOST_AMPLITUDES
    return other if size.amplitudes <= most else None
