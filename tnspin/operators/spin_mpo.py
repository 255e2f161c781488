"""Operators on localized spins as matrix product operators on the sites that they act on.

    |  |  |        |     |     |
    [ O  O ]  =   [W]-a-[W]-b-[W]
    |  |  |        |     |     |

Sites in between, and electrons of the sites, are left alone.  Sums and products are exact and
`compressed` afterwards; norms are those of Hilbert and Schmidt divided by that of the identity, so
that they do not depend on the number of sites.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Ints, Reals
from tnspin.operators.charge_split import changes, isometry, schmidt, split_off
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Matrix, Site

#: Tensors of every site and charges of every bond of a matrix product operator on a chain.
Operator = tuple[list[Matrix], list[Ints]]
#: Largest space on which an operator is made a matrix.
LARGEST = 4096


@dataclass(frozen=True, eq=False)
class SpinOperator:
    """A matrix product operator on the localized spins of a few sites.

    Attributes
    ----------
    sites
        Ascending.
    tensors
        (w, w', d, d) for each site, [left, right, out, in] on its spin.
    charges
        2Sz that the operator has added to the left of every bond, ``len(sites) + 1`` arrays (w,);
        zeros where it is not definite.
    local_charges
        2Sz of the states of each spin, (d,), up to a constant.
    definite
        Whether 2Sz changes by a definite amount, ``charges[-1]``.
    """

    sites: tuple[int, ...]
    tensors: tuple[Matrix, ...]
    charges: tuple[Ints, ...]
    local_charges: tuple[Ints, ...]
    definite: bool

    @classmethod
    def from_matrix(
        cls, matrix: Matrix, where: Sequence[int], sites: Sequence[Site], definite: bool
    ) -> SpinOperator:
        """Split a matrix exactly.

        Parameters
        ----------
        matrix
            (D, D) on the spins (trailing factors) of ``where``, first site slowest, [out, in].
        where
            Ascending sites.
        sites
            The chain.
        definite
            Whether it changes 2Sz by a definite amount.

        Raises
        ------
        InputError
            If the sites do not ascend or are not in the chain, sizes do not fit, or the change is
            not definite although it should be.
        """
        where = tuple(int(k) for k in where)
        inside = all(0 <= k < len(sites) for k in where)
        dims = [sites[k].spin_dim for k in where] if inside else []
        if list(where) != sorted(set(where)) or matrix.shape != (prod(dims),) * 2:
            raise InputError(
                f"matrix: shape {matrix.shape} does not fit the spins of sites {list(where)}"
            )
        count = len(where)
        # Axes out 1, in 1, out 2, in 2, ...
        order = [axis for k in range(count) for axis in (k, count + k)]
        rest = matrix.reshape([*dims] * 2).transpose(order).reshape(1, -1)
        steps = tuple(sites[k].charge("2Sz")[:d] for k, d in zip(where, dims, strict=True))
        charge = np.zeros(1, dtype=np.int64)
        tensors, charges = [], [charge]
        for k, step in enumerate(steps):
            tensor, rest, charge = split_off(rest, charge, step * int(definite), k == count - 1)
            tensors.append(tensor)
            charges.append(charge)
        return cls(where, tuple(tensors), tuple(charges), steps, definite)

    def _with(self, tensors: Sequence[Matrix], charges: Sequence[Ints]) -> SpinOperator:
        """Another operator on the same sites."""
        return replace(self, tensors=tuple(tensors), charges=tuple(charges))

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimension of each spin."""
        return tuple(w.shape[2] for w in self.tensors)

    @property
    def bond_dims(self) -> tuple[int, ...]:
        """Bond dimension of every inner bond."""
        return tuple(w.shape[1] for w in self.tensors[:-1])

    @property
    def size(self) -> int:
        """States of all its spins together."""
        return prod(self.dims)

    @cached_property
    def matrix(self) -> Matrix:
        """(D, D), first site slowest.

        Raises
        ------
        InputError
            If it would have more than 4096 rows.
        """
        if self.size > LARGEST:
            raise InputError(
                f"jumps: an operator on {len(self.sites)} spins is too large for a matrix; use "
                "solver.kind = 'density_matrix', or 'trajectories' with engine = 'mps'"
            )
        total = np.ones((1, 1, 1), dtype=np.complex128)
        for w in self.tensors:
            total = np.einsum("xoi,xypq->yopiq", total, w, optimize=True)
            total = total.reshape(w.shape[1], total.shape[1] * w.shape[2], -1)
        return np.ascontiguousarray(total[0])

    @cached_property
    def norm(self) -> float:
        """``sqrt(Tr O+ O / D)``."""
        gram = np.ones((1, 1), dtype=np.complex128)
        for w in self.tensors:
            gram = np.einsum("ac,abij,cdij->bd", gram, w.conj(), w, optimize=True) / w.shape[2]
        return float(np.sqrt(abs(gram[0, 0])))

    @property
    def adjoint(self) -> SpinOperator:
        """O+."""
        tensors = tuple(w.conj().transpose(0, 1, 3, 2) for w in self.tensors)
        return self._with(tensors, [-q for q in self.charges])

    @property
    def conjugate(self) -> SpinOperator:
        """O*, element by element; its charges count those of the bra of ``O rho O+``."""
        tensors = tuple(w.conj() for w in self.tensors)
        return self._with(tensors, [-q for q in self.charges])

    def __mul__(self, number: complex) -> SpinOperator:
        """Multiply by a number."""
        tensors = (number * self.tensors[0], *self.tensors[1:])
        return self._with(tensors, self.charges)

    __rmul__ = __mul__

    def __add__(self, other: SpinOperator) -> SpinOperator:
        """Sum of two operators on the same sites; uncompressed."""
        if self.sites != other.sites:
            raise InputError("operators: only those on the same sites can be added")
        definite = self.definite and other.definite and self.charges[-1] == other.charges[-1]
        one, two = self, other
        if not definite:
            one, two = (
                replace(x, charges=tuple(map(np.zeros_like, x.charges))) for x in (self, other)
            )
        tensors, last = [], len(self.sites) - 1
        for k, (a, b) in enumerate(zip(one.tensors, two.tensors, strict=True)):
            # The outer bonds are shared.
            row, column = a.shape[0] if k else 0, a.shape[1] if k < last else 0
            shape = row + b.shape[0], column + b.shape[1], *a.shape[2:]
            w = np.zeros(shape, dtype=np.complex128)
            w[: a.shape[0], : a.shape[1]] = a
            w[row:, column:] += b
            tensors.append(w)
        inner = [np.concatenate(pair) for pair in zip(one.charges, two.charges, strict=True)]
        charges = (one.charges[0], *inner[1:-1], one.charges[-1])
        return replace(one._with(tensors, charges), definite=bool(definite))

    def __matmul__(self, other: SpinOperator) -> SpinOperator:
        """Product with an operator on the same sites, which acts first; uncompressed."""
        bonds = zip(self.charges, other.charges, strict=True)
        every = [np.ones((p.size, q.size), bool) for p, q in bonds]
        return self.combined(other, every, "pqom,pqmi->pqoi")

    def combined(
        self, other: SpinOperator, kept: Sequence[NDArray[np.bool_]], rule: str
    ) -> SpinOperator:
        """Combine with an operator on the same sites, tensor by tensor.

        Parameters
        ----------
        other
            Its charges are added to those of this one.
        kept
            For every bond, which pairs of bond states to keep.
        rule
            Einstein sum of two tensors (p, q, out, in); the result's last axes are made two.
        """
        if self.sites != other.sites:
            raise InputError("operators: only those on the same sites can be combined")
        definite = self.definite and other.definite
        pairs = [np.nonzero(choice) for choice in kept]
        tensors = []
        for k, (a, b) in enumerate(zip(self.tensors, other.tensors, strict=True)):
            (i, j), (m, n) = pairs[k], pairs[k + 1]
            w = np.einsum(rule, a[np.ix_(i, m)], b[np.ix_(j, n)])
            d = round(np.sqrt(w.size // (i.size * m.size)))
            tensors.append(np.ascontiguousarray(w.reshape(i.size, m.size, d, d)))
        charges = tuple(
            (p[i] + q[j]) * int(definite)
            for p, q, (i, j) in zip(self.charges, other.charges, pairs, strict=True)
        )
        return replace(self._with(tensors, charges), definite=definite)

    def squared(self, tolerance: float) -> SpinOperator:
        """O+ O, compressed before and after to a share ``tolerance`` of the norm."""
        short, values, _ = self.canonical(tolerance)
        kept = [pairs_above(s, tolerance) for s in values]
        return short.adjoint.combined(short, kept, "pqom,pqmi->pqoi").compressed(tolerance)[0]

    def compressed(self, tolerance: float) -> tuple[SpinOperator, float]:
        """Compress to as few bond states as a relative error allows.

        Parameters
        ----------
        tolerance
            Largest norm left out at each bond, as a share of the whole norm.

        Returns
        -------
        operator
            Its tensors but the first are orthonormal from the right.
        error
            Norm of all parts left out, as a share of the whole norm.
        """
        operator, _, lost = self.canonical(tolerance)
        norm = operator.norm
        return operator, float(np.sqrt(lost)) / norm if norm else 0.0

    def canonical(self, tolerance: float) -> tuple[SpinOperator, list[Reals], float]:
        """Compress, and return the Schmidt values of every bond and the squared norm lost."""
        tensors, charges = list(self.tensors), list(self.charges)
        steps = [changes(q) * int(self.definite) for q in self.local_charges]
        last = len(tensors) - 1
        for k in range(last):
            w = tensors[k] / np.sqrt(self.dims[k])
            rows = np.add.outer(charges[k], steps[k]).ravel()
            flat = w.transpose(0, 2, 3, 1).reshape(rows.size, -1)
            q, r, charges[k + 1] = isometry(flat, rows, charges[k + 1])
            shape = w.shape[0], *w.shape[2:], q.shape[1]
            tensors[k] = q.reshape(shape).transpose(0, 3, 1, 2) * np.sqrt(self.dims[k])
            tensors[k + 1] = np.tensordot(r, tensors[k + 1], axes=1)
        values: list[Reals] = [np.ones(1)] * (last + 2)
        lost = 0.0
        for k in reversed(range(1, last + 1)):
            w = tensors[k] / np.sqrt(self.dims[k])
            columns = np.subtract.outer(charges[k + 1], steps[k]).ravel()
            cut = schmidt(w.reshape(w.shape[0], -1), charges[k], columns, tolerance)
            shape = cut.right.shape[0], *w.shape[1:]
            tensors[k] = cut.right.reshape(shape) * np.sqrt(self.dims[k])
            carry = cut.left * cut.values
            tensors[k - 1] = np.einsum("aboi,bc->acoi", tensors[k - 1], carry, optimize=True)
            charges[k], values[k] = cut.charges, cut.values
            lost += cut.discarded
        return self._with(tensors, charges), values, lost

    def trimmed(self, tolerance: float) -> tuple[SpinOperator, float]:
        """Leave out sites at both ends where the operator is nearly the identity.

        Parameters
        ----------
        tolerance
            Largest norm that leaving out one site may cost, as a share of the whole.

        Returns
        -------
        operator, error
            The norm of all that was left out, as a share of the whole.
        """
        operator, whole, lost = self, self.norm, 0.0
        for end in (0, -1):
            while len(operator.sites) > 1:
                short, part = operator._without(end)
                if part > tolerance * whole:
                    break
                operator, lost = short, float(np.hypot(lost, part))
        return operator, lost / whole if whole else 0.0

    def moved(self, sites: Sequence[int]) -> SpinOperator:
        """Return the operator on other sites."""
        return replace(self, sites=tuple(sites))

    def on_chain(self, sites: Sequence[Site], code: ChargeCode) -> Operator:
        """Tensors and bond charges on a whole chain, for `MPS.apply_mpo`.

        Raises
        ------
        InputError
            If the states conserve 2Sz and the operator does not change it by a definite amount.
        """
        if "2Sz" in code.names and not self.definite:
            raise InputError("jumps: an operator changes 2Sz by no definite amount")
        place = {k: n for n, k in enumerate(self.sites)}
        charges, tensors = [self.charges[0]], []
        for k, site in enumerate(sites):
            inside = k in place
            charges.append(self.charges[place[k] + 1] if inside else charges[-1])
            one = np.multiply.outer(np.eye(charges[-1].size), np.eye(site.dim, dtype=complex))
            tensors.append(with_rest(self.tensors[place[k]], site) if inside else one)
        tables = [np.zeros((q.size, len(code.names)), dtype=np.int64) for q in charges]
        if "2Sz" in code.names:
            for table, q in zip(tables, charges, strict=True):
                table[:, code.names.index("2Sz")] = q
        return tensors, tables

    def _without(self, end: int) -> tuple[SpinOperator, float]:
        """The operator traced over its first or last site, and the norm of what that loses."""
        w = self.tensors[end]
        d = w.shape[2]
        part = np.einsum("aboo->ab", w) / d
        rest = slice(1, None) if end == 0 else slice(None, -1)
        tensors, charges = list(self.tensors[rest]), list(self.charges[rest])
        if end == 0:
            tensors[0] = np.tensordot(part, tensors[0], axes=1)
        else:
            tensors[-1] = np.einsum("aboi,bc->acoi", tensors[-1], part, optimize=True)
        charges[end] = self.charges[end]
        sites, steps = self.sites[rest], self.local_charges[rest]
        short = replace(self._with(tensors, charges), sites=sites, local_charges=steps)
        other = list(self.tensors)
        other[end] = w - np.multiply.outer(part, np.eye(d))
        return short, self._with(other, self.charges).norm


def pairs_above(values: Reals, tolerance: float) -> NDArray[np.bool_]:
    """Pairs of Schmidt values whose products hold all but a share of the whole norm.

    Parameters
    ----------
    values
        Schmidt values of one bond.
    tolerance
        Norm that may be left out, as a share of the whole.
    """
    weights = np.multiply.outer(values, values) ** 2
    ascending = np.sort(weights, axis=None)
    lost = np.cumsum(ascending)
    first = int(np.searchsorted(lost, tolerance**2 * lost[-1], side="right"))
    return weights >= ascending[min(first, ascending.size - 1)]


def with_rest(w: Matrix, site: Site) -> Matrix:
    """Tensor on the spin of a site as one on all of it."""
    lead = np.eye(site.dim // w.shape[2])
    return np.einsum("abst,lm->ablsmt", w, lead).reshape(*w.shape[:2], site.dim, site.dim)
