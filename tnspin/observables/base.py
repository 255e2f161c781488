"""`Observable`: a quantity that a run records, by name, and the models for which it makes sense."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from math import prod
from typing import Any, ClassVar, TypeVar, cast

from tnspin.errors import InputError, nearest
from tnspin.models.purified import Purified
from tnspin.observables.snapshot import Options, Snapshot
from tnspin.operators.state import State
from tnspin.schema.register import Registry, register

F = TypeVar("F", bound=Callable[[Snapshot], Any])
#: ``(model, gives) -> bool``; ``gives`` as for `Observable.applies`.
Condition = Callable[[Any, frozenset[str]], bool]
#: Largest number of states of the localized spins whose density matrix is used as it is.
DENSE = 2**10
#: Largest number of eigenvalues of a density matrix that are recorded.
LEVELS = 64


class Observable(ABC):
    """One variable of a result: a function of a snapshot, with what the result file says of it.

    ::

        @register
        @dataclass(frozen=True)
        class Staggered(Observable):
            kind = "staggered"
            long_name = "staggered magnetization"

            def measure(self, snapshot): ...

    Attributes
    ----------
    kind
        Name in the result file and in ``record.observables``.
    dims
        Names of its dimensions, time first.
    units, long_name
        For the result file and the axes of figures.
    needs
        What the state must give: "sites", "bonds", "groups" (density matrices of sites, of
        neighbours, of several spins together), "cuts" (entropies of cuts), "energy", "currents",
        "ledger" (truncation errors), "density" (of the whole chain: its purity), "isospectral",
        "moments" (of the partial transpose), "vectorized" (a matrix product state of kets and
        bras), "kraus" (ancillas), "reference" (spins that start along z); `State.gives`.
    parts
        Property of `Snapshot` that has the two sets of sites between which it is measured, if any.
    """

    section: ClassVar[str] = "observable"
    kind: ClassVar[str] = ""
    dims: ClassVar[tuple[str, ...]] = ("time",)
    units: ClassVar[str] = "1"
    long_name: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[str] = ""

    @abstractmethod
    def measure(self, snapshot: Snapshot) -> Any:
        """Value at one time: a number or an array with the dimensions after time."""

    def applies(self, model: Any, gives: frozenset[str]) -> bool:
        """Whether it makes sense for a model, and a representation that gives all it needs.

        Parameters
        ----------
        model
            The model of the run.
        gives
            `State.gives` of the representation, and "reference" if the spins start along z.
        """
        return True

    def by_default(self, model: Any, gives: frozenset[str]) -> bool:
        """Whether a run to which it applies records it without being asked."""
        return False


class _Observables(Registry):
    """Observables by their names in result files, in the order in which they are recorded."""

    def __getitem__(self, kind: str) -> Any:
        return _instance(super().__getitem__(kind))

    def __iter__(self) -> Iterator[str]:
        # In the order of each file, whichever was imported first; a user's own come last.
        kinds = self._kinds()
        homes = {kind: cls.__module__ for kind, cls in kinds.items()}
        return iter(sorted(kinds, key=lambda k: (not homes[k].startswith("tnspin."), homes[k])))


@cache
def _instance(cls: type) -> Any:
    return cls()


#: Every observable by the name that it has in a result file.
OBSERVABLES: Mapping[str, Observable] = cast(Any, _Observables("observable", str(__package__)))


def chosen(
    names: Sequence[str],
    model: Any,
    representation: type[State],
    options: Options | None = None,
) -> tuple[str, ...]:
    """Names of the observables that a run records: those given, or else its default ones.

    Parameters
    ----------
    names
        ``record.observables``; empty for the default.
    model
        The model of the run.
    representation
        The class of its states.
    options
        Settings of the observables of the run.

    Raises
    ------
    InputError
        If there is no such observable, or it does not apply to the run.
    """
    gives = representation.gives
    if options is not None and options.reference is not None:
        gives |= {"reference"}
    possible = {
        name: one
        for name, one in OBSERVABLES.items()
        if gives.issuperset(one.needs) and one.applies(model, gives)
    }
    for name in names:
        if name not in possible:
            problem = _problem(name, gives, representation)
            raise InputError(
                f"record.observables = {name!r}: {problem}; allowed: {', '.join(possible)}"
                f"{nearest(name, possible)}"
            )
    return tuple(names) or tuple(n for n, one in possible.items() if one.by_default(model, gives))


def _problem(name: str, gives: frozenset[str], representation: type[State]) -> str:
    """Why a run cannot record an observable."""
    if name not in OBSERVABLES:
        return "no such observable"
    missing = [need for need in OBSERVABLES[name].needs if need not in gives]
    if missing == ["reference"]:
        return "does not apply to this run, whose localized spins do not start along z"
    if missing:
        return f"does not apply to this run, a {representation.noun} gives no {missing[0]!r}"
    return "does not apply to this run"


# ---------------------------------------------------------------------- declared by a function


def always(model: Any, gives: frozenset[str]) -> bool:
    """Every run."""
    return True


def never(model: Any, gives: frozenset[str]) -> bool:
    """No run: recorded only by name."""
    return False


def observable(
    long_name: str,
    *dims: str,
    units: str = "1",
    needs: Sequence[str] = (),
    parts: str = "",
    applies: Condition = always,
    default: Condition = always,
) -> Callable[[F], F]:
    """Decorator that registers a function of a snapshot as the observable of its name.

    Parameters
    ----------
    long_name, dims, units, needs, parts
        As for `Observable`, without the dimension time.
    applies, default
        `Observable.applies` and `Observable.by_default`.
    """

    def add(function: F) -> F:
        attributes = {
            "__doc__": function.__doc__,
            "__module__": function.__module__,
            "kind": function.__name__,
            "dims": ("time", *dims),
            "units": units,
            "long_name": long_name,
            "needs": tuple(needs),
            "parts": parts,
            "measure": staticmethod(function),
            "applies": staticmethod(applies),
            "by_default": staticmethod(default),
        }
        register(type(function.__name__, (Observable,), attributes))
        return function

    return add


# ---------------------------------------------------------------------- models


def with_electrons(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains with electron levels."""
    return any(site.has_fermions for site in model.local_sites)


