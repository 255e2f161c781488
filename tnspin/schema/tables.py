"""A table of plain values becomes a dataclass: strict keys, checked types, one-line refusals."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from tnspin.errors import InputError, nearest

__all__ = ["check_keys", "check_plain", "construct", "fields_of", "require"]

T = TypeVar("T")

#: Limits no sensible configuration comes near: lists in lists, whole numbers, characters.
_DEEPEST, _LARGEST, _HUGE, _LONGEST = 8, 2**53, 1e60, 10_000


def fields_of(cls: type) -> tuple[str, ...]:
    """Names a table may use for this dataclass."""
    return tuple(field.name for field in dataclasses.fields(cls) if field.init)


def check_keys(section: str, table: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Refuse the first key of a table that is not allowed, naming the nearest one that is."""
    allowed = tuple(allowed)
    for key, value in table.items():
        if key not in allowed:
            dotted = f"{section}.{key}" if section else key
            shown = "" if isinstance(value, Mapping) else f" = {value!r}"
            names = ", ".join(allowed) + nearest(key, allowed)
            raise InputError(f"{dotted}{shown}: no such key; allowed: {names}")


def check_plain(key: str, value: Any, depth: int = 0) -> None:
    """Refuse what no key takes: NaN and infinity, dates, numbers and texts without measure.

    Parameters
    ----------
    key
        Dotted key, for messages; "" for a whole configuration.
    value
        What TOML gave, tables included.
    """
    if depth > _DEEPEST:  # the value itself is not shown: it may be too deep to print
        raise InputError(f"{key}: must not be nested more than {_DEEPEST} deep")
    if isinstance(value, Mapping):
        for name, item in value.items():
            shown = name if len(name) < 80 else name[:80] + "..."
            check_plain(f"{key}.{shown}" if key else shown, item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            check_plain(key, item, depth + 1)
    elif isinstance(value, int):
        if abs(value) > _LARGEST:
            raise InputError(f"{key}: must be a number of at most 2**53 = {_LARGEST:.1e}")
    elif isinstance(value, float):
        require(math.isfinite(value), key, value, "a number, neither NaN nor infinite")
        # Squares and quotients of these must not overflow.
        if value and not 1 / _HUGE <= abs(value) <= _HUGE:
            raise InputError(f"{key} = {value!r}: must be 0, or between 1e-60 and 1e60 in size")
    elif isinstance(value, str):
        if len(value) > _LONGEST or "\0" in value:
            raise InputError(f"{key}: must be a text of at most {_LONGEST} characters, none NUL")
    else:
        raise InputError(f"{key} = {value!s}: must be a number, true, false, a text or a list")


def require(condition: bool, key: str, value: Any, allowed: str) -> None:
    """Raise `InputError` naming the key, its value and what is allowed, unless it holds."""
    if not condition:
        raise InputError(f"{key} = {value!r}: must be {allowed}")


def construct(cls: type[T], section: str, table: Mapping[str, Any]) -> T:
    """Build a dataclass from a table of plain values.

    Parameters
    ----------
    cls
        Dataclass whose type hints say what each key may hold.
    section
        Name of the table, for messages.
    table
        Keys and values as TOML gives them.

    Raises
    ------
    InputError
        For an unknown key, a value of the wrong type, a missing key, or whatever the dataclass
        itself refuses.
    """
    check_keys(section, table, fields_of(cls))
    hints = typing.get_type_hints(cls)
    for key, value in table.items():
        if not _matches(value, hints[key]):
            raise InputError(f"{section}.{key} = {value!r}: must be {_describe(hints[key])}")
    for field in dataclasses.fields(typing.cast(Any, cls)):
        has_default = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if field.init and not has_default and field.name not in table:
            raise InputError(
                f"{section}.{field.name}: missing; must be {_describe(hints[field.name])}"
            )
    return cls(**{key: _frozen(value) for key, value in table.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _matches(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_matches(value, one) for one in arguments)
    if origin is Literal:
        return value in arguments
    if hint is float:
        return _is_number(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool):
        return isinstance(value, hint)
    if hint is type(None):
        return value is None
    if isinstance(origin, type) and issubclass(origin, Sequence | Iterable):
        return _matches_items(value, arguments)
    return True  # a hint this reader does not know: the dataclass checks for itself


def _matches_items(value: Any, arguments: tuple[Any, ...]) -> bool:
    if not isinstance(value, list | tuple):
        return False
    if len(arguments) > 1 and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(_matches, value, arguments))
    return not arguments or all(_matches(item, arguments[0]) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _describe(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_describe(a) for a in arguments if a is not type(None)))
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in arguments)
    names = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
    if hint in names:
        return names[hint]
    if len(arguments) > 1 and arguments[-1] is not Ellipsis:
        return "[" + ", ".join(_describe(a) for a in arguments) + "]"
    return f"a list, each item {_describe(arguments[0])}" if arguments else "another value"
