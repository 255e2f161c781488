"""`State`, the base class of all representations of the state of a chain, and `PureState`.

A representation derives from one of the two and keeps what only it can do: `norm`, ``_rdm`` (one
reduced density matrix), ``_write`` and ``_read`` (its numbers in a file).  Its class attributes
name the texts by which files know it (`State.formats`) and the quantities that observables may
ask of it (`State.gives`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Ints, Reals
from tnspin.operators.sites import Matrix, Site, make_site

if TYPE_CHECKING:
    import h5py

S = TypeVar("S", bound="State")
_SITE_FIELDS = ("name", "labels", "parity", "spin_dim")
_BY_FORMAT: dict[str, type[State]] = {}


class State(ABC):
    """State of a chain, in one of several representations.

    Attributes
    ----------
    sites : tuple of Site
        The chain, length L.
    noun : str
        What the representation is called in messages.
    formats : tuple of str
        Texts that mark its files; the first is written, the others are those of older files.
    gives : frozenset of str
        Quantities that observables may ask for (`tnspin.observables.base.Observable.needs`).
    """

    noun: ClassVar[str] = "state"
    formats: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[frozenset[str]] = frozenset(
        {"sites", "bonds", "energy", "currents", "cuts", "groups"}
    )
    sites: tuple[Site, ...]

    def __init_subclass__(cls, **options: Any) -> None:
        """Register the formats of a new representation."""
        super().__init_subclass__(**options)
        _BY_FORMAT.update(dict.fromkeys(cls.__dict__.get("formats", ()), cls))

    # ------------------------------------------------------------------ the chain and its charges

    @property
    def length(self) -> int:
        """Number of sites L."""
        return len(self.sites)

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Names of the charges that the representation conserves."""
        return tuple(self.total_charge)

    @property
    def total_charge(self) -> dict[str, int]:
        """Value of each conserved charge; empty where the state has no definite one."""
        return {}

    @property
    @abstractmethod
    def norm(self) -> float:
        """Norm of the stored numbers; the root of the trace of a density matrix."""

    @property
    def purity(self) -> float:
        """``Tr rho^2 / (Tr rho)^2`` of a density matrix."""
        raise InputError(f"state: the purity of a {self.noun} is not known")

    @property
    def hermiticity_error(self) -> float:
        """``|rho - rho^+| / |rho|`` in the Hilbert-Schmidt norm; 0 for all that are Hermitian."""
        return 0.0

    @property
    def members(self) -> tuple[tuple[float, State], ...]:
        """Pairs (weight, state) of a mixture; the state itself where it is none."""
        return ((1.0, self),)

    def __repr__(self) -> str:
        """Representation, sites, charges and size in one line."""
        charges = ", ".join(f"{name} = {value}" for name, value in self.total_charge.items())
        parts = [f"{type(self).__name__} of {self.length} sites"]
        parts += [f"charges {charges}"] if charges else []
        return ", ".join([*parts, *self._details()])

    def _details(self) -> list[str]:
        """What `repr` says of the size, for example ``["bond dimension 356"]``."""
        return []

    # ------------------------------------------------------------------ density matrices

    def site_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every site, L arrays (d, d)."""
        return [self.rdm([k]) for k in range(self.length)]

    def bond_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every pair of neighbours, L - 1 arrays."""
        return [self.rdm([k, k + 1]) for k in range(self.length - 1)]

    def rdm(self, sites: Sequence[int], keep: Sequence[int] | None = None) -> Matrix:
        """Reduced density matrix of a few sites, trace 1.

        Parameters
        ----------
        sites
            Distinct sites; the factors of the result have this order.
        keep
            Trailing dimension to keep of each site, tracing out the rest: 2 keeps the spin 1/2 of
            a Kondo site (electron x spin).  Default: everything.

        Returns
        -------
        (D, D) ndarray, D the product of the kept dimensions, first site slowest.

        Raises
        ------
        InputError
            If a site is outside the chain or named twice, or has no such factor.
        """
        chosen = checked_sites(sites, self.length, "sites")
        kept = [self.sites[k].dim for k in chosen] if keep is None else [int(d) for d in keep]
        if len(kept) != len(chosen):
            raise InputError(f"keep: {len(kept)} dimensions for {len(chosen)} sites")
        for k, size in zip(chosen, kept, strict=True):
            dim = self.sites[k].dim
            if size < 1 or dim % size:
                raise InputError(f"keep: site {k} of dimension {dim} has no factor of {size}")
        return self._rdm(chosen, kept) if chosen else np.ones((1, 1), dtype=np.complex128)

    def _rdm(self, sites: list[int], keep: list[int]) -> Matrix:
        """`rdm` of checked arguments, at least one site."""
        raise InputError(f"state: a {self.noun} has no density matrices")

    def expect(self, site: int, operator: str | Matrix) -> complex:
        """Expectation value of a one-site operator in the normalized state.

        Parameters
        ----------
        site
            0-based site.
        operator
            Name of an operator of the site, or a (d, d) matrix [out, in].

        Raises
        ------
        InputError
            If the site, the name or the shape is wrong.
        """
        rho = self.rdm([site])
        if isinstance(operator, str):
            operator = self.sites[site].op(operator)
        matrix = np.asarray(operator)
        if matrix.shape != rho.shape:
            raise InputError(f"operator: shape {matrix.shape} on a site of dimension {len(rho)}")
        return complex(np.vdot(matrix.conj().T, rho))

    # ------------------------------------------------------------------ cuts

    def schmidt(self, bond: int) -> Reals:
        """Schmidt values, descending, of the cut between sites ``bond`` and ``bond + 1``.

        Raises
        ------
        InputError
            If the bond is outside the chain, or the state is not a pure one.
        """
        raise InputError(f"state: a {self.noun} has no Schmidt values (bond {bond})")

    def entropies(self) -> Reals:
        """Von Neumann entropy of the sites left of each of the L - 1 cuts, in nats."""
        raise InputError(f"state: a {self.noun} has no entropies of cuts")

    def entropy(self, bond: int) -> float:
        """Von Neumann entropy of the cut between ``bond`` and ``bond + 1``, in nats."""
        return float(self.entropies()[self._bond(bond)])

    def bond_dims(self) -> Ints:
        """Bond dimension (Schmidt rank) of each of the L - 1 cuts."""
        raise InputError(f"state: a {self.noun} has no bond dimensions")

    def _bond(self, bond: int) -> int:
        return checked_index(bond, self.length - 1, "bond")

    # ------------------------------------------------------------------ files

    def save(self, target: str | Path | h5py.Group) -> None:
        """Write to a new HDF5 file, with the sites, or to an open group, without them."""
        if isinstance(target, str | Path):
            import h5py

            with h5py.File(target, "w") as file:
                self.save(file)
                _save_sites(self.sites, file.create_group("sites"))
            return
        self._write(target)
        target.attrs["format"] = self.formats[0]
        target.attrs["dims"] = np.array([site.dim for site in self.sites])

    @classmethod
    def load(cls, source: str | Path | h5py.Group, sites: Sequence[Site] | None = None) -> Self:
        """Read what `save` wrote, bit for bit.

        Called on `State`, it reads every representation whose module is imported.

        Parameters
        ----------
        source
            File or open group.
        sites
            The chain; default the sites that the file holds.

        Raises
        ------
        InputError
            If there is no such state, or it lives on other sites.
        """
        if isinstance(source, str | Path):
            import h5py

            if not Path(source).is_file():
                raise InputError(f"{source}: no such file")
            if not h5py.is_hdf5(source):
                raise InputError(f"{source}: holds no {cls.noun}; it is not an HDF5 file")
            with h5py.File(source) as file:
                return cls.load(file, sites)
        group, attrs = source, source.attrs
        # Older files: "purified" next to the format of the purification, "kind" in checkpoints.
        known = [_BY_FORMAT.get(str(attrs.get(key))) for key in ("purified", "format", "kind")]
        found = next((kind for kind in known if kind is not None), None)
        if found is None or not issubclass(found, cls):
            where = f"{group.name} of {group.file.filename}"
            raise InputError(f"state: {where} holds no {cls.noun}")
        chain = tuple(_load_sites(group) if sites is None else sites)
        if not found._fits(group, chain):
            raise InputError(f"state: {group.file.filename} holds a {found.noun} of another chain")
        return found._read(group, chain)

    @classmethod
    def _fits(cls, group: h5py.Group, sites: tuple[Site, ...]) -> bool:
        """Whether the state in a file is one of this chain."""
        dims = group.attrs.get("dims")
        return dims is None or np.array_equal(dims, [site.dim for site in sites])

    @abstractmethod
    def _write(self, group: h5py.Group) -> None:
        """Write the numbers of the state; `save` adds format and chain."""

    @classmethod
    @abstractmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> Self:
        """Read what `_write` wrote."""


