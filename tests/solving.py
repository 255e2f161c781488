"""Solvers as functions: ``exact(model, state, times, ...)`` and so on."""

from __future__ import annotations

from functools import partial

from tnspin.solvers import evolve

(
    density_matrix, exact, hybrid, llg, master_equation, mean_field, purification, quantum_ll,
    quantum_llg, tdvp, tebd, trajectories,
) = (
    partial(evolve, solver=kind)
    for kind in (
        "density_matrix", "exact", "hybrid", "llg", "master_equation", "mean_field",
        "purification", "quantum_ll", "quantum_llg", "tdvp", "tebd", "trajectories",
    )
)  # fmt: skip
