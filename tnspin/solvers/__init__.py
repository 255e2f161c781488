"""Solvers: each file has ``evolve(model, state, times, *, ...) -> Iterator[Snapshot]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from tnspin.errors import InputError, nearest
from tnspin.observables.snapshot import Snapshot
from tnspin.solvers.conservation import REPRESENTATIONS, conserved
from tnspin.states.ensemble import Ensemble

#: Name in configurations -> module of this package.
SOLVERS = {
    "tebd": "tebd",
    "tdvp": "tdvp",
    "exact": "exact",
    "trajectories": "trajectories.evolve",
    "master_equation": "lindblad.master_equation",
    "llg": "classical.llg",
    "mean_field": "mean_field.evolve",
    "hybrid": "hybrid",
    "density_matrix": "density_matrix",
    "purification": "purification",
    "quantum_llg": "quantum_llg.evolve",
    "quantum_ll": "quantum_llg.quantum_ll",
}
#: Solvers of pure states: the members of a mixture go through them one by one, in lock step.
_PURE = ("tebd", "tdvp", "exact")


def evolve(
    model: Any, state: Any, times: Sequence[float], *, solver: str = "tebd", **options: Any
) -> Iterator[Snapshot]:
    """Evolve ``state`` under ``model`` and yield a `Snapshot` at each of ``times``.

    Parameters
    ----------
    state
        A pure state of the kind that the solver takes, or an `Ensemble` of such states, whose
        snapshots hold an `Ensemble` again (a density matrix or an average where the solver makes
        one).
    solver
        "tebd" (matrix product states), "tdvp" (those, with couplings of any range), "exact" (state
        vectors), "trajectories" (quantum jumps), "master_equation" (density matrices),
        "density_matrix" (those as matrix product states), "purification" (those in locally
        purified form), "llg" (classical spins), "mean_field" (product states), "hybrid"
        (electrons among classical spins), "quantum_llg" or "quantum_ll" (density matrices of
        constant spectrum); ``options`` go to the ``evolve`` of that module.

    Raises
    ------
    InputError
        For an unknown solver, and whatever the solver refuses.
    """
    if solver not in SOLVERS:
        raise InputError(
            f"solver: {solver!r} is not one of {sorted(SOLVERS)}{nearest(solver, SOLVERS)}"
        )
    module: Callable[..., Any] = import_module(f".{SOLVERS[solver]}", __name__).evolve
    if isinstance(state, Ensemble) and solver in _PURE:
        from tnspin.solvers import ensemble

        module, options = ensemble.evolve, options | {"evolve_one": module}
    snapshots = module(model, state, times, **options)
    facts = {
        "conserved": conserved(model, solver, options),
        "representation": REPRESENTATIONS[solver],
    }
    return (replace(snapshot, **facts) for snapshot in snapshots)
