"""Files that are damaged, of another version or of somebody else; disks that fill up; two runs."""

from __future__ import annotations

import ast
import contextlib
import errno
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from small_runs import full_after, write_config

from tnspin.cli import main
from tnspin.errors import InputError, RunError
from tnspin.results.lock import Lock, only_writer
from tnspin.results.result import FORMAT_VERSION, Result, Variable
from tnspin.solvers.trajectories.store import Store

PACKAGE = Path(__file__).parents[2] / "tnspin"
# All that a movie shows, floats, integers and texts: every variable more takes time to read.
NAMES = ["spin", "electron_density", "electron_spin", "energy", "bond_dim"]
RUN = (
    "run", "small.toml", "--set", "time.stop=0.5", "--set", f"record.observables={NAMES}",
    "--quiet", "-o", "run.h5",
)  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Bytes of a result and of its checkpoint."""
    folder = tmp_path_factory.mktemp("whole")
    write_config(folder)
    with contextlib.chdir(folder):
        assert main(RUN) == 0
    return {name: (folder / name).read_bytes() for name in ("run.h5", "run.ckpt.h5")}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TNSPIN_DEBUG", "1")  # nothing unforeseen is turned into one line
    write_config(tmp_path)


def damaged(whole: bytes, dice: random.Random) -> bytes:
    """Cut off, or with up to twenty bytes changed, half of the time near the start."""
    image = bytearray(whole)
    if dice.random() < 0.2:
        return bytes(image[: dice.randrange(len(image))])
    reach = len(image) if dice.random() < 0.5 else min(len(image), 4096)
    for _ in range(dice.choice([1, 4, 20])):
        image[dice.randrange(reach)] = dice.randrange(256)
    return bytes(image)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("tnspin: ")
    return err


@pytest.mark.parametrize("seed", range(40))
def test_damaged_results_and_checkpoints_are_read_or_refused(
    seed: int, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(seed)
    Path("bad.h5").write_bytes(damaged(files["run.h5"], dice))
    Path("run.ckpt.h5").write_bytes(damaged(files["run.ckpt.h5"], dice))
    for command in (("info", "bad.h5"), (*RUN, "--resume")):
        status = main(command)
        assert status in (0, 2)
        if status:
            one_line(capsys)
        capsys.readouterr()


def rewrite(change: Any) -> None:
    with h5py.File("bad.h5", "r+") as file:
        change(file)


CHANGES = {
    "attribute 'config' is no text": lambda f: f.attrs.__setitem__("config", 3),
    "is damaged": lambda f: f.attrs.__setitem__("config", "[model"),
    "is damaged (JSONDecodeError": lambda f: f.attrs.__setitem__("versions", "{"),
    "made by tnspin 0.1.0": lambda f: f.attrs.__setitem__("format_version", FORMAT_VERSION + 1),
    "format_version = 'two'": lambda f: f.attrs.__setitem__("format_version", "two"),
    "not a tnspin result": lambda f: f.attrs.__delitem__("format"),
}


@pytest.mark.parametrize("words", CHANGES)
def test_what_does_not_fit_is_named(
    words: str, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.h5").write_bytes(files["run.h5"])
    rewrite(CHANGES[words])
    for command in (("info", "bad.h5"), ("plot", "bad.h5")):
        assert main(command) == 2 and words in one_line(capsys)


def test_files_without_a_version_are_read_as_before(files: dict[str, bytes]) -> None:
    Path("bad.h5").write_bytes(files["run.h5"])
    new = Result.load("bad.h5")
    rewrite(lambda file: file.attrs.__delitem__("format_version"))
    old = Result.load("bad.h5")
    assert list(old) == list(new) and old.attrs == new.attrs


@pytest.mark.parametrize("part", ["format", "ledger", "state"])
def test_checkpoints_that_lack_a_part_are_refused(
    part: str, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("run.ckpt.h5").write_bytes(files["run.ckpt.h5"])
    with h5py.File("run.ckpt.h5", "r+") as file:
        if part == "format":
            file["state"].attrs["format"] = "Nonsense"
        else:
            for name in list(file[part].keys()):
                del file[part][name]
            for name in list(file[part].attrs):
                del file[part].attrs[name]
    assert main((*RUN, "--resume")) == 2
    assert "run.ckpt.h5" in one_line(capsys)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_whichever_write_meets_a_full_disk_the_old_result_stays(
    count: int, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    Path("run.h5").write_bytes(files["run.h5"])
    full_after(monkeypatch, count)
    assert main(RUN) == 1 and "the disk is full" in one_line(capsys)
    assert Path("run.h5").read_bytes() == files["run.h5"]
    assert not list(Path().glob("*.partial")) and not list(Path().glob("*.lock*"))


def test_figures_and_chunks_meet_a_full_disk_alike(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("run.h5").write_bytes(files["run.h5"])
    Path("run.png").write_bytes(b"older")
    store = Store("run.chunks")
    full_after(monkeypatch, 0)
    assert main(("plot", "run.h5")) == 1 and "the disk is full" in one_line(capsys)
    assert Path("run.png").read_bytes() == b"older"
    with pytest.raises(RunError, match="the disk is full"):
        store.add_chunk(0, np.ones((2, 3), dtype=complex))
    assert not list(Path().rglob("*.partial")) and store.chunks() == []


def test_the_file_of_a_running_run_is_not_written_by_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = (
        "import sys; from pathlib import Path; from tnspin.results.lock import only_writer\n"
        "with only_writer(Path('run.h5')): print('held', flush=True); sys.stdin.read()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert main([word for word in RUN if word != "--quiet"]) == 2
        assert f"process {other.pid}" in one_line(capsys)
        assert sorted(os.listdir()) == ["run.h5.lock", "small.toml"]
        other.kill()  # what it leaves belongs to nobody
    assert Path("run.h5.lock").exists()
    assert main(RUN) == 0
    assert Result.load("run.h5").complete and not Path("run.h5.lock").exists()


def test_locks_work_where_files_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    with only_writer(Path("run.h5")):
        assert Lock(Path("run.h5.lock")).acquire() is not None
        with pytest.raises(InputError, match="another run writes this file"):
            only_writer(Path("run.h5")).__enter__()
    assert os.listdir() == ["small.toml"]


def test_locks_on_a_full_disk_leave_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    true = Path.write_text

    def full(path: Path, text: str, *rest: Any) -> int:
        if ".lock" not in path.name:
            return true(path, text, *rest)
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    assert main(RUN) == 1 and "run.h5.lock: could not be written" in one_line(capsys)
    assert os.listdir() == ["small.toml"]
    assert main(("sweep", "small.toml", "--over", "model.J=1,2", "-o", "s", "--quiet")) == 1
    assert "sweep.lock: could not be written: the disk is full" in one_line(capsys)
    assert os.listdir("s") == ["sweep.json"]


def test_arrays_larger_than_the_file_take_no_memory() -> None:
    Result({"x": Variable(("x",), np.arange(3.0))}, {}).save("bad.h5")
    with h5py.File("bad.h5", "r+") as file:
        del file["x"]
        file.create_dataset("x", shape=(2**40,), dtype="f8").make_scale("x")
    with pytest.raises(InputError, match="larger than the file"):
        Result.load("bad.h5")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module))
    # What takes addresses apart reaches none.
    return {name.partition(".")[0] for name in names - {"urllib.parse"}}


def test_nothing_reads_pickles_or_talks_to_a_network() -> None:
    pickles = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "copyreg"}
    network = {
        "urllib", "urllib3", "requests", "http", "httpx", "aiohttp", "ftplib", "smtplib", "xmlrpc",
        "asyncio", "socketserver", "ssl", "telnetlib", "websockets", "fsspec", "pooch", "zmq",
    }  # fmt: skip
    for path in (*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "scripts").rglob("*.py")):
        found, text = imported(path), path.read_text(encoding="utf-8")
        assert not found & (pickles | network), path
        for word in ("allow_pickle", "np.load(", "numpy.load(", "read_pickle", "__import__("):
            assert word not in text, path
        assert PACKAGE not in path.parents or not re.search(r"(?<![.\w])(eval|exec)\(", text), path
        # Through these, what a pickle holds would come from another machine.
        assert "multiprocessing.connection" not in text and "managers" not in text, path
        # The name of this machine is all that is asked of it; and, in sweeps over a Dask cluster,
        # whether there is anything at the address that the user gave.
        pools = path.name == "scheduler.py"
        assert pools or text.count("socket.") == text.count("socket.gethostname()"), path
        assert "sweep" in path.parts or not found & {"dask", "distributed", "dask_jobqueue"}, path
