"""Work for other processes; they import it by name, so it cannot live in a test file."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tnspin.errors import InputError
from tnspin.numerics.parallel import completed


@dataclass(frozen=True)
class Job:
    number: int
    marker: Path | None = None

    @property
    def name(self):
        return f"job {self.number}"


def square(job):
    return job.number**2


def where(job):
    return os.getpid(), os.environ["OPENBLAS_NUM_THREADS"]


def slow_first(job):
    """The first task takes longest, so that results come in another order."""
    time.sleep(0.3 if job.number == 0 else 0.0)
    return job.number


def die_once(job):
    """Kill the worker the first time that job 2 is tried."""
    if job.number == 2 and not job.marker.exists():
        job.marker.touch()
        os._exit(3)
    return job.number**2


def die_always(job):
    if job.number == 1:
        os._exit(3)
    return job.number


def stumble(job):
    if job.number == 1:
        raise ValueError("no such number")
    return job.number


def refuse(job):
    raise InputError("number: wrong")


def say_where_and_wait(job):
    """Leave the number of the process in the marker and stay."""
    partial = job.marker.with_suffix(".partial")
    partial.write_text(str(os.getpid()))
    partial.replace(job.marker)
    time.sleep(600)


def run_tasks(function, tasks, **options):
    """Results in the order of the tasks."""
    results = dict(completed(function, tasks, **options))
    return [results[index] for index in range(len(tasks))]
