"""Figures of several results and of sweeps: what is compared, how lines are called, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from small_runs import write_config
from small_sweeps import CHAIN

from tnspin.cli import main
from tnspin.errors import InputError
from tnspin.figures import figure, overlay_figure, sweep_figure
from tnspin.figures.comparison import quantities, runs_of
from tnspin.results.result import Result, Variable
from tnspin.results.toml_text import loads
from tnspin.runs.config.loading import from_dict, load
from tnspin.runs.simulation import simulate
from tnspin.runs.sweep.collect import gather
from tnspin.runs.sweep.grid import grid_of


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, CHAIN, "chain")


def run(*overrides: str) -> Result:
    return simulate(load("chain.toml", ("time.stop=0.4", *overrides)))


def words(drawing: Figure) -> list[str]:
    return [text.get_text() for legend in drawing.legends for text in legend.get_texts()]


def test_lines_are_called_by_the_keys_that_differ() -> None:
    results = [run(), run("model.J=2.0"), run("model.J=2.0", "time.every=0.2")]
    drawing = overlay_figure(results, ["a", "b", "c"])
    assert words(drawing) == ["J = 1, every = 0.1", "J = 2, every = 0.1", "J = 2, every = 0.2"]
    # The first panel shows what is in the files.
    lines = quantities(results)
    for result, drawn in zip(results, drawing.axes[0].lines, strict=True):
        np.testing.assert_array_equal(drawn.get_xdata(), result["time"])
        np.testing.assert_array_equal(drawn.get_ydata(), lines[0].value(result))
    assert len({drawn.get_linestyle() for drawn in drawing.axes[0].lines}) == 3
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in drawing.axes]
    assert "(a)" in titles[0] and any("entropy" in title for title in titles)
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in drawing.axes)


def test_equal_configurations_go_by_their_names() -> None:
    assert words(overlay_figure([run(), run()], ["one", "two"])) == ["one", "two"]
    assert words(overlay_figure([run(), run()], ["one", "one"])) == ["one (1)", "one (2)"]


def test_many_lines() -> None:
    results = [run(f"model.J={value}.0") for value in range(1, 9)]
    drawing = overlay_figure(results, list("abcdefgh"))
    assert words(drawing)[-1] == "J = 8"
    assert len({str(line.get_color()) for line in drawing.axes[0].lines}) == 8


def test_what_is_not_converged_is_faint() -> None:
    result = run()
    late = Result(result.variables, result.attrs | {"converged_until": 0.2, "config": ""})
    drawing = overlay_figure([result, late], ["all", "some"])
    full, solid, faint = drawing.axes[0].lines
    assert np.isfinite(full.get_ydata()).all() and faint.get_alpha() == 0.3
    assert list(np.isfinite(solid.get_ydata())) == [True, True, True, False, False]
    np.testing.assert_array_equal(faint.get_xdata(), result["time"][2:])
    assert "not converged" in str(drawing.get_suptitle())


def test_statistical_errors_are_bands() -> None:
    result = run()
    error = Variable(("time", "localized", "axis"), np.full_like(result["spin"], 0.1))
    sampled = Result({**result.variables, "spin_error": error}, result.attrs)
    drawing = overlay_figure([result, sampled], ["exact", "sampled"])
    assert len(drawing.axes[0].collections) == 1


def test_overlays_as_typed(capsys: pytest.CaptureFixture[str]) -> None:
    run().save("a.h5")
    run("model.J=2.0").save("b.h5")
    assert main(["plot", "a.h5", "b.h5"]) == 0
    assert Path("a-overlay.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["plot", "a.h5", "b.h5", "-o", "both.pdf"]) == 0
    assert Path("both.pdf").read_bytes()[:4] == b"%PDF"
    assert main(["plot", "a.h5", "b.h5", "--movie"]) == 2
    assert main(["plot", "a.h5", "none.h5"]) == 2
    assert main(["run", "edge-information", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["plot", "a.h5", "edge-information.h5"]) == 2
    assert "nothing in common" in capsys.readouterr().err
    assert main(["plot", "edge-information.h5", "edge-information.h5", "-o", "e.png"]) == 0


def test_times_in_fs_and_without_are_refused() -> None:
    result = run()
    fs = Variable(("time",), result["time"] * 0.66, "fs", "time")
    other = Result({**result.variables, "time_fs": fs}, result.attrs)
    with pytest.raises(InputError, match="fs"):
        overlay_figure([result, other], ["a", "b"])


def test_loops_lie_on_each_other() -> None:
    sets = ["hysteresis.largest=1.0", "hysteresis.steps=4", "hysteresis.hold=2.0"]
    loops = [
        simulate(load("hysteresis", [*sets, "model.sites=2", f"hysteresis.tilt={tilt}"]))
        for tilt in (0.01, 0.1)
    ]
    drawing = overlay_figure(loops, ["a", "b"])
    assert len(drawing.axes) == 3 and words(drawing) == ["tilt = 0.01", "tilt = 0.1"]
    line = drawing.axes[2].lines[0]
    assert line.get_xdata()[0] == line.get_xdata()[-1] == loops[0]["field"][0]


@pytest.mark.parametrize("over", [["model.J=1.0,2.0,4.0"], ["solver.kind=exact,tebd"],
                                  ["model.J=1.0,2.0", "time.stop=0.2,0.4"]])  # fmt: skip
def test_figure_of_a_sweep(over: list[str]) -> None:
    grid = grid_of("chain.toml", over)
    results = {one: simulate(from_dict(loads(one.config.to_toml()))) for one in grid.runs[1:]}
    collection = gather(grid, results)
    runs = runs_of(collection)
    # What has been put together comes apart again.
    for one, result in results.items():
        again = runs[one.place]
        for name in ("time", "spin", "energy", "entropy"):
            np.testing.assert_allclose(again[name], result[name], rtol=0, atol=1e-9)
    drawing = sweep_figure(collection)
    assert "1 of" in str(drawing.get_suptitle()) and "missing" in str(drawing.get_suptitle())
    rows = len(drawing.axes) // 2
    assert drawing.axes[rows].get_xlabel() in {text.partition("=")[0] for text in over}
    assert len(words(drawing)) == len(results)
    ends = np.concatenate([line.get_ydata() for line in drawing.axes[rows].lines])
    last = sorted(quantities(list(runs.values()))[0].value(one)[-1] for one in runs.values())
    np.testing.assert_allclose(sorted(ends[np.isfinite(ends)]), last)
    figure(collection)


def test_sweep_without_a_run_has_no_figure() -> None:
    with pytest.raises(InputError, match="nothing to draw"):
        figure(gather(grid_of("chain.toml", ["model.J=1,2"]), {}))
