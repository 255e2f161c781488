"""What values the keys that many tables share may have."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tnspin.schema.tables import fields_of, require

__all__ = ["check_ranges"]


def _at_least(least: float) -> Callable[[Any], bool]:
    return lambda value: bool(value >= least)


def _above_zero(value: Any) -> bool:
    return bool(value > 0)


def _share(value: Any) -> bool:
    return bool(0 < value < 1)


def _share_or_none(value: Any) -> bool:
    return bool(0 <= value < 1)


#: Key -> whether a value is allowed, and what is, in words.
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "dt": (_above_zero, "above 0"),
    "tolerance": (_share, "between 0 and 1"),
    "jump_tolerance": (_share, "between 0 and 1"),
    "bond_dim": (_at_least(1), "1 or more"),
    "cutoff": (_share_or_none, "between 0 and 1"),
    "kraus_dim": (_at_least(1), "1 or more"),
    "kraus_cutoff": (_share_or_none, "between 0 and 1"),
    "kraus_sites": (_at_least(1), "1 or more"),
    "threads": (_at_least(0), "0 (one per core) or more"),
    "workers": (_at_least(0), "0 (one per core) or more"),
    "trajectories": (_at_least(1), "1 or more"),
    "chunk": (_at_least(1), "1 or more"),
    "target_error": (_at_least(0), "0 or more"),
    "temperature": (_at_least(0), "0 or more"),
    "realizations": (_at_least(1), "1 or more"),
    "seed": (_at_least(0), "0 or more"),
    "kappa": (_at_least(0), "0 or more"),
    "within": (_above_zero, "above 0"),
}


def check_ranges(section: str, keys: Any, besides: Collection[str] = ()) -> None:
    """Refuse values out of range.

    Parameters
    ----------
    section
        Name of the table.
    keys
        Its dataclass.
    besides
        Keys that have another range here.

    Raises
    ------
    InputError
        With the first key whose value is not allowed.
    """
    for name in fields_of(type(keys)):
        if name in _RANGES and name not in besides:
            fits, allowed = _RANGES[name]
            value = getattr(keys, name)
            require(fits(value), f"{section}.{name}", value, allowed)
    if hasattr(keys, "realizations"):  # of noise
        fits_noise = keys.realizations == 1 or keys.temperature > 0
        allowed = "1 unless the temperature is above 0"
        require(fits_noise, f"{section}.realizations", keys.realizations, allowed)
