"""Facts of a run, written into its result as attributes; `tnspin.results.facts` reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tnspin.models.open_heisenberg import OpenHeisenbergChain
from tnspin.observables import OBSERVABLES
from tnspin.observables.snapshot import Snapshot
from tnspin.results.facts import figure_kind
from tnspin.results.result import Result, Variable


def facts_of_snapshot(snapshot: Any, names: Iterable[str]) -> dict[str, Any]:
    """Attributes that say what the equation of motion conserves, and how states are represented.

    Parameters
    ----------
    snapshot
        The last one of the run, None if there is none.
    names
        Variables of the result.
    """
    if not isinstance(snapshot, Snapshot):
        return {}
    known = {"representation": snapshot.representation} if snapshot.representation else {}
    if snapshot.conserved is not None:
        known["conserved"] = json.dumps(snapshot.conserved)
    return known | _of_model(snapshot.model, snapshot.model.groups, names)


def with_parts(variables: Mapping[str, Variable], snapshot: Any) -> dict[str, Variable]:
    """Variables with the sites of the parts between which they are measured, as JSON lists."""
    found = dict(variables)
    for name in OBSERVABLES.keys() & found.keys() if isinstance(snapshot, Snapshot) else ():
        if OBSERVABLES[name].parts:
            pair = getattr(snapshot, OBSERVABLES[name].parts)
            parts = zip(("part_a", "part_b"), map(json.dumps, pair), strict=True)
            found[name] = replace(found[name], attrs=dict(parts))
    return found


def with_facts(result: Result, config: Any) -> Result:
    """A result, whole with its classical counterpart, with the kind of its figure."""
    groups = () if config.state is None else config.model.groups  # closed forms have none
    facts = _of_model(config.model, groups, result)
    if config.classical is not None:
        facts["classical_within"] = config.classical.within
    return Result(result.variables, {**result.attrs, **facts})


def _of_model(model: Any, groups: Sequence[Sequence[int]], names: Iterable[str]) -> dict[str, Any]:
    sizes = [len(group) for group in groups if group]
    mean_field = isinstance(model, OpenHeisenbergChain)
    kind = figure_kind(set(names), sum(sizes), len(sizes), mean_field)
    return {"figure": kind, "groups": json.dumps(groups)}
