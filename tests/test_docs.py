"""Every code block and every command line of the README and of the documentation works."""

from __future__ import annotations

import re
import shlex
import sys
import textwrap
import tomllib
import types
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tnspin import cli
from tnspin.observables import OBSERVABLES
from tnspin.runs.config import loading as config
from tnspin.runs.config.sections import registry as kinds
from tnspin.runs.simulation import simulate
from tnspin.schema.table import fields_of
from tnspin.states.initial import STATES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, *sorted(
    path for path in DOCS.rglob("*.md") if not path.relative_to(DOCS).parts[0].startswith("_")
)]  # fmt: skip
#: Presets that take a second or two: their commands are carried out.
SMALL = ("dimer-qllg", "edge-information")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """Code of one language: fenced blocks with its name, or indented ones that look like it."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for code in re.findall(r"(?:^    .*\n+)+", without_fences(text), re.MULTILINE):
        if kind(textwrap.dedent(code)) == language:
            found.append(textwrap.dedent(code))
    return found


def without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def kind(code: str) -> str:
    """Language of an indented block."""
    if re.match(r"(tnspin|make|pytest|python3?|\.venv/\S+) ", code):
        return "shell"
    return "toml" if code.startswith("[") else "python"


def commands(page: Path) -> Iterator[str]:
    """Command lines of tnspin in shell blocks and in the text, complete ones only."""
    for block in blocks(page, "shell"):
        yield from re.findall(r"^(?:\S*/)?(tnspin .*)$", block, re.MULTILINE)
    for chunk in re.split(r"\n\s*\n|\n(?=\|)", without_fences(page.read_text(encoding="utf-8"))):
        base = ""  # what further options of the same sentence or row belong to
        for code in (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", chunk)):
            if re.match(r"tnspin \S+ \S", code):
                yield code
                base = code if code.startswith("tnspin run ") else base
            elif base and code.startswith("--set "):
                yield f"{base} {code}"


def lines_of_all_pages() -> list[tuple[str, str]]:
    found = {line: name_of(page) for page in PAGES for line in commands(page)}
    return [(page, line) for line, page in found.items()]


def with_files_of(page: str, folder: Path) -> None:
    """The configuration files that a page writes, under the names that it uses for them."""
    for code in blocks(ROOT / page, "toml"):
        name = re.match(r"# (\S+\.toml)", code)
        (folder / (name[1] if name else "my.toml")).write_text(code)


LINES = lines_of_all_pages()


def test_there_is_something_to_test() -> None:
    assert len(LINES) > 40
    assert sum(bool(blocks(page, "python")) for page in PAGES) >= 3


@pytest.mark.parametrize(("page", "line"), LINES, ids=[line for _, line in LINES])
def test_commands(page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command line is understood, and its configuration is one."""
    monkeypatch.chdir(tmp_path)
    with_files_of(page, tmp_path)
    options = cli._parser().parse_args(shlex.split(line, comments=True)[1:])
    source = getattr(options, "config", "")
    if source and not re.fullmatch(r"[A-Z]+(\.toml)?", source):  # no placeholder
        config.load(source, getattr(options, "overrides", ()))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, marks=() if "edge-information" in line else pytest.mark.slow, id=line)
        for _, line in LINES
        if line.split()[1] == "run" and line.split()[2] in SMALL
    ],
)
def test_small_runs(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run, what it says, and its figure, as typed."""
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(line, comments=True)[1:]
    assert cli.main([*arguments, "-o", "run.h5"]) == 0
    assert cli.main(["info", "run.h5"]) == 0
    assert cli.main(["plot", "run.h5"]) == 0


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "toml")], ids=name_of)
def test_configurations(page: Path, tmp_path: Path) -> None:
    for code in blocks(page, "toml"):
        path = tmp_path / "my.toml"
        path.write_text(code)
        if {"model", "state"} <= tomllib.loads(code).keys():
            config.load(path)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, marks=pytest.mark.slow if p.name == "README.md" else (), id=name_of(p))
        for p in PAGES
        if blocks(p, "python")
    ],
)
def test_python(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The blocks of a page run one after the other, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    protect_registries(request)
    module = types.ModuleType("page")  # dataclasses look their module up
    monkeypatch.setitem(sys.modules, "page", module)
    if page.name == "README.md":  # reads the file of the run that its first lines make
        import xarray

        module.xarray = xarray
        assert cli.main(["run", "edge-information", "-o", "stt-pulse.h5", "--quiet"]) == 0
    for code in blocks(page, "python"):
        exec(compile(code, name_of(page), "exec"), module.__dict__)


def protect_registries(request: pytest.FixtureRequest) -> None:
    """What a page registers is forgotten after it."""
    assert OBSERVABLES and STATES  # registered by now
    for name, registry in (
        ("baths", "CUTOFFS"), ("models", "MODELS"), ("schema.register", "_CLASSES"),
    ):  # fmt: skip
        table = getattr(import_module(f"tnspin.{name}"), registry)
        before = {key: dict(one) if isinstance(one, dict) else one for key, one in table.items()}
        request.addfinalizer(lambda table=table, before=before: restore(table, before))


def restore(table: dict[str, object], before: dict[str, object]) -> None:
    table.clear()
    table.update(before)


def test_every_preset_has_a_study() -> None:
    text = "".join(with_includes(page) for page in (DOCS / "studies").glob("*.md"))
    for preset in config.preset_names():
        assert f"tnspin run {preset}" in text, preset


def with_includes(page: Path) -> str:
    """Text of a page, with the parts of other files that it shows."""

    def part(include: re.Match[str]) -> str:
        options = dict(re.findall(r"^:([\w-]+): ?(.*)$", include[2], re.MULTILINE))
        text = (page.parent / include[1]).read_text(encoding="utf-8")
        return text.split(options["start-after"])[1].split(options["end-before"])[0]

    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```{include} (\S+)\n(.*?)^```", part, text, flags=re.DOTALL | re.MULTILINE)


def test_every_figure_has_a_command_a_thumbnail_and_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import figures
    from claims import FOUND

    rows = {row.name: row for row in figures.rows()}
    assert len(rows) == sum(line.count("![](") for line in README.read_text().splitlines())
    assert rows.keys() == {path.stem for path in figures.THUMBNAILS.glob("*.png")}
    assert len(rows) > 40 and rows.keys() == FOUND.keys()
    for line in README.read_text(encoding="utf-8").splitlines():
        if figures.Row.of(line) is not None:
            assert len(line.strip().strip("|").split(" | ")) == 5
            assert line.strip().strip("|").split(" | ")[-1].strip(), line


def test_numbers_found_replace_the_last_column_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import figures

    text = README.read_text(encoding="utf-8")
    assert figures.renewed(text, {}) == text
    changed = figures.renewed(text, {"fate-half": "nothing"}).splitlines()
    different = [b for a, b in zip(text.splitlines(), changed, strict=True) if a != b]
    assert len(different) == 1 and different[0].endswith("| builds up, stays above 0 | nothing |")


def test_scripts_exist() -> None:
    for page in PAGES:
        for script in re.findall(r"scripts/\w+\.py", page.read_text(encoding="utf-8")):
            assert (ROOT / script).is_file(), f"{name_of(page)}: {script}"


def test_every_key_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference of keys, made from the source, has every table, kind and key."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import config_tables

    text = config_tables.config_keys()
    assert set(config_tables.SECTIONS) | {"state"} == set(config._SECTIONS)
    for section, classes in config_tables.SECTIONS.items():
        assert f"## `[{section}]`" in text
        for cls in classes:
            for key in fields_of(cls):
                assert f"| `{key}` |" in text, f"{section}.{key}"
    for section in ("model", "bath", "solver", "classical"):
        for name in kinds(section):
            assert f'kind = "{name}"`' in text


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("dimer-qllg", ["time.stop=0.1"]),
        ("edge-information", []),
        ("stt-classical", ["time.stop=1"]),
        ("valve-pulse", ["state.n_electrons=2", "time.stop=1", "solver.bond_dim=20"]),
        ("hysteresis", ["model.sites=3", "hysteresis.steps=2", "hysteresis.hold=1"]),
        (
            "stt-collinear",
            ["state.n_electrons=1", "time.stop=1", "solver.bond_dim=20", "model.sites=41"],
        ),
    ],
)
def test_what_files_hold_is_documented(preset: str, overrides: list[str]) -> None:
    """Every variable, dimension and attribute of a result is on the page about files."""
    result = simulate(config.load(preset, overrides))
    text = (DOCS / "file-format.md").read_text(encoding="utf-8")
    names = {name for name in result if name not in OBSERVABLES}
    dims = {dim for variable in result.variables.values() for dim in variable.dims}
    for name in names | dims | set(result.attrs):
        assert f"`{name}`" in text, name
