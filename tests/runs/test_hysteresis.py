"""Hysteresis loops: thresholds in closed form, density matrices without loops, steady states."""

from __future__ import annotations

import numpy as np
import pytest
from open_systems import Lindblad
from small_runs import write_config

from tnspin import cli, figures
from tnspin.baths import OpenHeisenbergBath
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain, OpenHeisenbergChain
from tnspin.results.report import info_text, summary
from tnspin.results.result import Result
from tnspin.runs.config import loading as config
from tnspin.runs.hysteresis.loop import TILT, coercive_fields, hysteresis_loop, steady_spins
from tnspin.runs.simulation import simulate
from tnspin.solvers import evolve
from tnspin.states.initial.product import product

PRINTED = {"variant": "printed", "damping": 0.5, "tolerance": 1e-8}


@pytest.mark.parametrize("Vz", [0.5, 1.0])
def test_the_coercive_field_without_a_transverse_one_is_the_coupling(Vz):
    """A spin at the angle TILT turns over once B_z < -V_z cos(TILT), both ends of a chain at half
    of that (OHM Fig. 2b and the paragraph below Eq. 14)."""
    model = OpenHeisenbergChain(6, V=(0, 0, Vz), field=(0, 0, 0))
    middle = Vz * np.cos(TILT)
    near = [s * b * f for s in (1, -1) for b in (middle, middle / 2) for f in (0.96, 1.04)]
    fields = [-2.0, *near, 2.0]
    start = product(model, ["z"]).to_mps()
    loop = hysteresis_loop(model, start, fields, hold=800.0, **PRINTED)
    found = coercive_fields(loop.fields, loop.spins[:, :, 2, 2])
    np.testing.assert_allclose(found, [-middle, middle], atol=0.041 * Vz)
    ends = coercive_fields(loop.fields, loop.spins[:, :, 0, 2])
    np.testing.assert_allclose(ends, [-middle / 2, middle / 2], atol=0.021 * Vz)
    # Turning the axes over turns the loop over.
    np.testing.assert_allclose(loop.spins[0, :, :, 2], -loop.spins[1, ::-1, :, 2], atol=1e-6)
    assert loop.area() == pytest.approx(4 * Vz * (4 + 2 / 2) / 6, rel=0.05)


def test_a_transverse_field_stronger_than_the_anisotropy_leaves_no_loop():
    model = OpenHeisenbergChain(5, V=(0, 0, 1), field=(1, 1, 0))
    start = product(model, ["z"]).to_mps()
    loop = hysteresis_loop(model, start, np.linspace(-2, 2, 9), **PRINTED)
    np.testing.assert_allclose(loop.spins[0], loop.spins[1], atol=1e-6)


def test_spins_along_the_field_stay_there_unless_they_are_tilted():
    model = OpenHeisenbergChain(3, V=(0, 0, 1), field=(0, 0, 0))
    start = product(model, ["z"]).to_mps()
    loop = hysteresis_loop(model, start, [-2.0, 2.0], tilt=0.0, **PRINTED)
    np.testing.assert_allclose(loop.spins[..., 2], 1.0, atol=1e-12)


def test_classical_spins_switch_at_the_anisotropy_field():
    """Stoner-Wohlfarth: K n_z^2 S^2 turns over at B = 2 K S, -dE/dS = B + 2 K S n_z."""
    model = HeisenbergChain(2, spin=2, J=0, anisotropy=0.25)
    start = product(model, ["z"]).to_mps()
    fields = [-2, -1.04, -0.95, 0.95, 1.04, 2]
    loop = hysteresis_loop(
        model, start, fields, solver="llg", damping=0.5, dt=0.1, hold=600.0, tilt=0.02
    )
    found = coercive_fields(loop.fields, loop.magnetization[..., 2])
    np.testing.assert_allclose(found, [-0.995, 0.995], atol=1e-3)


