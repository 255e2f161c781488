"""Which tables of a configuration go together: refused before any work starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tnspin.errors import InputError
from tnspin.runs.config.solver_tables import Hybrid, HybridBeside, MeanField, MeanFieldBeside
from tnspin.runs.config.tables import DensityMatrix, Llg, MasterEquation, Purification, Trajectories

if TYPE_CHECKING:
    from tnspin.runs.config.config import Config

__all__ = ["check"]

#: Solvers of open systems; the others refuse a bath.
_OPEN = (Trajectories, MasterEquation, DensityMatrix, Purification, MeanField)


def check(config: Config) -> None:
    """Refuse tables that are right one by one but not together.

    Raises
    ------
    InputError
        With the first key that another table rules out.
    """
    _check_bath(config)
    _check_classical(config)
    _check_mean_field(config)
    if isinstance(config.solver, Hybrid) or isinstance(config.classical, HybridBeside):
        from tnspin.runs.counterparts import check_hybrid

        check_hybrid(config)
    if config.hysteresis is not None:
        _check_loop(config)


def _check_bath(config: Config) -> None:
    """Refuse baths where the solver knows none, or not this kind."""
    if config.bath is None:
        return
    solver = config.solver
    if not isinstance(solver, _OPEN):
        allowed = ", ".join(cls.kind for cls in _OPEN)
        raise InputError(f"solver.kind = {solver.kind!r}: takes no [bath]; allowed: {allowed}")
    if config.bath.kind == "reaction_coordinate" and not isinstance(solver, MasterEquation):
        raise InputError(
            f"solver.kind = {solver.kind!r}: takes no reaction coordinate; allowed: "
            f"{MasterEquation.kind}"
        )


def _check_classical(config: Config) -> None:
    """Refuse classical spins where the model or the solver has none."""
    solver, beside = config.solver, config.classical
    if beside is not None and isinstance(solver, Llg | Hybrid):
        raise InputError(
            f"solver.kind = {solver.kind!r}: is classical itself; leave out [classical], or"
            " set classical.kind = 'none'"
        )
    if beside is None and not isinstance(solver, Llg):
        return
    if not isinstance(beside, MeanFieldBeside | HybridBeside):
        from tnspin.operators.classical.energy import energy_of

        energy_of(config.model, solver.limit if beside is None else beside.limit)


def _check_mean_field(config: Config) -> None:
    """Refuse mean fields of models and baths that have none."""
    for keys in (config.solver, config.classical):
        if not isinstance(keys, MeanField | MeanFieldBeside):
            continue
        if config.bath is not None and config.bath.kind == "reaction_coordinate":
            raise InputError("bath.kind = 'reaction_coordinate': has no mean field")
        from tnspin.solvers.mean_field.evolve import check_model

        check_model(config.model, config.bath, keys.variant)


def _check_loop(config: Config) -> None:
    """Refuse loops of fields that the solver, the model or the initial state rules out."""
    from tnspin.runs.hysteresis.loop import check_loop

    tilt = None if config.hysteresis is None else config.hysteresis.tilt
    check_loop(config.model, config.solver.kind, tilt, config.classical)
    dense = isinstance(config.solver, MasterEquation)
    if dense and config.bath is not None and config.bath.kind == "reaction_coordinate":
        raise InputError("bath.kind = 'reaction_coordinate': has no hysteresis")
    if dense and config.initial_state.purified:
        raise InputError(
            f"state.kind = {config.state and config.state.kind!r}: is purified, which hysteresis "
            "by 'master_equation' does not take; allowed: density_matrix, purification, mean_field"
        )
