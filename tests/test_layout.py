"""The rooms of the package: their order, one direction, no circles, nothing loose at the root."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tnspin as ts

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tnspin"
#: Data flow down this list; the README and docs/index.md show it.
ROOMS = (
    "schema", "numerics", "operators", "models", "mps", "results", "states", "observables",
    "baths", "solvers", "figures", "runs",
)  # fmt: skip
FIRST = ("errors", "units", "version")
LAST = ("__init__", "__main__", "cli")


def module_of(path: Path) -> str:
    return ".".join(("tnspin", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


FILES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def rank(module: str) -> int:
    """Position in the direction of imports; ``errors``, ``units`` and ``version`` are first."""
    room = room_of(module)
    if room in FIRST:
        return -1
    return len(ROOMS) if room in LAST else ROOMS.index(room)


def base_of(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".") if FILES[module].name == "__init__.py" else module.split(".")[:-1]
    return ".".join(
        [*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])]
    )


def imports_of(module: str) -> set[str]:
    """Modules of the package that a module imports: anywhere in it, and by name in a string."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = base_of(node, module)
            found |= {f"{base}.{alias.name}" for alias in node.names} & FILES.keys()
            if any(f"{base}.{alias.name}" not in FILES for alias in node.names):
                found.add(base)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} & FILES.keys()  # for import_module
    return {one for one in found if one in FILES and one != "tnspin"} - {module}


IMPORTS = {module: imports_of(module) for module in FILES}


def test_nothing_is_loose_at_the_root():
    files = {path.stem for path in PACKAGE.glob("*.py")}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert files == {*FIRST, *LAST}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("module", FILES)
def test_imports_go_one_way(module):
    upward = {one for one in IMPORTS[module] if rank(one) > rank(module)}
    assert not upward, f"{module} imports from a later room"
    if rank(module) < len(ROOMS):
        assert not {one for one in IMPORTS[module] if room_of(one) in LAST}


def without_leaves(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The graph without modules that lead nowhere, again and again."""
    left = {module: set(found) for module, found in graph.items()}
    while leaves := {module for module, found in left.items() if not found & left.keys()}:
        left = {module: found for module, found in left.items() if module not in leaves}
    return left


def test_no_circle():
    """What is left without modules that import none of the rest, and that none imports."""
    left = without_leaves(IMPORTS)
    backwards = {one: {other for other in left if one in left[other]} for one in left}
    assert not list(without_leaves(backwards))


def test_the_readme_and_the_documentation_list_the_rooms_once():
    for page in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        listed = re.findall(r"^\| `(\w+)/` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert tuple(listed) == ROOMS, page


def test_every_name_of_the_top_level_loads():
    assert len(set(ts.__all__)) == len(ts.__all__)
    for name in ts.__all__:
        assert getattr(ts, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ts.nothing  # noqa: B018
