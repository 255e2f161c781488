"""The figure of an open Heisenberg chain shows what the result holds."""

from __future__ import annotations

import numpy as np
import pytest

from tnspin import figures
from tnspin.figures.spins import connected_correlation
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate


@pytest.fixture(scope="module")
def result():
    return simulate(
        config.load(
            "open-heisenberg",
            ["model.V=[1.0, 0.1, 0.1]", "classical.kind=mean_field", "time.stop=6.0",
             "time.every=0.05"],
        )
    )  # fmt: skip


def test_the_printed_concurrence(result):
    """OHM Fig. 6: C_12 reaches 0.26 for V_x = 1."""
    largest = result["concurrence"].max(axis=0)
    np.testing.assert_allclose(largest[[0, 2]], 0.2636, atol=5e-5)
    assert result["time"][result["concurrence"][:, 0].argmax()] == pytest.approx(3.05)


def test_panels_and_lines(result, tmp_path):
    drawing = figures.figure(result)
    magnetization, difference, correlation, concurrence = drawing.axes
    solid = [line for line in magnetization.lines if line.get_label() in ("x", "y", "z")]
    dashed = [
        line for line in magnetization.lines
        if line.get_linestyle() == "--" and len(line.get_xdata())
    ]  # fmt: skip
    exact, mean_field = (result[name].mean(axis=1) for name in ("spin", "classical_spin"))
    for axis in range(3):
        np.testing.assert_array_equal(solid[axis].get_ydata(), exact[:, axis])
        np.testing.assert_array_equal(dashed[axis].get_ydata(), mean_field[:, axis])
    apart = np.square(exact - mean_field).sum(axis=-1)
    np.testing.assert_allclose(difference.lines[0].get_ydata(), apart, atol=1e-15)
    np.testing.assert_array_equal(concurrence.lines[0].get_ydata(), result["concurrence"][:, 0])
    assert "0.264 at t = 3.05" in concurrence.get_title(loc="left")
    first = connected_correlation(result)[:, 0]
    np.testing.assert_array_equal(correlation.lines[0].get_ydata(), first)
    assert abs(first[0]) < 1e-12 and first.max() > 0.3
    assert "V = (1, 0.1, 0.1), B = (0.25, 0.25, -0.5), Γ = 0.1" in drawing.get_suptitle()
    figures.save_figure(result, tmp_path / "chain.png")


def test_correlations_are_those_of_the_article(result):
    """<sigma sigma> - <sigma><sigma> is below 1 and the same for mirrored pairs (OHM Eq. 21)."""
    values = connected_correlation(result)
    assert np.abs(values).max() <= 1
    np.testing.assert_allclose(values[:, 0], values[:, 2], atol=1e-10)
