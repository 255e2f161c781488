"""Models that are solved by formulas: nothing is integrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tnspin.schema import register
from tnspin.solvers.solver import Solver


@register
@dataclass(frozen=True)
class ClosedForm(Solver):
    """Formulas of a model with ``closed_form``; nothing to integrate and no keys."""

    kind = "closed_form"
    integrates: ClassVar[bool] = False
