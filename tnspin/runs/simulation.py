"""From a configuration to a result: build, evolve, record, resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
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
from tnspin.runs.config.solver_tables import HybridBeside, MeanField, MeanFieldBeside
from tnspin.runs.config.tables import (
    Classical,
    ClosedForm,
    DensityMatrix,
    MasterEquation,
    Purification,
    Tdvp,
    Tebd,
    Trajectories,
)
from tnspin.runs.counterparts import with_hybrid
from tnspin.runs.facts import with_facts
from tnspin.runs.preparation import initial_state, jump_operators, product_state, representation_of
from tnspin.runs.record import provenance, record
from tnspin.schema.tables import fields_of

if TYPE_CHECKING:
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["check_output", "simulate"]

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
    if isinstance(config.solver, ClosedForm):
        return with_facts(_edge_information(config), config)
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
    options = _options(config)
    config = _with_observables(config, options)
    points, grid = config.time.points, config.time.grid
    sampled = isinstance(config.solver, Trajectories)
    # Trajectories keep their finished chunks instead of a state in the middle of the run.
    store = store_path(path) if sampled and path is not None else None
    saved = None
    if store is not None:
        _prepare_store(store, resume, say)
    elif resume and path is not None:
        saved = _saved(config, path, say)
    if saved is not None:
        if saved.time > points[-1]:
            shortened = _shortened(saved.result, config)
            return _in_units(_with_classical(shortened, config, say), config)
        points = points[points >= saved.time]
        say(f"resuming at t = {saved.time:g}")
    checkpoint = None
    if path is not None and not sampled:
        skip = tuple(points[points > grid[-1]])
        checkpoint = Checkpoint(checkpoint_path(path), config.record.checkpoint, skip)
    jumps = jump_operators(config)
    result = record(
        _snapshots(config, jumps, points, saved, options, store, on_step, say),
        config.record.observables,
        config=config,
        checkpoint=checkpoint,
        previous=None if saved is None else saved.result,
        on_snapshot=on_snapshot,
    )
    # That of windows of spins, where the bath has any.
    error = max((getattr(jump, "error", 0.0) for jump in jumps), default=0.0)
    if error:
        result = Result(result.variables, {**result.attrs, "jump_error": error})
    return _in_units(_with_classical(result, config, say), config)


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
    from tnspin.solvers import evolve

    def ready(text: str) -> None:
        compile_kernels(config, say)  # first of all, once nothing can be refused any more
        say(text)

    if saved is None:
        state, ledger = initial_state(config, jumps, ready), None
    else:
        compile_kernels(config, say)
        state, ledger = saved.state, saved.ledger
    keys = {name: getattr(config.solver, name) for name in fields_of(type(config.solver))}
    keys["on_step"] = on_step
    if isinstance(config.solver, Trajectories):
        del keys["engine"]  # it has chosen the form of the state
        observables = config.record.observables
        keys |= {"jumps": jumps, "observables": observables, "options": options, "store": store}
    elif isinstance(config.solver, MasterEquation):
        keys["jumps"] = jumps
    elif isinstance(config.solver, MeanField):
        keys |= {"jumps": jumps, "bath": config.bath}
    elif isinstance(config.solver, Tebd | Tdvp | DensityMatrix | Purification):
        keys |= {"threads": config.solver.threads or None, "ledger": ledger}
        if isinstance(config.solver, DensityMatrix | Purification):
            keys["jumps"] = jumps
    solver = config.solver.kind
    for snapshot in evolve(config.run_model, state, points.tolist(), solver=solver, **keys):
        if config.classical is not None and snapshot.time == points[0] and saved is None:
            _check_start(config, snapshot)
        yield replace(snapshot, options=options)


def _options(config: Config) -> Options:
    """What observables must know beyond the model and the state."""
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


def _check_start(config: Config, snapshot: Snapshot) -> None:
    """Refuse, before the run rather than after it, spins without a direction to start from."""
    from tnspin.observables import OBSERVABLES
    from tnspin.states.classical import normalized

    if isinstance(config.classical, Classical) and _given_directions(config) is None:
        normalized(OBSERVABLES["spin"].measure(snapshot))


def _given_directions(config: Config) -> np.ndarray | None:
    """(N, 3) unit vectors of ``classical.directions``, None without it."""
    from tnspin.states.initial.spins import direction_angles

    keys = config.classical
    if not isinstance(keys, Classical) or not keys.directions:
        return None
    angles = [direction_angles(one, "classical.directions") for one in keys.directions]
    count = len(config.model.localized_sites)
    theta, phi = np.array([angles[k % len(angles)] for k in range(count)]).T
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], 1)


def _with_classical(result: Result, config: Config, say: Say) -> Result:
    """The same with the classical counterpart of the spins, where the run asks for it."""
    keys = config.classical
    if keys is None or not result["time"].size:
        return result
    if isinstance(keys, MeanFieldBeside):
        return _with_mean_field(result, config, keys, say)
    if isinstance(keys, HybridBeside):
        return with_hybrid(result, config, keys, say)
    say("following the classical spins")
    from tnspin.solvers.classical.comparison import compare

    values = {name: getattr(keys, name) for name in fields_of(type(keys))}
    del values["within"]
    if result["time"].size == 1 and keys.damping == "fit":
        values["damping"] = 0.0  # stopped at once: nothing to fit to yet
    values["directions"] = _given_directions(config)
    found = compare(config.model, result["time"], result["spin"], **values)
    dims = ("time", "localized", "axis")
    name = "classical localized spin n"
    variables = {**result.variables, "classical_spin": Variable(dims, found.spin, "1", name)}
    if found.error is not None:
        text = "statistical error of classical_spin"
        variables["classical_spin_error"] = Variable(dims, found.error, "1", text)
    attrs = {
        "classical_damping": found.damping, "classical_rms": found.rms,
        "classical_fitted": int(found.fitted), "classical_bounded": int(found.bounded),
    }  # fmt: skip
    return Result(variables, {**result.attrs, **attrs})


def _with_mean_field(result: Result, config: Config, keys: MeanFieldBeside, say: Say) -> Result:
    """The same with the mean field of the spins as their classical counterpart."""
    from tnspin.baths import jumps_of
    from tnspin.observables import OBSERVABLES
    from tnspin.solvers import evolve

    say("following the mean field")
    start = product_state(config)
    snapshots = evolve(
        config.model, start, result["time"].tolist(), solver="mean_field",
        jumps=jumps_of(config.model, config.bath) if keys.variant == "hartree" else (),
        bath=config.bath,
        variant=keys.variant, damping=keys.damping, tolerance=keys.tolerance,
    )  # fmt: skip
    spins = np.array([OBSERVABLES["spin"].measure(snapshot) for snapshot in snapshots])
    name = f"mean field of the localized spins, {keys.variant}"
    variable = Variable(("time", "localized", "axis"), spins, "1", name)
    apart = float(np.sqrt(np.square(result["spin"] - spins).sum(axis=-1).mean()))
    attrs = {
        "classical_kind": keys.kind, "classical_variant": keys.variant,
        "classical_damping": keys.damping, "classical_rms": apart,
    }  # fmt: skip
    variables = {**result.variables, "classical_spin": variable}
    return Result(variables, {**result.attrs, **attrs})


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
    """The same with the observables named: all that apply, unless the user chose."""
    from tnspin.observables import chosen

    names = chosen(config.record.observables, config.run_model, representation_of(config), options)
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
    old = loads(str(Result.load(file).attrs.get("config", "")))
    difference = first_difference(old, config.as_dict())
    if difference:
        raise InputError(f"--resume: {file} is of another run: {difference}")
    return load_checkpoint(file, config.run_model.local_sites)


def _shortened(result: Result, config: Config) -> Result:
    """The rows up to an earlier ``time.stop`` than the one already reached."""
    keep = result["time"] <= config.time.stop
    variables = {
        name: Variable(v.dims, v.data[keep], v.units, v.long_name) if "time" in v.dims else v
        for name, v in result.variables.items()
    }
    return Result(variables, {**result.attrs, "config": config.to_toml(), "complete": 1})


def _edge_information(config: Config) -> Result:
    """Mutual information of the edge spins of PRX Eq. 15 against the length (Fig. 8)."""
    from tnspin.models.edge_state import edge_mutual_information, edge_rdm
    from tnspin.observables.entanglement import mutual_information

    sizes = np.arange(2, config.model.largest + 1)
    numeric = [mutual_information(edge_rdm(int(n)), (2, 2), (0,)) for n in sizes]
    closed = [edge_mutual_information(int(n)) for n in sizes]
    variables = {
        "n_localized": Variable(("n_localized",), sizes, "1", "number of localized spins"),
        "mutual_information": Variable(
            ("n_localized",), np.array(numeric), "nat",
            "mutual information of the edge spins, from their density matrix",
        ),
        "mutual_information_closed_form": Variable(
            ("n_localized",), np.array(closed), "nat", "the same from Eqs. 14 and 16"
        ),
    }  # fmt: skip
    timing = {"wall_time_s": 0.0, "cpu_time_s": 0.0, "complete": 1}
    return Result(variables, provenance(config.to_toml()) | timing)
