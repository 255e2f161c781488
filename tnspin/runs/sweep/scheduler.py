"""Runs of a sweep on many processors: of this machine, of a Dask cluster, or of Slurm."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Future,
    wait,
)
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tnspin.errors import InputError, Interrupted, RunError
from tnspin.numerics.parallel import default_workers, process_pool
from tnspin.results.lock import Lock
from tnspin.results.result import write_atomically
from tnspin.runs.sweep.grid import Grid, Run, write_failure
from tnspin.runs.sweep.runs import Outcome, Task, carry_out

#: Queueing system -> its class in dask-jobqueue.
JOBQUEUES = {
    "slurm": "dask_jobqueue.SLURMCluster", "pbs": "dask_jobqueue.PBSCluster",
    "sge": "dask_jobqueue.SGECluster", "lsf": "dask_jobqueue.LSFCluster",
    "htcondor": "dask_jobqueue.HTCondorCluster", "oar": "dask_jobqueue.OARCluster",
    "moab": "dask_jobqueue.MoabCluster", "local": "dask_jobqueue.local.LocalCluster",
}  # fmt: skip


class Pool:
    """Workers that carry out tasks.

    Attributes
    ----------
    threads
        Threads for each run.
    """

    threads: int = 1

    def free(self) -> bool:
        """Whether it takes another task now."""
        return True

    def submit(self, task: Task) -> Future[Outcome]:
        """Begin a task; a dead worker shows as `BrokenExecutor` of this one alone."""
        raise NotImplementedError

    def stop(self) -> bool:
        """Ask all runs to save and stop, once; returns whether they do."""
        raise NotImplementedError

    def advice(self) -> str:
        """How the processors could be used better, "" if they are used well."""
        return ""


class LocalPool(Pool):
    """Processes of this machine, each of which may die without harm to the others.

    A pool of one process for each slot: where one pool has many, a dead process takes the others
    with it, and nobody knows whose work it was.
    """

    def __init__(self, workers: int) -> None:
        self.threads = max(1, default_workers() // workers)
        self._pools = [process_pool(1) for _ in range(workers)]
        #: Last task of each pool.
        self._last: list[Future[Outcome] | None] = [None] * workers

    def free(self) -> bool:
        return any(future is None or future.done() for future in self._last)

    def submit(self, task: Task) -> Future[Outcome]:
        slot = next(k for k, last in enumerate(self._last) if last is None or last.done())
        before = self._last[slot]
        if before is not None and before.exception() is not None:
            self._pools[slot].shutdown(wait=False)
            self._pools[slot] = process_pool(1)
        self._last[slot] = future = self._pools[slot].submit(carry_out, task)
        return future

    def stop(self) -> bool:
        self._signal(signal.SIGTERM)
        return True

    def close(self) -> None:
        """End the processes, those that are at work at once."""
        self._signal(signal.SIGKILL)
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def _signal(self, number: int) -> None:
        """Send a signal to the processes that are at work."""
        for pool, last in zip(self._pools, self._last, strict=True):
            if last is not None and not last.done():
                for pid in list(getattr(pool, "_processes", None) or {}):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)


class DaskPool(Pool):
    """The workers of a Dask cluster; one that dies is dealt with by its scheduler."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)

    def submit(self, task: Task) -> Future[Outcome]:
        return self._executor.submit(carry_out, task)

    def stop(self) -> bool:
        # What has not begun is cancelled; what has goes on to its end or that of its worker.
        self._executor.shutdown(wait=False)
        return False

    def advice(self) -> str:
        most = 1
        # A scheduler that has gone shows in the runs.
        with contextlib.suppress(Exception):
            most = max(self._client.nthreads().values(), default=1)
        text = (
            f"a worker of the cluster has {most} threads and carries out one run at a time: "
            "workers with --nthreads 1, more of them, do as many runs at once as there are "
            "processors"
        )
        return text if most > 1 else ""


@contextlib.contextmanager
def dask_pool(address: str | None, jobqueue: str | None, workers: int) -> Iterator[DaskPool]:
    """Workers of the cluster at ``address``, of a queueing system, or of one made here.

    Raises
    ------
    RunError
        If Dask (or dask-jobqueue) is not installed, or nobody answers at the address.
    """
    if address is not None:
        _knock(address)
    with contextlib.ExitStack() as stack:
        try:
            from dask.distributed import Client

            cluster = address or stack.enter_context(_cluster(jobqueue, workers))
            client = stack.enter_context(Client(cluster, timeout="30s", set_as_default=False))
        except ModuleNotFoundError as error:
            missing = f"sweep: {error.name} is missing: pip install 'tnspin[cluster]'"
            raise RunError(missing) from error
        except OSError as error:
            raise RunError(f"--scheduler {address}: is no Dask scheduler: {error}") from error
        yield DaskPool(client)


def check_address(address: str) -> tuple[str, int]:
    """Host and port of the address of a scheduler.

    Raises
    ------
    InputError
        If it is none.
    """
    with contextlib.suppress(ValueError):
        parts = urlsplit(address)
        if parts.scheme and parts.hostname and parts.port:
            return parts.hostname, parts.port
    raise InputError(f"--scheduler {address!r}: must be an address such as tcp://host:8786")


def _knock(address: str) -> None:
    """Refuse an address where nothing listens; a Dask client takes minutes to give up."""
    try:
        socket.create_connection(check_address(address), timeout=10).close()
    except OSError as error:
        raise RunError(f"--scheduler {address}: nobody answers there: {error}") from error


