"""`Table`: a frozen dataclass that is one table of a configuration, with all its checks.

The fields are the keys, their type hints say what is allowed, ``check`` what goes together; the
docstring's ``Parameters`` section has one sentence for each key.  A table from TOML, keywords of a
function and the object itself pass the same checks, in the same words.
"""

from __future__ import annotations

import dataclasses
import typing
from abc import ABCMeta
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, TypeVar, cast

from tnspin.errors import InputError
from tnspin.schema.checks import check_keys, checked, describe

T = TypeVar("T")


def fields_of(cls: type) -> tuple[str, ...]:
    """Names of the keys of a table."""
    return tuple(field.name for field in dataclasses.fields(cast(Any, cls)) if field.init)


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """Type hint of every key of a table, constraints included."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {name: hints[name] for name in fields_of(cls)}


class _CheckedCall(ABCMeta):
    """Calls of a table refuse unknown and missing keys as TOML does."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if dataclasses.is_dataclass(cls):
            section: str = getattr(cls, "section", "")
            _check_names(cls, section, fields_of(cls)[: len(args)], kwargs)
        return super().__call__(*args, **kwargs)


def construct(cls: type[T], table: Mapping[str, Any], section: str) -> T:
    """Build a dataclass that is no `Table` from a table, with the checks of its type hints."""
    _check_names(cls, section, (), table)
    hints = hints_of(cast(Any, cls))
    return cls(**{k: checked(f"{section}.{k}", v, hints[k]) for k, v in table.items()})


def _check_names(
    cls: type, section: str, positional: Sequence[str], table: Mapping[str, Any]
) -> None:
    """Refuse unknown and missing keys."""
    check_keys(section, table, fields_of(cls))
    given = {*positional, *table}
    for field in dataclasses.fields(cast(Any, cls)):
        optional = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if field.init and not optional and field.name not in given:
            words = describe(hints_of(cls)[field.name])
            raise InputError(f"{section}.{field.name}: missing; must be {words}")


def as_table(part: Any) -> dict[str, Any]:
    """Plain values of a table, or of a registered dataclass, with ``kind`` first, as in TOML."""
    own = {"kind": part.kind} if getattr(part, "kind", "") else {}
    given = ((name, getattr(part, name)) for name in fields_of(type(part)))
    return own | {k: as_table(v) if isinstance(v, Table) else v for k, v in given}


class Table(metaclass=_CheckedCall):
    """Base of everything that a configuration may contain.

    Attributes
    ----------
    section
        Name of the table, for messages: a refusal of ``dt`` of a solver names ``solver.dt``.
    kind
        Value of the key ``kind``, of tables that have kinds.
    """

    section: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    #: Section -> register of its kinds.
    registries: ClassVar[dict[str, Any]] = {}

    def __post_init__(self) -> None:
        """Check every key, and what goes together."""
        for name, hint in hints_of(type(self)).items():
            value = checked(f"{self.section}.{name}", getattr(self, name), hint)
            object.__setattr__(self, name, value)
        self.check()

    def check(self) -> None:
        """Refuse keys that are right one by one and not together; for subclasses."""

    def key_values(self) -> dict[str, Any]:
        """Key -> value, as given or by default."""
        return {name: getattr(self, name) for name in fields_of(type(self))}

    @classmethod
    def from_plain(cls, key: str, value: Mapping[str, Any]) -> Any:
        """Build a nested table: of its ``kind`` if the section of this class has kinds."""
        registry = cls.registries.get(cls.section)
        try:
            return cls(**value) if registry is None else registry.build(value, key)
        except InputError as error:
            # The table itself knows its section, not where it is nested.
            text, own = str(error), f"{cls.section}."
            raise InputError(
                f"{key}.{text.removeprefix(own)}" if text.startswith(own) else text
            ) from None
