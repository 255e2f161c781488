"""Solvers: one file or one folder each, registered by ``kind``; `evolve` runs any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tnspin.schema import Registry
from tnspin.schema.checks import check_keys
from tnspin.schema.table import fields_of
from tnspin.solvers.solver import Solver

if TYPE_CHECKING:
    from tnspin.observables.snapshot import Progress, Snapshot

__all__ = ["SOLVERS", "Solver", "evolve"]

#: Kind -> class of solver.
SOLVERS = Registry("solver", __name__)
_BAR = "{percentage:3.0f}% |{bar}| t = {n:.4g} of {total:.4g} [{elapsed}<{remaining}]"


def evolve(
    model: Any,
    state: Any,
    times: Sequence[float],
    *,
    solver: str | Solver = "tebd",
    **keywords: Any,
) -> Iterator[Snapshot]:
    """Evolve ``state`` under ``model`` and yield a `Snapshot` at each of ``times``.

    Parameters
    ----------
    state
        A state in the representation that the solver evolves, or an `Ensemble` of such states,
        whose snapshots hold an `Ensemble` again (a density matrix or an average where the solver
        makes one).
    solver
        Kind of a solver, whose keys are then keywords with the defaults of the table ``[solver]``
        (``dt=0.05``, ``bond_dim=100``, ...); or a solver, such as ``Tebd(dt=0.05)``.
    keywords
        Keys of the solver; ``on_step``, called with a `Progress` after every step; ``progress``,
        true for a progress bar; and what the solver's ``context`` lists: ``jumps`` (a list of
        `JumpOperator`), ``bath``, ``ledger`` (errors so far, when continuing), ...

    Raises
    ------
    InputError
        For an unknown solver or keyword, a value that is not allowed, and whatever the solver
        refuses.
    """
    if isinstance(solver, Solver):
        keys: dict[str, Any] = {}
        chosen = solver
    else:
        own = fields_of(SOLVERS.named(solver))
        keys = {name: keywords.pop(name) for name in own if name in keywords}
        chosen = SOLVERS.build({"kind": solver, **keys})
    allowed = (*fields_of(type(chosen)), "on_step", "progress", *chosen.context)
    for name in ("jumps", "bath"):
        if name in keywords and name not in allowed:
            chosen.refuse_others("bath", name)
    check_keys("solver", keywords, allowed)
    follow = _with_bar if keywords.pop("progress", False) else _snapshots
    facts: dict[str, Any] = {
        "constants": partial(chosen.conserved, model, keywords.get("jumps", ())),
        "representation": chosen.represents,
    }
    snapshots = follow(chosen, model, state, times, **keywords)
    return (replace(snapshot, **facts) for snapshot in snapshots)


def _snapshots(
    solver: Solver, model: Any, state: Any, times: Sequence[float], **keywords: Any
) -> Iterator[Snapshot]:
    """Evolve a state, or the members of a mixture in lock step."""
    from tnspin.states.ensemble import Ensemble

    if isinstance(state, Ensemble) and not solver.mixes:
        from tnspin.solvers.evolution.mixtures import evolve_mixture

        return evolve_mixture(solver, model, state, times, **keywords)
    return solver.evolve(model, state, times, **keywords)


def _with_bar(
    solver: Solver,
    model: Any,
    state: Any,
    times: Sequence[float],
    *,
    on_step: Callable[[Progress], None] | None = None,
    **keywords: Any,
) -> Iterator[Snapshot]:
    """Snapshots, with a progress bar over the time."""
    from tqdm import tqdm

    points = [float(time) for time in times]
    with tqdm(total=points[-1] - points[0], unit="t", bar_format=_BAR) as bar:

        def moved(progress: Progress) -> None:
            bar.update(progress.time - points[0] - bar.n)
            if on_step is not None:
                on_step(progress)

        yield from _snapshots(solver, model, state, times, on_step=moved, **keywords)
