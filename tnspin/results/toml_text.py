"""TOML: reading, writing, and dotted overrides from the command line."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.schema.checks import check_plain


def loads(text: str) -> dict[str, Any]:
    """Read TOML text.

    Raises
    ------
    tomllib.TOMLDecodeError
        If it is none, or numbers in it are too long or lists in it too deep to be read.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("nested too deep") from error
    except ValueError as error:  # more digits than Python turns into a number
        raise tomllib.TOMLDecodeError(str(error)) from error


def parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    """Split ``KEY=VALUE`` into the parts of the dotted key and the TOML value.

    A bare word such as ``exact`` is taken as text, since shells eat the quotes of ``"exact"``; so
    is a number with a unit, ``70 fs``.

    Raises
    ------
    InputError
        If there is no ``=``, the key is not dotted, or the value is not TOML.
    """
    key, equals, value = text.partition("=")
    parts = tuple(part.strip() for part in key.split("."))
    if not equals or len(parts) < 2 or not all(parts):
        raise InputError(f"--set {text!r}: expected SECTION.KEY=VALUE, for instance time.stop=30")
    value = value.strip()
    try:
        tables = loads(f"value = {value}")
        if len(tables) == 1 and "\n[" not in value:
            check_plain(".".join(parts), tables["value"])
            return parts, tables["value"]
    except tomllib.TOMLDecodeError:
        if re.fullmatch(r"[A-Za-z_][\w+-]*|[-+.\deE]+\s*[A-Za-zµ]+", value):
            return parts, value
    raise InputError(
        f"--set {key.strip()}: {value!r} is not a TOML value (a number, true, false, 'text' or a "
        "[list])"
    )


def with_value(data: Mapping[str, Any], parts: Iterable[str], value: Any) -> dict[str, Any]:
    """Return a copy of nested tables with the value at a dotted key replaced or added."""
    result = copy.deepcopy(dict(data))
    *tables, last = parts
    table = result
    for depth, name in enumerate(tables, start=1):
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {'.'.join((*tables, last))}: {'.'.join(tables[:depth])} "
                             "is a value, not a table")  # fmt: skip
    table[last] = value
    return result


def plain(value: Any) -> Any:
    """Reduce a value to what TOML and JSON know: numbers, text, booleans, lists and tables."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    return value


def dumps(data: Mapping[str, Any]) -> str:
    """Write tables of plain values as TOML text that reads back as the same values."""
    lines: list[str] = []
    for name, table in data.items():
        if not table:
            continue
        lines += [f"[{name}]", *(f"{key} = {literal(value)}" for key, value in table.items()), ""]
    return "\n".join(lines)


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested tables into one table with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def literal(value: Any) -> str:
    """Write a plain value as TOML."""
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str | bool):
        # As in JSON, but for the one control character that JSON takes as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int | float):
        return repr(value)  # the shortest text that reads back as the same double
    raise TypeError(f"{type(value).__name__} has no TOML form")
