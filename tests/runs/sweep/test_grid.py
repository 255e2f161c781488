"""Sweeps: what the command line means, and what is refused before any work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import write_config
from small_sweeps import CHAIN

from tnspin.cli import main
from tnspin.errors import InputError
from tnspin.results.lock import Lock
from tnspin.runs.sweep.grid import grid_of, open_folder, parse_over, split
from tnspin.runs.sweep.scheduler import array_of


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, CHAIN, "chain")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("model.J=1,2.5,-3e-1", (1, 2.5, -0.3)),
        ("model.field=[0, 0, 1],[0,0,2]", ([0, 0, 1], [0, 0, 2])),
        ("state.directions=[[0.1,0],[1,2]], [[3,4]]", ([[0.1, 0], [1, 2]], [[3, 4]])),
        ("solver.kind=exact,tebd", ("exact", "tebd")),
        ("""solver.kind="exact",'a,b'""", ("exact", "a,b")),
        ("time.stop=10 fs,70 fs", ("10 fs", "70 fs")),
        ("model.periodic=true,false", (True, False)),
    ],
)
def test_values(text: str, values: tuple[object, ...]) -> None:
    assert parse_over(text).values == values


@given(st.lists(st.text("ab ,[]{}'\"", max_size=6), min_size=1, max_size=4))
def test_splitting_loses_nothing(parts: list[str]) -> None:
    text = ",".join(parts)
    assert ",".join(split(text)) == text


@given(
    st.lists(
        st.recursive(st.integers(-9, 9), lambda inner: st.lists(inner, max_size=3), max_leaves=6),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_values_of_any_depth(values: list[object]) -> None:
    texts = [json.dumps(value) for value in values]
    assert split(",".join(texts)) == texts


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (["model.J"], "--over 'model.J'"),
        (["model.J="], "--over"),
        (["model.J=1,,2"], "--over"),
        (["J=1,2"], "--over"),
        (["model.J=1,1.0"], "--over model.J: 1.0 stands there twice"),
        (["model.J=1,]"], "not a TOML value"),
        (["model.J=1,2", "model.J=3"], "given twice"),
        (["model.K=1,2"], "model.K"),
        (["model.J=1,2", "model.spin=0.5,0.7"], "0.7"),
        ([], "--over: missing"),
    ],
)
def test_refusals(over: list[str], words: str) -> None:
    with pytest.raises(InputError, match=r".*") as caught:
        grid_of("chain.toml", over)
    assert words in str(caught.value)


def test_the_combination_that_is_refused_is_named() -> None:
    with pytest.raises(InputError, match=r"in the combination model.J=2, model.spin=0.7"):
        grid_of("chain.toml", ["model.J=2,3", "model.spin=0.5,0.7"])
    with pytest.raises(InputError, match="is swept by --over"):
        grid_of("chain.toml", ["model.J=2,3"], ["model.J=1"])


def test_refused_sweeps_leave_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["chain.toml", "--over", "model.J=1,x"],
        ["chain.toml", "--over", "model.J=1,2", "-o", "no/such"],
        ["chain.toml", "--over", "model.J=1,2", "--workers", "-1"],
        ["chain.toml", "--over", "model.J=1,2", "--jobqueue", "abacus"],
        ["chain.toml", "--over", "model.J=1,2", "--scheduler", "tcp://a"],
        ["chain.toml", "--over", "model.J=1,2", "--scheduler", "tcp://a:1", "--executor", "slurm"],
        ["chain.toml"],
        ["-o", "nothing"],
        ["--over", "model.J=1,2"],
        ["-o", "nothing", "--task", "0"],
        [],
    ):
        assert main(["sweep", *arguments]) == 2, arguments
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "Traceback" not in err
    assert os.listdir() == ["chain.toml"]


def test_runs_in_order_with_readable_names() -> None:
    grid = grid_of("chain.toml", ["model.J=-1,1", "model.field=[0,0,1],[0,0,2],[0,0,3]"])
    names = [run.name for run in grid.runs]
    assert names[0] == "0_J=-1_field=0-0-1" and names[5] == "5_J=1_field=0-0-3"
    assert [run.place for run in grid.runs][:4] == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert grid.runs[4].config.model.field == (0, 0, 2) and grid.runs[4].config.model.J == 1


def test_another_sweep_is_refused_in_the_same_folder() -> None:
    def opened(*over: str, sets: tuple[str, ...] = ()) -> None:
        open_folder(Path("s"), grid_of("chain.toml", over, sets))

    opened("model.J=1,2", "time.stop=1,2")
    opened("model.J=1,2.0", "time.stop=1,2", sets=("record.checkpoint=5.0",))
    for over, sets, words in (
        (("model.J=1,3", "time.stop=1,2"), (), "model.J was 1, 2.0 and is now 1, 3"),
        (("model.J=1,2",), (), "--over was model.J, time.stop and is now model.J"),
        (
            ("model.J=1,2", "time.stop=1,2"),
            ("time.every=0.5",),
            "time.every was 0.1 and is now 0.5",
        ),
        (("model.J=1,2", "time.stop=1,2"), ("classical.kind=llg",), "classical.kind is new"),
    ):
        with pytest.raises(InputError) as caught:
            opened(*over, sets=sets)
        assert words in str(caught.value)
    assert len(open_folder(Path("s"), None).runs) == 4
    Path("s/sweep.json").write_text("{}")
    with pytest.raises(InputError, match="not the manifest"):
        open_folder(Path("s"), None)


def test_slurm_arrays() -> None:
    assert array_of([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert array_of([3]) == "3"


def test_lock_is_held_by_one() -> None:
    first, second = Lock(Path("lock")), Lock(Path("lock"))
    assert first.acquire() is None
    assert f"process {os.getpid()} on" in str(second.acquire())
    second.release()  # not its own
    assert second.acquire() is not None
    first.release()
    assert second.acquire() is None
    second.release()
    assert not list(Path().glob("lock*"))


def test_lock_of_a_dead_process_is_taken_over() -> None:
    code = "import sys; from pathlib import Path; from tnspin.results.lock import Lock\n"
    code += "assert Lock(Path('lock')).acquire() is None; print('held', flush=True); input()"
    paths = {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | paths,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        lock = Lock(Path("lock"))
        assert f"process {holder.pid} on" in str(lock.acquire())
        holder.kill()
        deadline = time.monotonic() + 60
        while lock.acquire() is not None and time.monotonic() < deadline:
            time.sleep(0.02)  # dying takes its time; a zombie is dead
        assert f"{os.getpid()}" in Path("lock").read_text()
    lock.release()


def test_lock_of_another_machine_holds_while_it_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, here = Lock(Path("lock")), Lock(Path("lock"))
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    assert elsewhere.acquire() is None
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    assert "on elsewhere" in str(here.acquire())
    old = time.time() - 600
    os.utime("lock", (old, old))
    assert here.acquire() is None
    elsewhere.release()
    assert "here" in Path("lock").read_text()
    here.release()


def test_lock_left_in_pieces_is_taken_over_in_time() -> None:
    Path("lock").write_text("{")
    lock = Lock(Path("lock"))
    assert lock.acquire() is not None
    old = time.time() - 600
    os.utime("lock", (old, old))
    assert lock.acquire() is None
    lock.release()