class PureState(State):
    """Pure state: it has Schmidt values, overlaps, and can be added and scaled.

    A representation defines `schmidt`, ``__add__`` and ``__mul__``.
    """

    gives = State.gives | {"pure"}

    @abstractmethod
    def schmidt(self, bond: int) -> Reals:
        """Schmidt values, descending, of the cut between sites ``bond`` and ``bond + 1``."""

    def entropies(self) -> Reals:
        """Von Neumann entropy (natural logarithm) of each of the L - 1 cuts."""
        return np.array([von_neumann_entropy(self.schmidt(k) ** 2) for k in range(self.length - 1)])

    def entropy(self, bond: int) -> float:
        """Von Neumann entropy of the cut between ``bond`` and ``bond + 1``, in nats."""
        return max(0.0, von_neumann_entropy(self.schmidt(self._bond(bond)) ** 2))

    def __add__(self, other: Self) -> Self:
        """Sum of two states, not normalized."""
        return NotImplemented

    def __mul__(self, factor: complex) -> Self:
        """State times a number."""
        return NotImplemented

    def __rmul__(self, factor: complex) -> Self:
        """Number times a state."""
        return self * factor

    def __truediv__(self, divisor: complex) -> Self:
        """State divided by a number."""
        return self * (1 / divisor)

    def __neg__(self) -> Self:
        """Minus the state."""
        return self * -1.0

    def __sub__(self, other: Self) -> Self:
        """Difference of two states, not normalized."""
        return self + -other


