"""One run of a sweep, in the process that has to carry it out."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from tnspin.errors import InputError, RunError
from tnspin.results.lock import Lock
from tnspin.results.toml_text import loads
from tnspin.runs.checkpoint import checkpoint_path
from tnspin.runs.config.config import Config
from tnspin.runs.config.loading import from_dict
from tnspin.runs.progress import StopOnSignal
from tnspin.runs.sweep.grid import (
    MANIFEST,
    failure,
    failure_path,
    finished,
    log,
    result_path,
    write_failure,
)

# Workers of a Dask cluster may have several threads.  BLAS threads, processor time and memory are
# those of a process, and the first of these decides on the last bit: one run at a time.
_ALONE = threading.Lock()

Status = Literal["done", "failed", "stopped", "busy"]


@dataclass(frozen=True)
class Task:
    """Description of a run by plain texts and numbers, which another machine can read.

    Attributes
    ----------
    name, folder
        Which run of which sweep; all machines must see the folder under this path.
    config
        Its configuration, in TOML.
    threads
        Threads (of a run of trajectories: processes) where the configuration leaves it open; 0
        for one per processor.
    retry
        Whether to try again what failed before.
    """

    name: str
    folder: str
    config: str
    threads: int = 1
    retry: bool = False


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run: ``message`` says why it failed, or who is at it."""

    status: Status
    message: str = ""
    seconds: float = 0.0


def carry_out(task: Task) -> Outcome:
    """Carry out a run, or what is left of it, and write its result; no error leaves it."""
    with _ALONE:
        return _carry_out(task)


def _carry_out(task: Task) -> Outcome:
    folder = Path(task.folder)
    if not (folder / MANIFEST).exists():
        text = f"{folder} is not seen from this machine; the folder of a sweep must be shared"
        return Outcome("failed", text)
    try:
        lock = Lock(folder / f"{task.name}.lock")
        holder = lock.acquire()
    except OSError as error:
        return Outcome("failed", f"{folder}: {error.strerror}")
    if holder is not None:
        return Outcome("busy", holder)
    start = time.perf_counter()
    try:
        return replace(_locked(task, folder), seconds=time.perf_counter() - start)
    except KeyboardInterrupt:
        log(folder, "stopped", task.name)
        return Outcome("stopped")
    except Exception as error:
        known = isinstance(error, InputError | RunError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        write_failure(folder, task.name, message, traceback.format_exc())
        return Outcome("failed", message)
    finally:
        lock.release()


def _locked(task: Task, folder: Path) -> Outcome:
    from threadpoolctl import threadpool_limits

    from tnspin.runs.simulation import simulate

    path = result_path(folder, task.name)
    config = from_dict(loads(task.config), task.name)
    if finished(path, config):
        return Outcome("done")
    before = failure(folder, task.name)
    if before is not None and not task.retry:
        return Outcome("failed", before)
    failure_path(folder, task.name).unlink(missing_ok=True)
    log(folder, "started", task.name)
    # Ctrl-C is for the process that leads; its workers ignore it.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signals = (signal.SIGTERM,) if ignored else (signal.SIGTERM, signal.SIGINT)
    # Workers of a cluster know nothing of our one BLAS thread, on which the last bit depends.
    with threadpool_limits(1), StopOnSignal(signals) as stop:
        config = _with_threads(config, task.threads)
        result = simulate(
            config,
            path,
            resume=True,
            on_step=lambda progress: stop.check(),
            on_snapshot=stop.on_snapshot,
        )
    if not result.complete:
        raise KeyboardInterrupt
    # It holds a state, and there is nothing left to continue.
    checkpoint_path(path).unlink(missing_ok=True)
    log(folder, "done", task.name)
    return Outcome("done")


def _with_threads(config: Config, threads: int) -> Config:
    """The configuration with the threads of a worker, unless it says how many."""
    for key in ("threads", "workers"):
        if threads and config.solver.key_values().get(key) == 0:
            solver = replace(cast(Any, config.solver), **{key: threads})
            config = replace(config, solver=solver)
    return config
