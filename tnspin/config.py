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
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from tnspin.errors import InputError, nearest
from tnspin.schema import check_keys, construct, fields_of, require
from tnspin.toml_text import dumps, parse_override, plain, with_value

if TYPE_CHECKING:
    from tnspin.states import InitialState

__all__ = [
    "ClosedForm",
    "Config",
    "EdgeState",
    "Exact",
    "Record",
    "State",
    "Tebd",
    "Time",
    "load",
    "preset_names",
    "presets",
]


@dataclass(frozen=True)
class EdgeState:
    """Equal-weight state of PRX Eq. 15 for ferromagnets of 2 to ``largest`` spins."""

    largest: int = 100
    kind: ClassVar[str] = "edge_state"

    def __post_init__(self) -> None:
        require(self.largest >= 2, "model.largest", self.largest, "2 or more")


@dataclass(frozen=True)
class State:
    """Kind of initial state and all its keys; `tnspin.states` says what they mean."""

    kind: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Tebd:
    """Time-evolving block decimation; ``threads = 0`` means one per core."""

    dt: float = 0.1
    order: Literal[1, 2, 4] = 2
    bond_dim: int = 400
    cutoff: float = 1e-7
    threads: int = 0
    method: Literal["auto", "svd", "gram", "range"] = "auto"
    kind: ClassVar[str] = "tebd"

    def __post_init__(self) -> None:
        require(self.dt > 0, "solver.dt", self.dt, "above 0")
        require(self.bond_dim >= 1, "solver.bond_dim", self.bond_dim, "1 or more")
        require(0 <= self.cutoff < 1, "solver.cutoff", self.cutoff, "between 0 and 1")
        require(self.threads >= 0, "solver.threads", self.threads, "0 (one per core) or more")


@dataclass(frozen=True)
class Exact:
    """Chebyshev propagation of the state vector in its charge sector."""

    tolerance: float = 1e-13
    kind: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        require(0 < self.tolerance < 1, "solver.tolerance", self.tolerance, "between 0 and 1")


@dataclass(frozen=True)
class ClosedForm:
    """Formulas; nothing to integrate."""

    kind: ClassVar[str] = "closed_form"


@dataclass(frozen=True)
class Time:
    """Measure at 0, every, 2 every, ... and at stop (units of hbar/energy unit)."""

    stop: float = 60.0
    every: float = 1.0

    def __post_init__(self) -> None:
        require(self.stop >= 0, "time.stop", self.stop, "0 or more")
        require(self.every > 0, "time.every", self.every, "above 0")

    @property
    def grid(self) -> np.ndarray:
        """(n,) times that do not depend on ``stop``, except that they end there."""
        # A hair of slack, so that stop = 0.3 with every = 0.1 keeps its last point.
        return self.every * np.arange(int(self.stop / self.every * (1 + 1e-12) + 1e-9) + 1)

    @property
    def points(self) -> np.ndarray:
        """(n,) the grid, and ``stop`` itself where the grid misses it."""
        grid = self.grid
        misses = self.stop - grid[-1] > 1e-9 * self.every
        return np.append(grid, self.stop) if misses else grid


@dataclass(frozen=True)
class Record:
    """What is measured (empty: all that apply); seconds between checkpoints (0: always)."""

    observables: tuple[str, ...] = ()
    checkpoint: float = 20.0

    def __post_init__(self) -> None:
        require(self.checkpoint >= 0, "record.checkpoint", self.checkpoint, "0 or more seconds")


@dataclass(frozen=True)
class About:
    """What a configuration is for, in words; shown by ``tnspin presets``."""

    title: str = ""
    reproduces: str = ""
    cost: str = ""


