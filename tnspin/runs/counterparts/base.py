"""`Counterpart`: a classical evolution that accompanies a quantum run, from the same start."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from tnspin.schema.table import Table

if TYPE_CHECKING:
    from tnspin.observables.snapshot import Snapshot
    from tnspin.results.result import Result
    from tnspin.runs.config.config import Config

Say = Callable[[str], None]


class Counterpart(Table):
    """Base of all classical counterparts, tables ``[classical]``.

    Attributes
    ----------
    within
        Largest difference of any spin from its classical vector that still counts as agreement.
    in_loops
        Whether hysteresis loops have this counterpart.
    """

    section: ClassVar[str] = "classical"
    in_loops: ClassVar[bool] = False
    within: Any

    def check_run(self, config: Config) -> None:
        """Refuse runs without this counterpart, before they start."""

    def check_start(self, config: Config, snapshot: Snapshot) -> None:
        """Refuse a first snapshot from which the counterpart cannot start."""

    def follow(self, result: Result, config: Config, say: Say) -> Result:
        """Return the result of the run with ``classical_spin`` and what else there is."""
        raise NotImplementedError
