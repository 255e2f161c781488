"""Configuration: presets load, defaults fill in, and everything wrong is named in one line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import write_config

from tnspin.errors import InputError, nearest
from tnspin.results.toml_text import dumps, parse_override
from tnspin.runs.config import loading as config
from tnspin.solvers.exact import Exact
from tnspin.solvers.trajectories import Trajectories

NAMES = (
    "chain-impurity", "chain-lindblad", "chain-long", "chain-reaction-coordinate",
    "dimer-qllg", "edge-information", "hysteresis", "open-heisenberg",
    "stt-classical", "stt-collinear", "stt-noncollinear", "stt-strong",
    "valve-bath", "valve-pulse", "valve-scaling", "valve-single", "valve-thermal",
)  # fmt: skip
HBAR_FS = 0.6582119569  # hbar / eV in fs, CODATA


def test_every_preset_loads_and_says_what_it_is() -> None:
    assert config.preset_names() == NAMES
    for row in config.presets():
        assert (
            row["title"]
            and row["cost"]
            and any(journal in row["reproduces"] for journal in ("Phys. Rev. ", "New J. Phys. "))
        )
        config.load(row["name"])


def test_the_collinear_preset_has_the_numbers_of_the_paper() -> None:
    run = config.load("stt-collinear")
    model, solver = run.model, run.solver
    assert (model.sites, model.localized) == (75, (35, 36, 37, 38, 39))
    assert (model.hopping, model.J, model.Jz, model.J_sd) == (1.0, 0.1, 0.1005, 0.5)
    assert model.convention == "pauli"
    assert run.state is not None and run.state.n_electrons == 8
    assert run.state.well == 10 and run.state.well_depth == 10.0
    assert (solver.dt, solver.order, solver.bond_dim, solver.cutoff) == (0.1, 2, 400, 1e-7)
    assert run.time.stop == 60.0


def test_presets_differ_only_in_what_they_are_about() -> None:
    base = config.load("stt-collinear").as_dict()
    for name, section, key, value in (
        ("stt-noncollinear", "state", "polarization", "x"),
        ("stt-strong", "model", "J_sd", 2.0),
    ):
        other = config.load(name).as_dict()
        del other["about"]
        expected = {k: dict(v) for k, v in base.items() if k != "about"}
        expected[section][key] = value
        assert other == expected


def test_the_valve_presets_are_one_valve() -> None:
    """Those of four and four spins at 201 sites differ in temperature, bath and solver only."""
    base = config.load("valve-single")
    assert base.model.groups == ((90, 91, 92, 93), (120, 121, 122, 123))
    assert base.time.stop == pytest.approx(70 / HBAR_FS, rel=1e-9)
    for name in ("valve-thermal", "valve-bath"):
        other = config.load(name)
        assert other.model == base.model and other.time.stop == base.time.stop
        same = {"kind", "center", "momentum", "width", "polarization", "localized_spins"}
        before, after = base.as_dict()["state"], other.as_dict()["state"]
        assert all(before[key] == after[key] for key in same)
    kelvin = 100 * 8.617333262e-5
    assert config.load("valve-thermal").state.temperature == pytest.approx(kelvin)
    assert config.load("valve-bath").bath.temperature == pytest.approx(kelvin)
    # The spacer and the distance of the packet do not depend on the number of spins.
    large = config.load("valve-scaling").model
    (_, *_, last), (first, *_) = large.groups
    assert first - last - 1 == 26 and large.groups[0][0] == 90


@pytest.mark.parametrize("name", NAMES)
def test_the_full_text_reads_back_as_the_same_configuration(name: str) -> None:
    run = config.load(name)
    tables = tomllib.loads(run.to_toml())
    assert config.from_dict(tables).as_dict() == run.as_dict()
    if run.state is not None:
        assert tables["record"]["group_cutoff"] == 1e-8  # a default nobody wrote


REFUSED = {
    "solver.bond_dim=-1": ("solver.bond_dim = -1", "1 or more"),
    "solver.dt=0": ("solver.dt = 0", "above 0"),
    "solver.order=3": ("solver.order = 3", "1, 2, 4"),
    "solver.cutoff=2": ("solver.cutoff", "between 0 and 1"),
    "solver.cutoff=nan": ("solver.cutoff", "a number"),
    "solver.cutof=1e-7": ("solver.cutof", "did you mean 'cutoff'?"),
    "solver.kind=tebdd": ("solver.kind = 'tebdd'", "did you mean 'tebd'?"),
    "solver.kind=closed_form": ("solver.kind = 'closed_form'", "allowed: density_matrix, exact"),
    "model.kind=spin_dimmer": ("model.kind", "did you mean 'spin_dimer'?"),
    "model.localised=[1]": ("model.localised", "did you mean 'localized'?"),
    "model.localized=[80]": ("model.localized", "80", "0..74"),
    "model.sites=abc": ("model.sites = 'abc'", "whole number"),
    "model.convention=paulli": ("model.convention", "did you mean 'pauli'?"),
    "state.n_electrons=11": ("state.n_electrons", "11", "10"),
    "state.n_electrons=2.5": ("state.n_electrons", "2.5"),
    "state.elektrons=3": ("state.elektrons", "did you mean 'n_electrons'?"),
    "state.kind=grund": ("state.kind = 'grund'", "did you mean 'ground'?"),
    "state.localized_spins=left": ("state.localized_spins", "left"),
    "time.stop=-1": ("time.stop = -1", "0 or more"),
    "time.every=0": ("time.every = 0", "above 0"),
    "time=3": ("time=3", "SECTION.KEY=VALUE"),
    "tim.stop=3": ("tim", "did you mean 'time'?"),
    "bath.kind=universal_lindblad": ("bath.temperature", "missing"),
    "bath.kind=open_heisenbreg": ("bath.kind", "did you mean 'open_heisenberg'?"),
    "bath.gamma=0.1": ("bath.kind", "missing"),
    "time.stop=70 fs": ("time.stop = '70 fs'", "units.energy_ev"),
    "units.energy_ev=-1": ("units.energy_ev = -1", "above 0"),
    "units.energy=1": ("units.energy", "did you mean 'energy_ev'?"),
    "record.wavevectors=1.0": ("record.wavevectors", "list"),
    "record.group_cutoff=1.0": ("record.group_cutoff = 1.0", "between 0 and 1"),
    "record.group_largest=0": ("record.group_largest = 0", "1 or more"),
    "record.observables=[1]": ("record.observables", "text"),
    "solver.bond_dim": ("solver.bond_dim", "SECTION.KEY=VALUE"),
    "solver.bond_dim=@@": ("solver.bond_dim", "not a TOML value"),
    "model.sites.x=1": ("model.sites.x", "not a table"),
}


@pytest.mark.parametrize("override", REFUSED)
def test_bad_input_is_refused_with_the_key_and_what_is_allowed(override: str) -> None:
    with pytest.raises(InputError) as refusal:
        config.load("stt-collinear", [override])
    message = str(refusal.value)
    assert "\n" not in message
    for part in REFUSED[override]:
        assert part in message


def test_misspelt_presets_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'stt-collinear'"):
        config.load("stt-colinear")
    with pytest.raises(InputError, match="no such file"):
        config.load(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[model\n")
    with pytest.raises(InputError, match="not valid TOML"):
        config.load(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        config.load(broken)
    with pytest.raises(InputError, match="neither a preset nor a TOML file"):
        config.load(tmp_path)


def test_missing_tables_and_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.kind: missing"):
        config.load(write_config(tmp_path, ""))
    with pytest.raises(InputError, match=r"model\.sites: missing"):
        config.load(write_config(tmp_path, '[model]\nkind = "heisenberg"\n'))
    spins = '[model]\nkind = "heisenberg"\nsites = 4\n'
    with pytest.raises(InputError, match=r"state\.kind: missing"):
        config.load(write_config(tmp_path, spins))


def test_another_kind_drops_the_keys_of_the_old_one_but_not_those_asked_for() -> None:
    run = config.load("stt-collinear", ["state.n_electrons=1", "solver.kind=exact"])
    assert run.solver == Exact()
    with pytest.raises(InputError, match=r"solver\.dt"):
        config.load("stt-collinear", ["solver.dt=0.05", "solver.kind=exact"])
    packet = config.load("stt-collinear", ["state.center=20", "state.kind=wave_packet"])
    assert packet.state is not None and packet.state.polarization == "z"
    assert not hasattr(packet.state, "n_electrons")


UNITS = ["units.energy_ev=2.0"]


def test_texts_with_units_become_numbers_of_the_run() -> None:
    run = config.load(
        "stt-collinear",
        [*UNITS, "time.stop=70 fs", 'time.every="0.5fs"', "solver.kind=trajectories",
         "bath.kind=universal_lindblad", "bath.temperature=100 K", "bath.gamma=8 meV"],
    )  # fmt: skip
    assert run.time.stop == pytest.approx(70 / HBAR_FS * 2, rel=1e-9)
    assert run.time.every == pytest.approx(0.5 / HBAR_FS * 2, rel=1e-9)
    assert run.bath.temperature == pytest.approx(8.617333262e-3 / 2, rel=1e-9)
    assert run.bath.gamma == pytest.approx(0.004, rel=1e-12)
    tables = tomllib.loads(run.to_toml())
    assert tables["units"] == {"energy_ev": 2.0} and tables["time"]["stop"] == run.time.stop
    assert config.from_dict(tables).as_dict() == run.as_dict()


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("time.stop=70 K", ("time.stop = '70 K'", "unknown unit of time 'K'", "fs")),
        ("time.stop=70 fS", ("unknown unit", "did you mean 'fs'?")),
        ("time.stop=fs", ("time.stop = 'fs'", "a number with a unit")),
        ("time.stop=1e999 fs", ("time.stop", "a number with a unit")),
        ("time.stop=1.2.3 fs", ("time.stop", "a number with a unit")),
    ],
)
def test_wrong_units_are_refused(override: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as refusal:
        config.load("stt-collinear", [*UNITS, override])
    assert all(part in str(refusal.value) for part in parts)


BATH = ["bath.kind=universal_lindblad", "bath.temperature=0.1"]


def test_a_preset_without_its_bath_takes_any_solver() -> None:
    closed = config.load("chain-lindblad", ["solver.kind=exact", "bath.kind=none"])
    assert closed.bath is None and "bath" not in closed.as_dict()
    assert config.from_dict(tomllib.loads(closed.to_toml())).as_dict() == closed.as_dict()
    classical = config.load("chain-lindblad", ["solver.kind=llg", "bath.kind=none"])
    assert classical.classical is None, "what the run is itself, it does not have beside it"


def test_baths_belong_to_solvers_of_open_systems() -> None:
    for kind in ("tebd", "exact"):
        with pytest.raises(InputError, match=r"takes no \[bath\]; allowed: density_matrix, master"):
            config.load("stt-collinear", [*BATH, f"solver.kind={kind}"])
    for kind in ("trajectories", "master_equation"):
        run = config.load("stt-collinear", [*BATH, f"solver.kind={kind}"])
        assert run.bath.temperature == 0.1 and run.bath.sign == "kms"
        assert config.load("stt-collinear", [f"solver.kind={kind}"]).bath is None
        again = config.from_dict(tomllib.loads(run.to_toml()))
        assert again.bath == run.bath and again.as_dict() == run.as_dict()
        assert again.as_dict()["bath"]["coupling"] == "sum"


def test_trajectories_have_their_own_keys() -> None:
    run = config.load("stt-collinear", ["solver.kind=trajectories", "solver.seed=3"])
    wanted = Trajectories(seed=3)
    assert run.solver == wanted and (wanted.trajectories, wanted.chunk) == (200, 10)
    for bad in ("trajectories=0", "chunk=0", "seed=-1", "target_error=-1.0", "engine=fast"):
        with pytest.raises(InputError, match=rf"solver\.{bad.partition('=')[0]}"):
            config.load("stt-collinear", ["solver.kind=trajectories", f"solver.{bad}"])


def test_the_time_grid_does_not_depend_on_where_it_stops() -> None:
    short, long = config.Time(3.0, 0.3).points, config.Time(30.0, 0.3).points
    assert np.array_equal(short, long[: short.size]) and short.size == 11
    ragged = config.Time(1.0, 0.3)
    assert np.array_equal(ragged.points[:-1], ragged.grid) and ragged.points[-1] == 1.0
    assert config.Time(0.0, 1.0).points.tolist() == [0.0]


@given(st.integers(1, 400), st.sampled_from([0.1, 0.05, 0.3, 0.7, 1.0, 2.5]))
@settings(deadline=None, max_examples=80)
def test_a_stop_on_the_grid_adds_no_extra_point(steps: int, every: float) -> None:
    points = config.Time(round(steps * every, 10), every).points
    assert points.size == steps + 1
    assert np.diff(points).min() > 0.99 * every


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
        st.recursive(
            st.one_of(
                st.booleans(),
                st.integers(-(2**63), 2**63 - 1),
                st.floats(allow_nan=False, allow_infinity=False),
                st.text(st.characters(codec="utf-8")),
            ),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=6,
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(deadline=None, max_examples=150)
def test_toml_text_reads_back_exactly(table: dict[str, object]) -> None:
    assert tomllib.loads(dumps({"section": table})) == {"section": table}


def test_override_values_are_toml_and_bare_words_are_text() -> None:
    assert parse_override("solver.cutoff=1e-9") == (("solver", "cutoff"), 1e-9)
    assert parse_override("state.localized_spins=['up', 'down']")[1] == ["up", "down"]
    assert parse_override("solver.kind=exact") == (("solver", "kind"), "exact")
    assert parse_override("state.charges.N = 3") == (("state", "charges", "N"), 3)


def test_nearest_name() -> None:
    assert nearest("cutof", ["cutoff", "dt"]) == "; did you mean 'cutoff'?"
    assert nearest("zzz", ["cutoff", "dt"]) == ""
