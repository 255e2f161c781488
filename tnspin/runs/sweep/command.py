"""The command ``tnspin sweep``."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tnspin.errors import InputError, Interrupted, RunError
from tnspin.numerics.parallel import default_workers
from tnspin.results.lock import hold
from tnspin.results.result import Result
from tnspin.runs.progress import Bar, StopOnSignal, speaker
from tnspin.runs.sweep.collect import collect
from tnspin.runs.sweep.grid import (
    COLLECTION,
    LEADER,
    MANIFEST,
    Grid,
    Run,
    failure,
    finished,
    grid_of,
    open_folder,
    read_manifest,
    result_path,
)
from tnspin.runs.sweep.runs import Outcome, Task, carry_out
from tnspin.runs.sweep.scheduler import (
    JOBQUEUES,
    SCRIPT,
    LocalPool,
    Pool,
    check_address,
    dask_pool,
    schedule,
    write_script,
)

Say = Callable[[str], None]


def sweep_command(options: argparse.Namespace) -> bool:
    """Carry out a sweep as the command line says; whether all its runs are done."""
    _check(options)
    grid = None
    if options.config is not None:
        grid = grid_of(options.config, options.over, options.overrides)
    folder = options.output or Path(f"{grid.name}-sweep" if grid is not None else "")

    say = speaker(options.quiet)
    if options.task is not None:
        return _one(options, folder)
    grid = open_folder(folder, grid)
    busy = f"-o {folder}: a sweep is under way there, by {{holder}}"
    with hold(folder / LEADER, busy):
        if not options.collect and not _all(options, folder, grid, say):
            return True
        return _summary(options, folder, grid, collect(folder, grid))


def _check(options: argparse.Namespace) -> None:
    cluster = "--scheduler" if options.scheduler else "--jobqueue" if options.jobqueue else ""
    queues = ", ".join(JOBQUEUES)
    wrong = {
        "CONFIG: missing; --over and --set change what it says":
            options.config is None and (options.over or options.overrides),
        "CONFIG: missing; give it and --over, or -o with the folder of a sweep":
            options.config is None and options.output is None,
        f"--workers {options.workers}: must be 0 (one per processor) or more": options.workers < 0,
        f"--jobqueue {options.jobqueue}: must be one of {queues}":
            options.jobqueue not in (None, *JOBQUEUES),
        "--scheduler: give this or --jobqueue, not both": options.scheduler and options.jobqueue,
        f"--executor {options.executor}: {cluster} is for dask":
            cluster and options.executor not in (None, "dask"),
    }  # fmt: skip
    for message, applies in wrong.items():
        if applies:
            raise InputError(message)
    if options.scheduler:
        check_address(options.scheduler)
    options.executor = "dask" if cluster else options.executor


def _all(options: argparse.Namespace, folder: Path, grid: Grid, say: Say) -> bool:
    """Carry out the runs that are not done; False if Slurm is to do that."""
    left = [r for r in grid.runs if not finished(result_path(folder, r.name), r.config)]
    wanted = [run for run in left if options.retry or failure(folder, run.name) is None]
    done, failed = len(grid.runs) - len(left), len(left) - len(wanted)
    text = f"{len(grid.runs)} runs in {folder}" + f", {done} of them done" * bool(done)
    say(text + f", {failed} failed before (--retry tries them again)" * bool(failed))
    if wanted and options.executor == "slurm":
        write_script(folder, grid, wanted, options.workers, options.retry)
        print(f"sbatch {shlex.quote(str(folder / SCRIPT))}")
        print(f"tnspin sweep -o {shlex.quote(str(folder))} --collect  # once the jobs have ended")
        return False
    if wanted:
        workers = min(options.workers or default_workers(), len(wanted))
        _carry_out(options, folder, wanted, workers, say)
    return True


def _carry_out(
    options: argparse.Namespace, folder: Path, wanted: Sequence[Run], workers: int, say: Say
) -> None:
    report = _Report(len(wanted), say, Bar(shown=not options.quiet))
    pools: contextlib.AbstractContextManager[Pool]
    advised = ""

    def ended(task: Task, outcome: Outcome) -> None:
        nonlocal advised
        report.ended(task, outcome)
        if not advised and (advised := pool.advice()):  # workers may join at any time
            say(advised)

    if options.executor == "dask":
        pools = dask_pool(options.scheduler, options.jobqueue, workers)
    else:
        pools = contextlib.closing(LocalPool(workers))
    with StopOnSignal() as stop:
        try:
            with pools as pool:
                stop.ready = True
                tasks = [_task(run, folder, pool.threads, options.retry) for run in wanted]
                schedule(tasks, pool, ended, stop.check)
        except (Interrupted, KeyboardInterrupt) as stopped:
            again = shlex.join(["tnspin", *options.arguments])
            raise RunError(f"stopped, saved; continue with: {again}") from stopped
        finally:
            report.bar.close()


class _Report:
    """Progress on stderr: a bar over the runs on a terminal, a line for each of them elsewhere."""

    def __init__(self, total: int, say: Say, bar: Bar) -> None:
        self.bar, self._total, self._say = bar, total, say
        self._done, self._start = 0, time.monotonic()
        self._waiting: set[str] = set()
        self.bar.update(0.0, f"0/{total} runs")

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Take note of how a run ended."""
        text = ""
        if outcome.status == "busy":
            if task.name not in self._waiting:
                text = f"{task.name}: waiting for {outcome.message}"
            self._waiting.add(task.name)
        else:
            self._done += 1
            if outcome.status == "failed":
                text = f"{task.name} failed: {outcome.message}"
            elif not self.bar.shown:
                text = f"{task.name}: done ({outcome.seconds:.1f} s); {self._left()}"
        if text:
            self.bar.clear()
            self._say(text)
        self.bar.update(self._done / self._total, f"{self._done}/{self._total} runs")

    def _left(self) -> str:
        from tqdm import tqdm

        seconds = (time.monotonic() - self._start) / self._done * (self._total - self._done)
        left = tqdm.format_interval(seconds)
        return f"{self._done} of {self._total}, about {left} left"


def _task(run: Run, folder: Path, threads: int, retry: bool) -> Task:
    return Task(run.name, str(folder.resolve()), run.config.to_toml(), threads, retry)


def _one(options: argparse.Namespace, folder: Path) -> bool:
    """Carry out one run, as a job of an array does."""
    grid = read_manifest(folder / MANIFEST)
    if not 0 <= options.task < len(grid.runs):
        raise InputError(f"--task {options.task}: must be 0 to {len(grid.runs) - 1}")
    run = grid.runs[options.task]
    outcome = carry_out(_task(run, folder, default_workers(), options.retry))
    if outcome.status != "done":
        why = {"stopped": "stopped, saved", "busy": f"is carried out by {outcome.message}"}
        raise RunError(f"{run.name}: {why.get(outcome.status, outcome.message)}")
    if not options.quiet:
        print(f"{run.name}: done ({outcome.seconds:.1f} s)")
    return True


def _summary(options: argparse.Namespace, folder: Path, grid: Grid, result: Result) -> bool:
    """Say what became of the runs; whether all are done."""
    state = result["run_state"].ravel()
    done, missing = int((state == 1).sum()), int((state == 0).sum())
    if not options.quiet:
        print(f"{folder / COLLECTION}: {done} of {state.size} runs")
    for run in grid.runs:
        if state[run.index] == -1:
            print(f"tnspin: {run.name} failed: {failure(folder, run.name)}", file=sys.stderr)
    if missing:
        print(f"tnspin: {missing} runs are missing", file=sys.stderr)
    return bool((state == 1).all())
