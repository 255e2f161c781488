"""Executors: order, errors, dead workers, early ends; in this process and in others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tasks import (
    Job,
    die_always,
    die_once,
    refuse,
    run_tasks,
    slow_first,
    square,
    stumble,
    where,
)

from tnspin.errors import InputError, RunError
from tnspin.numerics.parallel import completed, process_pool


def jobs(count, marker=None):
    return [Job(k, marker) for k in range(count)]


class Inline(Executor):
    """The smallest executor: computes at once."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 2}, {"executor": Inline()}])
def test_results_in_order(options):
    assert run_tasks(square, jobs(5), **options) == [0, 1, 4, 9, 16]
    assert run_tasks(square, [], **options) == []


def test_order_does_not_depend_on_who_finishes_first():
    with ThreadPoolExecutor(4) as pool:
        seen = list(completed(slow_first, jobs(4), executor=pool))
    assert seen[-1] == (0, 0)
    assert sorted(seen) == [(k, k) for k in range(4)]


def test_workers_are_other_processes_with_one_blas_thread():
    places = run_tasks(where, jobs(2), workers=2)
    assert all(pid != os.getpid() and threads == "1" for pid, threads in places)


def test_dead_worker_is_replaced(tmp_path):
    marker = tmp_path / "died"
    values = run_tasks(die_once, jobs(4, marker), executor=lambda: process_pool(1))
    assert values == [0, 1, 4, 9]
    assert marker.exists()


ORPHAN = """
import sys
from pathlib import Path
from tasks import Job, run_tasks, say_where_and_wait
from tnspin.numerics.parallel import process_pool

if __name__ == "__main__":
    marker = Path(sys.argv[1])
    run_tasks(say_where_and_wait, [Job(0, marker)], executor=lambda: process_pool(1))
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script, marker = tmp_path / "parent.py", tmp_path / "worker"
    script.write_text(ORPHAN)
    here = Path(__file__).parents[1]
    paths = os.pathsep.join([str(here), str(here.parent)])
    process = subprocess.Popen(
        [sys.executable, str(script), str(marker)], env=os.environ | {"PYTHONPATH": paths}
    )
    deadline = time.monotonic() + 120
    while not marker.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    worker = int(marker.read_text())
    process.kill()
    process.wait()
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(worker)


def _runs(pid):
    """Whether a process is there; one that has ended has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_worker_that_keeps_dying_ends_the_run():
    with pytest.raises(RunError, match="job 1: workers died 2 times in a row"):
        run_tasks(die_always, jobs(2), executor=lambda: process_pool(1), retries=1)


def test_broken_executor_of_the_caller_is_not_replaced():
    with process_pool(1) as pool, pytest.raises(RunError, match="give a function that makes"):
        run_tasks(die_always, jobs(2), executor=pool)


@pytest.mark.parametrize("options", [{"workers": 1}, {"executor": Inline()}, {"workers": 2}])
def test_error_names_the_task(options):
    with pytest.raises(RunError, match="job 1: ValueError: no such number"):
        run_tasks(stumble, jobs(3), **options)


def test_bad_input_stays_bad_input():
    with pytest.raises(InputError, match="number: wrong"):
        run_tasks(refuse, jobs(1), workers=1)
    with pytest.raises(InputError, match="workers"):
        run_tasks(square, jobs(1), workers=-1)


def test_waiting_can_be_stopped():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks(square, jobs(3), workers=1, on_wait=stop)
    with pytest.raises(KeyboardInterrupt):
        run_tasks(slow_first, jobs(3), workers=2, on_wait=stop)


def test_iterator_may_be_left_early():
    results = completed(square, jobs(50), executor=lambda: process_pool(1))
    index, value = next(results)
    assert value == index**2
    results.close()


@pytest.mark.parametrize("early", [False, True])
def test_threads_of_broken_executors_end_in_peace(monkeypatch, request, tmp_path, early):
    """They settle hundreds of futures when a worker dies; a cancelled one among them kills them."""
    trouble = []
    monkeypatch.setattr(threading, "excepthook", trouble.append)
    interval = sys.getswitchinterval()
    request.addfinalizer(lambda: sys.setswitchinterval(interval))
    sys.setswitchinterval(1e-6)  # threads get into each other's way
    for attempt in range(3):
        marker = tmp_path / str(attempt)
        results = completed(die_once, jobs(400, marker), executor=lambda: process_pool(1))
        if early:
            next(results)
            results.close()
        else:
            assert dict(results) == {k: k**2 for k in range(400)}
            assert marker.exists()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and "Executor" in type(thread).__name__:
            thread.join()
    assert not trouble
