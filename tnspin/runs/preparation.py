"""From the description of an initial state to the form in which a solver takes it.

The charges are all that the run conserves: the Hamiltonian, the state, and the jump operators of a
bath.  Exact forms are counted before they are built, and refused where they would not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from tnspin.errors import InputError
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.state import State
from tnspin.runs.config.config import Config
from tnspin.runs.config.solver_tables import Hybrid, MeanField, QuantumLl, QuantumLlg
from tnspin.runs.config.tables import (
    DensityMatrix,
    Exact,
    Llg,
    MasterEquation,
    Purification,
    Tdvp,
    Tebd,
    Trajectories,
)
from tnspin.states.density import MOST_ELEMENTS, DensityState
from tnspin.states.ensemble import Ensemble
from tnspin.states.initial import InitialState
from tnspin.states.initial.mixture import Mixture
from tnspin.states.initial.slater import SlaterProduct, SlaterState

if TYPE_CHECKING:
    from tnspin.operators.jump_operator import JumpOperator
    from tnspin.states.classical import ClassicalState
    from tnspin.states.mean_field import SiteProduct

__all__ = [
    "Size",
    "initial_state",
    "jump_operators",
    "product_state",
    "representation_of",
    "size_of",
]

#: Most amplitudes of all members together, beside which an exact run needs work space and H.
_MOST_AMPLITUDES = 2**26
#: One electron needs no matrix: twice the 7.1e7 amplitudes of 10 + 10 spins on 201 sites.
_MOST_OF_ONE_ELECTRON = round(2**27.2)
#: Most states of a system whose density matrix is worth counting.
_MOST_STATES = 2**14
#: Vectors that a series needs beside the state itself.
_WORK = 4
_GIB = 2**30


def representation_of(config: Config) -> type[State]:
    """Class of the states of a run, or of one that gives as much to observables."""
    from tnspin.mps.density import DensityMPS
    from tnspin.mps.purified.state import PurifiedMPS
    from tnspin.mps.state import MPS
    from tnspin.solvers.trajectories.averages import Averaged
    from tnspin.states.classical import ClassicalState
    from tnspin.states.hybrid import HybridState
    from tnspin.states.mean_field import SiteProduct
    from tnspin.states.spectral import SpectralState
    from tnspin.states.vector import VectorState

    found: dict[type, type[State]] = {
        Exact: VectorState, MasterEquation: DensityState, DensityMatrix: DensityMPS,
        Purification: PurifiedMPS, Trajectories: Averaged, Llg: ClassicalState,
        MeanField: SiteProduct, Hybrid: HybridState, QuantumLlg: SpectralState,
        QuantumLl: SpectralState,
    }  # fmt: skip
    return found.get(type(config.solver), MPS)


def jump_operators(config: Config) -> list[JumpOperator]:
    """Return the jump operators of the bath of a run, none without a bath."""
    if config.bath is None:
        return []
    if isinstance(config.solver, MeanField) and config.solver.variant == "printed":
        return []
    from tnspin.baths import jumps_of

    return jumps_of(config.run_model, config.bath)


def initial_state(
    config: Config,
    jumps: Sequence[JumpOperator] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Any:
    """Build the initial state of a run, in the form that its solver takes.

    Parameters
    ----------
    config
        The run.
    jumps
        Its jump operators.
    say
        Told in words what is being prepared, once nothing can be refused any more.

    Returns
    -------
    MPS, VectorState, OneElectronState or Ensemble of one of them
        In the sector of every charge that the run conserves; `ClassicalState`, `SiteProduct`,
        `HybridState` or `DensityState` where the solver evolves that.

    Raises
    ------
    InputError
        If it would not fit into memory.
    """
    build = _builder(config) or _counted(config, jumps)
    say("building the initial state")
    return build()


def _builder(config: Config) -> Callable[[], Any] | None:
    """What makes states that are no mixtures of pure quantum states; None for those that are."""
    solver, description = config.solver, config.initial_state
    if isinstance(solver, Llg):
        return partial(_classical, config, description)
    if isinstance(solver, MeanField):
        return partial(product_state, config)
    if isinstance(solver, Hybrid):
        from tnspin.runs.counterparts import hybrid_state

        return partial(hybrid_state, config)
    if isinstance(solver, QuantumLlg) and description.purified:
        _check_matrix(config)
        return partial(_without_ancillas, config, description)
    return None


def _counted(config: Config, jumps: Sequence[JumpOperator]) -> Callable[[], Any]:
    """What makes pure quantum states and mixtures of them, once they are known to fit."""
    description = config.initial_state
    pure = description.members if isinstance(description, Mixture) else (description,)
    names = _charges(config, pure, jumps)
    exact, one_electron = _is_exact(config, pure, names), _one_electron(config, pure, names)
    if exact:
        most = _MOST_OF_ONE_ELECTRON if one_electron else _MOST_AMPLITUDES
        if isinstance(config.solver, MasterEquation):
            _check_density(config, pure, names, jumps)
        elif isinstance(config.solver, QuantumLlg):
            _check_size(config, pure, names, MOST_ELEMENTS // 8)
        else:
            _check_size(config, pure, names, most)

    def build() -> Any:
        states: list[Any]
        if not exact:
            states = [one.to_mps(names) for one in pure]
        elif one_electron:
            states = [one.to_one_electron(names) for one in pure if isinstance(one, SlaterState)]
        else:
            sectors = [_sector(config, one, names, own=True) for one in pure]
            states = [one.to_vector(basis) for one, basis in zip(pure, sectors, strict=True)]
        state = states[0]
        if isinstance(description, Mixture):
            state = Ensemble(tuple(states), description.weights)
        if hasattr(config.run_model, "with_oscillator"):
            return config.run_model.with_oscillator(state)
        return state

    return build


def _without_ancillas(config: Config, description: InitialState) -> DensityState:
    """Density matrix of a purified state on the sites of the model itself."""
    sites = config.model.local_sites
    vector = description.to_vector()
    rho = vector.rdm(range(len(sites)), [site.dim for site in sites])
    return DensityState(sites, rho)


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
        Elements of the density matrix, of all sectors in reach; infinite beyond `_MOST_STATES`
        states in all.
    fits
        Whether a run of vectors, or of density matrices by the master equation, is not refused.
    """

    vectors: bool
    amplitudes: float
    members: int
    one_electron: bool
    elements: float
    fits: bool


