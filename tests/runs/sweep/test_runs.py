"""Sweeps carried out: nothing is lost, nothing is done twice, failures stay among themselves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray
from small_runs import full_after
from small_sweeps import (
    LONG,
    Here,
    assert_same,
    command,
    environment,
    events,
    in_the_middle,
    numbers,
    processes,
    until,
)

from tnspin.cli import main
from tnspin.errors import Interrupted
from tnspin.results.lock import Lock
from tnspin.results.result import Result
from tnspin.runs.sweep.grid import grid_of, open_folder
from tnspin.runs.sweep.runs import Outcome, Task, carry_out
from tnspin.runs.sweep.scheduler import schedule

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
OVER = ["--over", "model.J=-1,1", "--over", "model.field=[0,0,0.2],[0.3,0,0]"]


def tasks_of(folder: Path, *over: str, retry: bool = False) -> list[Task]:
    grid = open_folder(folder, grid_of("chain.toml", over) if over else None)
    return [Task(run.name, str(folder), run.config.to_toml(), retry=retry) for run in grid.runs]


def test_sweep_as_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "chain.toml", *OVER, "-o", "s", "--workers", "2"]) == 0
    out, err = capsys.readouterr()
    assert "sweep.nc: 4 of 4 runs" in out and err.count("done (") == 4 and "left" in err
    assert not list(Path("s").glob("*.lock")) and not list(Path("s").glob("*.ckpt.h5"))
    with xarray.open_dataset("s/sweep.nc", engine="h5netcdf") as data:
        assert data["spin"].dims == (
            "model.J", "model.field", "time", "localized", "axis"
        )  # fmt: skip
        assert list(data["model.J"].values) == [-1, 1]
        assert list(data["model.field"].values) == ["[0, 0, 0.2]", "[0.3, 0, 0]"]
        name = str(data["run"][1, 0].values)
        one = Result.load(f"s/{name}.h5")
        np.testing.assert_array_equal(data["spin"].sel({"model.J": 1})[0], one["spin"])
        assert np.isfinite(data["energy"]).all() and (data["run_state"] == 1).all()
    # The same again: there is nothing to do.
    before = Path("s/sweep.log").read_bytes()
    assert main(["sweep", "chain.toml", *OVER, "-o", "s", "--quiet"]) == 0
    assert Path("s/sweep.log").read_bytes() == before
    assert main(["info", "s/sweep.nc"]) == 0
    # By one process, or as jobs of an array: the same numbers.
    schedule(tasks_of(Path("here"), *OVER[1::2]), Here(), lambda *_: None)
    assert_same(Path("s"), Path("here"))


def test_runs_equal_those_of_run() -> None:
    schedule(tasks_of(Path("s"), *OVER[1::2]), Here(), lambda *_: None)
    sets = ["--set", "model.J=-1", "--set", "model.field=[0.3,0,0]"]
    assert main(["run", "chain.toml", *sets, "-o", "one.h5", "--quiet"]) == 0
    one, same = Result.load("one.h5"), Result.load("s/1_J=-1_field=0.3-0-0.h5")
    for name in ("time", "spin", "energy", "entropy"):
        np.testing.assert_array_equal(one[name], same[name])


def test_failures_are_isolated_listed_and_retried_only_if_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tnspin.runs import simulation

    true = simulation.simulate

    def stumbling(config, *arguments, **keys):
        if config.model.J == 2:
            raise MemoryError("too\nlarge")
        return true(config, *arguments, **keys)

    monkeypatch.setattr(simulation, "simulate", stumbling)
    outcomes = {}
    tasks = tasks_of(Path("s"), "model.J=1,2,3")
    schedule(tasks, Here(), lambda task, outcome: outcomes.update({task.name: outcome.status}))
    assert outcomes == {"0_J=1": "done", "1_J=2": "failed", "2_J=3": "done"}
    assert "stumbling" in Path("s/1_J=2.failed.txt").read_text()
    monkeypatch.setattr(simulation, "simulate", true)

    assert main(["sweep", "-o", "s"]) == 1
    out, err = capsys.readouterr()
    assert "2 of 3 runs" in out and "1_J=2 failed: MemoryError: too large" in err
    with xarray.open_dataset("s/sweep.nc", engine="h5netcdf") as data:
        assert list(data["run_state"]) == [1, -1, 1]
        assert np.isnan(data["spin"][1]).all() and np.isfinite(data["spin"][[0, 2]]).all()
    schedule(tasks_of(Path("s")), Here(), lambda *_: None)
    assert events(Path("s"), "started") == {"0_J=1": 1, "1_J=2": 1, "2_J=3": 1}

    schedule(tasks_of(Path("s"), retry=True), Here(), lambda *_: None)
    assert events(Path("s"), "started") == {"0_J=1": 1, "1_J=2": 2, "2_J=3": 1}
    assert main(["sweep", "-o", "s", "--collect"]) == 0 and not list(Path("s").glob("*failed*"))


def test_failure_in_another_process(capsys: pytest.CaptureFixture[str]) -> None:
    """A ground state without directions has no classical counterpart, which only the run sees."""
    sets = ["--set", "state.kind=ground", "--set", "classical.kind=llg", "--workers", "2"]
    over = ["--over", "model.J=-1,1", "--set", "time.stop=0.2"]
    assert main(["sweep", "chain.toml", *sets, *over, "-o", "s"]) == 1
    out, err = capsys.readouterr()
    assert "1 of 2 runs" in out and err.count(" failed: ") == 2


def test_worker_that_keeps_dying_is_a_failure_of_its_run() -> None:
    outcomes = []
    tasks = tasks_of(Path("s"), "model.J=1,2,3")
    schedule(tasks, Here(fails=2, name="1"), lambda task, outcome: outcomes.append(outcome.status))
    assert outcomes == ["done", "done", "done"]
    tasks = tasks_of(Path("t"), "model.J=1,2,3")
    outcomes.clear()
    schedule(tasks, Here(fails=3, name="1"), lambda task, outcome: outcomes.append(outcome.status))
    assert sorted(outcomes) == ["done", "done", "failed"]
    assert "its worker died 3 times" in Path("t/1_J=2.failed.txt").read_text()


def test_stopped_sweep_goes_on() -> None:
    class One(Here):
        def free(self) -> bool:
            return not events(Path("s"), "done")

    def stop() -> None:
        raise Interrupted

    tasks = tasks_of(Path("s"), "model.J=1,2,3")
    with pytest.raises(Interrupted):
        schedule(tasks, One(), lambda *_: None, stop)
    assert events(Path("s"), "done") == {"0_J=1": 1}
    schedule(tasks, Here(), lambda *_: None)
    assert events(Path("s"), "started") == {"0_J=1": 1, "1_J=2": 1, "2_J=3": 1}


def test_second_sweep_in_the_same_folder_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    open_folder(Path("s"), grid_of("chain.toml", ["model.J=1,2"]))
    lock = Lock(Path("s/sweep.lock"))
    assert lock.acquire() is None
    assert main(["sweep", "chain.toml", "--over", "model.J=1,2", "-o", "s"]) == 2
    assert f"under way there, by process {os.getpid()}" in capsys.readouterr().err
    lock.release()


def test_busy_run_is_waited_for() -> None:
    tasks = tasks_of(Path("s"), "model.J=1,2")
    lock = Lock(Path("s/0_J=1.lock"))
    assert lock.acquire() is None
    seen: list[str] = []

    def free_it(task: Task, outcome: Outcome) -> None:
        seen.append(outcome.status)
        if outcome.status == "busy":
            lock.release()

    schedule(tasks, Here(), free_it)
    assert sorted(seen) == ["busy", "done", "done"]


def test_file_of_another_run_is_left_alone() -> None:
    schedule(tasks_of(Path("s"), "model.J=1,2"), Here(), lambda *_: None)
    shutil.copy("s/0_J=1.h5", "s/1_J=2.h5")
    assert main(["sweep", "-o", "s"]) == 2
    Path("s/1_J=2.h5").write_text("mine")
    assert main(["sweep", "-o", "s"]) == 2
    assert Path("s/1_J=2.h5").read_text() == "mine"


def test_full_disk_leaves_the_older_collection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("sweep", "chain.toml", "--over", "model.J=1,2", "-o", "s")
    tasks = tasks_of(Path("s"), "model.J=1,2")
    schedule(tasks[:1], Here(), lambda *_: None)
    assert main([*given, "--collect"]) == 1  # one is missing
    schedule(tasks[1:], Here(), lambda *_: None)
    before = {path.name: path.read_bytes() for path in Path("s").iterdir()}
    capsys.readouterr()
    # The collection; the manifest; the manifest is written and the collection is not.
    for count, words in ((0, ("sweep", "-o", "s")), (0, given), (1, given)):
        with monkeypatch.context() as patch:
            full_after(patch, count)
            assert main(words) == 1
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("tnspin: s/sweep.") and line.endswith("the disk is full")
        assert {path.name: path.read_bytes() for path in Path("s").iterdir()} == before
    assert main(["sweep", "-o", "s", "--quiet"]) == 0


def test_run_that_met_a_full_disk_goes_on_once_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes: list[Outcome] = []
    tasks = tasks_of(Path("s"), "model.J=1,2")
    with monkeypatch.context() as patch:
        full_after(patch, 2)
        schedule(tasks, Here(), lambda task, outcome: outcomes.append(outcome))
    assert [one.status for one in outcomes] == ["failed", "failed"]
    assert all("the disk is full" in one.message for one in outcomes)
    # Not even the reason could be written, so that nothing has failed for good.
    names = {path.name for path in Path("s").iterdir()}
    assert names <= {"sweep.json", "sweep.log", "0_J=1.ckpt.h5"}
    schedule(tasks, Here(), lambda *_: None)
    assert main(["sweep", "-o", "s", "--quiet"]) == 0
    assert Result.load("s/0_J=1.h5").attrs["resumed"] == 1


def test_folder_that_is_not_shared() -> None:
    outcome = carry_out(Task("a", "/no/such/folder", ""))
    assert outcome.status == "failed" and "must be shared" in outcome.message


def test_different_times_and_sizes_are_put_side_by_side() -> None:
    over = ("model.sites=2,4", "time.stop=0.3,0.5", "time.every=0.1,0.25")
    schedule(tasks_of(Path("s"), *over), Here(), lambda *_: None)
    assert main(["sweep", "-o", "s", "--collect", "--quiet"]) == 0
    with xarray.open_dataset("s/sweep.nc", engine="h5netcdf") as data:
        np.testing.assert_allclose(data["time"], [0, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5], atol=1e-12)
        short = data["spin"].sel({"model.sites": 2, "time.stop": 0.3, "time.every": 0.1})
        assert np.isfinite(short.isel(time=[0, 1, 2, 4], localized=[0, 1])).all()
        assert np.isnan(short.isel(time=[3, 5, 6])).all() and np.isnan(short[:, 2:]).all()
        assert data["entropy"].shape == (2, 2, 2, 7, 3)
        for run in data["run"].values.ravel():
            one = Result.load(f"s/{run}.h5")
            place = np.argwhere(data["run"].values == run)[0]
            rows = np.searchsorted(data["time"], one["time"] - 1e-6)
            found = data["spin"].values[tuple(place)][rows][:, : one["spin"].shape[1]]
            np.testing.assert_array_equal(found, one["spin"])


def test_slurm_script_does_the_runs_that_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    """The script as bash carries it out, once for each number of the array."""
    schedule(tasks_of(Path("s"), "model.J=1,2,3")[1:2], Here(), lambda *_: None)
    arguments = ["sweep", "chain.toml", "--over", "model.J=1,2,3", "-o", "s"]
    assert main([*arguments, "--executor", "slurm", "--workers", "5", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "sbatch s/sweep.sbatch"
    script = Path("s/sweep.sbatch").read_text()
    assert "#SBATCH --array=0,2%5\n" in script and str(Path("s").resolve()) in script
    assert main([*arguments, "--collect"]) == 1
    assert "2 runs are missing" in capsys.readouterr().err
    for number in ("0", "2"):
        done = subprocess.run(
            ["bash", "s/sweep.sbatch"], check=True, capture_output=True, text=True,
            env=environment() | {"SLURM_ARRAY_TASK_ID": number},
        )  # fmt: skip
        assert "done" in done.stdout
    assert main([*arguments, "--collect", "--quiet"]) == 0
    assert main(["sweep", "-o", "s", "--task", "3"]) == 2


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs to tell dead processes")
def test_killed_worker_and_killed_master(undisturbed: Path) -> None:
    folder = Path("s")
    arguments = command("chain.toml", *LONG, "-o", "s", "--workers", "2", "--quiet")
    master = subprocess.Popen(arguments, env=environment())
    until(lambda: in_the_middle(folder, 4))
    victim = processes(folder)[min(in_the_middle(folder, 4))]
    os.kill(victim, signal.SIGKILL)
    until(lambda: in_the_middle(folder, 12))
    master.kill()
    interrupted = 24 - len(events(folder, "done"))
    assert 0 < interrupted < 13
    # At once again, before its workers have noticed, and before it is reaped.
    again = subprocess.run(arguments, env=environment(), check=False)
    master.wait()
    assert again.returncode == 0
    assert len(numbers(folder)) == 24
    assert_same(folder, undisturbed)
    # One run of the killed worker and two of the killed master at most were begun again.
    started, done = events(folder, "started"), events(folder, "done")
    assert sum(started.values()) <= 24 + 3 and max(done.values()) == 1
    assert any(Result.load(path).attrs["resumed"] for path in folder.glob("*.h5"))
    with xarray.open_dataset("s/sweep.nc", engine="h5netcdf") as data:
        assert (data["run_state"] == 1).all() and data["run_state"].shape == (4, 3, 2)


@pytest.mark.slow
def test_ctrl_c_saves_all_runs(undisturbed: Path) -> None:
    folder = Path("s")
    arguments = command("chain.toml", *LONG, "-o", "s", "--workers", "2", "--quiet")
    master = subprocess.Popen(
        arguments, env=environment(), stderr=subprocess.PIPE, start_new_session=True, text=True
    )
    until(lambda: in_the_middle(folder, 6))
    os.killpg(master.pid, signal.SIGINT)  # as a terminal does: workers hear it too
    assert "stopped, saved; continue with: tnspin sweep chain.toml" in master.communicate()[1]
    assert master.returncode == 1 and not list(folder.glob("*.lock"))
    assert sum(events(folder, "stopped").values()) <= 2
    assert subprocess.run(command("-o", "s", "--quiet"), env=environment()).returncode == 0
    assert_same(folder, undisturbed)
    assert max(events(folder, "done").values()) == 1
