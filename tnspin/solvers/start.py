"""The problem of a run: model, initial state and bath.

The charges of a run are all that Hamiltonian, state and jump operators conserve.  Exact
representations are counted before they are built, and refused where they would not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from tnspin.errors import InputError

if TYPE_CHECKING:
    from tnspin.operators.basis import ChargeBasis
    from tnspin.operators.jump_operator import JumpOperator

#: Jump operators of a bath.
Jumps = Sequence["JumpOperator"]
#: Most amplitudes of all members together; an exact run also needs work space and H.
MOST_AMPLITUDES = 2**26
#: One electron needs no matrix: twice the 7.1e7 amplitudes of 10 + 10 spins on 201 sites.
MOST_OF_ONE_ELECTRON = round(2**27.2)
#: Most states of a system whose density matrix is worth counting.
_MOST_STATES = 2**14
#: Vectors that a series needs in addition to the state.
_WORK = 4
GIB = 2**30


@dataclass(frozen=True, eq=False)
class Problem:
    """Model, initial state and bath of a run.

    Attributes
    ----------
    model
        The model as configured.
    initial
        Description of its initial state.
    bath
        Bath, if any.
    solver
        The solver, which decides on which sites the model is evolved.
    """

    model: Any
    initial: Any
    bath: Any
    solver: Any

    @cached_property
    def evolved(self) -> Any:
        """The model that is evolved, see `Solver.evolved_model`."""
        return self.solver.evolved_model(self)

    @property
    def pure(self) -> tuple[Any, ...]:
        """Descriptions of the pure members of the initial state."""
        from tnspin.states.initial.mixture import Mixture

        return self.initial.members if isinstance(self.initial, Mixture) else (self.initial,)

    def mixed(self, states: Sequence[Any]) -> Any:
        """The states of all members as one: an `Ensemble` for mixtures, with the bath's oscillator
        if the bath adds one.
        """
        from tnspin.states.ensemble import Ensemble
        from tnspin.states.initial.mixture import Mixture

        state = states[0]
        if isinstance(self.initial, Mixture):
            state = Ensemble(tuple(states), self.initial.weights)
        return state if self.bath is None else self.bath.extended_state(self.evolved, state)

    @cached_property
    def dim(self) -> float:
        """Dimension of the whole Hilbert space."""
        return float(prod(site.dim for site in self.evolved.local_sites))

    def sector(self, one: Any, names: Sequence[str], own: bool = False) -> ChargeBasis | None:
        """Charge sector of a member; ``own``: on the sites that its description knows."""
        from tnspin.operators.basis import ChargeBasis

        if not names:
            return None
        extended = own and self.bath is not None and self.bath.extends_model
        model = self.evolved.model if extended else self.evolved
        return ChargeBasis(model.local_sites, one.total_charge(names))

    def amplitudes(self, names: Sequence[str]) -> float:
        """Number of amplitudes of all members together."""
        bases = (self.sector(one, names) for one in self.pure)
        return sum(self.dim if basis is None else float(basis.dim) for basis in bases)

    def one_electron(self, names: Sequence[str]) -> bool:
        """Whether the amplitudes may be those of one electron among localized spins."""
        from tnspin.states.initial.slater import SlaterState

        return (
            "N" in names
            and all(site.has_fermions for site in self.evolved.local_sites)
            and all(isinstance(one, SlaterState) and one.n_electrons == 1 for one in self.pure)
        )


@dataclass(frozen=True)
class Size:
    """How many numbers the states of a run are in exact form.

    Attributes
    ----------
    vectors
        Whether the run evolves vectors (or density matrices) rather than matrix product states.
    amplitudes, members
        Amplitudes of all members of a mixture together, and the number of members.
    one_electron
        Whether the amplitudes may be those of one electron among localized spins.
    elements
        Elements of the density matrix, of all sectors in reach; infinite beyond 2^14 states in
        all.
    sites
        Number of sites.
    """

    vectors: bool
    amplitudes: float
    members: int
    one_electron: bool
    elements: float
    sites: int


def counted(problem: Problem, solver: Any) -> Size:
    """The `Size` of a run."""
    # Jump operators of larger systems would take long to find, and the matrix would not fit.
    small = problem.dim <= _MOST_STATES
    jumps = solver.jumps(problem) if small else []
    names = solver.charges(problem, jumps)
    elements = float("inf")
    if small:
        bases = reachable_sectors(problem, names, jumps)
        elements = sum(float(basis.dim) ** 2 for basis in bases)
    return Size(
        solver.is_dense(problem, names), problem.amplitudes(names), len(problem.pure),
        problem.one_electron(names), elements, len(problem.evolved.local_sites),
    )  # fmt: skip


def definite_charges(names: Sequence[str], jumps: Jumps) -> list[str]:
    """Charges among ``names`` that every jump changes by a definite amount."""
    mixed = any(jump.charge is None for jump in jumps)
    return [name for name in names if not (mixed and name == "2Sz")]


def reachable_sectors(problem: Problem, names: Sequence[str], jumps: Jumps) -> list[ChargeBasis]:
    """Sectors that a density matrix may come to fill."""
    from tnspin.operators.basis import ChargeBasis
    from tnspin.solvers.lindblad.jumps_on_states import reachable

    sites = problem.evolved.local_sites
    starts = [problem.sector(one, names) or ChargeBasis(sites) for one in problem.pure]
    return list(reachable(starts, jumps))


def vectors(problem: Problem, names: Sequence[str]) -> Callable[[], Any]:
    """Builder of the state vectors of all members, each in its sector."""

    def build() -> Any:
        sectors = [problem.sector(one, names, own=True) for one in problem.pure]
        states = [one.to_vector(basis) for one, basis in zip(problem.pure, sectors, strict=True)]
        return problem.mixed(states)

    return build


def check_size(problem: Problem, names: Sequence[str], most: float) -> None:
    """Refuse state vectors with more amplitudes than ``most``."""
    count = problem.amplitudes(names)
    if count > most:
        needed = 16 * (count + _WORK * count / len(problem.pure)) / GIB
        raise InputError(
            f"solver.kind = {problem.solver.kind!r}: this run has {count:.1e} amplitudes and needs "
            f"{needed:.0f} GiB; at most {most:.1e} fit; use 'tebd', or fewer sites, spins or "
            "electrons"
        )
