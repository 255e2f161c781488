"""One page of the API for each room of the package, and one for the names of ``import tnspin``."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterable, Iterator

import tnspin

#: Modules outside the rooms.
LOOSE = ("errors", "units", "version", "cli")


def pages() -> dict[str, str]:
    """Text of every page by its path below the generated ones, and of their list."""
    rooms = [info.name for info in pkgutil.iter_modules(tnspin.__path__) if info.ispkg]
    texts = {"names": _names()}
    texts |= {room: _page(f"tnspin.{room}", _modules(room)) for room in rooms}
    texts["loose"] = _page("Modules outside the rooms", [f"tnspin.{name}" for name in LOOSE])
    listing = _heading("Reference of the modules", "=") + "\n.. toctree::\n   :maxdepth: 1\n\n"
    listing += "".join(f"   {page}\n" for page in texts)
    return {f"api/{page}.rst": text for page, text in texts.items()} | {"api/index.rst": listing}


def _names() -> str:
    """One line for each name that ``import tnspin as ts`` offers."""
    parts = [_heading("Names of tnspin", "="), "``import tnspin as ts`` gives:\n"]
    for name in tnspin.__all__:
        one = getattr(tnspin, name)
        if not name.startswith("__"):
            said = (inspect.getdoc(one) or "").split("\n\n")[0].replace("\n", " ")
            link = f":py:obj:`{name} <{one.__module__}.{name}>`"
            parts.append(f"{link}\n    {said.replace('|', chr(92) + '|')}\n")
    return "\n".join(parts)


def _modules(room: str) -> Iterator[str]:
    """A room and all modules in it, those of folders after their folder."""
    yield f"tnspin.{room}"
    path = [f"{folder}/{room}" for folder in tnspin.__path__]
    for info in pkgutil.walk_packages(path, f"tnspin.{room}."):
        yield info.name


def _page(title: str, modules: Iterable[str]) -> str:
    parts = [_heading(title, "=")]
    for module in modules:
        parts.append(f"{_heading(module, '-')}\n.. automodule:: {module}\n")
    return "\n".join(parts)


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"