SOLVERS = {cls.kind: cls for cls in (Tebd, Exact, ClosedForm)}
# Names of the public contract that belong to parts not built yet: not a misspelling.
PLANNED = {
    "model": ("spin_dimer", "open_heisenberg"),
    "state": ("gibbs", "bell", "werner"),
    "solver": (
        "tdvp", "master_equation", "density_matrix", "purification", "trajectories", "llg",
        "quantum_llg", "quantum_ll", "mean_field", "hybrid",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """A complete run; every field is built from the table of its name."""

    model: Any
    state: State | None
    solver: Any
    time: Time
    record: Record
    about: About
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
        from tnspin import states

        if self.state is None:
            raise InputError(f"model.kind = {self.model.kind!r}: has no initial state")
        return states.build(self.state.kind, self.model, **self.state.values)

    def to_toml(self) -> str:
        """Return the TOML text of `as_dict`; loading it gives this configuration again."""
        return dumps(self.as_dict())


_SECTIONS = ("about", "model", "state", "solver", "time", "record")


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
    path = _find(source)
    tables = _read(path)
    # Kinds first, whatever the order on the command line: the other keys belong to the new kind.
    parsed = sorted(map(parse_override, overrides), key=lambda item: item[0][-1] != "kind")
    for parts, value in parsed:
        tables = _override(tables, parts, value)
    return from_dict(tables, name=path.stem)


def from_dict(tables: Mapping[str, Any], name: str = "run") -> Config:
    """Build a configuration from nested tables, filling in every default."""
    if "bath" in tables:
        raise InputError("bath: baths are not in this version; allowed: " + ", ".join(_SECTIONS))
    check_keys("", tables, _SECTIONS)
    for section, table in tables.items():
        if not isinstance(table, Mapping):
            raise InputError(f"{section} = {table!r}: must be a table, [{section}] in a file")
    model = _of_kind("model", tables.get("model", {}), _models())
    if isinstance(model, EdgeState):
        check_keys("", tables, ("about", "model", "solver"))
        state, default = None, ClosedForm.kind
    else:
        state, default = _state(tables.get("state", {})), Tebd.kind
    allowed = {k: c for k, c in SOLVERS.items() if (c is ClosedForm) == (state is None)}
    config = Config(
        model=model,
        state=state,
        solver=_of_kind("solver", {"kind": default, **tables.get("solver", {})}, allowed),
        time=construct(Time, "time", tables.get("time", {})),
        record=construct(Record, "record", tables.get("record", {})),
        about=construct(About, "about", tables.get("about", {})),
        name=name,
    )
    if state is not None:
        _ = config.initial_state  # refuses now what would otherwise be refused after the setup
    return config


def presets_folder() -> Path:
    """Where the shipped presets are: in the package (a wheel) or beside it (a checkout)."""
    package = Path(__file__).resolve().parent
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


def _models() -> dict[str, type]:
    # Imported here because listing presets and printing help need no physics.
    from tnspin import models

    return {**models.MODELS, EdgeState.kind: EdgeState}


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
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _override(tables: dict[str, Any], parts: tuple[str, ...], value: Any) -> dict[str, Any]:
    section, key = parts[0], parts[1]
    before = tables.get(section)
    tables = with_value(tables, parts, value)
    if key == "kind" and section in PLANNED and isinstance(before, Mapping):
        # Another kind: what the file said for the old one does not concern the new one.
        old, new = (_keys(section, str(kind)) for kind in (before.get("kind"), value))
        stale = set(old) - set(new) if new else set()
        tables[section] = {k: v for k, v in tables[section].items() if k not in stale}
    return tables


def _keys(section: str, kind: str) -> tuple[str, ...]:
    """Keys of a table of this kind; none if there is no such kind."""
    if section == "state":
        from tnspin import states

        return tuple(states.parameters(kind)) if kind in states.BUILDERS else ()
    kinds = SOLVERS if section == "solver" else _models()
    return fields_of(kinds[kind]) if kind in kinds else ()


def _state(table: Mapping[str, Any]) -> State:
    from tnspin import states

    kind = _kind("state", table, states.BUILDERS)
    defaults = {
        name: default
        for name, default in states.parameters(kind).items()
        if default is not inspect.Parameter.empty
    }
    return State(kind, defaults | {k: v for k, v in table.items() if k != "kind"})


def _kind(section: str, table: Mapping[str, Any], kinds: Iterable[str]) -> str:
    allowed = ", ".join(kinds)
    if "kind" not in table:
        raise InputError(f"{section}.kind: missing; allowed: {allowed}")
    kind = str(table["kind"])
    if kind not in kinds:
        problem = "not in this version" if kind in PLANNED[section] else "no such kind"
        hint = nearest(kind, kinds)
        raise InputError(f"{section}.kind = {kind!r}: {problem}; allowed: {allowed}{hint}")
    return kind


def _of_kind(section: str, table: Mapping[str, Any], kinds: Mapping[str, type]) -> Any:
    kind = _kind(section, table, kinds)
    return construct(kinds[kind], section, {k: v for k, v in table.items() if k != "kind"})
