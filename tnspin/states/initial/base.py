"""Initial states: `InitialState`, the ``[state]`` table of a configuration, and `Description`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tnspin.operators.basis import ChargeBasis
from tnspin.schema.register import Registry
from tnspin.schema.table import Table

if TYPE_CHECKING:
    from tnspin.mps.state import MPS
    from tnspin.states.ensemble import Ensemble
    from tnspin.states.vector import VectorState


class InitialState(Table):
    """Base of all kinds of the ``[state]`` table: keys that describe a state of any model.

    ::

        @register
        @dataclass(frozen=True)
        class MyState(InitialState):
            kind = "my_state"
            angle: float = 0.0

            def build(self, model): ...
    """

    section: ClassVar[str] = "state"

    @abstractmethod
    def build(self, model: Any) -> Description:
        """Describe the state for a model.

        Raises
        ------
        InputError
            If the keys do not fit the model.
        """


#: Every kind of initial state.
STATES = Registry("state", str(__package__))


class Description(ABC):
    """Initial state of one model, compiled to the representation that a solver needs."""

    def __repr__(self) -> str:
        """Class and charges in one line."""
        return f"{type(self).__name__}, conserves {', '.join(self.conserved()) or 'no charge'}"

    @property
    def purified(self) -> bool:
        """Whether it lives on sites with an ancilla per localized spin (`models.Purified`)."""
        return False

    @abstractmethod
    def conserved(self) -> tuple[str, ...]:
        """Names of the charges of which the state is an eigenstate."""

    @abstractmethod
    def total_charge(self, charge_names: Sequence[str]) -> dict[str, int]:
        """Values of the named charges."""

    def reference(self, localized: Sequence[int]) -> tuple[int, ...] | None:
        """Index of the basis state (0: up) in which each localized spin starts, if all do."""
        return None

    @abstractmethod
    def to_mps(self, charge_names: Sequence[str] = ()) -> MPS | Ensemble:
        """Matrix product state with blocks of the named charges."""

    @abstractmethod
    def to_vector(self, basis: ChargeBasis | None = None) -> VectorState | Ensemble:
        """Amplitudes in a charge sector, or in the full space.

        Raises
        ------
        InputError
            If the state has weight outside the sector.
        """
