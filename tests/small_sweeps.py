"""Small sweeps, and what their folders tell."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import numpy as np

from tnspin.results.result import Result
from tnspin.runs.sweep.runs import Outcome, Task, carry_out

CHAIN = """
    [model]
    kind = "heisenberg"
    sites = 4
    J = 1.0
    field = [0.0, 0.0, 0.2]

    [state]
    kind = "product"
    directions = [[0.3, 0.0], [2.6, 1.0]]

    [solver]
    kind = "exact"

    [time]
    stop = 1.0
    every = 0.1

    [record]
    observables = ["spin", "energy", "entropy"]
    checkpoint = 0.0
"""


# Long enough for a run to be met in the middle, 24 of them.
LONG = ["--set", "time.stop=8.0", "--set", "time.every=0.2", "--over", "model.J=-1,-0.5,0.5,1",
        "--over", "model.sites=3,4,5", "--over", "model.field=[0,0,0.2],[0.3,0,0]"]  # fmt: skip


class Here:
    """Carries out runs in this process, at once; ``fails`` says how often a worker dies."""

    threads = 1

    def __init__(self, fails: int = 0, name: str = "") -> None:
        self.fails, self.name = fails, name

    def free(self) -> bool:
        return True

    def submit(self, task: Task) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        if task.name.startswith(self.name) and self.fails:
            self.fails -= 1
            future.set_exception(BrokenExecutor("killed"))
        else:
            future.set_result(carry_out(task))
        return future

    def stop(self) -> bool:
        return True

    def advice(self) -> str:
        return ""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tnspin", "sweep", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}


def until(condition: Callable[[], object], seconds: float = 300.0) -> None:
    """Wait for something that other processes bring about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def events(folder: Path, event: str) -> Counter[str]:
    """How often each run has begun (``started``), ended (``done``), failed or stopped."""
    path = folder / "sweep.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(line.split()[2] for line in lines if line.split()[1] == event)


def processes(folder: Path, event: str = "started") -> dict[str, int]:
    """Process that last took up each run."""
    lines = (folder / "sweep.log").read_text().splitlines()
    return {line.split()[2]: int(line.split()[4]) for line in lines if line.split()[1] == event}


def numbers(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """All variables of all results, by the name of the run."""
    return {
        path.stem: {name: v.data for name, v in Result.load(path).variables.items()}
        for path in sorted(folder.glob("*.h5"))
        if not path.name.endswith(".ckpt.h5")
    }


def assert_same(first: Path, second: Path) -> None:
    """The same runs with the same numbers, to the last bit."""
    one, other = numbers(first), numbers(second)
    assert one.keys() == other.keys()
    for name, variables in one.items():
        assert variables.keys() == other[name].keys()
        for variable, data in variables.items():
            np.testing.assert_array_equal(data, other[name][variable], err_msg=f"{name} {variable}")


def in_the_middle(folder: Path, done: int) -> set[str]:
    """Runs that have begun and not ended, once so many have; the empty set before."""
    ended = events(folder, "done")
    under_way = set(events(folder, "started")) - set(ended)
    saved = {name for name in under_way if (folder / f"{name}.ckpt.h5").exists()}
    return saved if sum(ended.values()) >= done else set()
