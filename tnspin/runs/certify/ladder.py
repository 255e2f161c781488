"""The ladder: which runs of other accuracies say how far a run can be trusted.

What a solver can do better is told by the names of its keys, so that a new solver with keys of
these names needs nothing here:

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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, cast

from tnspin.errors import InputError, nearest
from tnspin.observables import chosen
from tnspin.runs.certify.loops import OBSERVED
from tnspin.runs.config.config import Config
from tnspin.runs.config.loading import from_dict
from tnspin.runs.hysteresis.loop import PIECES
from tnspin.runs.simulation import options_of

__all__ = ["AXES", "Level", "ladder", "own_step"]

#: What is varied -> in words.
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
#: What says how far a truncated run can be trusted, recorded in any case.
_LEDGER = ("bond_dim", "discarded_weight", "kraus_dim")
#: Most amplitudes of an exact run beside a ladder: minutes, not hours.
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


def ladder(
    config: Config, observables: Sequence[str] = (), *, exact: bool = True
) -> tuple[Level, ...]:
    """The base and its levels, the exact solver alone where it fits.

    Parameters
    ----------
    config
        The run to certify.  Classical spins beside it are those of the base alone.
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
        found = [level for axis in _axes(config) for level in _BUILDERS[axis](config)]
        found += _levels(config)
    if config.hysteresis is not None:
        return base, *(_bare(level) for level in (*found, *_of_the_loop(config)))
    wanted = [n for n in names if not observables or n in observables or n in _LEDGER]
    return base, *(replace(level, config=_recording(level.config, wanted)) for level in found)


def _recording(config: Config, names: Sequence[str]) -> Config:
    """The same, recording those of the names that apply to it."""
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


def _axes(config: Config) -> list[str]:
    """Keys of the solver that have a say in its accuracy."""
    unused = config.solver.unused_keys(config.problem)
    return [name for name in _BUILDERS if name in config.solver.key_values() and name not in unused]


def _changed(config: Config, **values: Any) -> Config:
    return replace(config, solver=replace(cast(Any, config.solver), **values))


def _dimension(axis: str) -> Any:
    def levels(config: Config) -> list[Level]:
        own = getattr(config.solver, axis)
        coarse = [Level(axis, "coarser", own // 2, _changed(config, **{axis: own // 2}), 0.3)]
        fine = Level(axis, "finer", 2 * own, _changed(config, **{axis: 2 * own}), 4.0)
        return [*(coarse if own > 1 else []), fine]

    return levels


def _cutoff(axis: str) -> Any:
    def levels(config: Config) -> list[Level]:
        own = getattr(config.solver, axis)
        sides = ((min(_FINER * own, 0.1), "coarser", 0.8), (own / _FINER, "finer", 1.3))
        return [
            Level(axis, side, value, _changed(config, **{axis: value}), cost)
            for value, side, cost in sides
            if own > 0
        ]

    return levels


def _dt(config: Config) -> list[Level]:
    own = own_step(config)
    found = []
    longer, tighter = own_step(config, 2 * own), _tighter(config)
    if longer > 1.2 * own:
        found.append(Level("dt", "coarser", longer, _changed(config, dt=longer, **tighter), 0.6))
    return [*found, Level("dt", "finer", own / 2, _changed(config, dt=own / 2, **tighter), 2.5)]


def _order(config: Config) -> list[Level]:
    if config.solver.key_values()["order"] == 4:
        return []
    return [Level("order", "finer", 4, _changed(config, order=4, **_tighter(config)), 5.0)]


def _tighter(config: Config) -> dict[str, float]:
    """Cutoffs of runs with other steps, which are compared with the run of the finer cutoff.

    More updates truncate more often: with the cutoff of the base that would pass for an error of
    its step.
    """
    if "kraus_cutoff" in config.solver.key_values():
        return {}  # two cutoffs: there is no run with both of them finer
    own = config.solver.key_values().get("cutoff", 0.0)
    return {"cutoff": own / _FINER} if own > 0 else {}


def _tolerance(config: Config) -> list[Level]:
    own = config.solver.key_values()["tolerance"]
    if own / 10 >= _TIGHTEST:
        return [Level("tolerance", "finer", own / 10, _changed(config, tolerance=own / 10), 1.2)]
    return [Level("tolerance", "coarser", 100 * own, _changed(config, tolerance=100 * own), 0.9)]


def _levels(config: Config) -> list[Level]:
    """A larger reaction coordinate, if the run has one and the larger one fits."""
    own = getattr(config.bath, "levels", None)
    if not isinstance(own, int):
        return []
    more = own + max(2, own // 3)
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
        raise InputError(
            f"solver.temperature = {config.solver.key_values()['temperature']}: loops of fields do "
            "not tell the statistical error of their noise; nothing to certify but at temperature 0"
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


def _bare(level: Level) -> Level:
    """The same without the steady states, which nothing is compared with."""
    keys = level.config.hysteresis
    assert keys is not None
    return replace(level, config=replace(level.config, hysteresis=replace(keys, steady=False)))


_BUILDERS = {
    "bond_dim": _dimension("bond_dim"),
    "kraus_dim": _dimension("kraus_dim"),
    "cutoff": _cutoff("cutoff"),
    "kraus_cutoff": _cutoff("kraus_cutoff"),
    "dt": _dt,
    "order": _order,
    "tolerance": _tolerance,
}


def _exact(config: Config) -> Config | None:
    """The same run by an exact solver, None where there is none or it does not fit."""
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
