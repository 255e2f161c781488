"""Onsets: interpolated crossings, and what a result says about its groups."""

from __future__ import annotations

import numpy as np
import pytest

from tnspin.errors import InputError
from tnspin.results import report
from tnspin.results.onsets import onset, onsets
from tnspin.results.result import Result, Variable
from tnspin.units import EnergyScale

TIMES = np.arange(6.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (0.004 * TIMES, 2.5),  # a straight line is interpolated exactly
        (1 - 0.004 * TIMES, 2.5),
        ([0, 0, 0.01, 0.03, 0, 0], 2.0),  # equal is not beyond, but it is where beyond begins
        ([0, -0.01, 0.03, 0, 0, 0], 1.5),  # the change has a sign
        (np.zeros(6), None),
        ([0.3, 0.3, 0.305, 0.309, 0.3095, 0.305], None),
    ],
)
def test_first_crossing(values, expected):
    found = onset(TIMES, values, 0.01)
    assert found == (None if expected is None else pytest.approx(expected))


def test_thresholds_order_onsets():
    values = np.sin(TIMES / 4) ** 2
    found = [onset(TIMES, values, threshold) for threshold in (0.01, 0.1, 0.5)]
    assert found == sorted(found)


def test_refusals():
    with pytest.raises(InputError, match="shape"):
        onset(TIMES, [1.0])
    with pytest.raises(InputError, match="threshold"):
        onset(TIMES, TIMES, 0.0)
    assert onset([], []) is None


def valve(**attrs):
    spin = np.zeros((6, 3, 3))
    spin[:, :2, 2] = (1 - 0.02 * TIMES)[:, None]
    spin[:, 2, 2] = -1 + np.where(TIMES > 3, 0.04, 0)
    variables = {
        "time": Variable(("time",), TIMES, "hbar/energy unit", "time"),
        "spin": Variable(("time", "localized", "axis"), spin, "1", "spin"),
        "log_negativity": Variable(("time",), np.zeros(6), "nat", "negativity"),
    }
    timing = {"wall_time_s": 1.0, "cpu_time_s": 1.0, "tnspin_version": "0"}
    return Result(variables, {"config": "[model]\nlocalized = [[4, 5], [9]]\n", **timing, **attrs})


def test_groups_of_a_result():
    found = onsets(valve())
    assert found == {
        "spin_1": pytest.approx(0.5), "spin_2": pytest.approx(3.25), "log_negativity": None
    }  # fmt: skip
    assert onsets(valve(config=""))["spin"] == pytest.approx(0.01 / (0.04 / 3))
    assert onsets(Result({}, {})) == {}


def test_reports_print_them_in_femtoseconds_where_the_unit_is_known():
    plain, scaled = valve(), valve(energy_ev=2.0)
    assert report.info(plain)["onsets"]["spin_2"] == {"time": pytest.approx(3.25)}
    fs = EnergyScale(2.0).time_fs(3.25)
    assert report.info(scaled)["onsets"]["spin_2"]["time_fs"] == pytest.approx(fs)
    assert report.info(scaled)["onsets"]["log_negativity"] == {"time": None, "time_fs": None}
    assert f"t = 3.25 ({fs:.4g} fs)" in report.summary(scaled, "valve.h5")
    assert "onset of log_negativity" not in report.summary(scaled, "valve.h5")
    assert "fs" not in report.summary(plain, "valve.h5")
    assert "log_negativity  none" in report.info_text(scaled)
