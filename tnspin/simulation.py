"""From a configuration to a result: build, evolve, record, resume."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tnspin.checkpoint import Checkpoint, Saved, checkpoint_path, first_difference, load_checkpoint
from tnspin.config import ClosedForm, Config, Exact
from tnspin.errors import InputError
from tnspin.record import provenance, record
from tnspin.result import Result, Variable, check_writable, is_result
from tnspin.toml_text import loads

__all__ = ["simulate"]

Say = Callable[[str], None]

# Largest state vector: 1 GiB, of which an exact run needs several.
_MOST_STATES = 2**26


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
        If the parameters contradict each other, or the checkpoint is that of another run.
    RunError
        If the result or a checkpoint cannot be written.
    """
    if path is not None:
        _check_output(Path(path))
    if isinstance(config.solver, ClosedForm):
        result = _edge_information(config)
    else:
        result = _evolve_and_record(config, path, resume, on_step, on_snapshot, say)
    if path is not None:
        result.save(path)
    return result


def _evolve_and_record(
    config: Config,
    path: str | Path | None,
    resume: bool,
    on_step: Callable[[Any], None] | None,
    on_snapshot: Callable[[Any], None] | None,
    say: Say,
) -> Result:
    config = _with_observables(config)
    points, grid = config.time.points, config.time.grid
    saved = _saved(config, path, say) if resume and path is not None else None
    if saved is not None:
        if saved.time > points[-1]:
            return _shortened(saved.result, config)
        points = points[points >= saved.time]
        state, ledger = saved.state, saved.ledger
        say(f"resuming at t = {saved.time:g}")
    else:
        state, ledger = _initial_state(config, say), None
    checkpoint = None
    if path is not None:
        skip = tuple(points[points > grid[-1]])
        checkpoint = Checkpoint(checkpoint_path(path), config.record.checkpoint, skip)
    return record(
        _snapshots(config, state, points, ledger, on_step, say),
        config.record.observables,
        config=config,
        checkpoint=checkpoint,
        previous=None if saved is None else saved.result,
        on_snapshot=on_snapshot,
    )


def _snapshots(
    config: Config,
    state: Any,
    points: np.ndarray,
    ledger: Any,
    on_step: Callable[[Any], None] | None,
    say: Say,
) -> Iterator[Any]:
    solver, times = config.solver, points.tolist()
    if isinstance(solver, Exact):
        from tnspin.solvers import exact

        return exact.evolve(config.model, state, times, tolerance=solver.tolerance, on_step=on_step)
    from tnspin.solvers import tebd

    _compile_kernels(say)
    return tebd.evolve(
        config.model,
        state,
        times,
        dt=solver.dt,
        order=solver.order,
        bond_dim=solver.bond_dim,
        cutoff=solver.cutoff,
        threads=solver.threads or None,
        method=solver.method,
        ledger=ledger,
        on_step=on_step,
    )


def _compile_kernels(say: Say) -> None:
    """Compile now, and say so, rather than leave a silent pause at the first step."""
    from tnspin.mps.compiled import is_compiled, warm_up

    if not is_compiled():
        say("compiling the numerical kernels (once per installation, about a minute) ...")
        warm_up()


def _initial_state(config: Config, say: Say) -> Any:
    """Initial state in the form the solver needs, with every charge that the run conserves."""
    description, model = config.initial_state, config.model
    conserved = description.conserved()
    charges = [name for name in model.hamiltonian.conserved() if name in conserved]
    if not isinstance(config.solver, Exact):
        say("building the initial state")
        return description.to_mps(charges)
    from tnspin.compile import ChargeBasis

    totals = description.total_charge(charges)
    basis = ChargeBasis(model.local_sites, totals) if charges else None
    states = basis.dim if basis else math.prod(site.dim for site in model.local_sites)
    if states > _MOST_STATES:
        raise InputError(
            f"solver.kind = 'exact': this run has {states:.1e} states, and at most "
            f"{_MOST_STATES:.1e} fit; use 'tebd', or fewer sites or electrons"
        )
    return description.to_vector(basis)


def _with_observables(config: Config) -> Config:
    """The same with the observables named: all that apply, unless the user chose."""
    from tnspin.observables import chosen

    form = "vector" if isinstance(config.solver, Exact) else "mps"
    names = chosen(config.record.observables, config.model, form)
    return replace(config, record=replace(config.record, observables=names))


def _check_output(path: Path) -> None:
    check_writable(path)
    if path.is_file() and path.stat().st_size and not is_result(path):
        raise InputError(f"-o {path}: exists and is not a tnspin result; it is left alone")


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
    return load_checkpoint(file, config.model.local_sites)


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
    from tnspin.edge_state import edge_mutual_information, edge_rdm
    from tnspin.entanglement import mutual_information

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
