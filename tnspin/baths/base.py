"""`Bath`: what acts on the spins of a model from outside, by jump operators."""

from __future__ import annotations

from typing import Any, ClassVar

from tnspin.operators.jump_operator import JumpOperator
from tnspin.schema.table import Table

__all__ = ["Bath"]


class Bath(Table):
    """Base of all baths: a table ``[bath]`` that makes jump operators of a model.

    Attributes
    ----------
    extends_model
        Whether the bath adds a site to the model, as a reaction coordinate does.
    """

    section: ClassVar[str] = "bath"
    extends_model: ClassVar[bool] = False

    def jump_operators(self, model: Any) -> list[JumpOperator]:
        """Jump operators on the sites of a model, rates included."""
        raise NotImplementedError(f"{type(self).__name__} defines no jump_operators")

    def extended(self, model: Any) -> Any:
        """The model with the sites that the bath adds."""
        return model

    def extended_state(self, model: Any, state: Any) -> Any:
        """A state of the spins with that of the added sites; ``model`` is the extended one."""
        return state
