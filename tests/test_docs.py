"""Every code block and every command line of the README and of the documentation works.

Pages that show Python files, in blocks that begin with `# NAME.py`, run as a whole: files, commands
and Python in their order.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
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
from tnspin.runs.config.sections import KINDS, TABLES
from tnspin.runs.config.sections import registry as kinds
from tnspin.runs.simulation import simulate
from tnspin.schema import plugins
from tnspin.schema.pages import keys_of_table

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
    """Write the files that a page shows, under the names in their first lines."""
    for code in blocks(ROOT / page, "toml"):
        (folder / (file_name(code) or "my.toml")).write_text(code)
    for code in blocks(ROOT / page, "python"):
        if file_name(code):
            (folder / file_name(code)).write_text(code)


def file_name(code: str) -> str:
    """Name in the first line of a block that is a file, "" for other blocks."""
    found = re.match(r"# (\S+\.(?:toml|py))\n", code)
    return found[1] if found else ""


LINES = lines_of_all_pages()


def test_there_is_something_to_test() -> None:
    assert len(LINES) > 40
    assert sum(bool(blocks(page, "python")) for page in PAGES) >= 3


@pytest.mark.parametrize(("page", "line"), LINES, ids=[line for _, line in LINES])
def test_commands(page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command line is understood, and its configuration is one."""
    monkeypatch.chdir(tmp_path)
    with_files_of(page, tmp_path)
    options = cli._parser().parse_args(arguments_of(line))
    for name in getattr(options, "use", ()):
        (tmp_path / name).touch()  # files that no page shows
    source = getattr(options, "config", "")
    if source and not re.fullmatch(r"[A-Z]+(\.toml)?", source):  # no placeholder
        use = [f"run.use={json.dumps(options.use)}"] if options.use else []
        config.load(source, [*use, *options.overrides])


def arguments_of(line: str) -> list[str]:
    """Arguments of a command line of tnspin, without comment and redirection."""
    return shlex.split(re.sub(r" > \S+$", "", line), comments=True)[1:]


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
    assert cli.main([*arguments_of(line), "-o", "run.h5"]) == 0
    assert cli.main(["info", "run.h5"]) == 0
    assert cli.main(["plot", "run.h5"]) == 0


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "toml")], ids=name_of)
def test_configurations(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with_files_of(name_of(page), tmp_path)
    use = json.dumps([file.name for file in tmp_path.glob("*.py")])
    for code in blocks(page, "toml"):
        path = tmp_path / "one.toml"
        path.write_text(code)
        if {"model", "state"} <= tomllib.loads(code).keys():
            config.load(path, [f"run.use={use}"])


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, marks=pytest.mark.slow if p.name == "README.md" else (), id=name_of(p))
        for p in PAGES
        if blocks(p, "python")
    ],
)
def test_python(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run one after the other, as a reader would type them.

    On pages that show Python files, the commands run as well.
    """
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")  # dataclasses look their module up
    monkeypatch.setitem(sys.modules, "page", module)
    if page.name == "README.md":  # reads the file of the run that its first lines make
        import xarray

        module.xarray = xarray
        assert cli.main(["run", "edge-information", "-o", "stt-pulse.h5", "--quiet"]) == 0
    shows_files = any(map(file_name, blocks(page, "python")))
    for language, code in in_order(page) if shows_files else python_of(page):
        if name := file_name(code):
            (tmp_path / name).write_text(code)
        elif language == "shell":
            for line in code.splitlines():
                assert cli.main(arguments_of(line)) == 0, line
        elif language == "python":
            exec(compile(code, name_of(page), "exec"), module.__dict__)


def in_order(page: Path) -> list[tuple[str, str]]:
    """Language and text of every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def python_of(page: Path) -> list[tuple[str, str]]:
    return [("python", code) for code in blocks(page, "python")]


@pytest.fixture(autouse=True)
def _forget_what_pages_register(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Classes and files of a page are unknown to the next test."""
    assert all(len(kinds(section)) for section in KINDS) and OBSERVABLES  # registered by now
    register = import_module("tnspin.schema.register")
    kept = {section: dict(known) for section, known in register._CLASSES.items()}
    monkeypatch.setattr(register, "_CLASSES", kept)
    monkeypatch.setattr(plugins, "_USED", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)
    monkeypatch.setattr(register, "_CLASSES", kept)
    monkeypatch.setattr(plugins, "_USED", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - modules:
        if not name.startswith("tnspin") and hasattr(sys.modules[name], "ts"):
            del sys.modules[name]  # a file of a page


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


def test_the_reference_of_keys_is_current() -> None:
    """`tnspin keys --markdown > docs/config.md` makes the page from the source.

    In a process of its own, where no test has registered anything.
    """
    command = [sys.executable, "-m", "tnspin", "keys", "--markdown"]
    made = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, encoding="utf-8")
    assert (DOCS / "config.md").read_text(encoding="utf-8") == made.stdout


def test_every_key_has_a_meaning() -> None:
    """A sentence for each key, each with the line that it has on the page."""
    text = (DOCS / "config.md").read_text(encoding="utf-8")
    tables = {section: [cls] for section, cls in TABLES.items()}
    tables |= {section: list(kinds(section).values()) for section in KINDS}
    for section, classes in tables.items():
        assert f"## `[{section}]`" in text
        for cls in (one for one in classes if one.__module__.startswith("tnspin.")):
            assert not cls.kind or f'### `{section}.kind = "{cls.kind}"`' in text
            for key in keys_of_table(cls):
                assert key.meaning.endswith("."), f"{section}.{cls.kind}: {key.name}"
                assert f"| `{key.name}` |" in text, f"{section}.{key.name}"
    assert "|  |" not in text


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
