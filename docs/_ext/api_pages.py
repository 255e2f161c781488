"""One page of the API per package, and per group of modules at the top of tnspin."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterable

import tnspin

#: Page -> title and the modules on it; modules named nowhere are on the last page.
TOP = {
    "problems": ("Problems", "units sites terms compile operators sparse basis mpo"),
    "from_states": (
        "From states to numbers",
        "snapshot measures entanglement fisher magnons averages trajectory_distance onsets",
    ),
    "states_at_hand": (
        "Kinds of states",
        "vector density ensemble spectral low_rank group_state group_bases edge_state adapters",
    ),
    "results": ("Results", "checksums result record checkpoint lock report progress errors"),
    "runs": (
        "Configurations and runs",
        "config schema toml_text preparation simulation forecast cli",
    ),
    "others": ("Other modules", ""),
}


def pages() -> dict[str, str]:
    """Text of every page by its path below the generated ones, and of their list."""
    found = {info.name: info.ispkg for info in pkgutil.iter_modules(tnspin.__path__)}
    named = {name for _, names in TOP.values() for name in names.split()}
    texts = {"names": _names()}
    for page, (title, names) in TOP.items():
        alone = [name for name, is_package in found.items() if not is_package]
        rest = [name for name in alone if name not in named and name != "__main__"]
        modules = [name for name in names.split() if name in found] or rest
        texts[page] = _page(title, [f"tnspin.{name}" for name in modules])
    for name in (name for name, is_package in found.items() if is_package):
        texts[name] = _page(f"tnspin.{name}", _package(name))
    listing = _heading("Reference of the modules", "=") + "\n.. toctree::\n   :maxdepth: 1\n\n"
    listing += "".join(f"   {page}\n" for page in texts)
    return {f"api/{page}.rst": text for page, text in texts.items()} | {"api/index.rst": listing}


def _names() -> str:
    """What ``import tnspin as ts`` offers, in a line each."""
    parts = [_heading("Names of tnspin", "="), "``import tnspin as ts`` gives:\n"]
    for name in tnspin.__all__:
        one = getattr(tnspin, name)
        if not name.startswith("__"):
            said = (inspect.getdoc(one) or "").split("\n\n")[0].replace("\n", " ")
            link = f":py:obj:`{name} <{one.__module__}.{name}>`"
            parts.append(f"{link}\n    {said.replace('|', chr(92) + '|')}\n")
    return "\n".join(parts)


def _package(name: str) -> list[str]:
    path = [f"{folder}/{name}" for folder in tnspin.__path__]
    inside = sorted(info.name for info in pkgutil.iter_modules(path))
    return [f"tnspin.{name}", *(f"tnspin.{name}.{one}" for one in inside)]


def _page(title: str, modules: Iterable[str]) -> str:
    parts = [_heading(title, "=")]
    for module in modules:
        parts.append(f"{_heading(module, '-')}\n.. automodule:: {module}\n")
    return "\n".join(parts)


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"
