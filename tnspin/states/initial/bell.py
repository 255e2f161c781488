"""Bell and Werner states of pairs of neighbouring spins 1/2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import Any

import numpy as np

from tnspin.errors import InputError, nearest
from tnspin.mps.state import MPS
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import Site
from tnspin.states.initial.check import finite
from tnspin.states.initial.mixture import Mixture
from tnspin.states.vector import VectorState

__all__ = ["BELL", "BellPairs", "bell", "werner"]

_HALF = 2**-0.5
#: Name -> (4,) amplitudes of up-up, up-down, down-up, down-down.
BELL: dict[str, np.ndarray] = {
    "psi+": np.array([0.0, _HALF, _HALF, 0.0]),
    "psi-": np.array([0.0, _HALF, -_HALF, 0.0]),
    "phi+": np.array([_HALF, 0.0, 0.0, _HALF]),
    "phi-": np.array([_HALF, 0.0, 0.0, -_HALF]),
}
# Four members per pair.
_MOST_PAIRS = 4


@dataclass(frozen=True, eq=False)
class BellPairs:
    """Sites 0 and 1, 2 and 3, ... in a Bell state each.

    Attributes
    ----------
    sites
        An even number of spins 1/2.
    names
        Key of `BELL` of every pair.
    """

    sites: tuple[Site, ...]
    names: tuple[str, ...]

    @property
    def purified(self) -> bool:
        """False: the state lives on the sites of the model itself."""
        return False

    def conserved(self) -> tuple[str, ...]:
        """2Sz, unless some pair has both up or both down."""
        return () if any(name.startswith("phi") for name in self.names) else ("2Sz",)

    def total_charge(self, charge_names: Sequence[str]) -> dict[str, int]:
        """0 for 2Sz."""
        return dict.fromkeys(charge_names, 0)

    def reference(self, localized: Sequence[int]) -> None:
        """None: no spin starts in a basis state."""
        return None

    def to_mps(self, charge_names: Sequence[str] = ()) -> MPS:
        """Matrix product state, every other bond of dimension 2."""
        from tnspin.operators.charges import ChargeCode

        code = ChargeCode.for_sites(charge_names, self.sites)
        up, down = code.site_keys(self.sites[0]).tolist()
        dims: list[dict[int, int]] = [{0: 1}]
        blocks: list[dict[tuple[int, int], np.ndarray]] = []
        for name in self.names:
            (base,) = dims[-1]
            left, right = _pair_blocks(BELL[name].reshape(2, 2), base, (up, down))
            blocks += [left[0], right[0]]
            dims += [left[1], right[1]]
        mps = MPS.from_blocks(self.sites, code, dims, blocks)
        mps.canonicalize()
        return mps

    def to_vector(self, basis: ChargeBasis | None = None) -> VectorState:
        """Amplitudes in a charge sector, or in the full space.

        Raises
        ------
        InputError
            If the state has weight outside the sector.
        """
        basis = basis if basis is not None else ChargeBasis(self.sites)
        amplitudes = np.ones(basis.dim)
        for k, name in enumerate(self.names):
            index = 2 * basis.states[:, 2 * k].astype(int) + basis.states[:, 2 * k + 1]
            amplitudes *= BELL[name][index]
        if abs(np.linalg.norm(amplitudes) - 1) > 1e-8:
            raise InputError("state: it has weight outside the charge sector of the run")
        return VectorState(self.sites, amplitudes, basis)


_Blocks = tuple[dict[tuple[int, int], np.ndarray], dict[int, int]]


def _pair_blocks(
    amplitudes: np.ndarray, base: int, keys: tuple[int, int]
) -> tuple[_Blocks, _Blocks]:
    """Blocks of two sites and the sectors right of each, from (2, 2) amplitudes [left, right]."""
    middle: dict[int, int] = {}
    place = []
    for p in range(2):
        key = base + keys[p]
        place.append((key, middle.get(key, 0)))
        middle[key] = middle.get(key, 0) + 1
    first = {}
    for p, (key, row) in enumerate(place):
        first[base, p] = np.zeros((1, middle[key]), dtype=complex)
        first[base, p][0, row] = 1.0
    after = {
        key + keys[q] for p, (key, _) in enumerate(place) for q in range(2) if amplitudes[p, q]
    }
    second: dict[tuple[int, int], np.ndarray] = {}
    for p, (key, row) in enumerate(place):
        for q in range(2):
            if key + keys[q] in after:
                block = second.setdefault((key, q), np.zeros((middle[key], 1), dtype=complex))
                block[row, 0] = amplitudes[p, q]
    return (first, middle), (second, dict.fromkeys(after, 1))


def bell(model: Any, bell: str = "psi+") -> BellPairs:
    """Neighbours 0 and 1, 2 and 3, ... in the same Bell state.

    Parameters
    ----------
    model
        Any model that is a chain of an even number of spins 1/2.
    bell
        "psi+", "psi-" (the singlet), "phi+" or "phi-" (QLLG Fig. 3).

    Raises
    ------
    InputError
        If the name is unknown, or the chain has other sites or an odd number of them.
    """
    _check(model, bell)
    return BellPairs(model.local_sites, (bell,) * (model.length // 2))


def werner(model: Any, bell: str = "psi+", p: float = 0.9) -> Mixture | BellPairs:
    """Neighbours 0 and 1, 2 and 3, ... in a Werner state each (QLLG Fig. 4).

    ``(1 - p)/4 + p |bell><bell|``, which is a mixture of the four Bell states.

    Parameters
    ----------
    model, bell
        As for `bell`; at most four pairs.
    p
        From -1/3 to 1.

    Raises
    ------
    InputError
        As for `bell`, and if p is outside its range.
    """
    _check(model, bell)
    p = finite("state.p", p)
    if not -1 / 3 - 1e-12 <= p <= 1:
        raise InputError(f"state.p: must be between -1/3 and 1, got {p}")
    pairs = model.length // 2
    if pairs > _MOST_PAIRS:
        raise InputError(f"state.kind: 'werner' takes at most {_MOST_PAIRS} pairs, not {pairs}")
    single = {name: (1 - p) / 4 + p * (name == bell) for name in BELL}
    names = [name for name, weight in single.items() if weight > 1e-15]
    members = list(combinations(names, repeat=pairs))
    weights = np.array([np.prod([single[name] for name in one]) for one in members])
    if len(members) == 1:
        return BellPairs(model.local_sites, members[0])
    states = tuple(BellPairs(model.local_sites, one) for one in members)
    return Mixture(states, tuple((weights / weights.sum()).tolist()))


def _check(model: Any, bell: str) -> None:
    if not isinstance(bell, str) or bell not in BELL:
        raise InputError(
            f"state.bell: {bell!r} is not one of {', '.join(BELL)}{nearest(str(bell), BELL)}"
        )
    spins = all(site.dim == site.spin_dim == 2 for site in model.local_sites)
    if not spins or model.length % 2:
        raise InputError("state.kind: Bell states need a chain of an even number of spins 1/2")
