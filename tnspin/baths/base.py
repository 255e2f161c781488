"""`Bath`: what acts on the spins of a model from outside, by jump operators."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from tnspin.models import Model
from tnspin.operators.jump_operator import JumpOperator
from tnspin.schema.table import Table


class Bath(Table):
    """Base of all baths; a bath of one's own needs `jump_operators`.

    Attributes
    ----------
    extends_model
        Whether the bath adds a site to the model, as a reaction coordinate does.
    """

    section = "bath"
    extends_model = False

    @abstractmethod
    def jump_operators(self, model: Model) -> list[JumpOperator]:
        """Return jump operators on the sites of a model, rates included."""

    def extended(self, model: Model) -> Model:
        """Return the model with the sites that the bath adds."""
        return model

    def extended_state(self, model: Any, state: Any) -> Any:
        """Return a state of the spins with that of the added sites on the extended model."""
        return state
