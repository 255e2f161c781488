"""Units against the CODATA 2022 tables and the 0.6582 fs of the papers."""

from __future__ import annotations

import math

import pytest

from tnspin.errors import InputError
from tnspin.units import EnergyScale


def test_an_electronvolt() -> None:
    scale = EnergyScale(1.0)
    assert math.isclose(scale.time_fs(1.0), 0.6582119569, rel_tol=1e-9)
    assert math.isclose(scale.temperature(100.0), 8.617333262e-3, rel_tol=1e-9)
    assert math.isclose(scale.field(1.0), 2 * 5.7883817982e-5, rel_tol=1e-9)


def test_there_and_back_in_another_scale() -> None:
    scale = EnergyScale(0.1)
    assert math.isclose(scale.time(scale.time_fs(7.0)), 7.0)
    assert math.isclose(scale.energy(scale.energy_ev(7.0)), 7.0)
    assert math.isclose(scale.temperature(scale.kelvin(7.0)), 7.0)
    assert math.isclose(scale.field(scale.tesla(7.0, g=2.1), g=2.1), 7.0)
    assert math.isclose(scale.time_fs(1.0), 10 * EnergyScale(1.0).time_fs(1.0))


def test_no_scale_is_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        EnergyScale(0.0)
