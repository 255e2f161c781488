"""A matrix product operator sorted by charge, as integer tables for compiled code.

The MPO states of a bond with one charge form a class; what a site does between two classes
with one local state before and one after is a `hop`: a small matrix, kept as a list of its
entries where it is sparse and as a whole where it is full.

           class c --[ n x n' ]-- class c'
                        |
                   out <- in            c' = c + q[out] - q[in]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tnspin.operators.charges import ChargeCode
from tnspin.operators.mpo import mpo_tensors
from tnspin.operators.mpo_sum import Automaton
from tnspin.operators.operator_sum import LocalTerm, OperatorSum

#: Entries of W below this are round-off of its orthonormal frames.
_ZERO = 1e-15
#: Fewer entries than this are added one by one whatever the size of the matrix.
_FEW = 4


class MpoBond(NamedTuple):
    """MPO states of one bond.

    Attributes
    ----------
    charges
        Key of each class, ascending.
    widths
        Number of states of each class.
    before, after
        Class and place in it of the state to whose left, to whose right, stands the identity
        ("not begun", "done"); (-1, -1) where there is none.
    """

    charges: np.ndarray
    widths: np.ndarray
    before: tuple[int, int]
    after: tuple[int, int]


class Hops(NamedTuple):
    """Hops of one site, seen from one end.

    ``table`` has one row per hop: local state after and before, class before and after, first
    entry and end of the entries, place in ``dense`` (-1: use the entries).  ``row``, ``col``,
    ``value`` list the entries; ``dense`` holds transposed matrices (n', n).
    """

    table: np.ndarray
    row: np.ndarray
    col: np.ndarray
    value: np.ndarray
    dense: np.ndarray


class MpoTables:
    """An MPO for `kernels.effective`: states of every bond, hops of every site from both ends.

    Parameters
    ----------
    tensors
        W[a, b, out, in] of every site, as `mpo_tensors` makes them: state 0 is "not
        begun", state 1 is "done"; at the ends of the chain there is only one of them.
    bond_charges
        Charges of every MPO state, length + 1 arrays (w, number of charges).
    code
        Charges in use.
    site_keys
        Key of every local state.
    """

    def __init__(
        self,
        tensors: Sequence[np.ndarray],
        bond_charges: Sequence[np.ndarray],
        code: ChargeCode,
        site_keys: Sequence[np.ndarray],
    ) -> None:
        self.length = len(tensors)
        self._keys = [code.encode(charges) for charges in bond_charges]
        self._site_keys = list(site_keys)
        self.bonds = [_mpo_bond(keys, k > 0, k < self.length) for k, keys in enumerate(self._keys)]
        self.tensors = list(tensors)
        self.from_left: list[Hops] = []
        self.from_right: list[Hops] = []
        for k in range(self.length):
            for hops, one in zip((self.from_left, self.from_right), self._hops(k), strict=True):
                hops.append(one)
        self._ahead: dict[bool, list[np.ndarray]] = {}

    def replace(self, k: int, tensor: np.ndarray) -> None:
        """Exchange the tensor of one site for another between the same bond states."""
        self.tensors[k] = tensor
        self.from_left[k], self.from_right[k] = self._hops(k)

    def _hops(self, k: int) -> tuple[Hops, Hops]:
        w, q = self.tensors[k], self._site_keys[k]
        left, right = self._keys[k : k + 2]
        return _hops(w, left, right, q), _hops(w.transpose(1, 0, 2, 3), right, left, -q)

    def reach(self, bond: int, rightwards: bool) -> list[np.ndarray] | None:
        """Strength with which each MPO state of a bond acts beyond the next site.

        That is the norm of the operator by which the state continues (root of the normalized
        trace of its square), without the part that ends on the next site: a two-site update of
        the next window makes that part's new states anyway.

        Returns
        -------
        list of ndarray (width of the class)
            None where nothing reaches that far.
        """
        if rightwards not in self._ahead:
            self._ahead[rightwards] = self._norms(rightwards)
        weights = self._ahead[rightwards][bond]
        if weights.max(initial=0.0) < _ZERO:
            return None
        keys = self._keys[bond]
        return [weights[keys == charge] for charge in self.bonds[bond].charges]

    def _norms(self, rightwards: bool) -> list[np.ndarray]:
        order = range(self.length)
        tensors = [w.transpose(1, 0, 2, 3) for w in self.tensors]
        if rightwards:
            order, tensors = order[::-1], self.tensors
        out = [np.zeros(0)] * (self.length + 1)
        gram = np.ones((1, 1), dtype=np.complex128)
        final = 0
        for k in order:
            w = tensors[k] / np.sqrt(tensors[k].shape[2])
            far = gram.copy()
            far[final], far[:, final] = 0.0, 0.0
            bond = k if rightwards else k + 1
            norms = np.sqrt(np.einsum("abij,bc,acij->a", w.conj(), far, w, optimize=True).real)
            norms[: 2 if w.shape[0] > 1 else 1] = 0.0
            out[bond] = norms
            gram = np.einsum("abij,bc,dcij->ad", w.conj(), gram, w, optimize=True)
            final = 1 if rightwards else 0
        return out


def _mpo_bond(keys: np.ndarray, has_left: bool, has_right: bool) -> MpoBond:
    charges, widths = np.unique(keys, return_counts=True)
    zero = int(np.searchsorted(charges, 0))
    nowhere = (-1, -1)
    # Stable: the two special states come first in the class of charge zero.
    before = (zero, 0) if has_right else nowhere
    after = (zero, 1 if has_right else 0) if has_left else nowhere
    return MpoBond(charges, widths.astype(np.int64), before, after)


class Hop(NamedTuple):
    """Block of W between MPO states of one charge each: ``matrix (n before, n after)``."""

    out: int
    into: int
    before: int
    after: int
    matrix: np.ndarray


def charge_blocks(
    w: np.ndarray, before: np.ndarray, after: np.ndarray, keys: np.ndarray, zero: float = 0.0
) -> Iterator[Hop]:
    """Blocks of W[before, after, out, in] with an entry above ``zero``."""
    members = {int(c): np.flatnonzero(after == c) for c in np.unique(after)}
    for out, into in zip(*np.nonzero(np.abs(w).max(axis=(0, 1)) > zero), strict=True):
        for c in np.unique(before):
            to = int(c + keys[out] - keys[into])
            if to in members:
                matrix = w[np.flatnonzero(before == c)][:, members[to], out, into]
                if (np.abs(matrix) > zero).any():
                    yield Hop(int(out), int(into), int(c), to, matrix)


def _hops(w: np.ndarray, before: np.ndarray, after: np.ndarray, keys: np.ndarray) -> Hops:
    """Hops of W[before, after, out, in] between states with these keys."""
    classes = [np.unique(before).tolist(), np.unique(after).tolist()]
    table, entries, dense = [], [], [np.empty(0, dtype=np.complex128)]
    first, at = 0, 0
    for out, into, c, to, matrix in charge_blocks(w, before, after, keys, _ZERO):
        row, col = np.nonzero(np.abs(matrix) > _ZERO)
        full = row.size > max(_FEW, matrix.size // 4)
        last, place = first + row.size, (classes[0].index(c), classes[1].index(to))
        table.append((out, into, *place, first, last, at if full else -1))
        entries.append((row, col, matrix[row, col]))
        first = last
        if full:
            dense.append(np.ascontiguousarray(matrix.T, dtype=np.complex128).ravel())
            at += matrix.size
    rows, cols, values = zip(*entries, strict=True) if entries else ([], [], [])
    return Hops(
        np.array(table, dtype=np.int64).reshape(-1, 7),
        np.concatenate([*rows, np.empty(0, dtype=np.int64)]).astype(np.int64),
        np.concatenate([*cols, np.empty(0, dtype=np.int64)]).astype(np.int64),
        np.concatenate([*values, np.empty(0, dtype=np.complex128)]).astype(np.complex128),
        np.concatenate(dense),
    )


def lift(hops: Hops, dims: tuple[int, int], first: bool) -> Hops:
    """Hops of one of two sites as hops of the pair, whose state is ``p * dims[1] + q``."""
    idle = np.arange(dims[1] if first else dims[0], dtype=np.int64)
    table = np.repeat(hops.table, idle.size, axis=0)
    spectator = np.tile(idle, hops.table.shape[0])
    for column in (0, 1):
        if first:
            table[:, column] = table[:, column] * dims[1] + spectator
        else:
            table[:, column] += spectator * dims[1]
    return hops._replace(table=np.ascontiguousarray(table))


class DrivenMpo:
    """Tables of an operator sum at one time after another.

    Driven fields on single sites only change one entry of W, the one from "not begun" to "done";
    other driven terms make the operator anew.

    Parameters
    ----------
    os
        The sum.
    code
        Charges to follow, all conserved.
    constant
        More terms, constant in time, that conserve them too.

    Attributes
    ----------
    tables
        The operator at the time of the last `set_time`.
    """

    def __init__(
        self, os: OperatorSum, code: ChargeCode, constant: Automaton | None = None
    ) -> None:
        self._sum, self._code, self._constant = os, code, constant
        self._site_keys = [code.site_keys(site) for site in os.sites]
        pairs = list(zip(os.terms, os.local_terms(), strict=True))
        driven = [(term, local) for term, local in pairs if callable(term.coeff)]
        self._driven = bool(driven)
        self._fields: dict[int, list[LocalTerm]] | None = None
        if all(len(local.matrices) == 1 for _, local in driven):
            self._fields = {}
            for _, local in driven:
                (site,) = local.matrices
                self._fields.setdefault(site, []).append(local)
            static = tuple(term for term in os.terms if not callable(term.coeff))
            self.tables = self._build(OperatorSum(os.sites, static), 0.0)
            self._static = {k: self.tables.tensors[k] for k in self._fields}

    def _build(self, os: OperatorSum, t: float) -> MpoTables:
        names = self._code.names
        tensors, charges = mpo_tensors(os, t, charge_names=names)
        if self._constant is not None:
            column = names.index("2Sz") if "2Sz" in names else None
            tensors, charges = self._constant.added_to(tensors, charges, column)
        return MpoTables(tensors, charges, self._code, self._site_keys)

    def set_time(self, t: float) -> bool:
        """Take the coefficients at time ``t``; returns whether the operator has changed."""
        if not self._driven:
            return False
        if self._fields is None:
            self.tables = self._build(self._sum, t)
            return True
        last = len(self._sum.sites) - 1
        for k, terms in self._fields.items():
            q = self._site_keys[k]
            tensor = self._static[k].copy()
            field = sum(term.value(t) * term.matrices[k] for term in terms)
            # Parts that change a charge cancel in the whole sum.
            tensor[0, 0 if k == last else 1] += np.where(q[:, None] == q[None, :], field, 0.0)
            self.tables.replace(k, tensor)
        return True
