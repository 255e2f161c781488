"""What the equation of motion of each solver conserves, and how the solver represents states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tnspin.models import Model

__all__ = ["REPRESENTATIONS", "conserved"]

#: Solver -> representation of its states.
REPRESENTATIONS = {
    "tebd": "mps",
    "tdvp": "mps",
    "exact": "vector",
    "master_equation": "density",
    "density_matrix": "density_mps",
    "purification": "purified",
    "trajectories": "average",
    "llg": "classical",
    "mean_field": "mean_field",
    "hybrid": "hybrid",
    "quantum_llg": "isospectral",
    "quantum_ll": "isospectral",
}


def conserved(model: Model, solver: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Observables that the equation of motion of a solver keeps constant.

    Parameters
    ----------
    model
        Its Hamiltonian gives the charges, and whether it depends on time.
    solver, options
        Name of the solver, and what `evolve` has been called with: jump operators, damping, noise.

    Returns
    -------
    tuple of str
        Of "norm", "particle_number", "total_sz", "energy" and "purity".
    """
    hamiltonian, jumps = (
        model.hamiltonian,
        [one for one in options.get("jumps", ()) if one.strength],
    )
    charges = hamiltonian.conserved()
    noisy = bool(options.get("temperature", 0))
    # Without a value, the quantum Landau-Lifshitz-Gilbert equations are damped.
    rotates_spectrum = REPRESENTATIONS[solver] == "isospectral"
    damped = any(np.any(options.get(key, 0)) for key in ("damping", "torque"))
    damped |= rotates_spectrum and bool(options.get("kappa", 1))
    closed = not (jumps or noisy or damped)
    if options.get("variant") == "printed" or (jumps and solver == "mean_field"):
        return ("norm",)  # no equation of a density matrix, whose traces could be conserved
    kept = {
        "norm": True,
        "particle_number": "N" in charges,
        "energy": closed and not hamiltonian.is_time_dependent,
        # Jump operators of charge 0 commute with S^z; damping turns spins.
        "total_sz": "2Sz" in charges
        and not (noisy or damped)
        and all(one.charge == 0 for one in jumps),
        "purity": closed or (rotates_spectrum and not noisy),
    }
    return tuple(name for name, constant in kept.items() if constant)
