"""What an observable is, and for which runs it makes sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from tnspin.observables.snapshot import HALVES, Snapshot

__all__ = ["Observable"]

Applies = Callable[[Any, str], bool]
# Most states of the localized spins for which their density matrix is dealt with as it is.
DENSE = 2**10
# Most eigenvalues of a density matrix that are recorded.
LEVELS = 64


# ---------------------------------------------------------------------- what applies where


def always(model: Any, form: str) -> bool:
    """Every run."""
    return True


def with_cuts(model: Any, form: str) -> bool:
    """Runs whose state is pure, or a mixture of a few pure states, of the chain itself.

    Cuts through a purified chain count the correlations of spins with their ancillas as well.
    """
    mixed = ("density", "isospectral", "density_mps", "purified", "average")
    return form not in mixed and model.kind != "purified"


def truncated(model: Any, form: str) -> bool:
    """Runs of states that may have been truncated."""
    return form in ("mps", "density_mps", "purified", "average")


def matrix_products(model: Any, form: str) -> bool:
    """Runs of matrix product states."""
    return form in ("mps", "density_mps", "purified")


def density_matrix_products(model: Any, form: str) -> bool:
    """Runs of a density matrix as a matrix product state."""
    return form == "density_mps"


def purified(model: Any, form: str) -> bool:
    """Runs of a locally purified density matrix."""
    return form == "purified"


def mixed_with_edges(model: Any, form: str) -> bool:
    """Runs of a density matrix of at least two localized spins, no electrons in tensor networks."""
    network = form in ("density_mps", "purified") and not with_electrons(model, form)
    return with_edges(model, form) and (form in ("density", "isospectral") or network)


def long_mixed_chain(model: Any, form: str) -> bool:
    """Tensor networks of density matrices of chains of spins too long to be compared as halves."""
    network = form in ("density_mps", "purified") and mixed_with_edges(model, form)
    return network and len(model.groups) == 1 and not short_spin_chain(model, form)


def never(model: Any, form: str) -> bool:
    """Only where it is asked for."""
    return False


def density(model: Any, form: str) -> bool:
    """Runs of a density matrix that is itself at hand, not only a purification."""
    return form in ("density", "isospectral", "density_mps")


def isospectral(model: Any, form: str) -> bool:
    """Runs of a density matrix whose eigenvalues ought to be constant, if these are few."""
    return form == "isospectral" and prod(site.dim for site in model.local_sites) <= LEVELS


def with_electrons(model: Any, form: str) -> bool:
    """Chains with electron levels."""
    return any(site.has_fermions for site in model.local_sites)


def with_spins(model: Any, form: str) -> bool:
    """Chains with localized spins."""
    return len(model.localized_sites) > 0


def with_both(model: Any, form: str) -> bool:
    """Chains with electrons and localized spins."""
    return with_electrons(model, form) and with_spins(model, form)


def with_current(model: Any, form: str) -> bool:
    """Chains along which electrons hop."""
    return hasattr(model, "hopping") and with_electrons(model, form)


def with_edges(model: Any, form: str) -> bool:
    """Chains with at least two localized spins."""
    return len(model.localized_sites) > 1


def with_qubits(model: Any, form: str) -> bool:
    """Chains whose localized spins are 1/2."""
    return with_spins(model, form) and model.localized_spin == 0.5


def with_qubit_pairs(model: Any, form: str) -> bool:
    """Chains with at least two localized spins 1/2."""
    return with_edges(model, form) and with_qubits(model, form)


def pairs_in_view(model: Any, form: str) -> bool:
    """Runs in which pairs are what there is to look at."""
    few = len(model.local_sites) <= 3 and short_spin_chain(model, form)
    return few or form == "isospectral" or model.kind == "open_heisenberg"


def with_two_groups(model: Any, form: str) -> bool:
    """Chains with exactly two groups of localized spins: spin valves."""
    return len(model.groups) == 2


def few_spins(model: Any, form: str) -> bool:
    """Chains with localized spins few enough for their density matrix."""
    dims = [model.local_sites[k].spin_dim for k in model.localized_sites]
    return len(dims) > 1 and prod(dims) <= DENSE


def short_spin_chain(model: Any, form: str) -> bool:
    """Chains of nothing but spins, in one group, few enough for their density matrix."""
    dims = [site.spin_dim for site in model.local_sites]
    only_spins = len(model.groups) == 1 and not with_electrons(model, form)
    return only_spins and len(model.localized_sites) > 1 and prod(dims) <= HALVES


@dataclass(frozen=True)
class Observable:
    """One variable of a result.

    Attributes
    ----------
    name
        Name in the result file and in ``record.observables``.
    dims
        Names of its dimensions, time first.
    units, long_name
        For the result file and the axes of figures.
    function
        Snapshot -> number or array with the dimensions after time.
    applies
        ``(model, form) -> bool``: whether it makes sense for a run.  The form of its states is
        "mps" or "vector" (any exact pure state), mixtures of a few included, "density",
        "isospectral" or "density_mps" (one density matrix: dense, of constant eigenvalues, or as a
        matrix product state),
        "average" (sampled trajectories) or "classical" (unit vectors).
    default
        ``(model, form) -> bool``: whether a run records it without being asked.
    needs_reference
        Whether the localized spins must have started along z: `Options.reference`.
    """

    name: str
    dims: tuple[str, ...]
    units: str
    long_name: str
    function: Callable[[Snapshot], Any]
    applies: Applies
    default: Applies = always
    needs_reference: bool = False
