"""Density matrix of two groups of localized spins from states of one electron.

Rows of the amplitudes are spin configurations, so the density matrix is a product of them with
themselves.  Groups too large for their product basis are first rotated to the eigenvectors of
their own density matrices, found for all members of a mixture together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from tnspin.numerics.arrays import Ints
from tnspin.observables.groups.state import (
    LARGEST,
    GroupState,
    doubled_sz,
    kept_vectors,
    least_probability,
)
from tnspin.operators.sites import Matrix
from tnspin.states.one_electron.configurations import Configurations
from tnspin.states.one_electron.state import OneElectronState

Members = Sequence[tuple[float, OneElectronState]]
# Amplitudes copied at once, which bounds the memory of the copies: 512 MiB.
_SLICE = 2**25


@dataclass(frozen=True, eq=False)
class _Frame:
    """Kept vectors of one group with one 2Sz.

    Attributes
    ----------
    states
        (n,) product states with that 2Sz.
    places
        (k,) indices of the kept vectors in the basis of the group.
    vectors
        (n, k) their amplitudes; None for the product states themselves.
    """

    states: Ints
    places: Ints
    vectors: Matrix | None


#: The kept basis of a group by 2Sz.
_Basis = dict[int, _Frame]


def group_state(
    members: Members,
    part_a: Sequence[int],
    part_b: Sequence[int],
    *,
    cutoff: float = 1e-10,
    dense: int = 10,
    largest: int = LARGEST,
) -> GroupState:
    """Density matrix of the localized spins of two groups of sites (PRA Eq. 1).

    Parameters
    ----------
    members
        (weight, state) of a mixture; weights sum to 1.
    part_a, part_b
        Sites with localized spins, in the order of the product basis.
    cutoff
        Largest weight to discard per group when its basis is compressed.
    dense
        Up to this many spins together the product basis is kept.
    largest
        Most rows of a block of the compressed density matrix and of its partial transpose: where
        more are needed for the cutoff, the least probable vectors of the two bases go.
    """
    conserved = all("2Sz" in state.charge_names for _, state in members)
    compressed = len(part_a) + len(part_b) > dense
    chain = members[0][1].configurations
    parts = (sorted(part_a), sorted(part_b)) if compressed else (part_a, part_b)
    charges = [doubled_sz(chain.dims(_factors(chain, part))) for part in parts]
    bases = [_product_basis(q if conserved else 0 * q) for q in charges]
    lost = 0.0
    if compressed:
        bases, lost = _compressed(members, parts, bases, cutoff, largest)
    charges = [_kept_charges(basis) for basis in bases]
    blocks = _blocks(members, parts, bases, charges)
    trace = sum(np.trace(block).real for block in blocks.values())
    blocks = {q: block / trace for q, block in blocks.items()}
    return GroupState((charges[0], charges[1]), blocks, lost, compressed)


def _factors(chain: Configurations, part: Sequence[int]) -> tuple[int, ...]:
    return tuple(chain.spin(site) for site in part)


def _product_basis(charges: Ints) -> _Basis:
    states = {int(q): np.flatnonzero(charges == q) for q in np.unique(charges)}
    return {q: _Frame(where, where, None) for q, where in states.items()}


def _kept_charges(basis: _Basis) -> Ints:
    charges = np.zeros(sum(len(frame.places) for frame in basis.values()), dtype=np.int64)
    for q, frame in basis.items():
        charges[frame.places] = q
    return charges


def _compressed(
    members: Members, parts: Sequence[Sequence[int]], bases: Sequence[_Basis], cutoff: float,
    largest: int,
) -> tuple[list[_Basis], float]:  # fmt: skip
    """Schmidt spaces of both groups: eigenvectors of their density matrices; the weight lost."""
    vectors, values, lost = [], [], 0.0
    for part, basis in zip(parts, bases, strict=True):
        rho: dict[int, Any] = {
            q: sum(w * _one_group(state, part, frame.states) for w, state in members)
            for q, frame in basis.items()
        }
        trace = sum(float(np.trace(block).real) for block in rho.values())
        kept, spectrum, dropped = kept_vectors({q: b / trace for q, b in rho.items()}, cutoff)
        vectors.append(kept)
        values.append(spectrum)
        lost += dropped
    least = least_probability(values[0], values[1], largest)
    frames = []
    for basis, spectrum, kept in zip(bases, values, vectors, strict=True):
        frame, place = {}, 0
        for q, p in spectrum.items():
            fits = p >= least
            lost += float(p[~fits].sum())
            count = int(np.count_nonzero(fits))
            if count:
                places = np.arange(place, place + count)
                frame[q] = _Frame(basis[q].states, places, kept[q][:, fits])
                place += count
        frames.append(frame)
    return frames, lost


def _one_group(state: OneElectronState, part: Sequence[int], states: Ints) -> Matrix:
    """(n, n) density matrix between some product states of a group, trace not normalized."""
    rho = np.zeros((len(states),) * 2, dtype=np.complex128)
    for table in state.configurations.table(_factors(state.configurations, part)):
        wanted = np.isin(table.codes, states)
        if not wanted.any():
            continue
        index = table.index[wanted]
        rows = np.searchsorted(states, table.codes[wanted])
        alive = state.weights[index] > 0
        used, columns = np.flatnonzero(alive.any(axis=1)), np.flatnonzero(alive.any(axis=0))
        index, rows = index[np.ix_(used, columns)], rows[used]
        block = np.zeros((len(rows),) * 2, dtype=np.complex128)
        for wide in _slices(state, index):
            block += wide @ wide.conj().T
        rho[np.ix_(rows, rows)] += block / state.weights.sum()
    return rho


def _slices(state: OneElectronState, index: Ints) -> Iterator[Matrix]:
    """(n, columns x L) amplitudes of the configurations ``index`` (n, m), a few columns at once."""
    step = max(1, _SLICE // max(1, len(index) * state.length))
    for start in range(0, index.shape[1], step):
        part = state.amplitudes[index[:, start : start + step]]
        yield part.reshape(len(index), -1)


def _blocks(
    members: Members, parts: tuple[Sequence[int], Sequence[int]], bases: list[_Basis],
    charges: list[Ints],
) -> dict[int, Matrix]:  # fmt: skip
    """Density matrix by total charge, in the order of `GroupState`."""
    total = np.add.outer(*charges)
    row = np.zeros(total.shape, dtype=np.int64)
    for q in np.unique(total):
        row[total == q] = np.arange(np.count_nonzero(total == q))
    size = {int(q): np.count_nonzero(total == q) for q in np.unique(total)}
    blocks = {q: np.zeros((n, n), dtype=np.complex128) for q, n in size.items()}
    for weight, state in members:
        chain = state.configurations
        factors = [_factors(chain, part) for part in parts]
        joint = tuple(sorted(factors[0] + factors[1]))
        dims = chain.dims(factors[0]), chain.dims(factors[1])
        for table in chain.table(joint):
            a, b = _separate(table.codes, joint, factors, chain)
            position = np.full((prod(dims[0]), prod(dims[1])), -1, dtype=np.int64)
            position[a, b] = np.arange(len(a))
            columns = np.flatnonzero(np.any(state.weights[table.index] > 0, axis=0))
            step = max(1, _SLICE // (len(a) * state.length))
            for start in range(0, len(columns), step):
                index = table.index[:, columns[start : start + step]]
                for q, (rows, wide) in _waves(state, index, position, bases, row).items():
                    share = weight / state.weights.sum()
                    blocks[q][np.ix_(rows, rows)] += share * (wide @ wide.conj().T)
    return blocks


def _separate(
    codes: Ints, joint: tuple[int, ...], factors: list[tuple[int, ...]], chain: Configurations
) -> tuple[Ints, Ints]:
    """Split codes of both groups' factors together into one code per group."""
    digits = dict(zip(joint, np.unravel_index(codes, chain.dims(joint)), strict=True))
    found = []
    for part in factors:
        code = np.zeros(len(codes), dtype=np.int64)
        for f in part:
            code = code * chain.factors[f].dim + digits[f]
        found.append(code)
    return found[0], found[1]


