"""Small runs and a stand-in solver, shared by the tests of running, recording and resuming."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tnspin.results.result import Result

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


RUN = ("run", "small.toml", "-o", "run.h5")


def write_config(folder: Path, text: str = SMALL, name: str = "small") -> Path:
    """Write a configuration file and return its path."""
    path = folder / f"{name}.toml"
    path.write_text(textwrap.dedent(text))
    return path


def same_numbers(one: Result, other: Result) -> None:
    assert list(one) == list(other)
    for name in one:
        assert np.array_equal(one[name], other[name]), name


def start(folder: Path, *extra: str, command: Sequence[str] = RUN) -> subprocess.Popen[str]:
    """Start ``tnspin run`` on the small configuration, or another command, as a user would."""
    words = [sys.executable, "-m", "tnspin", *command, *extra]
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        words, cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[str], status: int) -> str:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == status, errors
    return errors


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a run has written its first checkpoint (or ended)."""
    deadline = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def wait_for_another(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a run is past its first checkpoint, which a signal may still find in the making.

    Between that file and the next step a signal ends the run at once: saved, but without a result
    of what it has done.
    """
    wait_for(path, process)
    first = path.stat().st_ino
    deadline = time.monotonic() + 120
    while path.stat().st_ino == first and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def full_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let the disk be full from the n-th file on."""
    sync, calls = os.fsync, iter(range(10**6))

    def full(descriptor: int) -> None:
        if next(calls) >= count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)


@dataclass
class FakeState:
    """A number that is easily saved: enough for the recorder."""

    value: float

    def save(self, group: Any) -> None:
        group.attrs["format"], group.attrs["value"] = "fake", self.value


@dataclass
class FakeSnapshot:
    time: float
    state: FakeState
    model: Any = None
    ledger: Any = None


def fake_evolve(times: np.ndarray) -> Iterator[FakeSnapshot]:
    """Yield a state that depends on its whole past, as a truncated one does."""
    value = 0.5
    for t in times:
        model = SimpleNamespace(localized_sites=(4, 5))
        yield FakeSnapshot(float(t), FakeState(value), model)
        value = 3.9 * value * (1 - value)
