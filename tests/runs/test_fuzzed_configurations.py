"""Whatever stands in a configuration: a valid run, or one line that says what is wrong."""

from __future__ import annotations

import contextlib
import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tnspin.cli import main
from tnspin.errors import InputError
from tnspin.results.toml_text import dumps, loads
from tnspin.runs.config import loading as config
from tnspin.runs.config.sections import keys_of
from tnspin.runs.config.sections import registry as kinds

TABLES = {name: config.read_tables(name)[1] for name in config.preset_names()}
KINDS = {
    "model": (*kinds("model"), "heisenburg"),
    "state": ("confined_electrons", "wave_packet", "product", "ground", "bell", "werner", "gibbs"),
    "bath": (*kinds("bath"), "none"),
    "solver": tuple(kinds("solver")),
    "classical": ("llg", "mean_field", "hybrid", "none"),
}
SECTIONS = (*KINDS, "time", "record", "units", "hysteresis", "about")


def nested(depth: int) -> Any:
    value: Any = 1.0
    for _ in range(depth):
        value = [value]
    return value


NUMBERS = st.sampled_from(
    [0, 1, -1, 2, 3, 0.5, -0.0, 10**6, 2**63, -(2**70), 10**400, 1e-320, 1e-70, 1e300, -1e308,
     float("nan"), float("inf"), -float("inf")]
)  # fmt: skip
WORDS = st.sampled_from(
    ["", "up", "exact", "x", "none", "1 fs", "1e300 K", "µ☃", "a\0b", "9" * 20000]
)
DATES = st.just(tomllib.loads("x = 2020-01-01")["x"])
LEAVES = NUMBERS | st.booleans() | WORDS | DATES | st.floats() | st.integers() | st.text(max_size=5)
VALUES = (
    LEAVES
    | st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
    | st.sampled_from([50, 3000]).map(nested)
    | st.dictionaries(st.sampled_from(["a", "kind", "", "sites"]), LEAVES, max_size=2)
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Tables of a preset with one to three changes."""
    tables: dict[str, Any] = copy.deepcopy(TABLES[draw(st.sampled_from(sorted(TABLES)))])
    for _ in range(draw(st.integers(1, 3))):
        section = draw(st.sampled_from(SECTIONS))
        table = tables.setdefault(section, {})
        if not isinstance(table, dict):
            continue
        change = draw(st.sampled_from(["value", "value", "kind", "drop", "rename", "section"]))
        keys = sorted({*table, *_names(section, table)})
        if change == "section":
            tables[section] = draw(VALUES)
        elif change == "kind" and section in KINDS:
            kind = draw(st.sampled_from(KINDS[section]))
            tables |= config.with_overrides(tables, [f"{section}.kind='{kind}'"])
        elif keys:
            key = draw(st.sampled_from(keys))
            old = table.pop(key, 1)
            if change == "value":
                table[key] = draw(VALUES)
            elif change == "rename":
                table[draw(st.sampled_from(["", "ünïcode ☃", key + "s"]))] = old
    return tables


def _names(section: str, table: dict[str, Any]) -> tuple[str, ...]:
    return keys_of(section, str(table.get("kind"))) if section in KINDS else ()


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(mutated())
def test_any_tables_are_a_run_or_an_input_error(tables: dict[str, Any]) -> None:
    try:
        run = config.from_dict(tables)
    except InputError as refusal:
        assert len(str(refusal).splitlines()) == 1 or "\\n" in repr(tables)
        return
    assert config.from_dict(loads(run.to_toml())).as_dict() == run.as_dict()


@pytest.mark.parametrize(
    ("preset", "override"),
    [
        ("chain-impurity", "model.sites=1000000000"),
        ("chain-impurity", "model.spin=1e9"),
        ("valve-bath", "state.width=1e300"),
        ("valve-bath", "state.width=1e9 & state.center=20.5"),
        ("stt-collinear", "state.n_electrons=1" + "0" * 400),
        ("stt-collinear", "time.every=1e-30"),
        ("stt-collinear", "time.stop=1" + "0" * 5000),
        ("stt-collinear", "model.localized=" + "[" * 3000 + "]" * 3000),
        ("stt-collinear", "time.stop=1979-05-27"),
        ("stt-collinear", "time.stop=1\n[x]"),
        ("hysteresis", "hysteresis.steps=10000000"),
        ("dimer-qllg", "state.bell=['psi-']"),
        ("stt-collinear", "classical=1"),
        ("stt-collinear", "solver.kind=['exact']"),
        ("stt-collinear", "model.kind={a=1}"),
    ],
)
def test_what_the_fuzzer_found_is_one_line_and_status_2(
    preset: str, override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TNSPIN_DEBUG", "1")
    changes = [word for one in override.split(" & ") for word in ("--set", one)]
    assert main(["run", preset, *changes]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and not list(tmp_path.iterdir())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.text(max_size=12), key=st.sampled_from(["", "time.stop", "x.y", "model.kind", "a"]))
def test_any_text_after_set_is_an_override_or_an_input_error(text: str, key: str) -> None:
    with contextlib.suppress(InputError):
        config.load("stt-collinear", [f"{key}={text}"])


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"[model", b"model = " + b"[" * 5000, b"a.b = 1" + b"0" * 5000, b"\0" * 9,
     b"x = nan", b"[time]\nstop = 2020-01-01", dumps({"solver": {"kind": "tebd"}}).encode()],
)  # fmt: skip
def test_any_file_is_status_2(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TNSPIN_DEBUG", "1")
    Path("bad.toml").write_bytes(content)
    assert main(["run", "bad.toml"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]