def size_of(config: Config) -> Size:
    """Count the numbers of an exact run without building anything large."""
    description = config.initial_state
    pure = description.members if isinstance(description, Mixture) else (description,)
    whole = float(prod(site.dim for site in config.run_model.local_sites))
    # Jump operators of larger systems would take long to find, and the matrix would not fit.
    jumps = jump_operators(config) if whole <= _MOST_STATES else []
    names = _charges(config, pure, jumps)
    elements = float("inf")
    if whole <= _MOST_STATES:
        elements = sum(float(basis.dim) ** 2 for basis in _reachable(config, pure, names, jumps))
    amplitudes, one = _amplitudes(config, pure, names), _one_electron(config, pure, names)
    fits = amplitudes <= (_MOST_OF_ONE_ELECTRON if one else _MOST_AMPLITUDES)
    if isinstance(config.solver, MasterEquation):
        fits = elements <= MOST_ELEMENTS
    exact = _is_exact(config, pure, names)
    return Size(exact, amplitudes, len(pure), one, elements, fits)


def product_state(config: Config) -> SiteProduct:
    """Return the initial state of a run without its correlations."""
    from tnspin.states.mean_field import SiteProduct

    return SiteProduct.of(config.model, config.initial_state.to_mps())


def _classical(config: Config, description: InitialState) -> ClassicalState:
    """Unit vectors along the spins of a state; of product states without its matrices."""
    from tnspin.states.classical import ClassicalState

    if isinstance(description, SlaterProduct):
        return ClassicalState.of(config.model, description)
    return ClassicalState.of(config.run_model, description.to_mps())


def _charges(
    config: Config, pure: Sequence[InitialState], jumps: Sequence[JumpOperator]
) -> list[str]:
    """Names of the charges that Hamiltonian, states and jumps leave alone."""
    names = list(config.run_model.hamiltonian.conserved())
    names = [name for name in names if all(name in one.conserved() for one in pure)]
    if any(jump.charge is None for jump in jumps) and "2Sz" in names:
        names.remove("2Sz")
    if isinstance(config.solver, QuantumLlg) and config.solver.temperature and "2Sz" in names:
        names.remove("2Sz")  # noise points anywhere
    return names


