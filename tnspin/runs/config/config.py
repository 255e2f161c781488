"""`Config`: a complete run, built from the tables of a TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tnspin.errors import InputError
from tnspin.results.toml_text import dumps, plain
from tnspin.runs.config.tables import SECTIONS, About, Hysteresis, Record, Run, Time, Units
from tnspin.schema.plugins import use
from tnspin.schema.table import as_table

if TYPE_CHECKING:
    from tnspin.solvers.solver import Solver
    from tnspin.solvers.start import Problem


@dataclass(frozen=True)
class Config:
    """A complete run; every field is built from the table of its name."""

    model: Any
    state: Any
    solver: Solver
    time: Time
    record: Record
    about: About
    bath: Any = None
    units: Units | None = None
    classical: Any = None
    run: Run | None = None
    hysteresis: Hysteresis | None = None
    name: str = "run"

    def as_dict(self) -> dict[str, Any]:
        """All tables with their defaults, as plain values."""
        without_time = ("time", "record") if self.state is None else ()
        parts = {name: getattr(self, name) for name in SECTIONS if name not in without_time}
        return {name: plain(as_table(part)) for name, part in parts.items() if part is not None}

    @cached_property
    def initial_state(self) -> Any:
        """Description of the initial state; a solver asks it for the representation it needs."""
        if self.state is None:
            raise InputError(f"model.kind = {self.model.kind!r}: has no initial state")
        return self.state.build(self.model)

    @cached_property
    def problem(self) -> Problem:
        """What the solver evolves."""
        from tnspin.solvers.start import Problem

        return Problem(self.model, self.initial_state, self.bath, self.solver)

    @property
    def run_model(self) -> Any:
        """The model that is evolved, on all its sites."""
        return self.problem.evolved

    @property
    def user_files(self) -> dict[str, dict[str, str]]:
        """Name -> checksum and text of each file of ``--use``, as it was loaded."""
        files = use(() if self.run is None else self.run.use)
        return {file.path.name: {"sha256": file.sha256, "text": file.text} for file in files}

    @property
    def length(self) -> float:
        """Where the run ends: ``time.stop``, or the number of fields of a hysteresis loop."""
        return self.time.stop if self.hysteresis is None else 2.0 * (self.hysteresis.steps + 1)

    def to_toml(self) -> str:
        """Return the TOML text of `as_dict`; loading it gives this configuration again."""
        return dumps(self.as_dict())