def test_density_matrices_have_no_loop_but_one_steady_state():
    """Both branches come to the null vector of the superoperator, however they started."""
    model = OpenHeisenbergChain(3, V=(1, 2, 1), field=(1, 1, 0))
    bath = OpenHeisenbergBath(gamma=0.2)
    fields = [-1.5, 0.0, 1.25]
    start = product(model, ["x"]).to_vector()
    loop = hysteresis_loop(
        model, start, fields, solver="master_equation", bath=bath, hold=250.0, settled=1e-9
    )
    steady = steady_spins(model, fields, bath=bath)
    np.testing.assert_allclose(loop.spins[0], steady, atol=1e-5)
    np.testing.assert_allclose(loop.spins[1], steady, atol=1e-5)
    assert loop.residual.max() < 1e-6 and not loop.discarded.any()
    for k, value in enumerate(fields):
        here = OpenHeisenbergChain(3, V=model.V, field=(1, 1, value))
        generator = Lindblad(here, bath.jump_operators(here)).generator
        rho = np.linalg.svd(generator)[2][-1].conj().reshape(8, 8)
        rho /= np.trace(rho)
        for site, sites in enumerate(here.local_sites):
            for a, axis in enumerate("xyz"):
                one = np.kron(np.kron(np.eye(2**site), sites.op(f"S{axis}")), np.eye(4 >> site))
                wanted = 2 * np.trace(one @ rho).real
                assert steady[k, site, a] == pytest.approx(wanted, abs=1e-7)


def test_loops_of_density_matrices_close_as_the_field_is_held():
    model = OpenHeisenbergChain(2, V=(0, 0, -1), field=(0.3, 0, 0))
    start = product(model, ["z"]).to_vector()
    areas = [
        hysteresis_loop(
            model, start, np.linspace(-1, 1, 5), solver="master_equation",
            bath=OpenHeisenbergBath(gamma=0.2), hold=hold,
        ).area()
        for hold in (5.0, 20.0, 80.0)
    ]  # fmt: skip
    assert abs(areas[0]) > 5 * abs(areas[1]) > 25 * abs(areas[2])


def test_matrix_product_density_matrices_do_the_same():
    model = OpenHeisenbergChain(3, V=(0.5, 0.1, 0.1), field=(0.25, 0.25, 0))
    bath, fields = OpenHeisenbergBath(gamma=0.3), [-1.0, 0.5, 1.0]
    options = {"bath": bath, "hold": 20.0}
    start = product(model, ["x"])
    dense = hysteresis_loop(model, start.to_vector(), fields, solver="master_equation", **options)
    found = hysteresis_loop(
        model, start.to_mps(), fields, solver="density_matrix", dt=0.1, order=2, **options
    )
    np.testing.assert_allclose(found.spins, dense.spins, atol=1e-3)
    assert found.discarded.max() > 0


def test_crossings_and_area():
    fields = np.linspace(-2, 2, 5)
    down, up = np.array([-1, -1, 1, 1, 1]), np.array([-1, -1, -1, 1, 1])
    np.testing.assert_allclose(coercive_fields(fields, np.array([down, up])), [-0.5, 0.5])
    assert np.isnan(coercive_fields(fields, np.ones((2, 5)))).all()


# ---------------------------------------------------------------------- through configurations

LOOP = """
    [model]
    kind = "open_heisenberg"
    sites = 3
    V = [0.0, 0.0, 1.0]
    field = [0.0, 0.0, 0.0]

    [state]
    kind = "product"
    directions = ["z"]

    [solver]
    kind = "mean_field"
    variant = "printed"
    damping = 0.5
    tolerance = 1e-7

    [hysteresis]
    largest = 1.5
    steps = 6
    hold = 100.0
"""
EXACT = (
    "solver.kind=master_equation", "bath.kind=open_heisenberg", "classical.kind=mean_field",
    "model.field=[0.2, 0.0, 0.0]", "hysteresis.steps=2", "hysteresis.hold=10.0",
)  # fmt: skip


