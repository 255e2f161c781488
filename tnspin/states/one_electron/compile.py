"""An operator sum in the sector of one electron: hopping, spins everywhere, exchange on sites.

With one electron a product of local operators leaves it where it is or moves it from one touched
site to another; on every other site only the elements between empty levels count. So

    H = hopping(x, x') + background (spins, wherever the electron is) + local(x) (where it is)

and each part is a small object, whatever the length of the chain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from tnspin.errors import InputError
from tnspin.operators.operator_sum import LocalTerm, OperatorSum
from tnspin.operators.sites import Matrix, Site, kron
from tnspin.states.one_electron.configurations import ELECTRON, Configurations

_TOLERANCE = 1e-14
#: Factors of the configurations -> sum of the matrices on exactly these.
_Sums = dict[tuple[int, ...], Matrix]


@dataclass(frozen=True, eq=False)
class Parts:
    """A Hamiltonian of one electron among spins.

    Attributes
    ----------
    hopping
        (L, L) matrix [to, from] between positions, on-site potentials on its diagonal.
    background
        (C, C) sparse matrix between configurations, acting wherever the electron is.
    local
        Site -> (C, C) sparse matrix, acting if the electron is there.
    local_bounds
        Bounds of the eigenvalues of all local parts, zero included.
    """

    hopping: Matrix
    background: sp.csr_array
    local: dict[int, sp.csr_array]
    local_bounds: tuple[float, float]


def compile_parts(os: OperatorSum, configurations: Configurations) -> Parts:
    """Split a constant operator sum into the parts that act on one electron.

    Raises
    ------
    InputError
        If it depends on time, breaks a charge of the basis, or has hopping that depends on the
        spins.
    """
    if os.is_time_dependent:
        raise InputError("model: one electron in a time-dependent Hamiltonian needs a state vector")
    conserved = os.conserved()
    lost = [name for name in configurations.charges if name not in conserved]
    if lost:
        raise InputError(f"charges: {lost[0]!r} is not conserved by this Hamiltonian")
    everywhere, moves = _sorted_pieces(os, configurations)
    hopping = np.zeros((configurations.length,) * 2, dtype=np.complex128)
    local, low, high = {}, 0.0, 0.0
    for (to, source), sums in moves.items():
        remaining, bounds = {}, np.zeros(2)
        for factors, matrix in sums.items():
            number = np.trace(matrix) / len(matrix)
            if np.abs(matrix - number * np.eye(len(matrix))).max() <= _TOLERANCE:
                hopping[to, source] += number
            else:
                remaining[factors] = matrix
        if not remaining:
            continue
        if to != source:
            raise InputError("model: hopping that depends on the spins needs a state vector")
        for matrix in remaining.values():
            bounds += np.linalg.eigvalsh(matrix)[[0, -1]]
        local[to] = _sparse(remaining, configurations)
        low, high = min(low, bounds[0]), max(high, bounds[1])
    return Parts(hopping, _sparse(everywhere, configurations), local, (low, high))


def spin_operator(
    before: Configurations, after: Configurations, factors: tuple[int, ...], matrix: Matrix
) -> sp.csr_array:
    """Matrix of an operator on a few factors, between two charge sectors of the same chain.

    Parameters
    ----------
    before, after
        Configurations of the columns and of the rows; the same for a conserving operator.
    factors
        Ascending factors the operator acts on.
    matrix
        (D, D) on these factors, Kronecker order, [out, in].

    Returns
    -------
    csr_array
        (after.dim, before.dim); elements that leave ``after`` are dropped.
    """
    rows, columns, values = [], [], []
    targets = {tuple(table.rest): table for table in after.table(factors)}
    for source in before.table(factors):
        target = targets.get(tuple(source.rest))
        if target is None:
            continue
        block = matrix[np.ix_(target.codes, source.codes)]
        out, into = np.nonzero(block)
        rows.append(target.index[out].ravel())
        columns.append(source.index[into].ravel())
        values.append(np.repeat(block[out, into], source.index.shape[1]))
    shape = after.dim, before.dim
    if not rows:
        return sp.csr_array(shape, dtype=np.complex128)
    where = np.concatenate(rows), np.concatenate(columns)
    return sp.csr_array(sp.coo_array((np.concatenate(values), where), shape=shape))


def _sparse(sums: Mapping[tuple[int, ...], Matrix], configurations: Configurations) -> sp.csr_array:
    total = sp.csr_array((configurations.dim,) * 2, dtype=np.complex128)
    for factors, matrix in sums.items():
        total = total + spin_operator(configurations, configurations, factors, matrix)
    total.sum_duplicates()
    return total


def _sorted_pieces(
    os: OperatorSum, configurations: Configurations
) -> tuple[_Sums, dict[tuple[int, int], _Sums]]:
    """What happens wherever the electron is, and what happens as it goes from x to x'.

    Entries (x, x) hold what is added if the electron is at x to what happens anywhere.
    """
    everywhere: _Sums = {}
    moves: dict[tuple[int, int], _Sums] = defaultdict(dict)
    for term in os.local_terms():
        for place, spins, electron in _pieces(term, configurations.sites):
            matrices = [] if electron is None else [electron]
            matrices += [spins[k] for k in sorted(spins)]
            own = () if electron is None else (ELECTRON,)
            factors = (*own, *(f for k in sorted(spins) for f in configurations.rest(k)))
            sums = everywhere if place is None else moves[place]
            sums[factors] = sums.get(factors, 0) + term.value() * kron(matrices)
    return everywhere, moves


def _pieces(
    term: LocalTerm, sites: tuple[Site, ...]
) -> Iterator[tuple[tuple[int, int] | None, dict[int, Matrix], Matrix | None]]:
    """Yield ((to, from) or None, matrix on the spins of each touched site, electron's matrix)."""
    levels = {k: _by_level(matrix, sites[k]) for k, matrix in term.matrices.items()}
    empty = {k: tensor[0, :, 0, :] for k, tensor in levels.items()}
    if all(np.any(matrix) for matrix in empty.values()):
        yield None, empty, None
    occupied = [k for k, tensor in levels.items() if len(tensor) > 1]
    for source in occupied:
        for out, into in np.ndindex(2, 2):
            electron = np.zeros((2, 2), dtype=np.complex128)
            electron[out, into] = 1.0
            stays = levels[source][1 + out, :, 1 + into, :]
            change = stays - empty[source] if out == into else stays
            if _all_nonzero(change, empty, source):
                yield (source, source), {**empty, source: change}, electron
            leaves = levels[source][0, :, 1 + into, :]
            for to in occupied:
                arrives = levels[to][1 + out, :, 0, :]
                if to != source and np.any(arrives) and _all_nonzero(leaves, empty, source, to):
                    yield (to, source), {**empty, source: leaves, to: arrives}, electron


def _all_nonzero(matrix: Matrix, empty: Mapping[int, Matrix], *but: int) -> bool:
    return bool(np.any(matrix)) and all(np.any(m) for k, m in empty.items() if k not in but)


def _by_level(matrix: Matrix, site: Site) -> Matrix:
    """(electron out, rest out, electron in, rest in) tensor of a site's matrix."""
    outer = 4 if site.has_fermions else 1
    inner = site.dim // outer
    return matrix.reshape(outer, inner, outer, inner)
