"""`ClassicalState`: unit vectors, one set of them or many realizations of a stochastic run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tnspin.errors import InputError
from tnspin.numerics.arrays import Reals
from tnspin.operators.sites import Site
from tnspin.operators.state import State

if TYPE_CHECKING:
    import h5py

#: Smallest length of <S>/S at which a quantum state still has a direction.
_SHORTEST = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class ClassicalState(State):
    """Classical spins on the localized sites of a chain.

    Attributes
    ----------
    sites : tuple of Site
        The chain.
    directions : (R, N, 3) float
        Unit vectors of R realizations, N in the order of ``model.localized_sites``.
    limit : str
        How quantum operators become classical vectors, see `classical_energy`.
    """

    noun = "set of classical spins"
    formats = ("tnspin-classical-1", "ClassicalState")
    gives = frozenset({"energy"})

    sites: tuple[Site, ...]
    directions: Reals
    limit: str = "large_spin"

    def __post_init__(self) -> None:
        object.__setattr__(self, "directions", unit_vectors(self.directions))

    @classmethod
    def of(cls, model: Any, state: Any) -> ClassicalState:
        """Directions of the spins of a quantum state (or `SlaterProduct`) of ``model``."""
        return cls(model.local_sites, directions_of(model, state)[None])

    @property
    def realizations(self) -> int:
        """Number of realizations R."""
        return len(self.directions)

    @property
    def mean(self) -> Reals:
        """(N, 3) mean over the realizations, at most 1 in length."""
        return self.directions.mean(axis=0)

    @property
    def error(self) -> Reals:
        """(N, 3) standard error of the mean; infinite for one realization."""
        count = self.realizations
        if count == 1:
            return np.full(self.directions.shape[1:], np.inf)
        return self.directions.std(axis=0, ddof=1) / np.sqrt(count)

    def repeated(self, realizations: int) -> ClassicalState:
        """Return a state of many realizations that all start like this one."""
        return replace(self, directions=np.repeat(self.directions, realizations, axis=0))

    def rotated(self, angle: float) -> ClassicalState:
        """All spins turned about the y axis, from z towards x."""
        x, y, z = np.moveaxis(self.directions, -1, 0)
        turned = (np.cos(angle) * x + np.sin(angle) * z, y, np.cos(angle) * z - np.sin(angle) * x)
        return replace(self, directions=np.stack(turned, axis=-1))

    def energy(self, model: Any, t: float = 0.0) -> float:
        """Mean energy over the realizations at time ``t``."""
        from tnspin.operators.classical.energy import energy_of

        return float(energy_of(model, self.limit).value(self.directions, t).mean())

    @property
    def norm(self) -> float:
        """Largest or smallest length of any vector, whichever is farther from 1."""
        lengths = np.linalg.norm(self.directions, axis=-1).ravel()
        return float(lengths[np.abs(lengths - 1.0).argmax()])

    # ------------------------------------------------------------------ files

    def _details(self) -> list[str]:
        return [f"{self.directions.shape[1]} spins", f"{self.realizations} realizations"]

    def _write(self, group: h5py.Group) -> None:
        group["directions"] = self.directions
        group.attrs["limit"] = self.limit

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> ClassicalState:
        return cls(sites, group["directions"][:], str(group.attrs["limit"]))


def unit_vectors(values: ArrayLike) -> Reals:
    """(R, N, 3) unit vectors from (R, N, 3) or (N, 3) ones that are of length 1 to round-off.

    Raises
    ------
    InputError
        If the shape or a length does not fit.
    """
    array = np.array(values, dtype=float, order="C")
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[-1] != 3 or 0 in array.shape:
        raise InputError(f"directions: shape {np.shape(values)} is not that of vectors (N, 3)")
    lengths = np.linalg.norm(array, axis=-1)
    if not np.abs(lengths - 1.0).max() < 1e-9:
        raise InputError("directions: vectors must be of length 1")
    # Vectors already at length 1 to a few bits stay as they are: resumed runs continue exactly.
    off = np.abs(lengths - 1.0) > 1e-15
    array[off] /= lengths[off][:, None]
    return array


def directions_of(model: Any, state: Any) -> Reals:
    """(N, 3) directions of <S> of each localized spin of a quantum state, or of a `SlaterProduct`.

    Raises
    ------
    InputError
        If a spin has none, as in a singlet.
    """
    from tnspin.operators.local import expectations, local_spin
    from tnspin.states.initial.slater import SlaterProduct

    if isinstance(state, SlaterProduct):  # as described: long chains need no matrices of theirs
        return _directions_along(model, state.spins)
    rdms = state.site_rdms()
    spins = np.array(
        [expectations(rdms[k], local_spin(state.sites[k])) for k in model.localized_sites]
    )
    return normalized(spins / model.localized_spin)


def _directions_along(model: Any, vectors: Sequence[Any]) -> Reals:
    """Directions of localized spins in given states, one vector each; equal ones once."""
    from tnspin.operators.local import expectations, local_spin
    from tnspin.operators.sites import spin

    matrices, found, rows = local_spin(spin(model.localized_spin)), {}, []
    for k in model.localized_sites:
        vector = np.asarray(vectors[k])
        key = vector.tobytes()
        if key not in found:
            found[key] = expectations(np.outer(vector, vector.conj()), matrices)
        rows.append(found[key])
    return normalized(np.array(rows).reshape(-1, 3) / model.localized_spin)


def normalized(spins: Reals) -> Reals:
    """(N, 3) directions of vectors <S>/S; refuses those that have none."""
    lengths = np.linalg.norm(spins, axis=-1)
    if lengths.size and lengths.min() < _SHORTEST:
        k = int(lengths.argmin())
        raise InputError(
            f"classical: localized spin {k} has no direction to start from, "
            f"|<S>|/S = {lengths[k]:.1e}; give classical.directions, or "
            "classical.kind = 'none' for a quantum run alone"
        )
    return spins / lengths[:, None]
