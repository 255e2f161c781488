"""Small runs and a stand-in solver, shared by the tests of running, recording and resuming."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

SMALL = """
    [model]
    kind = "kondo_heisenberg"
    sites = 8
    localized = [4, 5]
    Jz = 0.1005

    [state]
    kind = "confined_electrons"
    n_electrons = 2
    well = 3

    [solver]
    kind = "tebd"
    dt = 0.1
    bond_dim = 12
    cutoff = 1e-9
    threads = 1

    [time]
    stop = 4.0
    every = 0.25

    [record]
    checkpoint = 0.0
"""


def write_config(folder: Path, text: str = SMALL, name: str = "small") -> Path:
    """Write a configuration file and return its path."""
    path = folder / f"{name}.toml"
    path.write_text(textwrap.dedent(text))
    return path


@dataclass
class FakeState:
    """A number that is easily saved: enough for the recorder."""

    value: float

    def save(self, group: Any) -> None:
        group.attrs["value"] = self.value


@dataclass
class FakeSnapshot:
    time: float
    state: FakeState
    model: Any = None
    ledger: Any = None


def fake_evolve(times: np.ndarray) -> Iterator[FakeSnapshot]:
    """Yield a state that depends on its whole past, as a truncated one does."""
    value = 0.5
    for time in times:
        model = SimpleNamespace(localized_sites=(4, 5))
        yield FakeSnapshot(float(time), FakeState(value), model)
        value = 3.9 * value * (1 - value)
