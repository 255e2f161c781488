"""From a configuration to a result: build, evolve, record, resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.observables import chosen
from tnspin.observables.snapshot import Options, Snapshot
from tnspin.results.lock import check_free, only_writer
from tnspin.results.result import Result, Variable, check_writable, is_result
from tnspin.results.toml_text import loads
from tnspin.runs.checkpoint import (
    Checkpoint,
    Saved,
    checkpoint_path,
    first_difference,
    load_checkpoint,
    store_path,
)
from tnspin.runs.compilation import compile_kernels
from tnspin.runs.config.config import Config
from tnspin.runs.facts import with_facts
from tnspin.runs.record import provenance, record
from tnspin.solvers import evolve

if TYPE_CHECKING:
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["check_output", "initial_state", "options_of", "simulate"]

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
        Result file.  It is written once, at the end; a checkpoint stands beside it meanwhile.
        None: nothing is written.
    resume
        Continue from the checkpoint of ``path`` if there is one.
    on_step
        Called with a `Progress` after every step; raises `Interrupted` to stop.
    on_snapshot
        Called with every new snapshot.
    say
        Told in words what is being prepared.

    Raises
    ------
    InputError
        If the parameters contradict each other, the checkpoint is that of another run, or
        another process is writing to ``path``.
    RunError
        If the result or a checkpoint cannot be written.
    """
    if path is None:
        return _carried_out(config, None, resume, on_step, on_snapshot, say)
    check_output(Path(path))
    with only_writer(Path(path)):
        result = _carried_out(config, path, resume, on_step, on_snapshot, say)
        result.save(path)
    return result


def _carried_out(
    config: Config,
    path: str | Path | None,
    resume: bool,
    on_step: Callable[[Any], None] | None,
    on_snapshot: Callable[[Any], None] | None,
    say: Say,
) -> Result:
    if not config.solver.integrates:
        return with_facts(_closed_form(config), config)
    follow = _evolve_and_record if config.hysteresis is None else _loop
    return with_facts(follow(config, path, resume, on_step, on_snapshot, say), config)


def _loop(
    config: Config,
    path: str | Path | None,
    resume: bool,
    on_step: Callable[[Any], None] | None,
    on_snapshot: Callable[[Any], None] | None,
    say: Say,
) -> Result:
    from tnspin.runs.hysteresis.run import hysteresis_result

    saved = checkpoint = None
    if path is not None:
        saved = _saved(config, path, say) if resume else None
        checkpoint = Checkpoint(checkpoint_path(path), config.record.checkpoint)
    compile_kernels(config, say)
    keys: dict[str, Any] = {"on_step": on_step, "on_snapshot": on_snapshot, "say": say}
    return hysteresis_result(config, saved=saved, checkpoint=checkpoint, **keys)


def _evolve_and_record(
    config: Config,
    path: str | Path | None,
    resume: bool,
    on_step: Callable[[Any], None] | None,
    on_snapshot: Callable[[Any], None] | None,
    say: Say,
) -> Result:
    options = options_of(config)
    config = _with_observables(config, options)
    points, grid = config.time.points, config.time.grid
    keeps_pieces = config.solver.saves == "store"
    store = store_path(path) if keeps_pieces and path is not None else None
    saved = None
    if store is not None:
        _prepare_store(store, resume, say)
    elif resume and path is not None:
        saved = _saved(config, path, say)
    if saved is not None:
        if saved.time > points[-1]:
            shortened = _shortened(saved.result, config)
            return _in_units(_with_counterpart(shortened, config, say), config)
        points = points[points >= saved.time]
        say(f"resuming at t = {saved.time:g}")
    checkpoint = None
    if path is not None and not keeps_pieces:
        skip = tuple(points[points > grid[-1]])
        checkpoint = Checkpoint(checkpoint_path(path), config.record.checkpoint, skip)
    jumps = config.solver.jumps(config.problem)
    result = record(
        _snapshots(config, jumps, points, saved, options, store, on_step, say),
        config.record.observables,
        config=config,
        checkpoint=checkpoint,
        previous=None if saved is None else saved.result,
        on_snapshot=on_snapshot,
    )
    # The error of windows of spins, where the bath has any.
    error = max((jump.error for jump in jumps), default=0.0)
    if error:
        result = Result(result.variables, {**result.attrs, "jump_error": error})
    return _in_units(_with_counterpart(result, config, say), config)


