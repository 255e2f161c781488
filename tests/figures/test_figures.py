"""Figures: the right one is chosen, and what it shows is what the result holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tnspin import figures
from tnspin.errors import InputError
from tnspin.figures import movie
from tnspin.results.result import Result, Variable

CONFIG = """
[about]
title = "a small pulse"
[model]
kind = "kondo_heisenberg"
sites = 12
localized = [6, 7]
hopping = 1.0
J_sd = 0.5
J = 0.1
[state]
n_electrons = 3
"""


def pulse(steps: int = 9, axis: int = 2, sites: int = 12) -> Result:
    """A made-up result with the variables of a Kondo run."""
    random = np.random.default_rng(1)
    time = np.arange(steps) * 0.5
    density = random.uniform(0, 1, (steps, sites))
    electron_spin = np.zeros((steps, sites, 3))
    electron_spin[:, :, axis] = density
    spin = np.zeros((steps, 2, 3))
    spin[:, :, 2] = np.linspace(-1, 0.4, steps)[:, None]
    growth = np.linspace(0, 1, steps)[:, None] * np.ones(sites - 1)
    arrays = {
        "time": (("time",), time),
        "localized": (("localized",), np.array([6, 7])),
        "spin": (("time", "localized", "axis"), spin),
        "electron_density": (("time", "site"), density),
        "electron_spin": (("time", "site", "axis"), electron_spin),
        "entropy": (("time", "bond"), growth),
        "discarded_weight": (("time", "bond"), 1e-6 * growth),
        "bond_dim": (("time", "bond"), (1 + 9 * growth).astype(int)),
        "energy": (("time",), -3 + 1e-5 * time),
        "particle_number": (("time",), np.full(steps, 3.0)),
    }
    variables = {name: Variable(dims, data) for name, (dims, data) in arrays.items()}
    return Result(variables, {"config": CONFIG})


def test_the_pulse_figure_has_six_lettered_panels_with_units() -> None:
    result = pulse()
    drawing = figures.figure(result)
    panels = [ax for ax in drawing.axes if ax.get_title(loc="left").startswith("(")]
    assert [ax.get_title(loc="left")[:3] for ax in panels] == [f"({c})" for c in "abcdef"]
    assert panels[4].get_xlabel() == panels[5].get_xlabel() == r"time ($\hbar/\gamma$)"
    assert "nat" in panels[3].get_ylabel() and panels[0].get_ylabel() == "site"
    title = drawing.get_suptitle()
    assert "3 electrons" in title and "12 sites" in title and "2 localized spins" in title


def test_the_maps_and_lines_hold_the_numbers_of_the_result() -> None:
    result = pulse()
    panels = figures.figure(result).axes
    charge = np.asarray(panels[0].collections[0].get_array())
    np.testing.assert_array_equal(charge.reshape(12, 9), result["electron_density"].T)
    for k in range(2):
        np.testing.assert_array_equal(panels[2].lines[k].get_ydata(), result["spin"][:, k, 2])
    # The cut in the middle of 12 sites lies between sites 5 and 6, which is bond 5.
    np.testing.assert_array_equal(panels[3].lines[0].get_ydata(), result["entropy"][:, 5])
    assert panels[3].lines[0].get_label() == "cut 5|6"


def test_an_odd_chain_is_cut_as_in_the_paper() -> None:
    """75 sites: between 37 and 38, with 38 sites to the left."""
    assert figures.figure(pulse(sites=75)).axes[3].lines[0].get_label() == "cut 37|38"


def test_a_noncollinear_pulse_shows_the_component_of_the_electrons() -> None:
    panels = figures.figure(pulse(axis=0)).axes
    assert "electron spin, x" in panels[1].get_title(loc="left")
    assert panels[2].get_title(loc="left").endswith("localized spins, x dashed")
    styles = [line.get_linestyle() for line in panels[2].lines[:4]]
    assert styles == ["-", "-", "--", "--"]


def test_small_rotations_are_enlarged_and_large_ones_keep_one_scale() -> None:
    result = pulse()
    assert figures.figure(result).axes[2].get_ylim() == (-1.06, 1.06)
    data = result["spin"].copy()
    data[:, :, 2] = np.linspace(-1, -0.9, len(data))[:, None]
    variables = result.variables | {"spin": Variable(("time", "localized", "axis"), data)}
    low, high = figures.figure(Result(variables, result.attrs)).axes[2].get_ylim()
    assert -1.02 < low < -1 and -0.9 < high < -0.85


def test_late_times_are_marked_where_too_much_was_discarded() -> None:
    result = pulse()
    discarded = 1e5 * result["discarded_weight"]
    variables = result.variables | {"discarded_weight": Variable(("time", "bond"), discarded)}
    for drawn, count in ((result, 0), (Result(variables, result.attrs), 1)):
        for panel in figures.figure(drawn).axes[2:4]:
            assert len(panel.patches) == count
            assert ("not converged" in panel.get_title(loc="right")) == bool(count)


def valve(discarded: float = 1e-6) -> Result:
    """A made-up result with the variables of two electrons in a spin valve of 1 + 1 spins."""
    result = pulse()
    time = result["time"]
    grown = np.linspace(0, 1, time.size)
    more: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "electron_polarization": (("time", "axis"), np.zeros((time.size, 3))),
        "group_entropy": (("time", "part"), grown[:, None] * [1.0, 0.8, 0.6]),
        "half_chain_entropy": (("time",), grown),
        "mutual_information": (("time",), 0.4 * grown),
        "log_negativity": (("time",), np.zeros(time.size)),
        "magnon_probability": (("time", "magnons"), np.stack([1 - grown, grown, 0 * grown], 1)),
        "w_probability": (("time",), grown / 2),
        "quantum_fisher_information": (("time", "wavevector"), grown[:, None] * [1.0, 2.0]),
        "wavevector": (("wavevector",), np.array([np.pi / 6, np.pi / 2])),
        "discarded_weight": (("time", "bond"), discarded * grown[:, None] * np.ones(11)),
    }
    variables = {name: Variable(dims, data) for name, (dims, data) in more.items()}
    attrs = {"config": CONFIG.replace("[6, 7]", "[[6], [7]]")}
    return Result({**result.variables, **variables}, attrs)


def test_the_valve_figure_says_once_from_when_on_it_is_not_converged() -> None:
    for discarded, count in ((1e-6, 0), (1e-2, 1)):
        drawing = figures.figure(valve(discarded))
        panels = {ax.get_title(loc="left")[:3]: ax for ax in drawing.axes if ax.get_title("left")}
        assert list(panels) == [f"({c})" for c in "abcdefghij"]
        for letter in "bcdefgh":
            assert len(panels[f"({letter})"].patches) == count, letter
        for letter in "aij":
            assert not panels[f"({letter})"].patches, letter
        assert ("not converged" in drawing.get_suptitle()) == bool(count)
        # A second title would lie on the first.
        assert not any(ax.get_title(loc="right") for ax in drawing.axes)


def test_lines_of_the_valve_figure_are_clear_of_the_frame_and_the_legend() -> None:
    panels = figures.figure(valve()).axes
    by_title = {ax.get_title(loc="left")[5:]: ax for ax in panels}
    negativity = by_title["logarithmic negativity of the ferromagnets"]
    assert negativity.get_ylim()[0] < 0 < 1e-3 < negativity.get_ylim()[1]
    magnons = by_title["probability of m flipped spins, and of the W state"]
    legend = magnons.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["0", "1", "W"]
    assert magnons.get_ylim()[1] > 10
    assert magnons.get_yticks().max() == 1


def test_a_single_time_can_be_drawn(tmp_path: Path) -> None:
    figures.save_figure(pulse(steps=1), tmp_path / "one.png")


def test_runs_without_electrons_get_a_panel_for_each_variable() -> None:
    result = pulse()
    keep = ("time", "localized", "spin", "entropy", "energy")
    spins = Result({name: result.variables[name] for name in keep}, result.attrs)
    drawing = figures.figure(spins)
    titles = [ax.get_title(loc="left") for ax in drawing.axes if ax.get_title(loc="left")]
    assert titles == ["(a)  spin", "(b)  entropy", "(c)  energy"]
    nothing = Result({"time": result.variables["time"]}, {})
    with pytest.raises(InputError, match="nothing to draw"):
        figures.figure(nothing)


def test_a_movie_has_one_frame_for_each_time(tmp_path: Path) -> None:
    path = tmp_path / "pulse.gif"
    movie.save_movie(pulse(), path)
    with Image.open(path) as image:
        assert image.n_frames == 9  # type: ignore[attr-defined]
    assert [p.name for p in tmp_path.iterdir()] == ["pulse.gif"]


def test_movie_formats(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a movie is a \.gif or \.mp4"):
        movie.save_movie(pulse(), tmp_path / "pulse.avi")
    if shutil.which("ffmpeg") is None:
        with pytest.raises(InputError, match="ffmpeg"):
            movie.save_movie(pulse(), tmp_path / "pulse.mp4")
    else:
        movie.save_movie(pulse(), tmp_path / "pulse.mp4")


def test_errors_are_bands_and_femtoseconds_the_axis_of_other_figures() -> None:
    time, value = np.arange(5.0), np.linspace(0.0, 0.2, 5)
    variables = {
        "time": Variable(("time",), time),
        "time_fs": Variable(("time",), 0.66 * time, "fs"),
        "log_negativity": Variable(("time",), value, "nat"),
        "log_negativity_error": Variable(("time",), 0.1 * value, "nat"),
    }
    (panel,) = figures.figure(Result(variables, {"config": CONFIG})).axes
    assert panel.get_xlabel() == "time (fs)"
    assert np.array_equal(panel.lines[0].get_xdata(), 0.66 * time)
    heights = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(0.22)


def test_an_entangled_chain_with_baths_shows_its_neel_order() -> None:
    time = np.linspace(0, 4, 5)
    spin = np.zeros((5, 4, 3))
    spin[..., 2] = np.array([0.2, -0.1, 0.1, -0.1])
    arrays = {
        "time": (("time",), time),
        "localized": (("localized",), np.arange(4)),
        "spin": (("time", "localized", "axis"), spin),
        "log_negativity": (("time",), 1.0 - 0.1 * time),
        "neel_overlap": (("time",), np.full(5, 0.6)),
    }
    variables = {name: Variable(dims, data) for name, (dims, data) in arrays.items()}
    config = '[model]\nkind = "heisenberg"\nsites = 4\nspin = 2.5\n[bath]\ntemperature = 0.01\n'
    drawing = figures.figure(Result(variables, {"config": config}))
    titles = [ax.get_title(loc="left") for ax in drawing.axes]
    assert [text[:3] for text in titles] == ["(a)", "(b)", "(c)"]
    assert len(drawing.axes[0].lines) == 5  # four spins and zero
    assert drawing.axes[2].get_ylim()[0] == 0
    heading = drawing.get_suptitle()
    assert "S = 5/2" in heading and "T = 0.01" in heading
