"""Purified states from pure ones, from Gibbs states with ancillas, and from mixtures of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.mps.blocks import Tensor
from tnspin.mps.purified.kraus import Blocks, enlarged
from tnspin.mps.state import MPS
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Site, purified

__all__ = ["Part", "direct_sum", "with_kraus"]

Ints = NDArray[np.int64]
# Bits of a sector key.
_BITS = 60


class Part(NamedTuple):
    """A member of a mixture: its weight, and a pure state with the charges of its Kraus states."""

    weight: float
    state: MPS
    kraus: Sequence[Ints]


def with_kraus(state: Any, chain: Sequence[Site]) -> tuple[MPS, list[Ints]]:
    """A pure state with its ancillas, if any, as Kraus indices, and the charges of these.

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


def direct_sum(
    chain: Sequence[Site], parts: Sequence[Part], names: tuple[str, ...]
) -> tuple[MPS, list[Ints]]:
    """Mixture of purified states, told apart by the Kraus index of the first site.

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
    dims: list[dict[int, int]] = [defaultdict(int) for _ in range(len(chain) + 1)]
    blocks: list[Blocks] = [{} for _ in chain]
    places = [
        _places(dims, part.state, own, offset, code)
        for part, own, offset in zip(parts, columns, offsets, strict=True)
    ]
    for part, place, start in zip(parts, places, starts, strict=True):
        factor = np.sqrt(part.weight) / part.state.norm
        for i, site in enumerate(chain):
            for (key, local), block in part.state.blocks(i).items():
                to = key + int(part.state.site_keys[i][local])
                (row, x), (column, y) = place[i][key], place[i + 1][to]
                at = row, start[i] * site.dim + local
                if at not in blocks[i]:
                    shape = dims[i][row], dims[i + 1][column]
                    blocks[i][at] = np.zeros(shape, dtype=np.complex128)
                rows, width = block.shape
                blocks[i][at][x : x + rows, y : y + width] += block if i else factor * block
    state = MPS.from_blocks(enlarged(chain, kraus, names), code, dims, blocks)
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


def _places(
    dims: list[dict[int, int]], state: MPS, columns: list[int], offset: Ints, code: ChargeCode
) -> list[dict[int, tuple[int, int]]]:
    """Where the sectors of a part go: its key -> (key, first row); ``dims`` grow accordingly."""
    found = []
    for k, bond in enumerate(state.bonds):
        charges = state.code.decode(bond.keys)[:, columns] + offset * (k > 0)
        # All parts share the ends of the chain.
        end = k in (0, state.length)
        place = {}
        for key, to, size in zip(
            bond.keys.tolist(), code.encode(charges).tolist(), bond.dims.tolist(), strict=True
        ):
            place[key] = to, 0 if end else dims[k][to]
            dims[k][to] = 1 if end else dims[k][to] + size
        found.append(place)
    return found
