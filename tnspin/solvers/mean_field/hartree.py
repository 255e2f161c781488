r"""Equations of motion of product states, from any Hamiltonian and jump operators.

With :math:`\rho = \rho_0 \otimes \rho_1 \otimes \dots` at all times (OHM Eq. 10),

.. math::
    \dot\rho_i = \mathrm{Tr}_{j \ne i}\, \mathcal L(\rho_0 \otimes \rho_1 \otimes \dots).

Written in an orthonormal basis of Hermitian matrices G_a of each site, G_0 proportional to the
identity, every term of L on k sites becomes a real tensor with k + 1 axes:

.. math::
    \dot x^a_i = \sum T_{a b c \dots} x^b_i x^c_j \cdots, \qquad
    T_{abc\dots} = \mathrm{Tr}\big[\mathcal L^+(G_a)\; G_b \otimes G_c \otimes \cdots\big].

The x of a spin 1/2 are its Bloch vector; larger spins have d^2 - 1 components, so that they are
not assumed to be coherent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import OperatorSum, split_coefficient
from tnspin.operators.sites import Matrix, Site, kron
from tnspin.states.mean_field import SiteProduct

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
Function = Callable[[float], complex]
# Most elements of the tensor of one term: two spins 5/2, or jumps on five spins 1/2.
_MOST = 2**17
_ROUND_OFF = 1e-13


@dataclass(frozen=True, eq=False)
class _Batch:
    """Tensors of one shape: of the same dimensions, for the same factor of their sites.

    Attributes
    ----------
    tensors : (m, a, b_1, ..., b_k)
        Complex for the parts of a driven H, which need not be Hermitian one by one.
    out : (m, a)
        Places of the derivatives.
    into : k arrays (m, b)
        Places of the factors.
    """

    tensors: Reals | Matrix
    out: Ints
    into: tuple[Ints, ...]

    def add(self, x: Reals, rate: Reals, scale: complex) -> None:
        value = self.tensors
        for places in reversed(self.into):
            value = np.einsum("m...b,mb->m...", value, x[places])
        np.add.at(rate, self.out, (scale * value).real)


class Hartree:
    """Right-hand side of the equations of motion of a product state.

    Parameters
    ----------
    os : OperatorSum
        H; its coefficients may depend on time, its terms reach over any distance.
    jumps : sequence of JumpOperator
        Rates included.

    Raises
    ------
    InputError
        If the chain holds electrons, or a term acts on too many sites at once.
    """

    def __init__(self, os: OperatorSum, jumps: Sequence[JumpOperator] = ()) -> None:
        if any(site.has_fermions for site in os.sites):
            raise InputError("model: mean fields are those of spins, not of electrons")
        self.sites = os.sites
        sizes = [site.dim**2 for site in os.sites]
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._size = sum(sizes)
        sums: dict[Function | None, dict[tuple[int, ...], Matrix]] = {None: {}}
        for term in os.local_terms():
            where = tuple(term.matrices)
            if where:
                _check_size(os.sites, where, "the Hamiltonian")
                factor, function = split_coefficient(term.coeff)
                part = sums.setdefault(function, {})
                part[where] = part.get(where, 0) + factor * kron(term.matrices.values())
        jumps_at: dict[tuple[int, ...], list[Matrix]] = {}
        for jump in jumps:
            _check_size(os.sites, jump.sites, f"jump operator {jump.name!r}")
            jumps_at.setdefault(tuple(jump.sites), []).append(jump.matrix)
        self.is_time_dependent = len(sums) > 1
        self._parts: list[tuple[Function | None, list[_Batch]]] = []
        for function, terms in sums.items():
            steady = jumps_at if function is None else {}
            generators = [
                (where, terms.get(where), steady.get(where, []))
                for where in dict.fromkeys((*terms, *steady))
            ]
            self._parts.append((function, self._batches(generators)))

    def __call__(self, t: float, x: Reals) -> Reals:
        """Derivative of all components at time ``t``, (size,)."""
        rate = np.zeros(self._size)
        for function, batches in self._parts:
            scale = 1.0 if function is None else complex(function(t))
            for batch in batches:
                batch.add(x, rate, scale)
        return rate

    def components(self, state: SiteProduct) -> Reals:
        """Components of the density matrix of every site, site by site, (size,)."""
        parts = [
            np.einsum("aij,ji->a", hermitian_basis(len(rho)), rho).real for rho in state.matrices
        ]
        return np.concatenate(parts)

    def state(self, x: Reals) -> SiteProduct:
        """The product state with these components."""
        parts = np.split(x, self._starts[1:])
        dims = [site.dim for site in self.sites]
        matrices = [
            np.einsum("a,aij->ij", part, hermitian_basis(d))
            for part, d in zip(parts, dims, strict=True)
        ]
        return SiteProduct(self.sites, matrices)

    def _batches(
        self, generators: Iterable[tuple[tuple[int, ...], Matrix | None, list[Matrix]]]
    ) -> list[_Batch]:
        """Terms gathered by the dimensions of their sites and by the site that they move."""
        found: dict[tuple[tuple[int, ...], int], list[tuple[Matrix, tuple[int, ...]]]] = {}
        for where, hamiltonian, jumps in generators:
            dims = tuple(self.sites[k].dim for k in where)
            for factor in range(len(where)):
                tensor = _tensor(dims, factor, hamiltonian, jumps)
                found.setdefault((dims, factor), []).append((tensor, where))
        batches = []
        for (dims, factor), items in found.items():
            first = [self._starts[[w[k] for _, w in items]] for k in range(len(dims))]
            into = tuple(
                start[:, None] + np.arange(d * d) for start, d in zip(first, dims, strict=True)
            )
            # The first component, the trace, does not change.
            out = into[factor][:, 1:]
            tensors = np.stack([tensor for tensor, _ in items])
            real = np.abs(tensors.imag).max() <= _ROUND_OFF * np.abs(tensors).max()
            batches.append(_Batch(tensors.real.copy() if real else tensors, out, into))
        return batches


@cache
def hermitian_basis(dim: int) -> Matrix:
    """(d^2, d, d) orthonormal Hermitian matrices, the first proportional to the identity."""
    found = [np.eye(dim, dtype=np.complex128) / np.sqrt(dim)]
    for j in range(dim):
        for k in range(j + 1, dim):
            real, imaginary = np.zeros((2, dim, dim), dtype=np.complex128)
            real[j, k] = real[k, j] = np.sqrt(0.5)
            imaginary[j, k], imaginary[k, j] = -1j * np.sqrt(0.5), 1j * np.sqrt(0.5)
            found += [real, imaginary]
    for j in range(1, dim):
        values = np.concatenate([np.ones(j), [-j], np.zeros(dim - j - 1)])
        found.append(np.diag(values / np.sqrt(j * (j + 1))).astype(np.complex128))
    basis = np.stack(found)
    basis.setflags(write=False)
    return basis


def _tensor(
    dims: tuple[int, ...], factor: int, hamiltonian: Matrix | None, jumps: Sequence[Matrix]
) -> Matrix:
    """(a, b_1, ..., b_k) of one term of L for the components of one of its sites."""
    before, after = prod(dims[:factor]), prod(dims[factor + 1 :])
    moved = []
    for matrix in hermitian_basis(dims[factor])[1:]:
        operator = np.kron(np.kron(np.eye(before), matrix), np.eye(after))
        total = np.zeros_like(operator)
        if hamiltonian is not None:
            total += 1j * (hamiltonian @ operator - operator @ hamiltonian)
        for jump in jumps:
            decay = jump.conj().T @ jump
            total += jump.conj().T @ operator @ jump - (decay @ operator + operator @ decay) / 2
        moved.append(total)
    count = len(dims)
    value = np.stack(moved).reshape(-1, *dims, *dims)
    # Site by site: an (out, in) pair of axes becomes one axis of components.
    for k in range(count):
        basis = hermitian_basis(dims[k])
        remaining = count - k
        value = np.tensordot(value, basis, axes=((1, 1 + remaining), (2, 1)))
    return np.asarray(value)


def _check_size(sites: Sequence[Site], where: Sequence[int], name: str) -> None:
    dims = [sites[k].dim for k in where]
    if max(dims) ** 2 * prod(dims) ** 2 > _MOST:
        raise InputError(
            f"solver.kind = 'mean_field': {name} acts on {len(dims)} sites with {prod(dims)} states"
            " at once, which is too many"
        )
