"""scripts/scaling.py: its exponents, its configurations, and a series of tiny runs as typed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tnspin.runs.config import loading as config

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scaling():
    spec = importlib.util.spec_from_file_location("scaling", ROOT / "scripts" / "scaling.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["scaling"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scaling"]


def test_exponents_are_those_of_polyfit(scaling) -> None:
    sizes = np.array([2.0, 3, 5, 8, 13])
    slope, error = scaling.exponent(sizes, 0.3 * sizes**2.5)
    assert slope == pytest.approx(2.5, abs=1e-12)
    assert error < 1e-12

    rng = np.random.default_rng(3)
    values = sizes**1.5 * np.exp(0.1 * rng.normal(size=5))
    slope, error = scaling.exponent(sizes, values)
    (expected, _), covariance = np.polyfit(np.log(sizes), np.log(values), 1, cov=True)
    assert slope == pytest.approx(expected, abs=1e-12)
    assert error == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-9)


def test_what_has_no_logarithm_is_left_out(scaling) -> None:
    slope, error = scaling.exponent(np.array([1.0, 2, 4, 8]), np.array([0.0, 2, 4, np.nan]))
    assert slope == pytest.approx(1.0)
    assert np.isnan(error)  # two points have no scatter
    assert np.isnan(scaling.exponent(np.array([1.0, 2]), np.array([0.0, 1]))).all()


@pytest.mark.parametrize("study", ["valve", "pulse", "wire", "chain"])
def test_every_run_is_a_valid_configuration(scaling, study: str) -> None:
    options = scaling.arguments([study, "somewhere"])
    jobs = scaling.jobs(options)
    assert len(jobs) >= 5
    for n, solver in jobs:
        overrides = scaling.STUDIES[study].overrides(n, solver, options)
        config.load(scaling.STUDIES[study].preset, overrides)


def test_the_valve_is_meant_without_a_study(scaling) -> None:
    options = scaling.arguments(["somewhere"])
    assert (options.study, options.folder, options.stop) == ("valve", Path("somewhere"), 70.0)
    exact = scaling.jobs(scaling.arguments(["valve", "f", "--sizes", "2,20", "--solver", "exact"]))
    assert exact == [(2, "exact")]  # 20 + 20 spins are not for the exact solver


def test_a_series_as_typed(scaling, tmp_path: Path, capsys, monkeypatch) -> None:
    """Runs, table and figure; what is finished is not run again."""
    words = ["chain", str(tmp_path), "--sizes", "6,4,5", "--stop", "0.5", "--bond-dim", "8"]
    scaling.main(words)
    table = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in table[2:-1]] == ["4", "5", "6", "exponent of N"]
    sizes, entropies = zip(*[line.split("|")[1:4:2] for line in table[2:5]], strict=True)
    expected, _ = scaling.exponent(np.array(sizes, float), np.array(entropies, float))
    assert float(table[5].split("|")[3].split("±")[0]) == pytest.approx(expected, abs=0.01)
    assert (tmp_path / "scaling.md").read_text().splitlines() == table[:-1]
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")

    monkeypatch.setattr(scaling.subprocess, "run", lambda *a, **k: pytest.fail("ran again"))
    monkeypatch.setattr(scaling, "figure", lambda *a: scaling.new_figure(2.0, 1.0))  # seen before
    scaling.main(words)
    assert capsys.readouterr().out.splitlines() == table
