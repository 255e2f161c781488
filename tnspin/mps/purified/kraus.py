"""Kraus indices in front of sites: their charges, their truncation, and states that have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.algebra import Summand, direct_sum
from tnspin.mps.blocks import Tensor
from tnspin.mps.state import MPS
from tnspin.numerics.arrays import Ints, Reals
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Matrix, Site, purified

# Eigenvalues below this share of their sum are round-off.
_RANK = 1e-16
# Bits of a sector key.
_BITS = 60


def enlarged(sites: Sequence[Site], kraus: Sequence[Ints], names: Sequence[str]) -> list[Site]:
    """Sites with a Kraus index in front of them; they have charges but no operators.

    Parameters
    ----------
    sites
        The chain.
    kraus
        Charges of the Kraus states of every site, (K, number of names).
    names
        Names of the charges.
    """
    found = []
    for site, table in zip(sites, kraus, strict=True):
        charges = {
            name: tuple(np.add.outer(table[:, c], site.charge(name)).ravel().tolist())
            for c, name in enumerate(names)
        }
        labels = tuple(f"{k};{label}" for k in range(len(table)) for label in site.labels)
        parity = site.parity * len(table)
        found.append(Site(f"kraus-{site.name}", labels, charges, {}, parity, site.spin_dim))
    return found


def appended(kraus: Ints, changes: Ints) -> Ints:
    """Charges of the Kraus states (old, new), new fastest, when operators have been applied.

    The ancilla takes what the operator takes from the site.
    """
    count = len(kraus) * len(changes)
    return (kraus[:, None, :] - changes[None, :, :]).reshape(count, kraus.shape[1])


def least_kept(
    values: Reals, cutoff: float, most: int, round_off: float = _RANK
) -> tuple[float, float]:
    """Smallest eigenvalue to keep, and the share of their sum that those below it have.

    Parameters
    ----------
    values
        Eigenvalues of all sectors, in any order.
    cutoff
        Largest share to drop.
    most
        Most values to keep, whatever their share; one is always kept.
    round_off
        Share that is dropped in any case: that of squares of singular values may be far smaller.
    """
    ascending = np.sort(values)
    total = float(ascending.sum())
    dropped = np.cumsum(ascending)
    count = int(np.searchsorted(dropped, max(cutoff, round_off) * total, side="right"))
    count = min(max(count, ascending.size - most), ascending.size - 1)
    return float(ascending[count]), float(dropped[count - 1] / total) if count else 0.0


def left_spectrum(matrix: Matrix) -> tuple[Reals, Matrix]:
    """Squared singular values of an (n, m) matrix, descending, and left vectors as columns."""
    if not matrix.shape[1]:
        return np.zeros(0), np.zeros((len(matrix), 0), dtype=np.complex128)
    if matrix.shape[1] < 2 * len(matrix):
        u, s, _ = np.linalg.svd(matrix, full_matrices=False)
        return s**2, u
    values, vectors = np.linalg.eigh(matrix @ matrix.conj().T)
    return np.clip(values[::-1], 0.0, None), vectors[:, ::-1]


# ---------------------------------------------------------------------- states


class Part(NamedTuple):
    """A member of a mixture: its weight, and a pure state with the charges of its Kraus states."""

    weight: float
    state: MPS
    kraus: Sequence[Ints]


def with_kraus(state: Any, chain: Sequence[Site]) -> tuple[MPS, list[Ints]]:
    """Pure state whose ancillas, if any, are Kraus indices, and the charges of these.

    Parameters
    ----------
    state
        `MPS` on the sites of the chain, or on `tnspin.operators.sites.purified` of them.
    chain
        Sites without ancillas.

    Raises
    ------
    InputError
        If the state is of another kind, or on other sites.
    """
    if not isinstance(state, MPS) or len(state.sites) != len(chain):
        raise InputError(
            f"state: a {type(state).__name__} is no matrix product state of {len(chain)} sites"
        )
    names = state.charge_names
    kraus, tensors = [], []
    for i, (site, own) in enumerate(zip(chain, state.sites, strict=True)):
        if own.labels == site.labels:
            kraus.append(np.zeros((1, len(names)), dtype=np.int64))
            tensors.append(state.tensors[i])
            continue
        if own.labels != purified(site).labels:
            raise InputError(f"state: site {i} is a {own.name} site, not a {site.name} site")
        d = site.spin_dim
        doubled = 2 * np.arange(d) - (d - 1)
        table = [doubled if name == "2Sz" else 0 * doubled for name in names]
        kraus.append(np.array(table, dtype=np.int64).reshape(-1, d).T)
        # States in the order (rest, ancilla, spin) become (ancilla, rest, spin).
        order = np.arange(own.dim).reshape(-1, d, d).transpose(1, 0, 2).ravel()
        offset, data = state.tensors[i]
        tensors.append(Tensor(np.ascontiguousarray(offset[:, order]), data))
    sites = enlarged(chain, kraus, names)
    return MPS(sites, state.code, state.bonds, tensors, state.canonical), kraus


def mixture(
    chain: Sequence[Site], parts: Sequence[Part], names: tuple[str, ...]
) -> tuple[MPS, list[Ints]]:
    """Mixture of purified states, distinguished by the Kraus index of the first site.

    Parameters
    ----------
    chain
        Sites without ancillas.
    parts
        The members; one is fine, to drop charges.
    names
        Charges of the blocks, which all parts have.

    Raises
    ------
    InputError
        If a part lacks one of the charges.
    """
    for part in parts:
        missing = [name for name in names if name not in part.state.charge_names]
        if missing:
            raise InputError(f"state: it has no blocks of {missing[0]!r}")
    # Kraus states count what has gone to the baths, so no charge of theirs is ever too large.
    shift = _BITS // max(len(names), 1)
    code = ChargeCode(names, tuple(2 ** (shift * c) for c in range(len(names))))
    columns = [[part.state.charge_names.index(name) for name in names] for part in parts]
    totals = [
        part.state.code.decode(part.state.bonds[-1].keys)[0, own]
        for part, own in zip(parts, columns, strict=True)
    ]
    # The first site's Kraus states make up for different total charges.
    offsets = [totals[0] - total for total in totals]
    kraus, starts = _joined(parts, columns, offsets)
    summands = []
    for part, own, offset, start in zip(parts, columns, offsets, starts, strict=True):
        keys = []
        for k, bond in enumerate(part.state.bonds):
            charges = part.state.code.decode(bond.keys)[:, own] + offset * (k > 0)
            keys.append(dict(zip(bond.keys.tolist(), code.encode(charges).tolist(), strict=True)))
        first = [n * site.dim for n, site in zip(start, chain, strict=True)]
        factor = np.sqrt(part.weight) / part.state.norm
        summands.append(Summand(part.state, factor, keys, first))
    state = MPS.from_blocks(enlarged(chain, kraus, names), code, *direct_sum(summands))
    state.canonicalize()
    return state, kraus


def _joined(
    parts: Sequence[Part], columns: Sequence[list[int]], offsets: Sequence[Ints]
) -> tuple[list[Ints], list[list[int]]]:
    """Kraus states of a sum, and where those of each part begin at every site."""
    tables: list[Ints] = []
    starts: list[list[int]] = [[] for _ in parts]
    for i in range(parts[0].state.length):
        own = [part.kraus[i][:, c] for part, c in zip(parts, columns, strict=True)]
        if i == 0:
            own = [table + offset for table, offset in zip(own, offsets, strict=True)]
        # Beyond the first site members may share theirs.
        shared = i > 0 and all(np.array_equal(table, own[0]) for table in own)
        for m in range(len(own)):
            starts[m].append(0 if shared else sum(len(one) for one in own[:m]))
        tables.append(own[0] if shared else np.concatenate(own))
    return tables, starts
