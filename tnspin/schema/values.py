"""Validation of model parameters: every refusal names the field as it stands in the TOML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tnspin.errors import InputError, nearest

#: Sites beyond which listing the terms alone takes minutes.
LARGEST = 100_000


def integer(name: str, value: Any, minimum: int) -> int:
    """Return an integer of at least ``minimum``, and at most `LARGEST`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise InputError(f"model.{name}: {value!r} is not an integer of at least {minimum}")
    if value > LARGEST:
        raise InputError(f"model.{name}: {value!r} is more than {LARGEST}")
    return int(value)


def number(name: str, value: Any) -> float:
    """Return a finite real number."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not real or not np.isfinite(value):
        raise InputError(f"model.{name}: {value!r} is not a finite number")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"model.{name}: {value!r} is not true or false")
    return bool(value)


def vector(name: str, value: Any) -> tuple[float, float, float]:
    """Return three finite numbers."""
    if not is_list(value) or len(value) != 3:
        raise InputError(f"model.{name}: {value!r} is not a vector of 3 numbers")
    x, y, z = (number(name, part) for part in value)
    return x, y, z


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return one of the allowed names."""
    if value not in allowed:
        options = ", ".join(allowed)
        raise InputError(
            f"model.{name}: {value!r} is not one of {options}{nearest(value, allowed)}"
        )
    return str(value)


def is_list(value: Any) -> bool:
    """Whether a value is a sequence of things (not text)."""
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)


def per_group(name: str, value: Any, groups: int) -> tuple[float, ...]:
    """Return one number per group from one number or a list of them."""
    if not is_list(value):
        return (number(name, value),) * groups
    if len(value) != groups:
        raise InputError(f"model.{name}: {len(value)} values given for {groups} localized groups")
    return tuple(number(name, part) for part in value)


def vector_per_group(name: str, value: Any, groups: int) -> tuple[tuple[float, float, float], ...]:
    """Return one vector per group from one vector or a list of them."""
    if is_list(value) and len(value) and all(is_list(part) for part in value):
        if len(value) != groups:
            raise InputError(
                f"model.{name}: {len(value)} vectors given for {groups} localized groups"
            )
        return tuple(vector(name, part) for part in value)
    return (vector(name, value),) * groups


def frozen(value: Any) -> Any:
    """Turn lists into tuples so that a model compares, hashes and pickles by value."""
    if is_list(value):
        return tuple(frozen(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value