def _cluster(jobqueue: str | None, workers: int) -> Any:
    if jobqueue is None:
        from dask.distributed import LocalCluster

        return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    module, _, name = JOBQUEUES[jobqueue].rpartition(".")
    # Cores, memory, queue and account are those of ~/.config/dask/jobqueue.yaml.
    cluster = getattr(import_module(module), name)()
    cluster.scale(workers)
    return cluster


# ---------------------------------------------------------------------- schedule

#: Seconds between two looks at what has finished, and until a busy run is tried again.
_LOOK, _BUSY = 0.2, 3.0
#: A run whose worker has died so often has failed.
_DEATHS = 3


def schedule(
    tasks: Iterable[Task],
    pool: Pool,
    on_outcome: Callable[[Task, Outcome], None],
    on_look: Callable[[], None] = lambda: None,
) -> None:
    """Carry out all tasks; one that fails, or kills its worker, does no harm to the others.

    Parameters
    ----------
    tasks
        Runs that are not done.
    pool
        Workers for them.
    on_outcome
        Called as each run ends, done or failed; also with who is at a run that is ``busy``, which
        is tried again until it is done.
    on_look
        Called now and then; raises `Interrupted` to let all runs save and stop.

    Raises
    ------
    Interrupted
        Once all runs have stopped.
    RunError
        If the executor has gone.
    """
    queue, later = deque(tasks), deque[tuple[float, Task]]()
    waiting: dict[Future[Outcome], Task] = {}
    deaths: Counter[str] = Counter()
    try:
        while queue or later or waiting:
            while later and later[0][0] <= time.monotonic():
                queue.append(later.popleft()[1])
            while queue and pool.free():
                task = queue.popleft()
                waiting[pool.submit(task)] = task
            if waiting:
                done, _ = wait(waiting, timeout=_LOOK, return_when=FIRST_COMPLETED)
            else:
                done = set()
                time.sleep(_LOOK)
            on_look()
            for future in done:
                task = waiting.pop(future)
                outcome = _outcome(future, task, deaths)
                if outcome is None or outcome.status == "stopped":
                    queue.append(task)
                    continue
                if outcome.status == "busy":
                    later.append((time.monotonic() + _BUSY, task))
                on_outcome(task, outcome)
    except Interrupted:
        if pool.stop():
            wait(waiting)
        raise


def _outcome(future: Future[Outcome], task: Task, deaths: Counter[str]) -> Outcome | None:
    """How a run ended, None if its worker did and it is to be tried again."""
    try:
        return future.result()
    except CancelledError as error:
        raise RunError("sweep: the scheduler has gone; what it began may go on") from error
    except BrokenExecutor:
        deaths[task.name] += 1
        if deaths[task.name] < _DEATHS:
            return None
        message = f"its worker died {_DEATHS} times; out of memory? use fewer --workers"
    except Exception as error:
        # Not of the run, which keeps its errors to itself: its workers die, or cannot import us.
        message = f"{type(error).__name__}: {error}"
    folder = Path(task.folder)
    lock = Lock(folder / f"{task.name}.lock")
    if lock.acquire() is None:
        write_failure(folder, task.name, message)
        lock.release()
    return Outcome("failed", message)


# ---------------------------------------------------------------------- Slurm

#: A job array instead of processes: one job for each run that is not done.
SCRIPT = "sweep.sbatch"

_TEXT = """\
#!/bin/bash
# Runs of a sweep that were not done when this was written; what is done by now is skipped, what
# was interrupted goes on. Time and memory that one run needs: sbatch --time=... --mem=...
#SBATCH --job-name={job}
#SBATCH --array={array}
#SBATCH --cpus-per-task={cores}
#SBATCH --output={folder}/slurm-%A_%a.out
#SBATCH --open-mode=append
#SBATCH --requeue
# Two minutes before the time is up: save and stop.
#SBATCH --signal=B:TERM@120

export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
exec {python} -m tnspin sweep -o {quoted} --task "$SLURM_ARRAY_TASK_ID"{retry}
"""


def write_script(
    folder: Path, grid: Grid, runs: Sequence[Run], at_once: int = 0, retry: bool = False
) -> None:
    """Write the script of a job array; nothing is submitted.

    Parameters
    ----------
    folder
        Folder of the sweep, which all nodes must see under this path.
    grid, runs
        The sweep, and those of its runs that are wanted.
    at_once
        How many may run at the same time, 0 for as many as Slurm allows.
    retry
        Whether to try again what failed before.
    """
    folder = folder.resolve()
    keys = runs[0].config.solver.key_values()
    text = _TEXT.format(
        job=f"tnspin-{grid.name}".replace(" ", "-"),
        array=array_of(run.index for run in runs) + (f"%{at_once}" if at_once else ""),
        cores=max(keys.get("threads", 0), keys.get("workers", 0), 1), folder=folder,
        quoted=shlex.quote(str(folder)),
        python=shlex.quote(sys.executable), retry=" --retry" * retry,
    )  # fmt: skip
    write_atomically(folder / SCRIPT, io.BytesIO(text.encode()))


def array_of(numbers: Iterable[int]) -> str:
    """Numbers as Slurm writes them: ``0-3,7,9-11``."""
    # Along a span, the distance to the position in the list is the same.
    spans = groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])
    ends = [(span[0][1], span[-1][1]) for span in (list(group) for _, group in spans)]
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ends)
