"""The register of everything that a configuration names by ``kind``.

::

    @register
    @dataclass(frozen=True)
    class MyChain(Model):
        kind = "my_chain"

adds a model, from a file of tnspin or from a user's own; the base class says what it is (`Model`,
`Lattice`, `InitialState`, `Solver`, `Bath`, `Observable`).  ``@register("model")`` is for classes
without a base.  Each room of the package has a `Registry` of one section, which imports the files
of the room when it is first asked, so that adding a kind is adding a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar, overload

from tnspin.errors import InputError, nearest
from tnspin.schema.plugins import load_plugins
from tnspin.schema.table import Table, construct

T = TypeVar("T", bound=type)
_SECTIONS = ("model", "lattice", "state", "solver", "bath", "classical", "observable")
#: Section -> kind -> class.
_CLASSES: dict[str, dict[str, type]] = {}


@overload
def register(what: T) -> T: ...
@overload
def register(what: str) -> Callable[[T], T]: ...
def register(what: Any) -> Any:
    """Class decorator: make a class known by its ``kind``.

    Parameters
    ----------
    what
        The class, whose base says what it is; or, with a name in parentheses, the section:
        "model", "lattice", "state", "solver", "bath", "observable".

    Raises
    ------
    InputError
        If the class has no base that says what it is, no ``kind``, or one that is taken.
    """
    if isinstance(what, str):
        return lambda cls: _add(cls, what)
    return _add(what, getattr(what, "section", ""))


def _add(cls: T, section: str) -> T:
    name, kind = cls.__name__, getattr(cls, "kind", "")
    if section not in _SECTIONS:
        hint = nearest(section, _SECTIONS)
        raise InputError(
            f"register {name}: section {section!r} is none of {', '.join(_SECTIONS)}{hint}; derive "
            "it from a base class such as Model, or give the section"
        )
    if not isinstance(kind, str) or not kind:
        raise InputError(f"register {name}: has no kind; write kind = 'my_name' in the class")
    kinds = _CLASSES.setdefault(section, {})
    owner, own = (f"{one.__module__}.{one.__qualname__}" for one in (kinds.get(kind, cls), cls))
    if owner != own:
        raise InputError(
            f"register {name}: {section}.kind = {kind!r} is taken by {owner}; choose another kind"
        )
    kinds[kind] = cls
    return cls


class Registry(Mapping[str, Any]):
    """Classes of one section by their kind.

    Parameters
    ----------
    section
        Name of the table of a configuration that has these kinds.
    package
        Package whose modules register them.
    """

    def __init__(self, section: str, package: str) -> None:
        self.section = section
        self._package = package
        self._loaded = False
        Table.registries[section] = self

    def _kinds(self) -> dict[str, type]:
        if not self._loaded:
            self._loaded = True
            package = import_module(self._package)
            for info in iter_modules(package.__path__):
                import_module(f"{self._package}.{info.name}")
            load_plugins()
        return _CLASSES.setdefault(self.section, {})

    def __getitem__(self, kind: str) -> Any:
        return self._kinds()[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._kinds()))  # whatever was imported first

    def __len__(self) -> int:
        return len(self._kinds())

    def named(self, kind: Any, section: str = "") -> Any:
        """Class of a kind.

        Raises
        ------
        InputError
            If there is none, with the nearest name.
        """
        section = section or self.section
        listed = ", ".join(self)
        if kind is None:
            raise InputError(f"{section}.kind: missing; allowed: {listed}")
        if not isinstance(kind, str) or kind not in self:
            hint = nearest(kind, self)
            raise InputError(f"{section}.kind = {kind!r}: no such kind; allowed: {listed}{hint}")
        return self[kind]

    def build(self, table: Mapping[str, Any], section: str = "") -> Any:
        """The object of a table: its ``kind`` names the class, the other keys are its fields."""
        section = section or self.section
        cls = self.named(table.get("kind"), section)
        keys = {key: value for key, value in table.items() if key != "kind"}
        return cls(**keys) if issubclass(cls, Table) else construct(cls, keys, section)
