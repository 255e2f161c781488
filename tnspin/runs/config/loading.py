"""Loading of configurations: TOML files and presets become a `Config`.

A configuration is a set of tables, each of which becomes one frozen dataclass; the keys of a
table are the fields of that dataclass, so defaults and checks are in one place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tnspin.errors import InputError, nearest
from tnspin.results.toml_text import loads, parse_override, with_value
from tnspin.runs.config.config import Config
from tnspin.runs.config.sections import KINDS, keys_of, registry
from tnspin.runs.config.tables import SECTIONS, About, Hysteresis, Record, Run, Time, Units
from tnspin.schema.checks import check_keys, check_plain
from tnspin.schema.plugins import use
from tnspin.schema.table import hints_of
from tnspin.schema.types import Quantity
from tnspin.units import converted

if TYPE_CHECKING:
    from tnspin.solvers import Solver


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
    """Name and tables of a preset or a TOML file, as they are in the file."""
    path = _find(source)
    return path.stem, _read(path)


def with_overrides(tables: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return tables with ``KEY=VALUE`` texts applied, see `load`."""
    tables = dict(tables)
    # Kinds first, whatever the order on the command line: the other keys belong to the new kind.
    # Users' files before them: they may define the old kind, or the new one.
    parsed = [parse_override(text) for text in overrides]
    parsed.sort(key=lambda item: (item[0][0] != "run", item[0][-1] != "kind"))
    for parts, value in parsed:
        _load_files(tables)
        tables = _override(tables, parts, value)
    return tables


def _load_files(tables: Mapping[str, Any]) -> Run | None:
    """The table ``[run]``, if there is one, with its files imported."""
    if not isinstance(tables.get("run"), Mapping):
        return None
    run = Run(**tables["run"])
    use(run.use)
    return run


def from_dict(tables: Mapping[str, Any], name: str = "run") -> Config:
    """Build a configuration from nested tables, filling in every default."""
    check_plain("", tables)
    check_keys("", tables, SECTIONS)
    for section, table in tables.items():
        if not isinstance(table, Mapping):
            raise InputError(f"{section} = {table!r}: must be a table, [{section}] in a file")
    run = _load_files(tables)
    units = Units(**tables["units"]) if "units" in tables else None
    model = _built("model", tables.get("model", {}), units)
    formulas = getattr(model, "closed_form", False)
    if formulas:
        check_keys("", tables, ("about", "run", "units", "model", "solver"))
    default = "closed_form" if formulas else "tebd"
    keys = {"kind": default, **tables.get("solver", {})}
    _check_formulas(registry("solver").named(keys["kind"]), formulas)
    solver = _built("solver", keys, units)
    # "none" leaves out the bath or the counterpart of a preset, which --set cannot delete.
    bath = tables.get("bath", {"kind": "none"})
    counterpart = {"kind": "llg", **tables.get("classical", {"kind": "none"})}
    config = Config(
        model=model,
        state=None if formulas else _built("state", tables.get("state", {}), units),
        solver=solver,
        bath=_built("bath", bath, units) if bath.get("kind") != "none" else None,
        run=run,
        units=units,
        classical=_built("classical", counterpart, units)
        if counterpart["kind"] not in ("none", solver.kind)
        else None,
        name=name,
        **_plain_tables(tables, units),
    )
    if not formulas:
        _check_together(config)
    return config


def _built(section: str, table: Mapping[str, Any], units: Units | None) -> Any:
    """The object of a table whose ``kind`` names a registered class."""
    known = registry(section)
    cls = known.named(table.get("kind"))
    return known.build(_in_run_units(section, cls, table, units))


def _plain_tables(tables: Mapping[str, Any], units: Units | None) -> dict[str, Any]:
    """The objects of the tables without kinds; loops are there only where they are asked for."""
    wanted = {"time": Time, "record": Record, "about": About}
    if "hysteresis" in tables:
        wanted["hysteresis"] = Hysteresis
    return {
        name: cls(**_in_run_units(name, cls, tables.get(name, {}), units))
        for name, cls in wanted.items()
    }


def _check_formulas(solver: type[Solver], formulas: bool) -> None:
    """Refuse to integrate what has a closed form, and the other way round."""
    if solver.integrates != formulas:
        return
    allowed = [kind for kind, cls in registry("solver").items() if cls.integrates != formulas]
    raise InputError(
        f"solver.kind = {solver.kind!r}: not for this model; allowed: {', '.join(allowed)}"
    )


def _check_together(config: Config) -> None:
    """Refuse tables that are right one by one but not together, before any work starts."""
    if config.classical is not None and config.solver.classical:
        raise InputError(
            f"solver.kind = {config.solver.kind!r}: is classical itself; leave out [classical], or "
            "set classical.kind = 'none'"
        )
    config.solver.check_problem(config.problem)
    if config.classical is not None:
        config.classical.check_run(config)
    if config.hysteresis is not None:
        from tnspin.runs.hysteresis.loop import check_loop

        check_loop(config)


def _in_run_units(
    section: str, cls: type, table: Mapping[str, Any], units: Units | None
) -> dict[str, Any]:
    """A table with numbers for all texts that carry a unit."""
    found = dict(table)
    for key, hint in hints_of(cast(Any, cls)).items():
        quantity = next(
            (q.name for q in getattr(hint, "__metadata__", ()) if isinstance(q, Quantity)), ""
        )
        value = found.get(key)
        if not quantity or not isinstance(value, str):
            continue
        if units is None:
            raise InputError(
                f"{section}.{key} = {value!r}: must be a number; texts with a unit need "
                "units.energy_ev"
            )
        found[key] = converted(f"{section}.{key}", value, quantity, units.scale)
    return found


def presets_folder() -> Path:
    """Folder of the shipped presets: in the package (a wheel) or next to it (a checkout)."""
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
        tables = loads(path.read_text(encoding="utf-8"))
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
    if key == "kind" and section in KINDS and isinstance(before, Mapping):
        # Another kind: what the file said for the old one does not concern the new one.
        old, new = (keys_of(section, str(kind)) for kind in (before.get("kind"), value))
        stale = set(old) - set(new) if new else set()
        tables[section] = {k: v for k, v in tables[section].items() if k not in stale}
    return tables