def _is_exact(config: Config, pure: Sequence[InitialState], names: Sequence[str]) -> bool:
    """Whether the run evolves vectors or density matrices rather than matrix product states."""
    solver = config.solver
    if isinstance(solver, Tebd | Tdvp | DensityMatrix | Purification):
        return False
    if not isinstance(solver, Trajectories):
        return True
    if solver.engine != "auto":
        return solver.engine == "exact"
    one = _one_electron(config, pure, names)
    most = _MOST_OF_ONE_ELECTRON if one else _MOST_AMPLITUDES
    return _amplitudes(config, pure, names) <= most


def _one_electron(config: Config, pure: Sequence[InitialState], names: Sequence[str]) -> bool:
    """Whether the amplitudes may be those of one electron among localized spins."""
    return (
        "N" in names
        and not isinstance(config.solver, MasterEquation | QuantumLlg)
        and all(site.has_fermions for site in config.run_model.local_sites)
        and all(isinstance(one, SlaterState) and one.n_electrons == 1 for one in pure)
    )


def _sector(
    config: Config, one: InitialState, names: Sequence[str], own: bool = False
) -> ChargeBasis | None:
    """Sector of a state; ``own``: on its own sites, without a reaction coordinate."""
    if not names:
        return None
    coordinate = own and hasattr(config.run_model, "with_oscillator")
    model = config.run_model.model if coordinate else config.run_model
    return ChargeBasis(model.local_sites, one.total_charge(names))


def _amplitudes(config: Config, pure: Sequence[InitialState], names: Sequence[str]) -> float:
    """Number of amplitudes of all members together."""
    whole = float(prod(site.dim for site in config.run_model.local_sites))
    bases = (_sector(config, one, names) for one in pure)
    return sum(whole if basis is None else float(basis.dim) for basis in bases)


def _reachable(
    config: Config,
    pure: Sequence[InitialState],
    names: Sequence[str],
    jumps: Sequence[JumpOperator],
) -> list[ChargeBasis]:
    """Sectors that a density matrix may come to fill."""
    from tnspin.solvers.lindblad.liouvillian import reachable

    sites = config.run_model.local_sites
    bases = reachable([_sector(config, one, names) or ChargeBasis(sites) for one in pure], jumps)
    return list(bases)


def _check_matrix(config: Config) -> None:
    """Refuse a density matrix of the whole space that does not fit."""
    size = prod(float(site.dim) for site in config.model.local_sites) ** 2
    if size > MOST_ELEMENTS:
        raise InputError(
            f"solver.kind = {config.solver.kind!r}: a density matrix of {size:.1e} elements does "
            f"not fit (at most {MOST_ELEMENTS:.1e}); use fewer sites"
        )


def _check_density(
    config: Config,
    pure: Sequence[InitialState],
    names: Sequence[str],
    jumps: Sequence[JumpOperator],
) -> None:
    """Refuse a density matrix that does not fit: one block for every sector in reach."""
    bases = _reachable(config, pure, names, jumps)
    states, elements = (sum(float(basis.dim) ** n for basis in bases) for n in (1, 2))
    if elements > MOST_ELEMENTS:
        raise InputError(
            f"solver.kind = 'master_equation': a density matrix of {states:.1e} states needs "
            f"{16 * elements / _GIB:.1f} GiB and several times that to work with; at most "
            f"{MOST_ELEMENTS**0.5:.0f} states of the same charges fit; use 'trajectories', or "
            "fewer sites or spins"
        )


def _check_size(
    config: Config, pure: Sequence[InitialState], names: Sequence[str], most: int
) -> None:
    count = _amplitudes(config, pure, names)
    kind = config.solver.kind
    if count > most:
        needed = 16 * (count + _WORK * count / len(pure)) / _GIB
        raise InputError(
            f"solver.kind = {kind!r}: this run has {count:.1e} amplitudes and needs "
            f"{needed:.0f} GiB; at most {most:.1e} fit; use 'tebd', or fewer sites, spins or "
            "electrons"
        )
