"""Pages about tables: keys, types, defaults and meaning, from the classes themselves."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from tnspin.schema.checks import describe
from tnspin.schema.table import hints_of


class Key(NamedTuple):
    """One key of a table: name, allowed values, default and meaning, in words."""

    name: str
    allowed: str
    default: str
    meaning: str


def keys_of_table(cls: type) -> list[Key]:
    """Keys of a table, in the order of the class."""
    meanings = {name: text for one in reversed(cls.__mro__) for name, text in _parameters(one)}
    hints = hints_of(cast(Any, cls))
    return [
        Key(field.name, describe(hints[field.name]), _default(field), meanings.get(field.name, ""))
        for field in dataclasses.fields(cast(Any, cls))
        if field.init
    ]


def summary_of(cls: type) -> str:
    """First paragraph of the docstring of a class, in one line."""
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


def text_table(cls: type) -> str:
    """A table for a terminal: one paragraph for each key."""
    rows = []
    for key in keys_of_table(cls):
        rows.append(f"  {key.name}: {key.allowed} ({key.default})\n      {key.meaning}")
    return "\n".join(rows) or "  no keys"


def markdown_table(cls: type) -> str:
    """A table in Markdown, after the docstring of the class."""
    head = _markdown(re.split(r"\n\w+\n-{3,}\n", inspect.getdoc(cls) or "")[0])
    keys = keys_of_table(cls)
    rows = [f"| `{key.name}` | {' | '.join(map(cell, key[1:]))} |" for key in keys]
    if rows:
        rows = ["", "| key | allowed | default | meaning |", "|---|---|---|---|", *rows]
    return "\n".join([head, *rows]) + "\n"


def _parameters(cls: type) -> Iterator[tuple[str, str]]:
    """Names and meanings of the numpydoc section ``Parameters`` of a class's own docstring."""
    text = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    _, *sections = re.split(r"\n(\w+)\n-{3,}\n", text)
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title != "Parameters":
            continue
        items = re.split(r"^(\w[\w, *]*?)(?: : [^\n]*)?$", body, flags=re.MULTILINE)
        for names, meaning in zip(items[1::2], items[2::2], strict=True):
            for name in names.split(", "):
                yield name, " ".join(_markdown(inspect.cleandoc(meaning)).split())


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "required"
    value = field.default
    if value is dataclasses.MISSING:
        value = cast(Any, field.default_factory)()
    return "none" if value is None or value == () else f"`{_literal(value)}`"


def _literal(value: Any) -> str:
    """A value in the syntax of TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return str(value)


def _markdown(text: str) -> str:
    """Docstring text (reStructuredText) as Markdown."""

    def formula(match: re.Match[str]) -> str:
        lines = (line.strip() for line in inspect.cleandoc(match[1]).splitlines())
        return "\n$$\n" + "\n".join(lines) + "\n$$\n\n"  # indented text would be code

    text = re.sub(
        r"^ *\.\. math::\s*\n?((?:[ \t]*\n| {3,}.*\n?)+)", formula, text, flags=re.MULTILINE
    )
    text = re.sub(r"^ *\.\. math:: (.*\n(?: +.*\n)*)", formula, text, flags=re.MULTILINE)
    text = re.sub(r":(?:math|class|func):`([^`]*)`", r"`\1`", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text.replace("``", "`").replace("::\n", ":\n").strip()


def cell(text: str) -> str:
    """Text for a cell of a Markdown table: one line, without what would be HTML or a new cell."""
    parts = " ".join(text.split()).replace("|", r"\|").split("`")
    parts[::2] = [part.replace("<", r"\<") for part in parts[::2]]  # the others are code
    return "`".join(parts)
