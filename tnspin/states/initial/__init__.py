"""Initial states: one description each, compiled to the form that a solver needs.

A state has ``conserved()``, ``total_charge(names)``, ``reference(sites)``, ``to_mps(names)`` and
``to_vector(basis)``; a `Mixture` has members that do.  A new kind is one function in `BUILDERS`,
taking the model and the keys of the ``[state]`` table.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tnspin.errors import InputError, nearest
from tnspin.mps.state import MPS
from tnspin.operators.basis import ChargeBasis
from tnspin.states.ensemble import Ensemble
from tnspin.states.initial.bell import BellPairs, bell, werner
from tnspin.states.initial.ground import GroundState, ground
from tnspin.states.initial.mixture import Mixture
from tnspin.states.initial.product import product
from tnspin.states.initial.pulses import confined_electrons, wave_packet
from tnspin.states.initial.slater import SlaterProduct, SlaterState
from tnspin.states.initial.spins import coherent, localized_spin_vectors
from tnspin.states.initial.thermal import ThermalState, gibbs
from tnspin.states.vector import VectorState

__all__ = [
    "BUILDERS",
    "BellPairs",
    "GroundState",
    "InitialState",
    "Mixture",
    "SlaterProduct",
    "SlaterState",
    "ThermalState",
    "bell",
    "build",
    "coherent",
    "confined_electrons",
    "gibbs",
    "ground",
    "localized_spin_vectors",
    "parameters",
    "product",
    "wave_packet",
    "werner",
]


class InitialState(Protocol):
    """What every initial state offers."""

    @property
    def purified(self) -> bool:
        """Whether it lives on sites with an ancilla per localized spin (`models.Purified`)."""

    def conserved(self) -> tuple[str, ...]:
        """Names of the charges of which the state is an eigenstate."""

    def total_charge(self, charge_names: Sequence[str]) -> dict[str, int]:
        """Values of the named charges."""

    def reference(self, localized: Sequence[int]) -> tuple[int, ...] | None:
        """Index of the basis state (0: up) in which each localized spin starts, if it does."""

    def to_mps(self, charge_names: Sequence[str] = ()) -> MPS | Ensemble:
        """Matrix product state with blocks of the named charges."""

    def to_vector(self, basis: ChargeBasis | None = None) -> VectorState | Ensemble:
        """Amplitudes in a charge sector, or in the full space."""


#: Kind of state -> function of the model and the keys of the ``[state]`` table.
BUILDERS: dict[str, Callable[..., InitialState]] = {
    "confined_electrons": confined_electrons,
    "wave_packet": wave_packet,
    "product": product,
    "ground": ground,
    "gibbs": gibbs,
    "bell": bell,
    "werner": werner,
}


def parameters(kind: str) -> dict[str, Any]:
    """Keys of a kind of state and their defaults (`inspect.Parameter.empty` if required).

    Raises
    ------
    InputError
        If the kind is unknown.
    """
    if kind not in BUILDERS:
        raise InputError(
            f"state.kind: {kind!r} is not one of {', '.join(BUILDERS)}{nearest(kind, BUILDERS)}"
        )
    signature = list(inspect.signature(BUILDERS[kind]).parameters.values())
    return {parameter.name: parameter.default for parameter in signature[1:]}


def build(kind: str, model: Any, **values: Any) -> InitialState:
    """Make the initial state of a ``[state]`` table.

    Parameters
    ----------
    kind
        A key of `BUILDERS`.
    model
        The model that the state is for.
    **values
        The other keys of the table.

    Raises
    ------
    InputError
        If the kind or a key is unknown, a key is missing, or a value is out of range.
    """
    allowed = parameters(kind)
    for name in values:
        if name not in allowed:
            raise InputError(
                f"state.{name}: unknown key of state {kind!r} (allowed: {', '.join(allowed)})"
                f"{nearest(name, allowed)}"
            )
    for name, default in allowed.items():
        if default is inspect.Parameter.empty and name not in values:
            raise InputError(f"state.{name}: required by state {kind!r}")
    return BUILDERS[kind](model, **values)


class _Keys:
    """A state of the table ``[state]`` by the function that builds it."""

    def __init__(self, kind: str, values: dict[str, Any]) -> None:
        self.kind, self.values = kind, values

    def build(self, model: Any) -> InitialState:
        return build(self.kind, model, **self.values)


class _States(dict[str, Any]):
    def named(self, kind: Any) -> Any:
        if kind is None:
            raise InputError(f"state.kind: missing; allowed: {', '.join(BUILDERS)}")
        if kind not in BUILDERS:
            raise InputError(
                f"state.kind = {kind!r}: no such kind; allowed: {', '.join(BUILDERS)}"
                f"{nearest(kind, BUILDERS)}"
            )
        return self[kind]

    def build(self, table: Any) -> _Keys:
        kind = table["kind"]
        given = {k: v for k, v in table.items() if k != "kind"}
        known = parameters(kind)
        for name in given:
            if name not in known:
                build(kind, None, **given)
        defaults = {k: v for k, v in known.items() if v is not inspect.Parameter.empty}
        return _Keys(kind, defaults | given)


STATES = _States(BUILDERS)
