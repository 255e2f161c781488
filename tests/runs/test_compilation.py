"""The first run of an installation compiles, and says so first; the next ones need not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_runs import write_config

import tnspin as ts
from tnspin.runs import compilation
from tnspin.runs.config.loading import load

PULSE = """
    [model]
    kind = "kondo_heisenberg"
    sites = 8
    localized = [5, 6]

    [state]
    kind = "confined_electrons"
    n_electrons = 2
    well = 3

    [time]
    stop = 1.0
    every = 0.5

    [classical]
    kind = "hybrid"
"""


def run(folder: Path, name: str) -> str:
    """What a run says whose machine code is kept in the folder."""
    command = [sys.executable, "-m", "tnspin", "run", "small.toml", "-o", f"{name}.h5"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stderr


@pytest.mark.slow
def test_the_second_run_compiles_nothing(tmp_path: Path) -> None:
    write_config(tmp_path, PULSE)
    first = run(tmp_path, "first")
    assert first.index("compiling the numerical kernels") < first.index("building the initial")
    files = sorted((tmp_path / "cache").rglob("*.nbc"))
    assert len(files) > 50
    assert "compiling" not in run(tmp_path, "second")
    assert sorted((tmp_path / "cache").rglob("*.nbc")) == files
    one, two = (ts.load(tmp_path / f"{name}.h5") for name in ("first", "second"))
    for name in one.variables:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def test_runs_without_matrix_products_wait_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tnspin.mps.warm_up.is_compiled", lambda **_: False)
    said: list[str] = []
    config = load(write_config(tmp_path, PULSE), ["solver.kind=exact"])
    compilation.compile_kernels(config, said.append)
    assert not said


def test_one_processor_compiles_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tnspin.mps.warm_up.is_compiled", lambda **_: False)
    monkeypatch.setattr(compilation, "default_workers", lambda: 1)
    monkeypatch.setattr(compilation.subprocess, "Popen", lambda *_, **__: pytest.fail("a helper"))
    said: list[str] = []
    compilation.compile_kernels(load(write_config(tmp_path, PULSE)), said.append)
    assert said[0].startswith("compiling")


def test_a_stopped_compilation_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(**_: bool) -> None:
        raise KeyboardInterrupt

    helpers = []

    def helper() -> subprocess.Popen[bytes]:
        helpers.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return helpers[0]

    monkeypatch.setattr("tnspin.mps.warm_up.is_compiled", lambda **_: False)
    monkeypatch.setattr("tnspin.mps.warm_up.warm_up", stopped)
    monkeypatch.setattr(compilation, "_helper", helper)
    with pytest.raises(KeyboardInterrupt):
        compilation.compile_kernels(load(write_config(tmp_path, PULSE)), print)
    assert helpers[0].returncode is not None and helpers[0].returncode < 0
