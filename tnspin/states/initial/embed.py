"""Matrix product states of a few sites as parts of a longer chain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Site

if TYPE_CHECKING:
    from tnspin.mps.state import MPS

_Blocks = dict[tuple[int, int], np.ndarray]


def embed(
    sites: Sequence[Site],
    parts: Sequence[tuple[Sequence[int], MPS]],
    charge_names: Sequence[str] = (),
) -> MPS:
    """Product of states of separate parts of a chain; all other sites are in their first state.

    A part may be scattered: the sites between its own then pass its bond on unchanged. ::

        --[ A0 ]-----+-----[ A1 ]--      + : a site that does not belong to the part
            |        |        |

    Parameters
    ----------
    sites
        The chain.
    parts
        Ascending sites of each part and its state.  The local states of a part's sites are the
        first ones of the chain's sites (a site without electrons comes first in its space).
    charge_names
        Charges of the blocks; every part must have blocks of the same charges.

    Raises
    ------
    InputError
        If parts are interleaved.
    """
    from tnspin.mps.state import MPS

    code = ChargeCode.for_sites(charge_names, sites)
    owner = {site: (mps, k) for where, mps in parts for k, site in enumerate(where)}
    spans = sorted((where[0], where[-1]) for where, _ in parts)
    for (_, end), (begin, _) in pairwise(spans):
        if begin <= end:
            raise InputError(
                f"state.temperature: groups of localized spins are interleaved at site {begin}"
            )
    dims: list[dict[int, int]] = [{0: 1}]
    blocks: list[_Blocks] = []
    # Charge to the left of the current part, and the charge that passed sites have added since.
    base = 0
    for j, site in enumerate(sites):
        own = int(code.site_keys(site)[0])
        if j not in owner:
            blocks.append({(key, 0): np.eye(dim, dtype=complex) for key, dim in dims[-1].items()})
            dims.append({key + own: dim for key, dim in dims[-1].items()})
            base += own
            continue
        mps, k = owner[j]
        before, after = (_keys(mps, code, bond, base) for bond in (k, k + 1))
        blocks.append({(before[key], p): block for (key, p), block in mps.blocks(k).items()})
        sizes = zip(mps.bonds[k + 1].keys.tolist(), mps.bonds[k + 1].dims.tolist(), strict=True)
        dims.append({after[key]: dim for key, dim in sizes})
        if k + 1 == mps.length:
            (base,) = dims[-1]
    return MPS.from_blocks(sites, code, dims, blocks)


def _keys(mps: MPS, code: ChargeCode, bond: int, base: int) -> dict[int, int]:
    """Keys of the chain for the keys of a part at one of its bonds."""
    keys = mps.bonds[bond].keys
    return dict(
        zip(keys.tolist(), (base + code.encode(mps.code.decode(keys))).tolist(), strict=True)
    )