def von_neumann_entropy(probabilities: NDArray[np.floating]) -> float:
    """``-sum p ln p`` over the positive ones of some probabilities."""
    p = probabilities[probabilities > 0]
    return -float(np.sum(p * np.log(p)))


def members_of(state: Any, kind: type[S], what: str) -> tuple[tuple[float, S], ...]:
    """Weights and states of a mixture, or of one state, all of one representation.

    Raises
    ------
    InputError
        If they are of another kind; ``what`` names what would be made of them.
    """
    members = state.members if isinstance(state, State) else ()
    if not members or not all(isinstance(one, kind) for _, one in members):
        given = dict.fromkeys(k.__class__.__name__ for k in (state, *(one for _, one in members)))
        raise InputError(f"state: {what} is made of a {kind.noun}, not of {' of '.join(given)}")
    return cast("tuple[tuple[float, S], ...]", members)


def weighted_sum(weights: Sequence[float], answers: Sequence[Sequence[Matrix]]) -> list[Matrix]:
    """Sum of one list of matrices per state, place by place, with the weights of the states."""
    return [
        np.sum([w * one for w, one in zip(weights, each, strict=True)], axis=0)
        for each in zip(*answers, strict=True)
    ]


def reordered(rho: Matrix, dims: Sequence[int], order: Sequence[int]) -> Matrix:
    """Density matrix with its factors, of dimensions ``dims``, in another order."""
    axes = [*order, *(len(dims) + k for k in order)]
    return np.ascontiguousarray(rho.reshape([*dims] * 2).transpose(axes)).reshape(rho.shape)


def checked_index(value: int, count: int, key: str) -> int:
    """Index within ``0..count - 1``, refused under the name ``key`` if it is anything else."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{key}: {value!r} is not an integer")
    if not 0 <= value < count:
        raise InputError(f"{key}: {value} is outside the chain (0..{count - 1})")
    return int(value)


def checked_sites(sites: Sequence[int], count: int, key: str) -> list[int]:
    """Distinct indices within ``0..count - 1``, refused if they are anything else."""
    chosen = [checked_index(k, count, key) for k in sites]
    if len(set(chosen)) != len(chosen):
        raise InputError(f"{key}: {chosen} names a site twice, they must be distinct")
    return chosen


def _save_sites(sites: Sequence[Site], group: h5py.Group) -> None:
    """Write the local spaces of a chain, each kind of site once."""
    kinds = list(dict.fromkeys(sites))
    group.attrs["kinds"] = [kinds.index(site) for site in sites]
    for k, site in enumerate(kinds):
        one = group.create_group(str(k))
        one.attrs.update({name: getattr(site, name) for name in _SITE_FIELDS})
        for table in ("charges", "operators"):
            inner = one.create_group(table, track_order=True)
            for name, value in getattr(site, table).items():
                inner[name] = np.asarray(value)


def _load_sites(file: h5py.Group) -> list[Site]:
    """Read the local spaces that a file holds besides its state."""
    if "sites" not in file:
        where = f"{file.name} of {file.file.filename}"
        raise InputError(f"state: {where} does not say on which sites; give them")
    group, kinds = file["sites"], []
    for k in range(len(group)):
        one = group[str(k)]
        name, labels, parity, spin_dim = (one.attrs[field] for field in _SITE_FIELDS)
        charges = {key: tuple(value[:].tolist()) for key, value in one["charges"].items()}
        operators = {key: value[:] for key, value in one["operators"].items()}
        kinds.append(
            make_site(
                name, tuple(map(str, labels)), charges, operators, tuple(parity.tolist()),
                int(spin_dim),
            )
        )  # fmt: skip
    return [kinds[k] for k in group.attrs["kinds"]]