def _waves(
    state: OneElectronState, index: Ints, position: Ints, bases: list[_Basis], row: Ints
) -> dict[int, tuple[Ints, Matrix]]:
    """Amplitudes in the kept bases by total 2Sz: rows of the block, (rows, columns x L)."""
    found: dict[int, list[tuple[Ints, Matrix]]] = {}
    for q_a, one in bases[0].items():
        for q_b, other in bases[1].items():
            where = position[np.ix_(one.states, other.states)]
            if where[0, 0] < 0 or not np.any(state.weights[index[where]]):
                continue
            rows = row[np.ix_(one.places, other.places)].ravel()
            wave = _project(state.amplitudes[index[where]], one.vectors, other.vectors)
            found.setdefault(q_a + q_b, []).append((rows, wave))
    return {
        q: (np.concatenate([r for r, _ in parts]), np.concatenate([w for _, w in parts]))
        for q, parts in found.items()
    }


def _project(wave: Matrix, first: Matrix | None, second: Matrix | None) -> Matrix:
    """(n_a, n_b, columns, L) amplitudes in the kept bases, as (k_a k_b, columns x L)."""
    if first is not None:
        wave = np.tensordot(first.conj(), wave, axes=(0, 0))
    if second is not None:
        wave = np.tensordot(second.conj(), wave, axes=(0, 1)).swapaxes(0, 1)
    return wave.reshape(wave.shape[0] * wave.shape[1], -1)
