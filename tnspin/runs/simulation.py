"""From a configuration to a result: build, evolve, record, resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.observables import chosen
from tnspin.observables.snapshot import Options, Snapshot
from tnspin.results.lock import check_free, only_writer
from tnspin.results.result import Result, Variable, check_writable, is_result, write_atomically
from tnspin.results.toml_text import loads
from tnspin.runs.checkpoint import (
    Checkpoint,
    Saved,
    changed_file,
    checkpoint_path,
    first_difference,
    load_checkpoint,
    store_path,
)
from tnspin.runs.compilation import compile_kernels
from tnspin.runs.config.config import Config
from tnspin.runs.config.loading import from_dict
from tnspin.runs.facts import with_facts
from tnspin.runs.record import provenance, record
from tnspin.solvers import evolve

if TYPE_CHECKING:
    from tnspin.operators.jump_operator import JumpOperator

Say = Callable[[str], None]


def simulate(
    config: Config,
    path: str | Path | None = None,
    *,
    resume: bool = False,
    on_step: Callable[[Any], None] | None = None,
    on_snapshot: Callable[[Any], None] | None = None,
    say: Say = lambda text: None,
) -> Result:
    """Carry out the run that a configuration describes.

    Parameters
    ----------
    config
        The run.
    path
        Result file.  It is written once, at the end; a checkpoint next to it is written meanwhile.
        None: nothing is written.
    resume
        Continue from the checkpoint of ``path`` if there is one.
    on_step
        Called with a `Progress` after every step; raises `Interrupted` to stop.
    on_snapshot
        Called with every new snapshot.
    say
        Called with a text that says what is being prepared.

    Raises
    ------
    InputError
        If the parameters contradict each other, the checkpoint is that of another run, or
        another process is writing to ``path``.
    RunError
        If the result or a checkpoint cannot be written.
    """
    path = None if path is None else Path(path)
    simulation = _Simulation(config, path, resume, on_step, on_snapshot, say)
    if path is None:
        return simulation.result()
    check_output(path)
    with only_writer(path):
        result = simulation.result()
        result.save(path)
    return result


@dataclass(frozen=True)
class _Simulation:
    """A run with its files and callbacks; attributes as the parameters of `simulate`."""

    config: Config
    path: Path | None
    resume: bool
    on_step: Callable[[Any], None] | None
    on_snapshot: Callable[[Any], None] | None
    say: Say

    def result(self) -> Result:
        """Carry out the run."""
        if not self.config.solver.integrates:
            found = _closed_form(self.config)
        elif self.config.hysteresis is not None:
            found = self._loop()
        else:
            named = replace(self, config=_with_observables(self.config))
            found = _in_units(named._evolution(), self.config)
        return with_facts(found, self.config)

    def _loop(self) -> Result:
        from tnspin.runs.hysteresis.run import hysteresis_result

        saved, checkpoint = self._saved(), self._checkpoint()
        compile_kernels(self.config, self.say)
        return hysteresis_result(
            self.config, saved=saved, checkpoint=checkpoint, on_step=self.on_step,
            on_snapshot=self.on_snapshot, say=self.say,
        )  # fmt: skip

    def _evolution(self) -> Result:
        """Evolve and record, or take what an earlier and longer run has recorded."""
        config, options = self.config, options_of(self.config)
        points, grid = config.time.points, config.time.grid
        store, saved = self._store(), self._saved()
        if saved is not None:
            if saved.time > points[-1]:
                return self._with_counterpart(_shortened(saved.result, config))
            points = points[points >= saved.time]
            self.say(f"resuming at t = {saved.time:g}")
        jumps = config.solver.jumps(config.problem)
        offered = {
            "ledger": None if saved is None else saved.ledger, "options": options, "store": store,
            "observables": config.record.observables,
        }  # fmt: skip
        context = config.solver.bath_context(config.bath, jumps)
        context |= {name: value for name, value in offered.items() if name in config.solver.context}
        result = record(
            self._snapshots(jumps, points, saved, options, context),
            config.record.observables,
            config=config,
            checkpoint=self._checkpoint(tuple(points[points > grid[-1]])),
            previous=None if saved is None else saved.result,
            on_snapshot=self.on_snapshot,
        )
        # The error of windows of spins, where the bath has any.
        error = max((jump.error for jump in jumps), default=0.0)
        if error:
            result = Result(result.variables, {**result.attrs, "jump_error": error})
        return self._with_counterpart(result)

    def _snapshots(
        self, jumps: Sequence[JumpOperator], points: np.ndarray, saved: Saved | None,
        options: Options, context: dict[str, Any],
    ) -> Iterator[Snapshot]:  # fmt: skip
        """Snapshots of the run from its start, or from where it was saved."""
        config = self.config
        if saved is None:
            state = initial_state(config, jumps, self.say)
        else:
            compile_kernels(config, self.say)
            state = saved.state
        for snapshot in evolve(
            config.run_model, state, points.tolist(), solver=config.solver, on_step=self.on_step,
            **context,
        ):  # fmt: skip
            if config.classical is not None and snapshot.time == points[0] and saved is None:
                config.classical.check_start(config, snapshot)
            yield replace(snapshot, options=options)

    def _with_counterpart(self, result: Result) -> Result:
        """The result with the classical counterpart of the spins, where the run asks for it."""
        if self.config.classical is None or not result["time"].size:
            return result
        return self.config.classical.follow(result, self.config, self.say)

    # ------------------------------------------------------------------ files

    def _checkpoint(self, skip: tuple[float, ...] = ()) -> Checkpoint | None:
        """Where a run that continues from a state is saved."""
        if self.path is None or self.config.solver.saves != "state":
            return None
        return Checkpoint(checkpoint_path(self.path), self.config.record.checkpoint, skip)

    def _store(self) -> Path | None:
        """Folder of a run that continues from finished pieces, without those of an earlier run."""
        if self.path is None or self.config.solver.saves != "store":
            return None
        store = store_path(self.path)
        chunks = [f for name in ("run", "still-*", "chunk-*") for f in store.glob(f"{name}.h5")]
        files = store / "user_files.json"
        if self.resume and chunks:
            kept = files.read_text(encoding="utf-8") if files.exists() else "{}"
            changed = changed_file({"user_files": kept}, self.config)
            if changed:
                raise InputError(f"--resume: {store} is of another run: {changed}")
            self.say(f"continuing with {store.name}")
            return store
        if self.resume:
            self.say(f"no chunks in {store.name} yet")
        for file in (*chunks, *store.glob(files.name)):
            file.unlink()
        if self.config.user_files:
            store.mkdir(parents=True, exist_ok=True)
            write_atomically(files, BytesIO(json.dumps(self.config.user_files).encode()))
        return store

    def _saved(self) -> Saved | None:
        """The checkpoint to continue from, None if there is none yet."""
        if self.path is None or not self.resume or self.config.solver.saves != "state":
            return None
        file = checkpoint_path(self.path)
        if not file.exists():
            self.say(f"no checkpoint {file.name}: starting from the beginning")
            return None
        # The configuration first: the state of another chain could not even be read.
        attrs = Result.load(file).attrs
        old = _with_defaults(loads(str(attrs.get("config", ""))))
        difference = first_difference(old, self.config.as_dict())
        difference = difference or changed_file(attrs, self.config)
        if difference:
            raise InputError(f"--resume: {file} is of another run: {difference}")
        return load_checkpoint(file, self.config.run_model.local_sites)


def initial_state(
    config: Config, jumps: Sequence[JumpOperator] = (), say: Say = lambda text: None
) -> Any:
    """Build the initial state of a run in the representation of its solver.

    Parameters
    ----------
    config
        The run.
    jumps
        Its jump operators.
    say
        Called with what is being prepared, once nothing can be refused any more.

    Raises
    ------
    InputError
        If it would not fit into memory.
    """
    build = config.solver.prepare(config.problem, jumps)
    compile_kernels(config, say)
    say("building the initial state")
    return build()


def options_of(config: Config) -> Options:
    """What observables must know in addition to the model and the state."""
    reference = config.initial_state.reference(config.model.localized_sites)
    keys = config.record
    return Options(reference, keys.wavevectors, keys.group_cutoff, keys.group_largest, keys.pairs)


def _in_units(result: Result, config: Config) -> Result:
    """The same with the energy unit and times in femtoseconds, if the run has units."""
    if config.units is None:
        return result
    times = np.array([config.units.scale.time_fs(t) for t in result["time"]])
    femtoseconds = Variable(("time",), times, "fs", "time")
    attrs = {**result.attrs, "energy_ev": config.units.energy_ev, "coordinates": "time_fs"}
    variables = dict(result.variables)
    first = {name: variables.pop(name) for name in ("time",) if name in variables}
    return Result({**first, "time_fs": femtoseconds, **variables}, attrs)


def _with_observables(config: Config) -> Config:
    """The configuration with the observables named: all that apply, unless the user chose."""
    wanted, states = config.record.observables, config.solver.states()
    names = chosen(wanted, config.run_model, states, options_of(config))
    if config.classical is not None and "spin" not in names:
        names = ("spin", *names)  # what classical spins are compared with
    return replace(config, record=replace(config.record, observables=names))


def check_output(path: Path) -> None:
    """Refuse a result file that could not be written, or would replace something else."""
    check_writable(path)
    if path.is_file() and path.stat().st_size and not is_result(path):
        raise InputError(f"-o {path}: exists and is not a tnspin result; it is left alone")
    check_free(path)


def _with_defaults(tables: dict[str, Any]) -> dict[str, Any]:
    """Tables of a file, with the defaults of keys that the version that wrote it did not have."""
    try:
        return from_dict({name: table for name, table in tables.items() if name != "run"}).as_dict()
    except InputError:
        return tables  # the first difference says what is wrong


def _shortened(result: Result, config: Config) -> Result:
    """The rows up to an earlier ``time.stop`` than the one already reached."""
    keep = result["time"] <= config.time.stop
    variables = {
        name: Variable(v.dims, v.data[keep], v.units, v.long_name) if "time" in v.dims else v
        for name, v in result.variables.items()
    }
    return Result(variables, {**result.attrs, "config": config.to_toml(), "complete": 1})


def _closed_form(config: Config) -> Result:
    """The result of a model that is solved by formulas."""
    from tnspin.observables.entanglement import mutual_information

    found = config.model.formulas(mutual_information)
    variables = {name: Variable(*parts) for name, parts in found.items()}
    timing = {"wall_time_s": 0.0, "cpu_time_s": 0.0, "complete": 1}
    return Result(variables, provenance(config) | timing)
