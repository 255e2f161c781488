"""Loops of fields, stopped or killed anywhere and resumed: the numbers of one never touched."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import finish, start, wait_for_another, write_config
from small_sweeps import processes

from tnspin import cli
from tnspin.errors import InputError, Interrupted
from tnspin.results.report import info_text
from tnspin.results.result import Result
from tnspin.runs.checkpoint import checkpoint_path
from tnspin.runs.config.loading import load
from tnspin.runs.simulation import simulate

LOOP = """
    [model]
    kind = "open_heisenberg"
    sites = 3
    V = [0.5, 0.3, 1.0]
    field = [0.25, 0.0, 0.0]

    [state]
    kind = "product"
    directions = ["z"]

    [solver]
    kind = "mean_field"
    variant = "printed"
    damping = 0.5
    tolerance = 1e-7

    [hysteresis]
    largest = 1.5
    steps = 2
    hold = 20.0

    [record]
    checkpoint = 0.0
"""
BATH = "bath.kind=open_heisenberg"
KINDS = {
    "mean_field": [],
    "llg": ["solver.damping=0.3", "solver.dt=0.1"],
    "master_equation": [BATH, "classical.kind=mean_field", "hysteresis.hold=5.0"],
    "density_matrix": [BATH, "solver.dt=0.25", "solver.bond_dim=6", "hysteresis.hold=5.0"],
    "purification": [
        BATH, "solver.dt=0.5", "solver.bond_dim=3", "solver.kraus_dim=2", "solver.order=2",
        "hysteresis.hold=5.0", "hysteresis.steps=1",
    ],
}  # fmt: skip


def small(folder: Path, kind: str = "mean_field", *extra: str) -> Any:
    keys = [f"solver.kind={kind}", *KINDS[kind], "record.checkpoint=1e9", *extra]
    return load(write_config(folder, LOOP), keys)


def same(one: Result, other: Result) -> None:
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


class Stop:
    """Interrupts after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left, self.taken = steps, 0

    def __call__(self, progress: object) -> None:
        self.taken += 1
        self.left -= 1
        if not self.left:
            raise Interrupted


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_anywhere_and_resumed(tmp_path: Path, kind: str) -> None:
    config, count = small(tmp_path, kind), Stop(10**9)
    whole = simulate(config, on_step=count)
    path = tmp_path / "run.h5"
    random, parts, done = np.random.default_rng(5), [], []
    part = simulate(config, path, on_step=Stop(max(2, count.taken // 9)))
    while not part.complete:
        parts.append(part)
        done.append(20 * part.attrs["loop_done"] + part.attrs["loop_piece"])
        steps = int(random.integers(count.taken // 12, count.taken // 3))
        part = simulate(config, path, resume=True, on_step=Stop(steps))
    assert len(parts) >= 3 and done == sorted(done) and any(number % 20 for number in done)
    same(part, whole)
    assert (
        part.attrs["resumed"] == len(parts) and part.attrs["loop_area"] == whole.attrs["loop_area"]
    )
    # What a part has is what the whole has there; NaN in the place of the rest.
    for one in parts:
        spins = one["loop_spin"].reshape(-1, 3, 3)
        there = np.isfinite(spins).all(axis=(1, 2))
        assert there.sum() == one.attrs["loop_done"]
        np.testing.assert_array_equal(spins[there], whole["loop_spin"].reshape(-1, 3, 3)[there])
        assert np.isnan(spins[~there]).all() and "steady_spin" not in one


def test_a_finished_loop_is_not_run_again(tmp_path: Path) -> None:
    config, path = small(tmp_path), tmp_path / "run.h5"

    def never(progress: object) -> None:
        raise AssertionError

    same(simulate(config, path), simulate(config, path, resume=True, on_step=never))


def test_stopped_in_the_mean_field_beside_it(tmp_path: Path) -> None:
    config, path = small(tmp_path, "master_equation"), tmp_path / "run.h5"

    def stop(progress: Any) -> None:
        if progress.time == config.length and beside:
            raise Interrupted

    beside: list[str] = []

    def say(text: str) -> None:
        beside.extend([text] * text.startswith("the same"))

    part = simulate(config, path, on_step=stop, say=say)
    assert not part.complete and part.attrs["loop_done"] == config.length
    assert np.isfinite(part["loop_spin"]).all() and "loop_classical_spin" not in part
    same(simulate(config, path, resume=True), simulate(config))


def test_the_checkpoint_of_another_loop_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    simulate(small(tmp_path), path)
    before = checkpoint_path(path).read_bytes()
    for key, match in (
        ("hysteresis.steps=4", r"hysteresis\.steps was 2 and is now 4"),
        ("hysteresis.hold=30.0", r"hysteresis\.hold was 20\.0 and is now 30\.0"),
        ("model.sites=4", r"model\.sites was 3 and is now 4"),
    ):
        with pytest.raises(InputError, match=match):
            simulate(small(tmp_path, "mean_field", key), path, resume=True)
    in_time = load(write_config(tmp_path, LOOP.split("[hysteresis]")[0]), [])
    with pytest.raises(InputError, match=r"is of another run: .* was "):
        simulate(in_time, path, resume=True)
    assert checkpoint_path(path).read_bytes() == before


def test_a_loop_that_was_stopped_is_told_and_drawn(tmp_path: Path) -> None:
    config, path = small(tmp_path), tmp_path / "run.h5"
    for steps in (2, 150):  # before any field is done, and after some
        result = simulate(config, path, on_step=Stop(steps))
        assert info_text(result).startswith("INCOMPLETE")
        for name in ("run.h5", "run.ckpt.h5"):
            if (tmp_path / name).exists():
                assert cli.main(["plot", str(tmp_path / name), "-o", str(tmp_path / "x.png")]) == 0


LONG = ("--set", "hysteresis.steps=4000")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    write_config(tmp_path, LOOP)
    process = start(tmp_path, *LONG)
    wait_for_another(tmp_path / "run.ckpt.h5", process)
    process.send_signal(number)
    errors = finish(process, 1)
    last = errors.strip().splitlines()[-1]
    assert last.startswith("tnspin: stopped after ") and " of 8002 fields, saved; " in last
    assert last.endswith(
        f"continue with: tnspin run small.toml -o run.h5 {' '.join(LONG)} --resume"
    )
    assert "Traceback" not in errors and not Result.load(tmp_path / "run.h5").complete


def reached(path: Path) -> int:
    """Twentieths of a field after which a checkpoint was written, 0 if there is none yet."""
    if not path.exists():
        return 0
    attrs = Result.load(path).attrs
    return 20 * int(attrs["loop_done"]) + int(attrs["loop_piece"])


def kill_and_resume(folder: Path, kind: str, times: int) -> int:
    """Compare a loop killed so many times with one that was not; how often it was under way."""
    keys = [f"solver.kind={kind}", *KINDS[kind], "hysteresis.settled=0.02"]
    args = ["--quiet", *(word for key in keys for word in ("--set", key))]
    whole = simulate(load(write_config(folder, LOOP), keys))
    random, under_way = np.random.default_rng(2026), 0
    checkpoint, end = folder / "run.ckpt.h5", 20 * 2 * whole["field"].size
    for trial in range(times):
        process = start(folder, *args, *["--resume"] * (trial > 0))
        # By what the run has done, not by the clock: the machine may be busy.
        target = reached(checkpoint) + int(random.integers(1, max(2, end // (2 * times))))
        while process.poll() is None and reached(checkpoint) < target:
            time.sleep(0.001)
        time.sleep(random.uniform(0.0, 0.01))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        under_way += reached(checkpoint) < end
    finish(start(folder, *args, "--resume"), 0)
    found = Result.load(folder / "run.h5")
    assert found.complete and found.attrs["resumed"] == times
    same(found, whole)
    return under_way


@pytest.mark.parametrize("kind", ["mean_field", "density_matrix"])
def test_killed_and_resumed(tmp_path: Path, kind: str) -> None:
    assert kill_and_resume(tmp_path, kind, 1) == 1


def test_a_worker_of_a_sweep_is_killed_and_its_loop_goes_on(tmp_path: Path) -> None:
    source, folder = write_config(tmp_path, LOOP), tmp_path / "s"
    keys, over = ["hysteresis.settled=0.02"], "solver.damping=0.4,0.5"
    command = ["sweep", "small.toml", "--set", *keys, "--over", over, "-o", "s", "--workers", "1"]
    process = start(tmp_path, command=command)
    checkpoint = folder / "0_damping=0.4.ckpt.h5"
    while process.poll() is None and reached(checkpoint) < 20:
        time.sleep(0.001)
    os.kill(processes(folder)["0_damping=0.4"], signal.SIGKILL)
    finish(process, 0)
    for k, damping in enumerate((0.4, 0.5)):
        found = Result.load(folder / f"{k}_damping={damping}.h5")
        same(found, simulate(load(source, [*keys, f"solver.damping={damping}"])))
        assert found.attrs["resumed"] == 1 - k
    assert not checkpoint.exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_a_random_moment_five_times(tmp_path: Path, kind: str) -> None:
    assert kill_and_resume(tmp_path, kind, 5) >= 3
