"""The figure of a spin valve shows what its result holds, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tnspin import figures
from tnspin.results.onsets import onset
from tnspin.results.result import Result, Variable

CONFIG = """
[about]
title = "a small valve"
[units]
energy_ev = 1.0
[model]
kind = "kondo_heisenberg"
sites = 12
localized = [[3, 4], [8, 9]]
hopping = 1.0
J_sd = 0.5
J = 0.1
[state]
kind = "wave_packet"
"""
STEPS, SITES = 15, 12
TITLES = (
    "electrons per site", "spin of the electrons", "localized spins", "von Neumann entropies",
    "mutual information", "logarithmic negativity", "flipped spins", "Fisher information",
    "discarded weight", "drift of conserved quantities",
)  # fmt: skip
#: What `figures.figure` takes a valve by.
NEEDED = ("time", "localized", "spin", "log_negativity", "group_entropy")


def valve(*, drop: tuple[str, ...] = (), errors: tuple[str, ...] = ()) -> Result:
    """A made-up result of a valve with all variables, each of its own shape in time."""
    random = np.random.default_rng(3)
    time = np.arange(STEPS) * 2.0
    ramp = np.linspace(0, 1, STEPS)
    spin = np.zeros((STEPS, 4, 3))
    spin[:, :2, 2] = 1 - 0.3 * np.array([1.0, 0.8]) * np.clip(time - 5, 0, None)[:, None] / 30
    spin[:, 2:, 2] = -1 + 0.2 * np.array([1.0, 0.8]) * np.clip(time - 13, 0, None)[:, None] / 30
    magnons = 10.0 ** -np.arange(5) * ramp[:, None]
    magnons[:, 0] = 1 - magnons[:, 1:].sum(axis=1)
    magnons[:, 4] = 1e-12  # round-off: not worth a line
    arrays = {
        "time": (("time",), time),
        "time_fs": (("time",), 0.658 * time),
        "localized": (("localized",), np.array([3, 4, 8, 9])),
        "wavevector": (("wavevector",), np.array([np.pi / 6, np.pi / 2])),
        "spin": (("time", "localized", "axis"), spin),
        "electron_density": (("time", "site"), random.uniform(0, 1, (STEPS, SITES))),
        "electron_polarization": (("time", "axis"), random.uniform(-1, 1, (STEPS, 3))),
        "group_entropy": (("time", "part"), ramp[:, None] * [1.0, 0.5, 0.4]),
        "half_chain_entropy": (("time",), 0.7 * ramp),
        "mutual_information": (("time",), 0.3 * ramp**2),
        "log_negativity": (("time",), 0.04 * ramp**2),
        "magnon_probability": (("time", "magnons"), magnons),
        "w_probability": (("time",), 0.25 * magnons[:, 1]),
        "quantum_fisher_information": (("time", "wavevector"), ramp[:, None] * [2.0, 1.0]),
        "quantum_fisher_information_mixed": (("time", "wavevector"), ramp[:, None] * [1.0, 0.5]),
        "discarded_weight": (("time", "bond"), 1e-6 * ramp[:, None] * np.ones(SITES - 1)),
        "bond_dim": (("time", "bond"), np.full((STEPS, SITES - 1), 7)),
        "energy": (("time",), -1 + 1e-6 * time),
    }
    arrays |= {f"{name}_error": (arrays[name][0], 0.1 * arrays[name][1]) for name in errors}
    variables = {k: Variable(dims, v) for k, (dims, v) in arrays.items() if k not in drop}
    return Result(variables, {"config": CONFIG, "energy_ev": 1.0})


def panels(drawing: Figure) -> dict[str, Axes]:
    """Panels by the title of theirs that `TITLES` begins."""
    drawn = [ax for ax in drawing.axes if ax.get_title(loc="left").startswith("(")]
    letters = [ax.get_title(loc="left")[:3] for ax in drawn]
    assert letters == [f"({'abcdefghijkl'[k]})" for k in range(len(drawn))]
    return {t: ax for ax in drawn for t in TITLES if t in ax.get_title(loc="left")}


def line(ax: Axes, label: str) -> np.ndarray:
    (found,) = (one for one in ax.lines if str(one.get_label()).startswith(label))
    return np.asarray(found.get_ydata(), float)


def test_every_panel_is_there_in_femtoseconds() -> None:
    drawing = figures.figure(valve())
    found = panels(drawing)
    assert tuple(found) == TITLES
    lowest = list(found.values())[-2:]
    assert all(ax.get_xlabel() == "time (fs)" for ax in lowest)
    assert all("nat" in found[TITLES[k]].get_ylabel() for k in (3, 4, 5))
    assert "A small valve" in drawing.get_suptitle() and "4 localized" in drawing.get_suptitle()


def test_what_is_drawn_is_what_the_result_holds() -> None:
    result = valve()
    found = panels(figures.figure(result))
    charge = np.asarray(found["electrons per site"].collections[0].get_array())
    np.testing.assert_array_equal(charge.reshape(SITES, STEPS), result["electron_density"].T)
    for axis, name in enumerate("xyz"):
        drawn = line(found["spin of the electrons"], name)
        np.testing.assert_array_equal(drawn, result["electron_polarization"][:, axis])
    spins = [one for one in found["localized spins"].lines if len(one.get_xdata()) == STEPS]
    for k in range(4):
        np.testing.assert_array_equal(spins[k].get_xdata(), result["time_fs"])
        np.testing.assert_array_equal(spins[k].get_ydata(), result["spin"][:, k, 2])
    entropies = found["von Neumann entropies"]
    for k, name in enumerate(("both", "first", "second")):
        np.testing.assert_array_equal(line(entropies, name), result["group_entropy"][:, k])
    np.testing.assert_array_equal(line(entropies, "left half"), result["half_chain_entropy"])
    for title, name in (("mutual information", "mutual_information"),
                        ("logarithmic negativity", "log_negativity")):  # fmt: skip
        np.testing.assert_array_equal(found[title].lines[0].get_ydata(), result[name])
    fisher = found["Fisher information"]
    for k, wave in enumerate(("k = 0.167", "k = 0.5")):
        for name, suffix in (("variance", ""), ("mixed", "_mixed")):
            (drawn,) = (
                one.get_ydata() for one in fisher.lines
                if wave in str(one.get_label()) and name in str(one.get_label())
            )  # fmt: skip
            expected = result[f"quantum_fisher_information{suffix}"][:, k]
            np.testing.assert_array_equal(drawn, expected)


def test_magnons_on_a_logarithmic_axis_without_round_off() -> None:
    result = valve()
    ax = panels(figures.figure(result))["flipped spins"]
    assert ax.get_yscale() == "log"
    assert [str(one.get_label()) for one in ax.lines] == ["0", "1", "2", "3", "W"]
    for m in range(4):
        expected = result["magnon_probability"][:, m]
        shown = line(ax, f"{m}")
        np.testing.assert_array_equal(shown[expected > 0], expected[expected > 0])
        assert np.isnan(shown[expected == 0]).all()
    np.testing.assert_array_equal(line(ax, "W"), result["w_probability"])


def test_onsets_of_both_groups_are_marked() -> None:
    result = valve()
    ax = panels(figures.figure(result))["localized spins"]
    marks = [one.get_xdata()[0] for one in ax.lines if one.get_linestyle() == ":"]
    expected = []
    for members in ([0, 1], [2, 3]):
        mean = result["spin"][:, members, 2].mean(axis=1)
        expected.append(onset(result["time_fs"], mean))
    assert marks == pytest.approx(expected)


def test_sampled_runs_have_error_bands() -> None:
    sampled = ("log_negativity", "mutual_information", "group_entropy")
    result = valve(errors=sampled)
    found = panels(figures.figure(result))
    for title, name in (("mutual information", "mutual_information"),
                        ("logarithmic negativity", "log_negativity")):  # fmt: skip
        (band,) = found[title].collections
        assert to_rgb(band.get_facecolor()[0][:3]) == to_rgb(found[title].lines[0].get_color())
        heights = band.get_paths()[0].vertices[:, 1]
        value, error = result[name][-1], result[f"{name}_error"][-1]
        assert heights.max() == pytest.approx(value + error)
        assert np.isclose(heights, value - error).any()
    assert len(found["von Neumann entropies"].collections) == 3
    assert not panels(figures.figure(valve()))["logarithmic negativity"].collections


OPTIONAL = (
    (("w_probability",), TITLES),
    (("half_chain_entropy", "quantum_fisher_information_mixed"), TITLES),
    (("time_fs",), TITLES),
    (("discarded_weight", "bond_dim"), TITLES[:8] + TITLES[9:]),
    (("quantum_fisher_information", "quantum_fisher_information_mixed"), TITLES[:7] + TITLES[8:]),
    (("electron_density", "electron_polarization", "magnon_probability"), TITLES[2:6] + TITLES[7:]),
)  # fmt: skip


@pytest.mark.parametrize(("drop", "left"), OPTIONAL)
def test_a_file_without_optional_variables(drop: tuple[str, ...], left: tuple[str, ...]) -> None:
    drawing = figures.figure(valve(drop=drop))
    found = panels(drawing)
    assert tuple(found) == left
    if "time_fs" in drop:
        assert found[TITLES[-1]].get_xlabel() == r"time ($\hbar/\gamma$)"


def test_what_makes_a_valve_is_enough_to_draw_it(tmp_path: Path) -> None:
    everything = set(valve())
    least = valve(drop=tuple(everything - set(NEEDED)))
    assert tuple(panels(figures.figure(least))) == (TITLES[2], TITLES[3], TITLES[5])
    figures.save_figure(least, tmp_path / "valve.png")
    first = {name: Variable(v.dims, v.data[:1] if "time" in v.dims else v.data)
             for name, v in valve().variables.items()}  # fmt: skip
    figures.save_figure(Result(first, {"config": CONFIG}), tmp_path / "start.png")
