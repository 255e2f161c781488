"""Kill it, resume it: the numbers are those of a run that was never touched."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from small_runs import (
    SMALL,
    finish,
    same_numbers,
    start,
    wait_for,
    wait_for_another,
    write_config,
)  # fmt: skip

from tnspin.errors import InputError, Interrupted
from tnspin.results.result import Result
from tnspin.runs.checkpoint import checkpoint_path
from tnspin.runs.config.loading import load
from tnspin.runs.simulation import _with_defaults, simulate

KINDS = ("tebd", "exact")


def wait_for_points(path: Path, process: subprocess.Popen[str], count: int) -> None:
    """Wait until the checkpoint of a run holds so many points (or it ended)."""
    wait_for(path, process)
    while process.poll() is None and Result.load(path)["time"].size < count:
        time.sleep(0.001)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 7, 23])
def test_stopped_anywhere_and_resumed(tmp_path: Path, kind: str, steps: int) -> None:
    config = load(write_config(tmp_path), [f"solver.kind={kind}"])
    whole = simulate(config)
    taken = 0

    def stop(progress: object) -> None:
        nonlocal taken
        taken += 1
        if taken == steps:
            raise Interrupted

    path = tmp_path / "run.h5"
    part = simulate(config, path, on_step=stop)
    assert part.complete == (taken < steps)
    same_numbers(simulate(config, path, resume=True), whole)
    assert Result.load(path).complete


@pytest.mark.parametrize("kind", KINDS)
def test_past_the_old_end_and_back(tmp_path: Path, kind: str) -> None:
    source, path = write_config(tmp_path), tmp_path / "run.h5"
    whole = simulate(load(source, [f"solver.kind={kind}"]))
    # 1.6 is not a multiple of time.every: its row is measured, but nothing continues from it.
    for stop in (0.5, 1.6, 4.0):
        config = load(source, [f"solver.kind={kind}", f"time.stop={stop}"])
        result = simulate(config, path, resume=True)
        assert result["time"][-1] == stop and result.complete
    same_numbers(result, whole)
    shorter = simulate(load(source, [f"solver.kind={kind}", "time.stop=1.0"]), path, resume=True)
    assert np.array_equal(shorter["spin"], whole["spin"][:5])


def test_resuming_a_finished_run_gives_it_again(tmp_path: Path) -> None:
    config, path = load(write_config(tmp_path), ["time.stop=1"]), tmp_path / "run.h5"
    same_numbers(simulate(config, path), simulate(config, path, resume=True))


def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    source, path = write_config(tmp_path), tmp_path / "run.h5"
    simulate(load(source, ["time.stop=0.5"]), path)
    before = checkpoint_path(path).read_bytes()
    with pytest.raises(InputError, match=r"solver\.dt was 0\.1 and is now 0\.05"):
        simulate(load(source, ["solver.dt=0.05"]), path, resume=True)
    with pytest.raises(InputError, match=r"model\.sites was 8 and is now 9"):
        simulate(load(source, ["model.sites=9"]), path, resume=True)
    assert checkpoint_path(path).read_bytes() == before


def test_a_broken_checkpoint_is_refused(tmp_path: Path) -> None:
    config, path = load(write_config(tmp_path), ["time.stop=0.5"]), tmp_path / "run.h5"
    checkpoint_path(path).write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a tnspin result"):
        simulate(config, path, resume=True)
    simulate(config).save(checkpoint_path(path))
    with pytest.raises(InputError, match="is a result, not a checkpoint"):
        simulate(config, path, resume=True)


def test_resume_without_a_checkpoint_starts_from_the_beginning(tmp_path: Path) -> None:
    config = load(write_config(tmp_path), ["time.stop=0.5"])
    said: list[str] = []
    result = simulate(config, tmp_path / "run.h5", resume=True, say=said.append)
    assert result.complete and any("from the beginning" in text for text in said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    config = load(write_config(tmp_path, SMALL), ["time.stop=400"])
    process = start(tmp_path, "--set", "time.stop=400")
    wait_for_another(tmp_path / "run.ckpt.h5", process)
    process.send_signal(number)
    errors = finish(process, 1)
    last = errors.strip().splitlines()[-1]
    assert last.endswith("tnspin run small.toml -o run.h5 --set time.stop=400 --resume")
    assert "Traceback" not in errors
    part = Result.load(tmp_path / "run.h5")
    reached = part["time"][-1]
    assert not part.complete and 0 <= reached < 400
    longer = load(tmp_path / "small.toml", [f"time.stop={reached + 1}"])
    same_numbers(simulate(longer, tmp_path / "run.h5", resume=True), simulate(longer))
    assert config.time.stop == 400


@pytest.mark.slow
def test_killed_at_a_random_moment_twenty_times_out_of_twenty(tmp_path: Path) -> None:
    source = write_config(tmp_path)
    whole = simulate(load(source), tmp_path / "whole.h5")  # with a save at every point
    points = whole["time"].size
    random = np.random.default_rng(2021)
    under_way = 0
    for trial in range(20):
        folder = tmp_path / str(trial)
        folder.mkdir()
        write_config(folder)
        process = start(folder, "--quiet")
        # By what the run has done, not by the clock: the machine may be busy.
        wait_for_points(folder / "run.ckpt.h5", process, int(random.integers(1, points - 1)))
        time.sleep(random.uniform(0.0, whole.attrs["wall_time_s"] / points))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        reached = Result.load(folder / "run.ckpt.h5")["time"].size
        under_way += 1 < reached < whole["time"].size
        finish(start(folder, "--quiet", "--resume"), 0)
        same_numbers(Result.load(folder / "run.h5"), whole)
    assert under_way >= 10  # most of the kills came between the first point and the last


def test_keys_that_a_file_does_not_know_have_their_defaults():
    """A checkpoint of an earlier version is continued although a solver has a new key since."""
    now = load("chain-impurity", ["solver.kind=llg", "bath.kind=none", "classical.kind=none"])
    before = now.as_dict()
    assert before["solver"].pop("tolerance") == 1e-15
    assert _with_defaults(before) == now.as_dict()
