"""The configuration reference: every table, its kinds and keys, as ``tnspin keys`` prints them."""

from __future__ import annotations

from tnspin.errors import InputError, nearest
from tnspin.runs.config.sections import KINDS, TABLES, registry
from tnspin.schema.pages import cell, markdown_table, summary_of, text_table

#: Tables in the order of the page.
_SECTIONS = (
    "model", "lattice", "state", "bath", "solver", "time", "record", "classical", "hysteresis",
    "units", "run", "about",
)  # fmt: skip

_HEAD = """# Configuration keys

<!-- Made by `tnspin keys --markdown > docs/config.md`; the tests check that it is current. -->

A configuration is a TOML file of the tables below. `tnspin run FILE.toml` carries it out, and
`--set TABLE.KEY=VALUE` overrides a key. A key that is left out has the default given here; an
unknown key is refused with the nearest valid name. `tnspin info` shows what a run used, and
`tnspin keys TABLE.KIND` prints one of the tables below.

Energies are in the energy unit of the model (its hopping γ, for instance), times in ħ/energy
unit, lengths in sites. With `[units] energy_ev`, times, temperatures and energies may be texts with
a unit (`"70 fs"`, `"100 K"`, `"8.6 meV"`). `kind = "none"` leaves out the `[bath]` or the
`[classical]` counterpart of a preset.
"""


def reference_page() -> str:
    """All tables with their kinds and keys, and all observables, in Markdown."""
    parts = [_HEAD]
    for section in _SECTIONS:
        parts.append(f"## `[{section}]`\n")
        if section in TABLES:
            parts.append(markdown_table(TABLES[section]))
            continue
        for kind, cls in registry(section).items():
            parts += [f'### `{section}.kind = "{kind}"`\n', markdown_table(cls)]
    return "\n".join([*parts, _observables()])


def keys_text(name: str = "") -> str:
    """Keys of one table ("time", "solver.tebd"), kinds of one ("solver"), or all tables.

    Raises
    ------
    InputError
        If there is no such table or kind.
    """
    section, _, kind = name.partition(".")
    if not name:
        return "\n\n".join(f"[{one}]\n{_kinds(one)}" for one in _SECTIONS)
    if section not in _SECTIONS:
        raise InputError(
            f"keys {name}: no such table; allowed: {', '.join(_SECTIONS)}"
            f"{nearest(section, _SECTIONS)}"
        )
    if section in TABLES:
        return f"[{section}]  {summary_of(TABLES[section])}\n{text_table(TABLES[section])}"
    if not kind:
        return f"[{section}]\n{_kinds(section)}"
    cls = registry(section).named(kind)
    return f'[{section}] kind = "{kind}"\n  {summary_of(cls)}\n{text_table(cls)}'


def _kinds(section: str) -> str:
    """One line for each kind of a table."""
    if section not in KINDS:
        return f"  {summary_of(TABLES[section])}"
    return "\n".join(f"  {kind}: {summary_of(cls)}" for kind, cls in registry(section).items())


def _observables() -> str:
    from tnspin.observables import OBSERVABLES

    rows = [
        f"| `{name}` | {', '.join(one.dims)} | {one.units} | {cell(one.long_name)} |"
        for name, one in OBSERVABLES.items()
    ]
    head = (
        "## `record.observables`\n\nWithout this key, a run records the observables below that "
        "suit it. A name that does not apply to the run is refused.\n\n"
        "| name | dimensions | units | meaning |\n|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"
