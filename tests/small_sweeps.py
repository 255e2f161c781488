"""Small sweeps, and what their folders tell."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from tnspin.result import Result

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
