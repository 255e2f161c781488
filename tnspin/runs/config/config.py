"""Configuration: TOML files and presets become a model, a state, a solver and a time grid.

A configuration is a set of tables, each of which becomes one frozen dataclass; the keys of a
table are the fields of that dataclass, so defaults and unknown keys are handled in one place.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tnspin.errors import InputError, nearest
from tnspin.results import toml_text
from tnspin.results.toml_text import dumps, parse_override, plain, with_value
from tnspin.runs.config import combinations
from tnspin.runs.config.kinds import WITH_KINDS, chosen_kind, keys, kinds, of_kind
from tnspin.runs.config.solver_tables import (
    HybridBeside,
    Hysteresis,
    MeanField,
    MeanFieldBeside,
    QuantumLlg,
)
from tnspin.runs.config.tables import (
    About,
    Classical,
    ClosedForm,
    DensityMatrix,
    EdgeState,
    Purification,
    Record,
    State,
    Tebd,
    Time,
    Units,
)
from tnspin.schema.tables import check_keys, check_plain, construct, fields_of
from tnspin.units import converted

if TYPE_CHECKING:
    from tnspin.states.initial import InitialState

T = TypeVar("T")

__all__ = ["Config", "load", "preset_names", "presets"]

#: Keys that may be texts with a unit, and what they measure.
_QUANTITIES = {
    ("time", "stop"): "time",
    ("time", "every"): "time",
    ("state", "temperature"): "temperature",
    ("state", "field"): "energy",
    ("bath", "temperature"): "temperature",
    ("bath", "gamma"): "energy",
    ("bath", "omega_max"): "energy",
    ("solver", "temperature"): "temperature",
    ("classical", "temperature"): "temperature",
}


@dataclass(frozen=True)
class Config:
    """A complete run; every field is built from the table of its name."""

    model: Any
    state: State | None
    solver: Any
    time: Time
    record: Record
    about: About
    bath: Any = None
    units: Units | None = None
    classical: Classical | MeanFieldBeside | HybridBeside | None = None
    hysteresis: Hysteresis | None = None
    name: str = "run"

    def as_dict(self) -> dict[str, Any]:
        """All tables with their defaults, as plain values."""
        tables: dict[str, Any] = {}
        without_time = ("time", "record") if self.state is None else ()
        for section in _SECTIONS:
            if section in without_time:
                continue
            part = getattr(self, section)
            if isinstance(part, State):
                values: dict[str, Any] = {"kind": part.kind, **part.values}
            elif part is not None:
                values = {"kind": part.kind} if hasattr(part, "kind") else {}
                values |= {name: getattr(part, name) for name in fields_of(type(part))}
            else:
                continue
            tables[section] = plain(values)
        return tables

    @cached_property
    def initial_state(self) -> InitialState:
        """The initial state, described; a solver asks it for the form that it needs."""
        from tnspin.states import initial as states

        if self.state is None:
            raise InputError(f"model.kind = {self.model.kind!r}: has no initial state")
        return states.build(self.state.kind, self.model, **self.state.values)

    @cached_property
    def run_model(self) -> Any:
        """The model that is evolved: with ancillas if the initial state is a purified mixture.

        Density matrices as matrix product states, and purified ones, have no need of them.  A
        reaction coordinate is its last site.
        """
        from tnspin.baths.reaction_coordinate import ReactionCoordinate, WithCoordinate
        from tnspin.models.purified import Purified

        bare = isinstance(self.solver, QuantumLlg | DensityMatrix | Purification | MeanField)
        purified = self.initial_state.purified and not bare
        model = Purified(self.model) if purified else self.model
        if isinstance(self.bath, ReactionCoordinate):
            return WithCoordinate(model, self.bath)
        return model

    @property
    def length(self) -> float:
        """Where the run ends: ``time.stop``, or the number of fields of a hysteresis loop."""
        return self.time.stop if self.hysteresis is None else 2.0 * (self.hysteresis.steps + 1)

    def to_toml(self) -> str:
        """Return the TOML text of `as_dict`; loading it gives this configuration again."""
        return dumps(self.as_dict())


_SECTIONS = ("about", "units", "model", "state", "bath", "solver", "time", "record", "classical",
             "hysteresis")  # fmt: skip


def load(source: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Read a preset or a TOML file and apply ``KEY=VALUE`` overrides.

    Parameters
    ----------
    source
        Name of a preset, or path of a TOML file.
    overrides
        Texts such as ``"time.stop=30"``; values in TOML syntax.

    Raises
    ------
    InputError
        For anything wrong in the names, keys or values.
    """
    name, tables = read_tables(source)
    return from_dict(with_overrides(tables, overrides), name=name)


def read_tables(source: str | Path) -> tuple[str, dict[str, Any]]:
    """Name and tables of a preset or a TOML file, as they stand there."""
    path = _find(source)
    return path.stem, _read(path)


