"""Certification: the runs of a ladder, window by window, so that none goes on longer than it helps.

Every run keeps its result and its checkpoint in a folder, under a name made from its configuration:
a ladder that was stopped or killed continues when the same command is given again, and one with
another tolerance, or to a later time, uses all that was done before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from tnspin.errors import DamagedFile, InputError, RunError
from tnspin.results.report import reached
from tnspin.results.result import Result, check_writable, is_result, write_atomically
from tnspin.results.toml_text import loads
from tnspin.runs.certify.certificate import Certificate
from tnspin.runs.certify.judge import judge
from tnspin.runs.certify.ladder import Level, LevelResult, ladder
from tnspin.runs.config.config import Config
from tnspin.runs.hysteresis.run import loop_series
from tnspin.runs.simulation import check_output, simulate

#: Solvers that continue from a state at little cost.
_WINDOWS = 12
#: Each window costs reading and writing: few of them where the whole ladder is short.
_WINDOW_SECONDS = 15.0
#: Share of its bond dimension from which on a run counts as having reached it.
_REACHED = 0.9
#: A ladder ends once the error exceeds the tolerance by this factor: finer levels would only cost.
_BEYOND = 5.0


def certify(
    config: Config,
    path: str | Path | None = None,
    *,
    tolerance: float = 1e-2,
    observables: Sequence[str] = (),
    exact: bool = True,
    on_step: Callable[[Level, Any], None] = lambda level, progress: None,
    on_snapshot: Callable[[Any], None] = lambda snapshot: None,
    say: Callable[[str], None] = lambda text: None,
    window_seconds: float = _WINDOW_SECONDS,
) -> Certificate:
    """Run a ladder of accuracies and say up to which time (or field) a tolerance holds.

    Parameters
    ----------
    config
        The run to certify, any preset or solver kind.
    path
        JSON file; with it the result of the run (``FILE.h5``, with the attribute
        ``converged_until``) and the levels of the ladder (``FILE.rungs``), from which a ladder that
        was stopped continues.  None: nothing is kept.
    tolerance
        Largest error accepted, in the units of the observables.
    observables
        Those that decide; none: spin, electron_density and electron_spin, as far as they are
        recorded (of a hysteresis loop: loop_spin).  If named, the levels record nothing else, which
        may be faster.
    exact
        Whether the exact solver may tell the error, where it fits.
    on_step, on_snapshot, say, window_seconds
        See `LadderRun`.

    Raises
    ------
    InputError
        For closed forms, loops with noise, unknown observables, and what the run itself refuses.
    RunError
        If it was stopped; all that was done is saved.
    """
    if not tolerance > 0:
        raise InputError(f"--tol {tolerance:g}: must be above 0")
    levels = ladder(config, observables, exact=exact)
    with contextlib.ExitStack() as stack:
        names = {} if path is None else files_of(Path(path))
        if names:
            check_writable(names["json"])
            check_output(names["result"])
        folder = names.get("levels") or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        run = LadderRun(levels, folder, on_step, on_snapshot, say, window_seconds)
        certificate = _judged(run, tolerance, observables)
        base = run.results["base"].run
    assert base is not None
    if names:
        _certified(base, certificate).save(names["result"])
        text = json.dumps(certificate.to_dict(), indent=1)
        write_atomically(names["json"], BytesIO(text.encode()))
    return certificate


def files_of(path: Path) -> dict[str, Path]:
    """Paths named after a certificate: ``json``, ``result``, ``figure``, ``levels`` (a folder).

    Raises
    ------
    InputError
        If the name does not end in .json.
    """
    if path.suffix != ".json":
        raise InputError(f"-o {path}: must end in .json")
    suffixes = {"result": ".h5", "figure": ".png", "levels": ".rungs"}
    return {"json": path} | {name: path.with_suffix(end) for name, end in suffixes.items()}


def _judged(run: LadderRun, tolerance: float, observables: Sequence[str]) -> Certificate:
    """Advance a ladder until its end, or until the tolerance is clearly lost."""
    stop = run.levels[0].config.length
    certificate: Certificate | None = None
    for end in run.advance():
        certificate = judge(run.results, tolerance, observables)
        worst = max(certificate.observables[name].error[-1] for name in certificate.judged)
        if worst > _BEYOND * tolerance and end < stop:
            why = f"at t = {end:g}: error {worst:.1e}, over {_BEYOND:g} times the tolerance"
            return replace(certificate, stopped=why)
    assert certificate is not None
    return certificate


def _certified(result: Result, certificate: Certificate) -> Result:
    """The result of the base with the verdict as attributes."""
    until = certificate.converged_until
    never = -1.0 if certificate.fields is None else 0.0
    attrs = {
        "converged_until": never if until is None else until,
        "certified_tolerance": certificate.tolerance,
        "certified_observables": " ".join(certificate.judged),
        "certified": certificate.text(),
    }
    return Result(result.variables, {**result.attrs, **attrs})


# ---------------------------------------------------------------------- levels


@dataclass
class LadderRun:
    """Runs of a ladder, extended window by window.

    Parameters
    ----------
    levels
        The base first.
    folder
        Where the runs are kept.
    on_step, on_snapshot
        Called with (level, progress) after every step and with every snapshot; may raise
        `Interrupted`.
    say
        Called with each line of text for the user.
    window_seconds
        Wall time of a window, about.
    """

    levels: Sequence[Level]
    folder: Path
    on_step: Callable[[Level, Any], None] = lambda level, progress: None
    on_snapshot: Callable[[Any], None] = lambda snapshot: None
    say: Callable[[str], None] = lambda text: None
    window_seconds: float = _WINDOW_SECONDS
    results: dict[str, LevelResult] = field(init=False)

    def __post_init__(self) -> None:
        self.results = {level.name: LevelResult(level) for level in self.levels}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"-o: folder {self.folder}: {error.strerror}") from error

    def advance(self) -> Iterator[float]:
        """Run the base, extend all levels to the end of each window in turn, and yield it."""
        base, *others = self.levels
        self.extend("base", base.config.length)
        seconds = float(self.results["base"].series.attrs["wall_time_s"])
        whole = seconds * sum(level.cost for level in others)
        for stop in windows(base.config, min(_WINDOWS, round(whole / self.window_seconds))):
            for level in others:
                if self._is_needed(level, stop):
                    self.extend(level.name, stop)
            yield stop

    def extend(self, name: str, stop: float) -> None:
        """Carry a level on to a time.

        Raises
        ------
        RunError
            If it was interrupted (all of it is saved), or could not be finished.
        InputError
            If the base was refused, or a file of any level is damaged; levels that are refused are
            left out of the ladder.
        """
        found = self.results[name]
        if found.note:
            return
        config = found.level.config
        if config.hysteresis is None:
            config = replace(config, time=replace(config.time, stop=stop))
        path = self.folder / f"{name.replace(' ', '-')}-{fingerprint(config)}.h5"
        done = _finished(path, config)
        if done is None:
            if found.run is None:
                self.say(f"level: {name}")
            try:
                done = simulate(
                    config, path, resume=True, on_snapshot=self.on_snapshot, say=self._compiling,
                    on_step=lambda progress: self.on_step(found.level, progress),
                )  # fmt: skip
            except InputError as error:
                if name == "base" or isinstance(error, DamagedFile):
                    raise
                found.note = f"refused: {error}"
                return
        if not done.complete:
            raise RunError(f"stopped in level {name!r} {reached(done)}, saved")
        base = self.levels[0].config
        found.run = done
        found.series = done if base.hysteresis is None else loop_series(done, base)

    def _is_needed(self, level: Level, stop: float) -> bool:
        """Whether a level would differ: another largest dimension only where one is reached."""
        base = self.results["base"].series
        if level.axis not in ("bond_dim", "kraus_dim") or level.axis not in base:
            return True
        own = getattr(self.levels[0].config.solver, level.axis)
        before = base[level.axis][base["time"] <= stop]
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
    """Eight hexadecimal digits, different for runs whose numbers differ up to a common time."""
    tables: dict[str, Any] = json.loads(json.dumps(config.as_dict()))
    for section in ("about", "classical", "run"):  # classical spins follow when the run is over
        tables.pop(section, None)
    if config.user_files:
        tables["run"] = {name: file["sha256"] for name, file in config.user_files.items()}
    for section, key in (("time", "stop"), ("solver", "threads"), ("record", "checkpoint")):
        tables.get(section, {}).pop(key, None)
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()[:8]


def _finished(path: Path, config: Config) -> Result | None:
    """A finished run at the times of a configuration, None if it has not come so far."""
    if not path.exists() or not is_result(path):
        return None
    result = Result.load(path)
    counterpart = loads(str(result.attrs.get("config", ""))).get("classical")
    if not result.complete or counterpart != config.as_dict().get("classical"):
        return None
    if config.hysteresis is not None:
        return result
    points = config.time.points
    near = np.abs(result["time"][:, None] - points).min(axis=1) <= 1e-9 * config.time.every
    return result.at_times(near) if near.sum() == points.size else None
