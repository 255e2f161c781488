"""Mean fields: the density matrix stays a product of one for each site (OHM Eq. 10).

`hartree` is the reduction of the Lindblad equation itself, for any model of spins and any jump
operators; `printed` is the generalized Landau-Lifshitz equation of OHM Eqs. 12-14.  Both are
integrated by the eighth-order Runge-Kutta method of Dormand and Prince.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError, RunError, nearest
from tnspin.models import Model
from tnspin.numerics.adaptive import dormand_prince
from tnspin.observables.snapshot import Progress, Snapshot, output_times
from tnspin.solvers.mean_field.hartree import Hartree
from tnspin.solvers.mean_field.printed import GeneralizedLandauLifshitz
from tnspin.states.mean_field import SiteProduct

if TYPE_CHECKING:
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["VARIANTS", "check_model", "equation", "evolve"]

Reals = NDArray[np.float64]
VARIANTS = ("hartree", "printed")
# Eigenvalues of the density matrix of a site may be this much below zero.
_SLACK = 1e-7


def evolve(
    model: Model,
    state: Any,
    times: Sequence[float],
    *,
    jumps: Sequence[JumpOperator] = (),
    bath: Any = None,
    variant: str = "hartree",
    damping: float = 0.0,
    tolerance: float = 1e-10,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[Snapshot]:
    """Evolve a product state and yield it at each of ``times``.

    Every interval is computed from its initial state alone, so continuing from a yielded state
    gives the same numbers.

    Parameters
    ----------
    model : Model
        Spins (and bosons); for ``printed`` an open Heisenberg chain.
    state : SiteProduct, or any quantum state with one-site density matrices
        Start; correlations are dropped.
    times : sequence of float
        Ascending, in units of hbar over the model's energy unit.
    jumps : sequence of JumpOperator
        Of ``hartree``, rates included.
    bath : OpenHeisenbergBath, optional
        Of ``printed``.
    variant : {"hartree", "printed"}
        See `tnspin.solvers.mean_field.hartree` and `tnspin.solvers.mean_field.printed`.
    damping : float
        alpha of ``printed``, whose D has alpha B_eff added.
    tolerance : float
        Error of each step, relative to 1.
    on_step : callable, optional
        Called with the progress after every step; may raise to stop.

    Yields
    ------
    Snapshot
        Its state is a `SiteProduct`.

    Raises
    ------
    InputError
        For electrons, terms on too many sites, or what ``printed`` does not know.
    RunError
        If the step size vanishes, or the density matrix of a site gets a negative eigenvalue.
    """
    points = output_times(times)
    if not 1e-13 <= tolerance <= 1e-2:
        raise InputError(f"solver.tolerance: {tolerance!r} is not between 1e-13 and 1e-2")
    motion = equation(model, jumps=jumps, bath=bath, variant=variant, damping=damping)
    now: Any = SiteProduct.of(model, state)
    yield Snapshot(points[0], model, now)
    for start, stop in pairwise(points):
        x = motion.components(now)
        for time, latest in dormand_prince(motion, x, start, stop, rtol=tolerance, atol=tolerance):
            x = latest
            if on_step is not None:
                on_step(Progress(time, 0, 0.0))
        now = motion.state(x)
        if now.smallest_eigenvalue < -_SLACK - tolerance:
            raise RunError(
                f"mean field: at time {stop:g} a site has the eigenvalue "
                f"{now.smallest_eigenvalue:.1e}; use a smaller solver.tolerance"
            )
        yield Snapshot(stop, model, now)


def check_model(model: Any, bath: Any = None, variant: str = "hartree") -> None:
    """Refuse a model or a bath that has no such mean field."""
    if variant == "printed":
        GeneralizedLandauLifshitz(model, bath)
    elif any(site.has_fermions for site in model.local_sites):
        raise InputError("solver.kind = 'mean_field': takes chains of spins alone, no electrons")


def equation(
    model: Any,
    *,
    jumps: Sequence[JumpOperator] = (),
    bath: Any = None,
    variant: str = "hartree",
    damping: float = 0.0,
) -> Hartree | GeneralizedLandauLifshitz:
    """Return the equation of motion; see `evolve`."""
    if variant == "printed":
        return GeneralizedLandauLifshitz(model, bath, damping)
    if variant not in VARIANTS:
        raise InputError(
            f"solver.variant: {variant!r} is not one of {', '.join(VARIANTS)}"
            f"{nearest(variant, VARIANTS)}"
        )
    if damping:
        raise InputError("solver.damping: belongs to variant 'printed'; 'hartree' has the bath's")
    return Hartree(model.hamiltonian, jumps)
