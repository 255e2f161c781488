"""Solvers: each file has ``evolve(model, state, times, *, ...) -> Iterator[Snapshot]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from ..errors import InputError, nearest
from ..snapshot import Snapshot

#: Name in configurations -> module of this package.
SOLVERS = {"tebd": "tebd", "exact": "exact"}


def evolve(
    model: Any, state: Any, times: Sequence[float], *, solver: str = "tebd", **options: Any
) -> Iterator[Snapshot]:
    """Evolve ``state`` under ``model`` and yield a `Snapshot` at each of ``times``.

    Parameters
    ----------
    solver
        "tebd" (matrix product states) or "exact" (state vectors); ``options`` go to the
        ``evolve`` of that module.

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
    return module(model, state, times, **options)
