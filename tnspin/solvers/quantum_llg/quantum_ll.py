"""The quantum Landau-Lifshitz equation: `quantum_llg` with its damping written explicitly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tnspin.models import Model
from tnspin.observables.snapshot import Snapshot
from tnspin.solvers.quantum_llg import evolve as quantum_llg

__all__ = ["evolve"]


def evolve(model: Model, state: Any, times: Sequence[float], **options: Any) -> Iterator[Snapshot]:
    """Evolve by rho' = i [rho, H] - kappa [rho, [rho, H]]; options as `quantum_llg.evolve`."""
    return quantum_llg.evolve(model, state, times, equation="quantum_ll", **options)
