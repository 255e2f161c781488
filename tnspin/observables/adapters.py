"""Adapters that make every kind of state answer the same three questions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Protocol

import numpy as np

from tnspin.errors import InputError

__all__ = ["Dense", "Native", "Reducible", "adapt"]


class Reducible(Protocol):
    """A state that can be reduced, with its chain."""

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimension of each site."""

    def rdm(self, sites: Sequence[int]) -> np.ndarray:
        """Reduced density matrix, factors in the order given."""

    def schmidt(self, bond: int) -> np.ndarray:
        """Schmidt values, descending."""


def adapt(state: Any, dims: Sequence[int] | None) -> Reducible:
    """Wrap a state.

    Parameters
    ----------
    state
        As for `tnspin.observables.reduced.rdm`.
    dims
        Dimension of each site of a numpy array.

    Raises
    ------
    InputError
        If the state is of no known kind, or the dimensions do not fit it.
    """
    if isinstance(state, np.ndarray):
        return Dense(state, dims)
    if dims is not None:
        raise InputError("dims: only needed for a numpy array, this state knows its own")
    if all(hasattr(state, name) for name in ("rdm", "sites")) and hasattr(state.sites[0], "dim"):
        return Native(state)
    # By name, because importing quimb takes seconds and few runs need it.
    if any(base.__name__ == "MatrixProductState" for base in type(state).__mro__):
        return Quimb(state)
    raise InputError(f"state: {type(state).__name__} is no MPS, state vector or array")


class Native:
    """A state of this package, which answers for itself."""

    def __init__(self, state: Any) -> None:
        self.state = state

    @property
    def dims(self) -> tuple[int, ...]:
        return tuple(site.dim for site in self.state.sites)

    def rdm(self, sites: Sequence[int]) -> np.ndarray:
        return np.asarray(self.state.rdm(list(sites)))

    def schmidt(self, bond: int) -> np.ndarray:
        if not hasattr(self.state, "schmidt"):
            raise InputError(f"state: a {type(self.state).__name__} has no Schmidt values")
        return np.asarray(self.state.schmidt(bond))


class Quimb:
    """A quimb matrix product state; measuring it moves its gauge, so a copy is measured."""

    def __init__(self, state: Any) -> None:
        if state.cyclic:
            raise InputError("state: a periodic matrix product state has no canonical form")
        self.state = state

    @property
    def dims(self) -> tuple[int, ...]:
        return tuple(self.state.phys_dim(site) for site in range(self.state.L))

    def rdm(self, sites: Sequence[int]) -> np.ndarray:
        ordered = sorted(sites)
        dims = [self.dims[site] for site in ordered]
        rho = np.asarray(self.state.copy().partial_trace_to_dense_canonical(tuple(ordered)))
        order = [ordered.index(site) for site in sites]
        tensor = rho.reshape(*dims, *dims).transpose(*order, *(len(dims) + k for k in order))
        return np.ascontiguousarray(tensor).reshape(rho.shape)

    def schmidt(self, bond: int) -> np.ndarray:
        values = np.sort(np.asarray(self.state.copy().singular_values(bond + 1)))[::-1]
        return values / np.linalg.norm(values)


class Dense:
    """A vector or density matrix of few sites."""

    def __init__(self, array: np.ndarray, dims: Sequence[int] | None) -> None:
        array = np.asarray(array)
        if array.ndim == 2 and 1 in array.shape:
            array = array.ravel()
        if array.ndim > 2 or (array.ndim == 2 and array.shape[0] != array.shape[1]):
            raise InputError(f"state: shape {array.shape} is no vector and no density matrix")
        self.mixed = array.ndim == 2
        size = len(array)
        if dims is None and size & (size - 1):
            raise InputError(f"dims: needed, {size} amplitudes are not those of spins 1/2")
        self._dims = (2,) * (size.bit_length() - 1) if dims is None else tuple(map(int, dims))
        if prod(self._dims) != size:
            raise InputError(f"dims: {self._dims} does not match {size} amplitudes")
        norm = np.trace(array).real if self.mixed else np.linalg.norm(array)
        if not norm > 0:
            raise InputError("state: its norm is zero")
        self.array = array / norm

    @property
    def dims(self) -> tuple[int, ...]:
        return self._dims

    def rdm(self, sites: Sequence[int]) -> np.ndarray:
        kept = list(sites)
        traced = [k for k in range(len(self._dims)) if k not in kept]
        order = kept + traced
        inner, outer = prod(self._dims[k] for k in kept), prod(self._dims[k] for k in traced)
        if not self.mixed:
            wide = self.array.reshape(self._dims).transpose(order).reshape(inner, outer)
            return wide @ wide.conj().T
        both = order + [len(self._dims) + k for k in order]
        tensor = self.array.reshape(self._dims * 2).transpose(both)
        return np.einsum("ambm->ab", tensor.reshape(inner, outer, inner, outer))

    def schmidt(self, bond: int) -> np.ndarray:
        if self.mixed:
            raise InputError("state: a density matrix has no Schmidt values")
        left = prod(self._dims[: bond + 1])
        return np.linalg.svd(self.array.reshape(left, -1), compute_uv=False)
