"""Independent pieces of work in other processes, on other machines, or right here.

Anything with the interface of `concurrent.futures.Executor` will do: process pools, dask's
``client.get_executor()``, a queueing system's.  A piece of work whose worker dies (out of memory,
a node switched off) is tried again in a fresh pool; one that raises is the end of the run.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from tnspin.errors import InputError, RunError

Task = TypeVar("Task")
Value = TypeVar("Value")
#: Makes an executor, and another one should that break.
Factory = Callable[[], Executor]

# How often `on_wait` is called while nothing finishes, in seconds.
_PATIENCE = 0.5


def default_workers() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_here() -> int | None:
    """Threads that a task should use: one in a worker, None (the default) anywhere else."""
    return None if parent_process() is None else 1


def process_pool(workers: int = 0) -> ProcessPoolExecutor:
    """A pool of processes with one BLAS thread each, by default one per processor.

    The processes are spawned, not forked: a fork copies the locks of threads that it does not
    copy, and numba and BLAS have threads.  As ever with spawned processes, a script that calls
    this needs its work under ``if __name__ == "__main__":``.
    """
    return ProcessPoolExecutor(
        workers or default_workers(), mp_context=get_context("spawn"), initializer=_settle_in
    )


def _settle_in() -> None:
    """First thing in a new worker, before numpy is loaded unless the main script does so."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    # Ctrl-C reaches the whole terminal; the parent decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End this worker once its parent is gone, as after a SIGKILL.

    It would wait for work for ever: workers hold both ends of the pipe that work comes through,
    so that it never closes.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def completed(
    function: Callable[[Task], Value],
    tasks: Sequence[Task],
    *,
    executor: Executor | Factory | None = None,
    workers: int = 0,
    retries: int = 3,
    on_wait: Callable[[], None] | None = None,
) -> Iterator[tuple[int, Value]]:
    """Yield (index, ``function(tasks[index])``) as each task finishes, in any order.

    Leaving the iterator early cancels what has not begun.

    Parameters
    ----------
    function, tasks
        Both must be picklable unless ``workers`` is 1.
    executor
        An executor, which is left open; or a function that makes one, which is called again if
        a worker dies and whose executors are shut down here.  Default: `process_pool`.
    workers
        Processes of the default pool, 0 for one per processor; 1 computes in this process.
    retries
        How many times in a row workers may die without any task finishing in between.
    on_wait
        Called now and then while waiting; may raise to stop.

    Raises
    ------
    InputError
        If ``workers`` is negative.
    RunError
        If a task raises (the error names it), or workers keep dying.
    """
    if isinstance(workers, bool) or workers < 0:
        raise InputError(f"workers: {workers!r} is not an integer of at least 0")
    if executor is None and workers == 1:
        yield from _in_process(function, tasks, on_wait)
        return
    missing = list(range(len(tasks)))
    failures = 0
    while missing:
        ours = not isinstance(executor, Executor)
        pool = _opened(executor, min(workers or default_workers(), len(missing)))
        finished, idle = 0, False
        try:
            for index, value in _through(pool, function, tasks, list(missing), on_wait, ours):
                missing.remove(index)
                finished += 1
                yield index, value
            idle = True
        except BrokenExecutor as error:
            failures = 0 if finished else failures + 1
            if not ours:
                raise RunError(
                    f"{_name(tasks, missing)}: the executor broke ({error}); give a function that "
                    "makes executors, and it is replaced"
                ) from error
            if failures > retries:
                raise RunError(
                    f"{_name(tasks, missing)}: workers died {failures} times in a row ({error}); "
                    "out of memory? use fewer workers"
                ) from error
        finally:
            if ours:
                _close(pool, idle)


def _in_process(
    function: Callable[[Task], Value],
    tasks: Sequence[Task],
    on_wait: Callable[[], None] | None,
) -> Iterator[tuple[int, Value]]:
    for index, task in enumerate(tasks):
        if on_wait is not None:
            on_wait()
        with _named(tasks, index):
            value = function(task)
        yield index, value


def _opened(executor: Executor | Factory | None, workers: int) -> Executor:
    """The caller's executor, or a new one."""
    if isinstance(executor, Executor):
        return executor
    return process_pool(workers) if executor is None else executor()


def _close(pool: Executor, idle: bool) -> None:
    """Shut an executor down without waiting for work whose result nobody wants."""
    processes = [] if idle else list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=idle, cancel_futures=True)
    # Python 3.14 has `terminate_workers` for this; idle workers leave by themselves.
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _through(
    pool: Executor,
    function: Callable[[Task], Value],
    tasks: Sequence[Task],
    indices: Sequence[int],
    on_wait: Callable[[], None] | None,
    ours: bool,
) -> Iterator[tuple[int, Value]]:
    """Results of one pool as they come; `BrokenExecutor` passes through."""
    waiting: dict[Future[Value], int] = {}
    try:
        for index in indices:
            waiting[pool.submit(function, tasks[index])] = index
        while waiting:
            done, _ = wait(waiting, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
            if on_wait is not None:
                on_wait()
            # What finished before a breakdown counts, so it comes first.
            for future in sorted(done, key=lambda f: isinstance(f.exception(), BrokenExecutor)):
                index = waiting.pop(future)
                with _named(tasks, index):
                    value = future.result()
                yield index, value
    except BrokenExecutor:
        waiting.clear()  # settled by the executor
        raise
    finally:
        # An executor of ours cancels them as it is shut down.  Its thread settles the futures of a
        # broken pool, and dies of one that has been cancelled meanwhile, with workers left behind.
        for future in () if ours else waiting:
            future.cancel()


@contextmanager
def _named(tasks: Sequence[Any], index: int) -> Iterator[None]:
    """Turn errors of a task into a `RunError` that names the task."""
    try:
        yield
    except (BrokenExecutor, InputError):
        raise  # bad input is the user's to correct, whatever process noticed it
    except Exception as error:
        name = _name(tasks, [index])
        raise RunError(f"{name}: {type(error).__name__}: {error}") from error


def _name(tasks: Sequence[Any], indices: Sequence[int]) -> str:
    """How an error message names tasks: their own names if they have one."""
    first = tasks[indices[0]]
    name = getattr(first, "name", None) or f"task {indices[0]}"
    return f"{name}" if len(indices) == 1 else f"{name} and {len(indices) - 1} more"