def with_overrides(tables: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return the same tables with ``KEY=VALUE`` texts applied, see `load`."""
    tables = dict(tables)
    # Kinds first, whatever the order on the command line: the other keys belong to the new kind.
    parsed = sorted(map(parse_override, overrides), key=lambda item: item[0][-1] != "kind")
    for parts, value in parsed:
        tables = _override(tables, parts, value)
    return tables


def from_dict(tables: Mapping[str, Any], name: str = "run") -> Config:
    """Build a configuration from nested tables, filling in every default."""
    check_plain("", tables)
    check_keys("", tables, _SECTIONS)
    for section, table in tables.items():
        if not isinstance(table, Mapping):
            raise InputError(f"{section} = {table!r}: must be a table, [{section}] in a file")
    units = _optional(Units, "units", tables)
    tables = _in_run_units(tables, units)
    model = of_kind("model", tables.get("model", {}), kinds("model"))
    if isinstance(model, EdgeState):
        check_keys("", tables, ("about", "units", "model", "solver"))
        state, default = None, ClosedForm.kind
    else:
        state, default = _state(tables.get("state", {})), Tebd.kind
    allowed = {k: c for k, c in kinds("solver").items() if (c is ClosedForm) == (state is None)}
    config = Config(
        model=model,
        state=state,
        solver=of_kind("solver", {"kind": default, **tables.get("solver", {})}, allowed),
        time=construct(Time, "time", tables.get("time", {})),
        record=construct(Record, "record", tables.get("record", {})),
        about=construct(About, "about", tables.get("about", {})),
        bath=_bath(tables),
        units=units,
        classical=_beside(tables),
        hysteresis=_optional(Hysteresis, "hysteresis", tables),
        name=name,
    )
    combinations.check(config)
    if state is not None:
        _ = config.initial_state  # refuses now what would otherwise be refused after the setup
    return config


def _optional(cls: type[T], section: str, tables: Mapping[str, Any]) -> T | None:
    return construct(cls, section, tables[section]) if section in tables else None


def _bath(tables: Mapping[str, Any]) -> Any:
    table = tables.get("bath", {"kind": "none"})
    # "none" leaves out the bath of a preset, which --set cannot delete.
    return None if table.get("kind") == "none" else of_kind("bath", table, kinds("bath"))


def _beside(tables: Mapping[str, Any]) -> Classical | MeanFieldBeside | HybridBeside | None:
    table = {"kind": Classical.kind, **tables.get("classical", {"kind": "none"})}
    if table["kind"] in ("none", tables.get("solver", {}).get("kind")):
        return None  # not wanted, or what the run itself is
    return of_kind("classical", table, kinds("classical"))


def presets_folder() -> Path:
    """Where the shipped presets are: in the package (a wheel) or beside it (a checkout)."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "presets"
    return inside if inside.is_dir() else package.parent / "data" / "presets"


def preset_names() -> tuple[str, ...]:
    """Names of the shipped presets, in alphabetical order."""
    return tuple(sorted(path.stem for path in presets_folder().glob("*.toml")))


def presets() -> list[dict[str, str]]:
    """Name, title, what it reproduces and the rough cost of each shipped preset."""
    return [
        {"name": name, **_read(presets_folder() / f"{name}.toml").get("about", {})}
        for name in preset_names()
    ]


def _in_run_units(tables: Mapping[str, Any], units: Units | None) -> dict[str, Any]:
    """The same tables with numbers for all texts that carry a unit."""
    result = {section: dict(table) for section, table in tables.items()}
    for (section, key), quantity in _QUANTITIES.items():
        value = result.get(section, {}).get(key)
        if not isinstance(value, str):
            continue
        dotted = f"{section}.{key}"
        if units is None:
            raise InputError(
                f"{dotted} = {value!r}: must be a number; texts with a unit need units.energy_ev"
            )
        result[section][key] = converted(dotted, value, quantity, units.scale)
    return result


def _find(source: str | Path) -> Path:
    names = preset_names()
    if str(source) in names:
        return presets_folder() / f"{source}.toml"
    path = Path(source)
    if path.is_file():
        return path
    what = "no such file" if path.suffix == ".toml" else "neither a preset nor a TOML file"
    raise InputError(
        f"CONFIG = {str(source)!r}: {what}; presets: {', '.join(names)}{nearest(path.stem, names)}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        tables = toml_text.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    check_plain("", tables)
    return tables


def _override(tables: dict[str, Any], parts: tuple[str, ...], value: Any) -> dict[str, Any]:
    section, key = parts[0], parts[1]
    before = tables.get(section)
    tables = with_value(tables, parts, value)
    if key == "kind" and section in WITH_KINDS and isinstance(before, Mapping):
        # Another kind: what the file said for the old one does not concern the new one.
        old, new = (keys(section, str(kind)) for kind in (before.get("kind"), value))
        stale = set(old) - set(new) if new else set()
        tables[section] = {k: v for k, v in tables[section].items() if k not in stale}
    return tables


def _state(table: Mapping[str, Any]) -> State:
    from tnspin.states import initial as states

    kind = chosen_kind("state", table, states.BUILDERS)
    defaults = {
        name: default
        for name, default in states.parameters(kind).items()
        if default is not inspect.Parameter.empty
    }
    return State(kind, defaults | {k: v for k, v in table.items() if k != "kind"})
