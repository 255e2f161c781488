"""Leading a sweep: hand out what is not done, take in how it ended."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Future,
    wait,
)
from pathlib import Path

from tnspin.errors import Interrupted, RunError
from tnspin.lock import Lock
from tnspin.sweep.folder import write_failure
from tnspin.sweep.pools import Pool
from tnspin.sweep.runs import Outcome, Task

__all__ = ["lead"]

#: Seconds between two looks at what has finished, and until a busy run is tried again.
_LOOK, _BUSY = 0.2, 3.0
#: A run whose worker has died so often has failed.
_DEATHS = 3


def lead(
    tasks: Iterable[Task],
    pool: Pool,
    on_outcome: Callable[[Task, Outcome], None],
    on_look: Callable[[], None] = lambda: None,
) -> None:
    """Carry out all tasks; a run that fails, or kills its worker, is no harm to the others.

    Parameters
    ----------
    tasks
        Runs that are not done.
    pool
        Where to.
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
