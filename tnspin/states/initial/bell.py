"""Bell and Werner states of pairs of neighbouring spins 1/2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import Site
from tnspin.schema.register import register
from tnspin.schema.types import Range
from tnspin.states.initial.base import Description, InitialState
from tnspin.states.initial.mixture import Mixture
from tnspin.states.vector import VectorState

if TYPE_CHECKING:
    from tnspin.mps.state import MPS

BellName = Literal["psi+", "psi-", "phi+", "phi-"]

_HALF = 2**-0.5
#: Name -> (4,) amplitudes of up-up, up-down, down-up, down-down.
BELL: dict[str, np.ndarray] = {
    "psi+": np.array([0.0, _HALF, _HALF, 0.0]),
    "psi-": np.array([0.0, _HALF, -_HALF, 0.0]),
    "phi+": np.array([_HALF, 0.0, 0.0, _HALF]),
    "phi-": np.array([_HALF, 0.0, 0.0, -_HALF]),
}
# Each pair multiplies the number of members by four.
_MOST_PAIRS = 4


@dataclass(frozen=True, eq=False, repr=False)
class BellPairs(Description):
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

    def conserved(self) -> tuple[str, ...]:
        """2Sz, unless some pair has both up or both down."""
        return () if any(name.startswith("phi") for name in self.names) else ("2Sz",)

    def total_charge(self, charge_names: Sequence[str]) -> dict[str, int]:
        """0 for 2Sz."""
        return dict.fromkeys(charge_names, 0)

    def to_mps(self, charge_names: Sequence[str] = ()) -> MPS:
        """Matrix product state, every other bond of dimension 2."""
        from tnspin.mps.state import MPS
        from tnspin.states.initial.embed import embed

        def pair(name: str, sites: Sequence[Site]) -> MPS:
            rows, basis = BELL[name].reshape(2, 2), np.eye(2)
            one, other = (
                MPS.product(sites, [basis[p], basis[q]], charge_names) * rows[p, q]
                for p, q in np.argwhere(rows)
            )
            return one + other

        places = [(2 * k, 2 * k + 1) for k in range(len(self.names))]
        parts = [(at, pair(n, self.sites[:2])) for at, n in zip(places, self.names, strict=True)]
        mps = embed(self.sites, parts, charge_names)
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


def _build(model: Any, names: Sequence[tuple[str, ...]]) -> list[BellPairs]:
    """Bell states of the pairs of a model, one for each list of names."""
    spins = all(site.dim == site.spin_dim == 2 for site in model.local_sites)
    if not spins or model.length % 2:
        raise InputError("state.kind: Bell states need a chain of an even number of spins 1/2")
    return [BellPairs(model.local_sites, one) for one in names]


@register
@dataclass(frozen=True)
class Bell(InitialState):
    """Neighbours 0 and 1, 2 and 3, ... in the same Bell state.

    Parameters
    ----------
    bell
        "psi+", "psi-" (the singlet), "phi+" or "phi-" (QLLG Fig. 3).
    """

    kind = "bell"

    bell: BellName = "psi+"

    def build(self, model: Any) -> BellPairs:
        """Bell states of a chain of an even number of spins 1/2."""
        return _build(model, [(self.bell,) * (model.length // 2)])[0]


def bell(model: Any, *keys: Any, **more: Any) -> BellPairs:
    """Bell states of neighbours; the keys are those of `Bell`."""
    return Bell(*keys, **more).build(model)


@register
@dataclass(frozen=True)
class Werner(InitialState):
    """Neighbours 0 and 1, 2 and 3, ... in a Werner state each (QLLG Fig. 4).

    ``(1 - p)/4 + p |bell><bell|``, which is a mixture of the four Bell states; at most four pairs.

    Parameters
    ----------
    bell
        "psi+", "psi-" (the singlet), "phi+" or "phi-".
    p
        Weight of the Bell state, from -1/3 to 1.
    """

    kind = "werner"

    bell: BellName = "psi+"
    p: Annotated[float, Range(least=-1 / 3 - 1e-12, most=1, words="between -1/3 and 1")] = 0.9

    def build(self, model: Any) -> Mixture | BellPairs:
        """Werner states of a chain of an even number of spins 1/2."""
        pairs, p = model.length // 2, self.p
        if pairs > _MOST_PAIRS:
            raise InputError(f"state.kind: 'werner' takes at most {_MOST_PAIRS} pairs, not {pairs}")
        single = {name: (1 - p) / 4 + p * (name == self.bell) for name in BELL}
        names = [name for name, weight in single.items() if weight > 1e-15]
        members = list(combinations(names, repeat=pairs))
        weights = np.array([np.prod([single[name] for name in one]) for one in members])
        states = _build(model, members)
        if len(states) == 1:
            return states[0]
        return Mixture(tuple(states), tuple((weights / weights.sum()).tolist()))


def werner(model: Any, *keys: Any, **more: Any) -> Mixture | BellPairs:
    """Werner states of neighbours; the keys are those of `Werner`."""
    return Werner(*keys, **more).build(model)