def _snapshots(
    config: Config,
    jumps: Sequence[JumpOperator],
    points: np.ndarray,
    saved: Saved | None,
    options: Options,
    store: Path | None,
    on_step: Callable[[Any], None] | None,
    say: Say,
) -> Iterator[Snapshot]:
    """Snapshots of the run from its start, or from where it was saved."""
    if saved is None:
        state, ledger = initial_state(config, jumps, say), None
    else:
        compile_kernels(config, say)
        state, ledger = saved.state, saved.ledger
    context = config.solver.bath_context(config.bath, jumps)
    offered = {
        "ledger": ledger, "observables": config.record.observables, "options": options,
        "store": store,
    }  # fmt: skip
    context |= {name: value for name, value in offered.items() if name in config.solver.context}
    for snapshot in evolve(
        config.run_model, state, points.tolist(), solver=config.solver, on_step=on_step, **context
    ):
        if config.classical is not None and snapshot.time == points[0] and saved is None:
            config.classical.check_start(config, snapshot)
        yield replace(snapshot, options=options)


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


def _prepare_store(store: Path, resume: bool, say: Say) -> None:
    """Remove the chunks of an earlier run, unless it is to be continued."""
    chunks = [f for name in ("run", "still-*", "chunk-*") for f in store.glob(f"{name}.h5")]
    if resume:
        say(f"continuing with {store.name}" if chunks else f"no chunks in {store.name} yet")
        return
    for file in chunks:
        file.unlink()


def _with_counterpart(result: Result, config: Config, say: Say) -> Result:
    """The result with the classical counterpart of the spins, where the run asks for it."""
    if config.classical is None or not result["time"].size:
        return result
    return config.classical.follow(result, config, say)


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


def _with_observables(config: Config, options: Options) -> Config:
    """The configuration with the observables named: all that apply, unless the user chose."""
    wanted, states = config.record.observables, config.solver.states()
    names = chosen(wanted, config.run_model, states, options)
    if config.classical is not None and "spin" not in names:
        names = ("spin", *names)  # what classical spins are compared with
    return replace(config, record=replace(config.record, observables=names))


def check_output(path: Path) -> None:
    """Refuse a result file that could not be written, or would replace something else."""
    check_writable(path)
    if path.is_file() and path.stat().st_size and not is_result(path):
        raise InputError(f"-o {path}: exists and is not a tnspin result; it is left alone")
    check_free(path)


def _saved(config: Config, path: str | Path, say: Say) -> Saved | None:
    """The checkpoint of this run, None if there is none yet."""
    file = checkpoint_path(path)
    if not file.exists():
        say(f"no checkpoint {file.name}: starting from the beginning")
        return None
    # The configuration first: the state of another chain could not even be read.
    attrs = Result.load(file).attrs
    old = loads(str(attrs.get("config", "")))
    difference = first_difference(old, config.as_dict()) or _changed_file(attrs, config)
    if difference:
        raise InputError(f"--resume: {file} is of another run: {difference}")
    return load_checkpoint(file, config.run_model.local_sites)


def _changed_file(attrs: Mapping[str, Any], config: Config) -> str:
    """Name of a file of ``--use`` that is no longer what the run began with, "" if none."""
    before = json.loads(str(attrs.get("user_files", "{}")))
    for name, file in config.user_files.items():
        if before.get(name, {}).get("sha256") != file["sha256"]:
            return f"{name} has changed; start anew without --resume, or restore the file"
    return ""


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
