"""The sections of a configuration: which tables and which kinds each may be."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tnspin.runs.config.tables import About, Hysteresis, Record, Run, Time, Units
from tnspin.schema import Table
from tnspin.schema.table import fields_of

#: Tables without kinds.
TABLES: dict[str, type] = {
    cls.section: cls for cls in (About, Run, Units, Time, Record, Hysteresis)
}  # fmt: skip
#: Tables whose key ``kind`` names a registered class -> module of the register.  "lattice" is a
#: table within the one of a model.
KINDS = {
    "model": "tnspin.models",
    "lattice": "tnspin.models.lattice",
    "state": "tnspin.states.initial",
    "bath": "tnspin.baths",
    "solver": "tnspin.solvers",
    "classical": "tnspin.runs.counterparts",
}


def registry(section: str) -> Any:
    """Register of the kinds of a section.  Physics is imported only here: listing presets and
    printing help need none.
    """
    import_module(KINDS[section])
    return Table.registries[section]


def keys_of(section: str, kind: str) -> tuple[str, ...]:
    """Keys of a table of this kind; none if there is no such kind."""
    known = registry(section)
    return fields_of(known[kind]) if kind in known else ()