def with_spins(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains with localized spins."""
    return len(model.localized_sites) > 0


def with_both(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains with electrons and localized spins."""
    return with_electrons(model) and with_spins(model)


def with_current(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains along which electrons hop."""
    return with_electrons(model) and getattr(model, "hopping", None) is not None


def with_edges(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains with at least two localized spins."""
    return len(model.localized_sites) > 1


def with_qubits(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains whose localized spins are 1/2."""
    return with_spins(model) and model.localized_spin == 0.5


def with_qubit_pairs(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains with at least two localized spins 1/2."""
    return with_edges(model) and with_qubits(model)


def with_two_groups(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains with exactly two groups of localized spins: spin valves."""
    return len(model.groups) == 2


def few_spins(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains with localized spins few enough for their density matrix."""
    dims = [model.local_sites[k].spin_dim for k in model.localized_sites]
    return len(dims) > 1 and prod(dims) <= DENSE


def short_spin_chain(model: Any, gives: frozenset[str] = frozenset()) -> bool:
    """Chains of nothing but spins, in one group, few enough for their density matrix."""
    dims = [site.spin_dim for site in model.local_sites]
    only_spins = len(model.groups) == 1 and not with_electrons(model)
    return only_spins and with_edges(model) and prod(dims) <= Options.halves


# ---------------------------------------------------------------------- runs


def pure_cuts(model: Any, gives: frozenset[str]) -> bool:
    """Runs of pure states, or mixtures of a few, of the chain itself.

    Cuts through a purified chain count the correlations of spins with their ancillas as well.
    """
    return "pure" in gives and not isinstance(model, Purified)


def tensors(model: Any, gives: frozenset[str]) -> bool:
    """Runs of matrix product states."""
    return "tensors" in gives


def few_levels(model: Any, gives: frozenset[str]) -> bool:
    """Chains with few eigenvalues of the density matrix."""
    return prod(site.dim for site in model.local_sites) <= LEVELS


def pairs_in_view(model: Any, gives: frozenset[str]) -> bool:
    """Runs in which pairs are what there is to look at."""
    few = len(model.local_sites) <= 3 and short_spin_chain(model)
    return few or "isospectral" in gives or getattr(model, "shows_pairs", False)


def transposable(model: Any, gives: frozenset[str]) -> bool:
    """Density matrices of at least two localized spins, no electrons in tensor networks."""
    return with_edges(model) and ("tensors" not in gives or not with_electrons(model))


def long_spin_chain(model: Any, gives: frozenset[str]) -> bool:
    """Tensor networks of density matrices of chains of spins too long to be compared as halves."""
    long = len(model.groups) == 1 and not short_spin_chain(model)
    return transposable(model, gives) and "tensors" in gives and long
