"""Checks of single values: the type hint of a key decides, and a refusal is one line.

A refusal names the key, the value, what is allowed and, for names, the nearest valid one.
"""

from __future__ import annotations

import math
import numbers
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from tnspin.errors import InputError, nearest
from tnspin.schema.types import Range

#: Limits no sensible configuration comes near: lists in lists, whole numbers, characters.
_DEEPEST, _LARGEST, _HUGE, _LONGEST = 8, 2**53, 1e60, 10_000
#: Longest value that a refusal shows.
_SHOWN = 200


def require(condition: bool, key: str, value: Any, allowed: str) -> None:
    """Raise `InputError` naming the key, its value and what is allowed, unless it holds."""
    if not condition:
        raise InputError(f"{key} = {_shown(value)}: must be {allowed}")


def check_keys(section: str, table: Iterable[str], allowed: Iterable[str]) -> None:
    """Refuse the first key of a table that is not allowed, naming the nearest one that is."""
    allowed = tuple(allowed)
    for key in table:
        if key not in allowed:
            value = table[key] if isinstance(table, Mapping) else None
            dotted = f"{section}.{key}" if section else str(key)
            shown = "" if isinstance(value, Mapping | None) else f" = {_shown(value)}"
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


def checked(key: str, value: Any, hint: Any) -> Any:
    """Return a value as its type hint wants it: lists as tuples, numpy scalars as numbers.

    Parameters
    ----------
    key
        Dotted key, for messages.
    value
        From TOML or from Python.
    hint
        Type hint, with a `Range` where ``Annotated``.  A class with a method
        ``from_plain(key, value)`` makes the value itself (a nested table).

    Raises
    ------
    InputError
        If the value does not fit.
    """
    value = _frozen(value)
    if isinstance(value, int | float | str):
        check_plain(key, value)
    broken = _mismatch(value, hint)
    if broken is not None:
        raise InputError(f"{key} = {_shown(value)}: must be {broken}")
    return _made(key, value, hint)


def describe(hint: Any) -> str:
    """A type hint in words, for refusals and for the configuration reference."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        limits = [one for one in arguments[1:] if isinstance(one, Range)]
        return ", ".join([describe(arguments[0]), *map(str, limits)])
    if origin in (typing.Union, types.UnionType):
        words = dict.fromkeys(describe(a) for a in arguments if a is not type(None))
        return ("; or " if any(", " in one for one in words) else " or ").join(words)
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in arguments)
    names = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
    if hint in names:
        return names[hint]
    if hasattr(hint, "from_plain"):
        return f"a table [{hint.section}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "a table"
    if len(arguments) > 1 and arguments[-1] is not Ellipsis:
        return "[" + ", ".join(describe(a) for a in arguments) + "]"
    return f"a list, each item {describe(arguments[0])}" if arguments else "another value"


def _frozen(value: Any) -> Any:
    """Lists, ranges and arrays as tuples, numpy scalars as Python's: comparable by value."""
    if isinstance(value, list | tuple | range):
        return tuple(_frozen(item) for item in value)
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # numpy, which need not be loaded
        return _frozen(value.tolist())
    return value


def _mismatch(value: Any, hint: Any) -> str | None:
    """What the value must be, in words, unless it fits the hint."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _mismatch(value, arguments[0]) or _outside(value, arguments[1:])
    if origin in (typing.Union, types.UnionType):
        found = [_mismatch(value, one) for one in arguments]
        if None in found:
            return None
        # For a number out of range the refusal names the range, not every alternative.
        nearby = (
            words for words, one in zip(found, arguments, strict=True) if _in_kind(value, one)
        )
        return next(nearby, None) or describe(hint)
    if origin is Literal:
        fits = any(value == one and type(value) is type(one) for one in arguments)
        names = [one for one in arguments if isinstance(one, str) and isinstance(value, str)]
        return None if fits else describe(hint) + nearest(value, names)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return None if isinstance(value, Mapping) else describe(hint)
    if isinstance(origin, type) and issubclass(origin, Sequence | Iterable):
        return _items_mismatch(value, hint, arguments)
    return None if _fits(value, hint) else describe(hint)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a plain type; hints that are not known here let everything pass."""
    truth = isinstance(value, bool)
    if hint is float:
        return isinstance(value, numbers.Real) and not truth and math.isfinite(value)
    if hint is int:
        return isinstance(value, numbers.Integral) and not truth
    if hint in (str, bool):
        return isinstance(value, hint)
    if hint is type(None):
        return value is None
    if isinstance(hint, type) and hasattr(hint, "from_plain"):
        return isinstance(value, hint | Mapping)
    return True


def _in_kind(value: Any, hint: Any) -> bool:
    """Whether a value fits a constrained hint but for its constraint."""
    arguments = typing.get_args(hint)
    return typing.get_origin(hint) is Annotated and _mismatch(value, arguments[0]) is None


def _items_mismatch(value: Any, hint: Any, arguments: tuple[Any, ...]) -> str | None:
    if not isinstance(value, tuple):
        return describe(hint)
    if len(arguments) > 1 and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            return describe(hint)
        pairs: Iterable[tuple[Any, Any]] = zip(value, arguments, strict=True)
    else:
        pairs = ((item, arguments[0]) for item in value) if arguments else ()
    return describe(hint) if any(_mismatch(item, one) for item, one in pairs) else None


def _outside(value: Any, limits: tuple[Any, ...]) -> str | None:
    for limit in limits:
        if isinstance(limit, Range) and not limit.allows(value):
            return str(limit)
    return None


def _made(key: str, value: Any, hint: Any) -> Any:
    """Nested tables as objects; everything else stays."""
    for one in (hint, *typing.get_args(hint)):
        if isinstance(one, type) and hasattr(one, "from_plain") and isinstance(value, Mapping):
            return one.from_plain(key, value)
    return value


def _shown(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
