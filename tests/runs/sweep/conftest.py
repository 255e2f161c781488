"""What the tests of sweeps begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import write_config
from small_sweeps import CHAIN, LONG, Here

from tnspin.runs.sweep.grid import grid_of, open_folder
from tnspin.runs.sweep.runs import Task
from tnspin.runs.sweep.scheduler import schedule


@pytest.fixture
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, CHAIN, "chain")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 24 runs, one after the other in this process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    config = write_config(folder, CHAIN, "chain")
    grid = grid_of(config, LONG[5::2], [*LONG[1:4:2], "record.checkpoint=1000.0"])
    open_folder(folder / "s", grid)
    schedule(
        [Task(run.name, str(folder / "s"), run.config.to_toml()) for run in grid.runs],
        Here(), lambda *_: None,
    )  # fmt: skip
    return folder / "s"
