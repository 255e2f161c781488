"""What a table of a configuration may be: kinds by name, each with the dataclass of its keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tnspin.errors import InputError, nearest
from tnspin.runs.config import settings
from tnspin.schema.tables import construct, fields_of

__all__ = ["WITH_KINDS", "chosen_kind", "keys", "kinds", "of_kind"]

#: Tables whose key ``kind`` says what they are.
WITH_KINDS = ("model", "state", "bath", "solver", "classical")
_SOLVERS = (
    settings.Tebd, settings.Tdvp, settings.Exact, settings.Trajectories, settings.MasterEquation,
    settings.DensityMatrix, settings.Purification, settings.Llg, settings.QuantumLlg,
    settings.QuantumLl, settings.MeanField, settings.Hybrid, settings.ClosedForm,
)  # fmt: skip
_BESIDE = (settings.Classical, settings.MeanFieldBeside, settings.HybridBeside)


def kinds(section: str) -> dict[str, type]:
    """Dataclass of every kind of ``model``, ``bath``, ``solver`` or ``classical``."""
    # Physics is imported only here: listing presets and printing help need none.
    if section == "model":
        from tnspin.models import MODELS

        return {**MODELS, settings.EdgeState.kind: settings.EdgeState}
    if section == "bath":
        from tnspin import baths

        found: tuple[Any, ...] = (
            baths.UniversalLindblad, baths.ReactionCoordinate, baths.OpenHeisenbergBath,
        )  # fmt: skip
    else:
        found = {"solver": _SOLVERS, "classical": _BESIDE}[section]
    return {cls.kind: cls for cls in found}


def keys(section: str, kind: str) -> tuple[str, ...]:
    """Keys of a table of this kind; none if there is no such kind."""
    if section == "state":
        from tnspin.states import initial as states

        return tuple(states.parameters(kind)) if kind in states.BUILDERS else ()
    known = kinds(section)
    return fields_of(known[kind]) if kind in known else ()


def chosen_kind(section: str, table: Mapping[str, Any], allowed: Iterable[str]) -> str:
    """The kind that a table names.

    Raises
    ------
    InputError
        If it names none, or none of those allowed.
    """
    listed = ", ".join(allowed)
    if "kind" not in table:
        raise InputError(f"{section}.kind: missing; allowed: {listed}")
    kind = str(table["kind"])
    if kind not in allowed:
        hint = nearest(kind, allowed)
        raise InputError(f"{section}.kind = {kind!r}: no such kind; allowed: {listed}{hint}")
    return kind


def of_kind(section: str, table: Mapping[str, Any], allowed: Mapping[str, type]) -> Any:
    """The dataclass of the kind that a table names, from its other keys."""
    kind = chosen_kind(section, table, allowed)
    return construct(allowed[kind], section, {k: v for k, v in table.items() if k != "kind"})
