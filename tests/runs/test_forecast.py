"""What a run is expected to take: small cases here, presets against real runs when slow."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_runs import write_config

from tnspin.cli import main
from tnspin.runs import forecast as module
from tnspin.runs.config.loading import load
from tnspin.runs.forecast import Forecast, Watch, forecast, free_memory
from tnspin.runs.simulation import simulate
from tnspin.solvers.tebd import Tebd

KINDS = ("tebd", "tdvp", "exact", "llg", "master_equation", "density_matrix", "mean_field")
SPINS = """
    [model]
    kind = "heisenberg"
    sites = 4

    [state]
    kind = "product"
    directions = [[0.6, 0.0], [2.5, 0.3]]

    [solver]
    kind = "exact"

    [time]
    stop = 1.0
    every = 0.5
"""


def test_bond_dimensions_are_read_off_spectra_that_fall_by_equal_factors() -> None:
    # Weights q^n: the tail after n values is q^n, so that n grows in proportion to decades, more
    # slowly than by factors; n^-3: by 10^(1/2) per decade, as is assumed.
    schmidt = np.sqrt(np.arange(1.0, 39.0) ** -3.0)
    few = module._needed([schmidt] * 3, 1e-4)
    more = module._needed([schmidt] * 3, 1e-6)
    np.testing.assert_allclose(more / few, 10.0, rtol=0.4)
    np.testing.assert_array_equal(module._needed([np.ones(1)], 1e-9), [1.0])


def test_no_kind_of_solver_is_too_much_for_it(tmp_path: Path) -> None:
    source = write_config(tmp_path, SPINS)
    for kind in KINDS:
        found = forecast(load(source, [f"solver.kind={kind}"]))
        assert found is None or found.memory > 2**20, kind
        if kind == "tebd":
            assert found is not None and found.seconds is not None
            shares = [found.share(t) for t in (0.0, 0.3, 0.7, 1.0)]
            assert shares[0] == 0.0 and shares[-1] == pytest.approx(1.0)
            assert shares == sorted(shares)
            assert found.text().startswith("expected: ")
    assert forecast(load("edge-information")) is None


def test_memory_of_exact_runs_is_that_of_their_vectors() -> None:
    found = forecast(load("valve-single"))
    assert found is not None and found.seconds is None and found.warning() is None
    amplitudes = 201 * 2 * 2**8  # less, by conserved spin
    assert found.memory < 300 * 2**20 + 16 * 14 * amplitudes


def test_too_little_memory_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    free = free_memory()
    assert free is not None and free > 2**20
    monkeypatch.setattr(module, "free_memory", lambda: 1e6)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, SPINS)
    assert main(["run", "small.toml"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "expected: " in lines[0] and "of memory" in lines[0]
    assert "warning: this run needs about" in lines[1] and "1 MiB are free" in lines[1]
    monkeypatch.setattr(module, "free_memory", lambda: None)  # a system that does not tell
    assert Forecast(1e30).warning() is None


def test_other_runs_tell_after_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [100.0], list[str]()
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    config = SimpleNamespace(length=50.0, solver=Tebd(bond_dim=3))
    watch = Watch(config, said.append)
    for step in range(8):
        watch.update(SimpleNamespace(time=float(step)))
        now[0] += 1.0
    assert said == ["expected: about 47 s more, as far as seen; more as the bond dimension grows"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("stt-collinear", ["time.stop=23.0"]),
        ("stt-collinear", ["state.n_electrons=1", "time.stop=40.0"]),
        ("stt-noncollinear", ["state.n_electrons=4", "time.stop=24.0"]),
    ],
)
def test_expected_bond_dimensions_are_right_within_a_factor(
    preset: str, changes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # They decide what a step costs; the time itself depends on what else the machine does, and so
    # does how far a pilot comes that may not take longer than a second.
    monkeypatch.setattr(module, "_BUDGET", 60.0)
    monkeypatch.setattr(module, "_PATIENCE", 600.0)
    config = load(preset, [*changes, "solver.threads=1"])
    expected = forecast(config)
    assert expected is not None and expected.cpu_seconds is not None
    assert expected.bond_dim is not None and expected.cpu_seconds > 0
    result = simulate(config)
    assert 1 / 3 < expected.bond_dim.max() / result["bond_dim"].max() < 3