def load(tmp_path, *overrides):
    return config.load(write_config(tmp_path, LOOP), overrides)


def test_a_loop_from_the_command_to_the_figure(tmp_path, capsys):
    path = tmp_path / "loop.h5"
    text = write_config(tmp_path, LOOP)
    assert cli.main(["run", str(text), "-o", str(path)]) == 0
    assert "M passes zero" in capsys.readouterr().out
    result = Result.load(path)
    data = result.to_xarray()
    assert data["magnetization"].dims == ("branch", "field", "axis")
    assert list(data["branch"].values) == ["down", "up"]
    assert float(data["magnetization"].sel(branch="down", field=0.0)[2]) > 0.99
    assert float(data["magnetization"].sel(branch="up", field=0.0)[2]) < -0.99
    assert "loop_spin" in info_text(result) and "area" in summary(result, "x.h5")
    assert cli.main(["plot", str(path)]) == 0 and path.with_suffix(".png").stat().st_size > 1e4


def test_what_the_figure_of_a_loop_shows(tmp_path):
    result = simulate(load(tmp_path, *EXACT))
    along, across, change = figures.figure(result).axes
    solid = [line for line in along.lines if line.get_linestyle() == "-"][:2]
    dashed = [line for line in along.lines if line.get_linestyle() == "--"]
    for branch in (0, 1):
        np.testing.assert_array_equal(
            solid[branch].get_ydata(), result["magnetization"][branch, :, 2]
        )
        mean_field = result["loop_classical_spin"].mean(axis=2)[branch, :, 2]
        np.testing.assert_array_equal(dashed[branch].get_ydata(), mean_field)
    marks = [line for line in along.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(marks[0].get_ydata(), result["steady_spin"].mean(axis=1)[:, 2])
    assert "M_x" in across.get_ylabel() and change.get_yscale() == "log"


@pytest.mark.parametrize(
    "overrides, match",
    [
        (["hysteresis.axis=w"], "hysteresis.axis"),
        (["hysteresis.hold=0"], "hysteresis.hold"),
        (["hysteresis.largest=-1"], "hysteresis.largest"),
        (["solver.kind=tebd"], "does not take its own states back"),
        (["solver.kind=master_equation", "hysteresis.tilt=0.1"], "hysteresis.tilt"),
        (["solver.kind=master_equation", "classical.kind=llg"], "allowed: mean_field"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, overrides, match):
    with pytest.raises(InputError, match=match):
        load(tmp_path, *overrides)


def test_models_without_a_field_are_refused():
    model = KondoHeisenbergChain(sites=3, localized=[1])
    with pytest.raises(InputError, match="has no field"):
        hysteresis_loop(model, None, [-1, 1])
    with pytest.raises(InputError, match="two different"):
        hysteresis_loop(OpenHeisenbergChain(3), None, [1.0])


def test_the_noise_of_every_field_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time begins anew at each field; with one seed each would have the noise of the first."""
    model = HeisenbergChain(2, spin=2, J=0)
    start = product(model, ["x"]).to_mps()
    seeds = []

    def remembered(*arguments, **keys):
        seeds.append(keys["solver"].seed)
        return evolve(*arguments, **keys)

    monkeypatch.setattr("tnspin.runs.hysteresis.loop.evolve", remembered)
    keys = {"solver": "llg", "hold": 1.0, "settled": 0.0, "tilt": 0.0, "damping": 0.1, "dt": 0.05}
    loops = [
        hysteresis_loop(model, start, [-0.1, 0.0, 0.1], temperature=0.5, seed=seed, **keys)
        for seed in (3, 3, 4)
    ]
    assert len(seeds) == 18 and len(set(seeds)) == 12
    np.testing.assert_array_equal(loops[0].spins, loops[1].spins)
    assert np.abs(loops[0].spins - loops[2].spins).max() > 0.1
