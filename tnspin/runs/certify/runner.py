"""Carry out the runs of a ladder, window by window, so that none goes on for longer than it helps.

Every run keeps its result and its checkpoint in a folder, under a name made from its configuration:
a ladder that was stopped or killed continues when the same command is given again, and one with
another tolerance, or to a later time, uses all that was done before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tnspin.errors import DamagedFile, InputError, RunError
from tnspin.results.report import reached
from tnspin.results.result import Result, Variable, is_result
from tnspin.results.toml_text import loads
from tnspin.runs.certify import loops as along
from tnspin.runs.certify.ladder import Rung
from tnspin.runs.config.config import Config
from tnspin.runs.simulation import simulate

__all__ = ["Climb", "Course", "windows"]

#: Solvers that continue from a state at little cost.
_WINDOWS = 12
_WINDOW_SECONDS = 15.0
#: Share of its bond dimension from which on a run counts as having reached it.
_REACHED = 0.9


@dataclass
class Course:
    """What a rung has come to: its result so far, or why it has none.

    ``result`` is what is compared, row by row; ``run`` is the same, or the loop that it is of.
    """

    rung: Rung
    result: Result | None = None
    run: Result | None = None
    note: str = ""


@dataclass
class Climb:
    """A ladder under way.

    Parameters
    ----------
    rungs
        The base first.
    folder
        Where the runs are kept.
    on_step, on_snapshot
        Called with (rung, progress) after every step and with every snapshot; may raise
        `Interrupted`.
    say
        Told in words what is being done.
    """

    rungs: Sequence[Rung]
    folder: Path
    on_step: Callable[[Rung, Any], None] = lambda rung, progress: None
    on_snapshot: Callable[[Any], None] = lambda snapshot: None
    say: Callable[[str], None] = lambda text: None
    courses: dict[str, Course] = field(init=False)

    def __post_init__(self) -> None:
        self.courses = {rung.name: Course(rung) for rung in self.rungs}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"-o: folder {self.folder}: {error.strerror}") from error

    @property
    def base(self) -> Result:
        """The run in question, as far as it is done."""
        result = self.courses["base"].result
        assert result is not None
        return result

    @property
    def base_run(self) -> Result:
        """The same as the run itself has written it."""
        run = self.courses["base"].run
        assert run is not None
        return run

    def rise(self) -> Iterator[float]:
        """Run the base, extend all rungs to the end of each window in turn, and yield it."""
        config = self.rungs[0].config
        self.extend("base", config.length)
        # Each window costs reading and writing: few of them where the whole ladder is short.
        ladder = float(self.base.attrs["wall_time_s"]) * sum(rung.cost for rung in self.rungs[1:])
        for stop in windows(config, min(_WINDOWS, round(ladder / _WINDOW_SECONDS))):
            for rung in self.rungs[1:]:
                if self._is_needed(rung, stop):
                    self.extend(rung.name, stop)
            yield stop

    def extend(self, name: str, stop: float) -> None:
        """Carry a rung on to a time.

        Raises
        ------
        RunError
            If it was interrupted (all of it is saved), or could not be finished.
        InputError
            If the base was refused, or a file of any rung is damaged; rungs that are refused are
            left out of the ladder.
        """
        course = self.courses[name]
        if course.note:
            return
        config = _until(course.rung.config, stop)
        path = self.folder / f"{name.replace(' ', '-')}-{fingerprint(config)}.h5"
        done = _finished(path, config)
        if done is None:
            if course.result is None:
                self.say(f"rung: {name}")
            try:
                done = simulate(
                    config, path, resume=True, on_snapshot=self.on_snapshot, say=self._compiling,
                    on_step=lambda progress: self.on_step(course.rung, progress),
                )  # fmt: skip
            except InputError as error:
                if name == "base" or isinstance(error, DamagedFile):
                    raise
                course.note = f"refused: {error}"
                return
        if not done.complete:
            raise RunError(f"stopped in rung {name!r} {reached(done)}, saved")
        course.run = done
        own = self.rungs[0].config
        course.result = done if own.hysteresis is None else along.course(done, own)

    def _is_needed(self, rung: Rung, stop: float) -> bool:
        """Whether a rung would differ: another largest dimension only where one is reached."""
        if rung.axis not in ("bond_dim", "kraus_dim") or rung.axis not in self.base:
            return True
        own = getattr(self.rungs[0].config.solver, rung.axis)
        before = self.base[rung.axis][self.base["time"] <= stop]
        return bool(before.max(initial=0) >= _REACHED * own)

    def _compiling(self, text: str) -> None:
        if text.startswith("compiling"):
            self.say(text)


def windows(config: Config, count: int) -> list[float]:
    """Times at which the ladder is judged: points of the run, the last of them its end."""
    if config.hysteresis is not None:
        return [config.length]  # a part of a loop is no run of its own
    points = config.time.points
    if "ledger" not in config.solver.context or points.size == 1 or count <= 1:
        return [float(points[-1])]
    grid = config.time.grid
    chosen = np.unique(np.linspace(0, grid.size - 1, count + 1).round().astype(int))[1:]
    return sorted({*(float(grid[k]) for k in chosen), float(points[-1])})


def fingerprint(config: Config) -> str:
    """Eight letters that tell runs apart whose numbers differ up to a common time."""
    tables: dict[str, Any] = json.loads(json.dumps(config.as_dict()))
    for section in ("about", "classical"):  # the latter is computed once the run is over
        tables.pop(section, None)
    for section, key in (("time", "stop"), ("solver", "threads"), ("record", "checkpoint")):
        tables.get(section, {}).pop(key, None)
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()[:8]


def _until(config: Config, stop: float) -> Config:
    if config.hysteresis is not None:
        return config
    return replace(config, time=replace(config.time, stop=stop))


def _finished(path: Path, config: Config) -> Result | None:
    """The rows of a run that has come so far already, None if it has not."""
    if not path.exists() or not is_result(path):
        return None
    result = Result.load(path)
    beside = loads(str(result.attrs.get("config", ""))).get("classical")
    if not result.complete or beside != config.as_dict().get("classical"):
        return None
    if config.hysteresis is not None:
        return result
    points = config.time.points
    near = np.abs(result["time"][:, None] - points).min(axis=1) <= 1e-9 * config.time.every
    if near.sum() != points.size:
        return None
    return rows(result, near)


def rows(result: Result, keep: Any) -> Result:
    """Some of the rows of a result."""
    variables: Mapping[str, Variable] = {
        name: replace(v, data=v.data[keep]) if v.dims[:1] == ("time",) else v
        for name, v in result.variables.items()
    }
    return Result(variables, result.attrs)
