"""The sections of a configuration: which tables and which kinds each may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tnspin.runs.config.tables import About, Hysteresis, Record, Run, Time, Units
from tnspin.schema.table import fields_of

__all__ = ["KINDS", "TABLES", "keys_of", "registry"]

#: Tables without kinds.
TABLES: dict[str, type] = {
    cls.section: cls for cls in (About, Run, Units, Time, Record, Hysteresis)
}


def _models() -> Any:
    from tnspin.models import MODELS

    return MODELS


def _states() -> Any:
    from tnspin.states.initial import STATES

    return STATES


def _baths() -> Any:
    from tnspin.baths import BATHS

    return BATHS


def _solvers() -> Any:
    from tnspin.solvers import SOLVERS

    return SOLVERS


def _counterparts() -> Any:
    from tnspin.runs.counterparts import COUNTERPARTS

    return COUNTERPARTS


#: Tables whose key ``kind`` names a registered class -> what imports the register.
KINDS: dict[str, Callable[[], Any]] = {
    "model": _models, "state": _states, "bath": _baths, "solver": _solvers,
    "classical": _counterparts,
}  # fmt: skip


def registry(section: str) -> Any:
    """Register of the kinds of a section.  Physics is imported only here: listing presets and
    printing help need none.
    """
    return KINDS[section]()


def keys_of(section: str, kind: str) -> tuple[str, ...]:
    """Keys of a table of this kind; none if there is no such kind."""
    known = registry(section)
    return fields_of(known[kind]) if kind in known else ()
