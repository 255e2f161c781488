"""Sweeps over a Dask cluster that loses a worker, or the command that leads them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_sweeps import (
    LONG,
    Here,
    assert_same,
    command,
    environment,
    events,
    in_the_middle,
    processes,
    until,
)  # fmt: skip

from tnspin.cli import main
from tnspin.runs.sweep.grid import grid_of, open_folder
from tnspin.runs.sweep.runs import Task
from tnspin.runs.sweep.scheduler import schedule

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
QUIET = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
DASK = "distributed.cli.dask_"


@dataclass
class Cluster:
    address: str
    workers: set[int]

    def sweep(self, *arguments: str) -> list[str]:
        return command("chain.toml", *arguments, "-o", "s", "--scheduler", self.address)


@contextlib.contextmanager
def cluster(workers: int, threads: int = 1) -> Iterator[Cluster]:
    """A scheduler and workers, each a process of its own, as commands start them."""
    pytest.importorskip("distributed")
    file = Path("scheduler.json")

    def started(kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", DASK + kind, "--scheduler-file", str(file), *arguments]
        return subprocess.Popen(line, env=environment(), **QUIET)

    every = [started("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard")]
    try:
        until(lambda: file.exists() and file.stat().st_size)
        address = json.loads(file.read_text())["address"]
        one = ("--nthreads", str(threads), "--no-dashboard", "--no-nanny")
        every += [started("worker", *one) for _ in range(workers)]
        yield Cluster(address, {process.pid for process in every[1:]})
    finally:
        for process in reversed(every):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_cluster_that_loses_a_worker(undisturbed: Path) -> None:
    folder = Path("s")
    with cluster(3) as dask:
        with subprocess.Popen(dask.sweep(*LONG), env=environment(), **QUIET) as master:
            until(lambda: in_the_middle(folder, 4))
            victim = processes(folder)[min(in_the_middle(folder, 4))]
            assert victim in dask.workers
            os.kill(victim, signal.SIGKILL)
        assert master.returncode == 0
    assert_same(folder, undisturbed)
    assert len(set(processes(folder, "done").values())) >= 2
    assert sum(events(folder, "started").values()) <= 24 + 1
    assert max(events(folder, "done").values()) == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs to tell dead processes")
def test_master_killed_and_the_command_given_again(undisturbed: Path) -> None:
    """Workers go on with what they are at; the second command waits for those, nothing is lost."""
    folder = Path("s")
    with cluster(3) as dask:
        master = subprocess.Popen(dask.sweep(*LONG), env=environment(), **QUIET)
        until(lambda: in_the_middle(folder, 6))
        master.kill()
        assert len(events(folder, "done")) < 24
        # At once again, before it is reaped.
        again = subprocess.run(dask.sweep(*LONG), env=environment(), **QUIET)
        master.wait()
        assert again.returncode == 0
    assert_same(folder, undisturbed)
    # No worker was lost, so not even an interrupted run was begun twice.
    assert sum(events(folder, "started").values()) == 24
    assert events(folder, "done") == events(folder, "started")
    assert not list(folder.glob("*.lock")) and not list(folder.glob("*.partial"))


@pytest.mark.slow
def test_worker_with_several_threads_does_one_run_at_a_time() -> None:
    """Two at a time would share BLAS threads, on which the last bit depends, and processor time."""
    over = ["model.J=-1,1", "model.sites=3,4,5"]
    arguments = [word for one in over for word in ("--over", one)]
    with cluster(1, threads=4) as dask:
        done = subprocess.run(
            dask.sweep(*arguments), env=environment(), check=True, capture_output=True, text=True
        )
    assert done.stderr.count("a worker of the cluster has 4 threads") == 1
    lines = [line.split()[1:3] for line in Path("s/sweep.log").read_text().splitlines()]
    assert [kind for kind, _ in lines] == ["started", "done"] * 6
    assert all(one == two for (_, one), (_, two) in zip(lines[::2], lines[1::2], strict=True))
    grid = open_folder(Path("here"), grid_of("chain.toml", over))
    tasks = [Task(run.name, "here", run.config.to_toml()) for run in grid.runs]
    schedule(tasks, Here(), lambda *_: None)
    assert_same(Path("s"), Path("here"))


def test_scheduler_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        arguments = ["chain.toml", "--over", "model.J=1,2", "-o", "s", "--quiet"]
        assert main(["sweep", *arguments, "--scheduler", address]) == 1
    assert "nobody answers there" in capsys.readouterr().err
    assert not Path("s/sweep.lock").exists()
