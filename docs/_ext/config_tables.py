"""Tables of configuration keys, observables and presets as Markdown, from the code itself."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

from tnspin.observables import OBSERVABLES
from tnspin.runs.config import config, settings
from tnspin.runs.config.kinds import kinds
from tnspin.schema.checks import describe
from tnspin.states.initial import STATES

#: Table of the file -> the dataclasses that it may become.
SECTIONS: dict[str, tuple[type, ...]] = {
    "model": tuple(kinds("model").values()),
    "bath": tuple(kinds("bath").values()),
    "solver": tuple(kinds("solver").values()),
    "time": (settings.Time,),
    "record": (settings.Record,),
    "classical": tuple(kinds("classical").values()),
    "hysteresis": (settings.Hysteresis,),
    "units": (settings.Units,),
    "about": (settings.About,),
}


def config_keys() -> str:
    """Every table of a configuration: its kinds, their keys, types and defaults."""
    parts = []
    for section, classes in SECTIONS.items():
        parts.append(f"## `[{section}]`\n")
        for cls in classes:
            if hasattr(cls, "kind"):
                parts.append(f'### `{section}.kind = "{cls.kind}"`\n')
            parts.append(_entry(cls, _fields(cls)))
        if section == "model":
            parts.append("## `[state]`\n")
            for kind, cls in STATES.items():
                parts.append(f'### `state.kind = "{kind}"`\n')
                parts.append(_entry(cls, _fields(cls)))
    return "\n".join(parts)


def observables() -> str:
    """Name, dimensions, units and meaning of everything that a run can record."""
    rows = ["| name | dimensions | units | meaning |", "|---|---|---|---|"]
    for one in OBSERVABLES.values():
        cells = (f"`{one.kind}`", ", ".join(one.dims), one.units, one.long_name)
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(rows) + "\n"


def preset_list() -> str:
    """The shipped presets, as `tnspin presets` lists them."""
    rows = ["| preset | what | reproduces | cost |", "|---|---|---|---|"]
    for row in config.presets():
        cells = (f"`{row['name']}`", *(row.get(key, "") for key in ("title", "reproduces", "cost")))
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(rows) + "\n"


def _entry(source: Any, keys: Iterator[tuple[str, str, str]]) -> str:
    text, said = _docstring(source)
    rows = [
        f"| `{name}` | {_cell(kind)} | {_cell(default)} | {_cell(said.get(name, ''))} |"
        for name, kind, default in keys
    ]
    if not rows:
        return f"{text}\n"
    head = "| key | type | default | meaning |\n|---|---|---|---|\n"
    return f"{text}\n\n{head}" + "\n".join(rows) + "\n"


def _fields(cls: Any) -> Iterator[tuple[str, str, str]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        required = field.default is dataclasses.MISSING
        yield (
            field.name,
            describe(hints[field.name]),
            _default(None if required else field.default, required),
        )


def _default(value: Any, required: bool) -> str:
    if required:
        return "required"
    if value is None or value == ():
        return "none"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, float):
        return f"`{value:.6g}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(_default(item, False).strip("`") for item in value) + "]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _docstring(source: Any) -> tuple[str, dict[str, str]]:
    """First part of a docstring as Markdown, and what its numpydoc section says of each key."""
    text = inspect.getdoc(source) or ""
    head, *sections = re.split(r"\n(\w+)\n-{3,}\n", text)
    said: dict[str, str] = {}
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title != "Parameters":
            continue
        items = re.split(r"^(\w[\w, *]*?)(?: : [^\n]*)?$", body, flags=re.MULTILINE)
        for names, what in zip(items[1::2], items[2::2], strict=True):
            said |= dict.fromkeys(names.split(", "), _markdown(what))
    return _markdown(head), said


def _markdown(text: str) -> str:
    """Docstring text (reStructuredText) as Markdown."""

    def formula(match: re.Match[str]) -> str:
        return "\n$$\n" + inspect.cleandoc(match[1]) + "\n$$\n\n"

    text = re.sub(
        r"^ *\.\. math::\s*\n?((?:[ \t]*\n| {3,}.*\n?)+)", formula, text, flags=re.MULTILINE
    )
    text = re.sub(r"^ *\.\. math:: (.*\n(?: +.*\n)*)", formula, text, flags=re.MULTILINE)
    return text.replace("``", "`").replace("::\n", ":\n").strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
