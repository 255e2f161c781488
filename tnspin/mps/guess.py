"""A state to start a search from: a superposition of low-lying product states of one sector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tnspin.mps.algebra import Summand, direct_sum
from tnspin.mps.blocks import Blocks, BlockState
from tnspin.mps.state import MPS
from tnspin.operators.charges import ChargeCode
from tnspin.operators.operator_sum import OperatorSum

#: Product states in the superposition.
_PATHS = 8
#: Amplitude of the other local states of equal charge in each product state.
_ADMIXTURE = 0.3


def reachable(site_keys: Sequence[np.ndarray], total: int) -> list[set[int]]:
    """Keys of every bond (length + 1) on some way from 0 to ``total``; empty sets if there is none.

    Parameters
    ----------
    site_keys
        Key of each local state of each site.
    total
        Key of the whole chain.
    """
    ahead = [{0}]
    for q in site_keys:
        steps = set(q.tolist())
        ahead.append({key + step for key in ahead[-1] for step in steps})
    ahead[-1] &= {total}
    for i in reversed(range(len(site_keys))):
        steps = set(site_keys[i].tolist())
        ahead[i] &= {key - step for key in ahead[i + 1] for step in steps}
    return ahead


class _Classical:
    """Diagonal energies of single sites and neighbours, for the cheapest product state."""

    def __init__(self, os: OperatorSum) -> None:
        self.on_site = [np.zeros(site.dim) for site in os.sites]
        self.bond = [np.zeros((a.dim, b.dim)) for a, b in zip(os.sites, os.sites[1:], strict=False)]
        norms = []
        for term in os.local_terms():
            value, matrices = term.value(), list(term.matrices.values())
            where = list(term.matrices)
            diagonals = [np.diag(matrix) for matrix in matrices]
            if len(where) == 1:
                self.on_site[where[0]] += (value * diagonals[0]).real
            elif len(where) == 2 and where[1] == where[0] + 1:
                self.bond[where[0]] += (value * np.outer(*diagonals)).real
            if any(np.abs(m - np.diag(np.diag(m))).max() > 0 for m in matrices):
                norms.append(abs(value) * np.prod([np.linalg.norm(m, 2) for m in matrices]))
        self.scale = float(np.mean(norms)) if norms else 1.0

    def cheapest(
        self,
        site_keys: Sequence[np.ndarray],
        allowed: Sequence[set[int]],
        heat: Sequence[np.ndarray],
    ) -> list[int]:
        """Local state of every site of the cheapest product state, ``heat`` added per site.

        Dynamic programming from the right over (key of a bond, state of the site left of it).
        """
        length = len(site_keys)
        keys = [np.array(sorted(a), dtype=np.int64) for a in allowed]
        cost = np.zeros((keys[-1].size, site_keys[-1].size))
        choices = []
        for i in reversed(range(length)):
            # value[k, p]: everything from site i on, coming from key k with site i in state p.
            to = keys[i][:, None] + site_keys[i][None, :]
            at = np.minimum(np.searchsorted(keys[i + 1], to), keys[i + 1].size - 1)
            ahead = cost[at, np.arange(site_keys[i].size)] + self.on_site[i] + heat[i]
            value = np.where(keys[i + 1][at] == to, ahead, np.inf)
            bond = self.bond[i - 1] if i else np.zeros((1, site_keys[0].size))
            total = value[:, None, :] + bond[None, :, :]
            choices.append(total.argmin(axis=2))
            cost = total.min(axis=2)
        path, key, before = [], 0, 0
        for i, choice in enumerate(reversed(choices)):
            before = int(choice[np.searchsorted(keys[i], key), before])
            path.append(before)
            key += int(site_keys[i][before])
        return path


def starting_state(
    os: OperatorSum,
    code: ChargeCode,
    allowed: Sequence[set[int]],
    rng: np.random.Generator,
    dtype: np.dtype,
) -> MPS:
    """Random superposition of the classical ground state and of hotter product states.

    Adding Gumbel noise of strength T to the energies and taking the cheapest state draws
    roughly from the Boltzmann distribution at temperature T, sector included.

    Parameters
    ----------
    os
        The Hamiltonian.
    code
        Charges in use.
    allowed
        Result of `reachable`; every set non-empty.
    rng
        Source of all randomness.
    dtype
        float64 or complex128: kind of the amplitudes.
    """
    classical = _Classical(os)
    keys = [code.site_keys(site) for site in os.sites]
    paths = []
    for k in range(_PATHS):
        # A trace of noise in the first breaks ties.
        heat = classical.scale * (1e-6 if k == 0 else 0.5 * k)
        paths.append(
            classical.cheapest(keys, allowed, [heat * rng.gumbel(size=q.size) for q in keys])
        )
    state = _superposition(os, code, keys, np.array(paths), rng, dtype)
    state.canonicalize(cutoff=1e-14)
    return state


def _superposition(
    os: OperatorSum,
    code: ChargeCode,
    keys: Sequence[np.ndarray],
    paths: np.ndarray,
    rng: np.random.Generator,
    dtype: np.dtype,
) -> MPS:
    """Sum of product states, one per path, local states mixed within their charge."""
    count, length = paths.shape
    sizes = [[{0: 1}] for _ in range(count)]
    blocks: list[list[Blocks]] = [[] for _ in range(count)]
    at = np.zeros(count, dtype=np.int64)
    for i in range(length):
        for n in range(count):
            site: Blocks = {}
            for p in np.flatnonzero(keys[i] == keys[i][paths[n, i]]):
                amplitude = complex(p == paths[n, i]) + _ADMIXTURE * rng.normal()
                if dtype.kind == "c":
                    amplitude = amplitude + 1j * _ADMIXTURE * rng.normal()
                site[int(at[n]), int(p)] = np.array([[amplitude]])
            blocks[n].append(site)
        at = at + keys[i][paths[:, i]]
        for n, key in enumerate(at.tolist()):
            sizes[n].append({key: 1})
    parts = [
        BlockState.from_blocks(os.sites, code, *one) for one in zip(sizes, blocks, strict=True)
    ]
    return MPS.from_blocks(os.sites, code, *direct_sum([Summand(part) for part in parts]))
