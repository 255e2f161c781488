"""Local Hilbert spaces: basis labels, conserved charges and named operators.

Every basis state is an eigenstate of every charge of its site, so charge
conservation needs nothing beyond one integer per basis state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import product
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError, nearest

Matrix = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Site:
    """One site of a chain.

    Parameters
    ----------
    name : str
        Kind of site, e.g. ``"spin-1/2"``.
    labels : tuple of str
        Names of the ``d`` basis states.
    charges : mapping of str to tuple of int
        Value of each U(1) charge in each basis state.
    operators : mapping of str to (d, d) complex ndarray
        Read-only matrices ``[out, in]``.
    parity : tuple of int
        Fermion parity (0 or 1) of each basis state.
    spin_dim : int
        Dimension 2S + 1 of the localized spin, the trailing factor of the space; 1 without one.
    """

    name: str
    labels: tuple[str, ...]
    charges: Mapping[str, tuple[int, ...]]
    operators: Mapping[str, Matrix]
    parity: tuple[int, ...]
    spin_dim: int = 1

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # Mapping proxies cannot be pickled; sites travel to worker processes.
        charges, operators = dict(self.charges), dict(self.operators)
        return make_site, (self.name, self.labels, charges, operators, self.parity, self.spin_dim)

    def __repr__(self) -> str:
        return f"Site({self.name}, {self.dim} states, charges: {', '.join(self.charges) or 'none'})"

    @property
    def dim(self) -> int:
        """Number of basis states ``d``."""
        return len(self.labels)

    @property
    def has_fermions(self) -> bool:
        """Whether some basis state holds an odd number of fermions."""
        return any(self.parity)

    def op(self, name: str) -> Matrix:
        """Return the matrix of a named operator, shape (d, d), indices [out, in].

        Raises
        ------
        InputError
            If the site has no operator of that name.
        """
        if name not in self.operators:
            raise InputError(
                f"operator: {name!r} is not known on a {self.name} site"
                f" (known: {', '.join(self.operators)}){nearest(name, self.operators)}"
            )
        return self.operators[name]

    def partial_traces(self, matrix: Matrix) -> tuple[Matrix, Matrix]:
        """Return the parts of a matrix on all but the localized spin, and on the spin.

        Each is the trace over the other factor, divided by its dimension.
        """
        inner = self.spin_dim
        outer = self.dim // inner
        tensor = matrix.reshape(outer, inner, outer, inner)
        return np.einsum("asbs->ab", tensor) / inner, np.einsum("asat->st", tensor) / outer

    def is_fermionic(self, name: str) -> bool:
        """Whether the named operator changes the fermion parity."""
        matrix = self.op(name)
        odd = np.not_equal.outer(self.parity, self.parity)
        changes = bool(np.any(matrix[odd]))
        if changes and np.any(matrix[~odd]):
            raise InputError(f"operator: {name!r} on a {self.name} site has no fermion parity")
        return changes

    def charge(self, name: str) -> NDArray[np.int64]:
        """Return the charge of each basis state, shape (d,); zeros if the site lacks it."""
        return np.array(self.charges.get(name, (0,) * self.dim), dtype=np.int64)

    def parity_operator(self) -> Matrix:
        """Return the diagonal matrix of (-1)^parity, the Jordan-Wigner string on this site."""
        return np.diag(1.0 - 2.0 * np.array(self.parity)).astype(np.complex128)


def make_site(
    name: str,
    labels: tuple[str, ...],
    charges: Mapping[str, tuple[int, ...]],
    operators: Mapping[str, ArrayLike],
    parity: tuple[int, ...] | None = None,
    spin_dim: int = 1,
) -> Site:
    """Build a site from plain matrices: copies them, makes them read-only and adds ``Id``."""
    dim = len(labels)
    if spin_dim < 1 or dim % spin_dim:
        raise InputError(f"spin_dim: a site of {dim} states has no factor of {spin_dim}")
    matrices = {"Id": np.eye(dim, dtype=np.complex128)}
    for key, value in operators.items():
        matrix = np.array(value, dtype=np.complex128)
        if matrix.shape != (dim, dim):
            raise InputError(
                f"operator: {key!r} has shape {matrix.shape}, the site has {dim} states"
            )
        matrices[key] = matrix
    for matrix in matrices.values():
        matrix.setflags(write=False)
    return Site(
        name,
        tuple(labels),
        MappingProxyType({key: tuple(value) for key, value in charges.items()}),
        MappingProxyType(matrices),
        tuple(parity) if parity is not None else (0,) * dim,
        spin_dim,
    )


def kron(matrices: Iterable[NDArray[Any]]) -> Matrix:
    """Kronecker product of any number of matrices, the first slowest; [[1]] of none."""
    product: Matrix = np.ones((1, 1), dtype=np.complex128)
    for matrix in matrices:
        product = np.kron(product, matrix).astype(np.complex128, copy=False)
    return product


def widened(matrix: Matrix, places: Sequence[int], dims: Sequence[int]) -> Matrix:
    """Return a matrix on some factors of a product space as one on all of them.

    Parameters
    ----------
    matrix
        (D, D) on the factors ``places``, in this order, the first slowest.
    places
        Which of the factors those are.
    dims
        Dimension of every factor, the first slowest.
    """
    rest = [k for k in range(len(dims)) if k not in places]
    order = [*places, *rest]
    shape = [dims[k] for k in order]
    wide = np.kron(matrix, np.eye(prod(dims[k] for k in rest))).reshape(shape * 2)
    axes = [order.index(k) for k in range(len(dims))]
    wide = wide.transpose([*axes, *(len(dims) + a for a in axes)])
    return np.asarray(wide.reshape(prod(dims), prod(dims)), dtype=np.complex128)


def _spin_matrices(doubled: int) -> dict[str, Matrix]:
    """Spin matrices for ``2S = doubled``, basis ordered by descending Sz."""
    m = (doubled - 2.0 * np.arange(doubled + 1)) / 2.0
    s = doubled / 2.0
    # <m+1| S+ |m> = sqrt(S(S+1) - m(m+1)); state k-1 has one more unit than state k.
    plus = np.diag(np.sqrt(s * (s + 1) - m[1:] * (m[1:] + 1)), k=1).astype(np.complex128)
    minus = plus.conj().T
    return {
        "Sx": (plus + minus) / 2,
        "Sy": (plus - minus) / 2j,
        "Sz": np.diag(m).astype(np.complex128),
        "Sp": plus,
        "Sm": minus,
    }


def _half_integer(doubled: int) -> str:
    """Write ``doubled / 2`` with a sign: ``+1``, ``0``, ``-3/2``."""
    if doubled == 0:
        return "0"
    value = str(abs(doubled) // 2) if doubled % 2 == 0 else f"{abs(doubled)}/2"
    return ("+" if doubled > 0 else "-") + value


#: Largest S: the matrices of a spin with an electron level have 8S + 4 rows.
LARGEST_SPIN = 100


def doubled_spin(spin: float) -> int:
    """Return 2S as an integer.

    Raises
    ------
    InputError
        If ``spin`` is not a positive multiple of 1/2.
    """
    number = isinstance(spin, int | float | np.integer | np.floating) and not isinstance(spin, bool)
    doubled = round(2 * float(spin)) if number and np.isfinite(spin) else 0
    if doubled < 1 or abs(doubled - 2 * float(spin)) > 1e-12:
        raise InputError(f"spin: {spin!r} is not a positive multiple of 0.5")
    if doubled > 2 * LARGEST_SPIN:
        raise InputError(f"spin: {spin!r} is more than {LARGEST_SPIN}")
    return doubled


def spin(S: float = 0.5) -> Site:
    """Spin S: basis Sz descending, charge ``2Sz``, operators Id Sx Sy Sz Sp Sm (spin matrices)."""
    return _spin(doubled_spin(S))


@cache
def electron() -> Site:
    """Spinful electron level: empty, up, dn, updn = c+_up c+_dn |0>; charges ``N`` and ``2Sz``.

    ``sx sy sz`` are c+ sigma c without the factor 1/2; ``sp = c+_up c_dn``.
    """
    # Within the site the mode order is (up, dn): c_dn passes the up mode.
    c_up, c_dn = np.zeros((2, 4, 4))
    c_up[0, 1] = c_up[2, 3] = 1.0
    c_dn[0, 2], c_dn[1, 3] = 1.0, -1.0
    plus = c_up.T @ c_dn
    n_up, n_dn = c_up.T @ c_up, c_dn.T @ c_dn
    operators = {
        "c_up": c_up, "cdag_up": c_up.T, "c_dn": c_dn, "cdag_dn": c_dn.T,
        "n": n_up + n_dn, "n_up": n_up, "n_dn": n_dn,
        "sx": plus + plus.T, "sy": -1j * (plus - plus.T), "sz": n_up - n_dn,
        "sp": plus, "sm": plus.T,
    }  # fmt: skip
    charges = {"N": (0, 1, 1, 2), "2Sz": (0, 1, -1, 0)}
    return make_site("electron", ("empty", "up", "dn", "updn"), charges, operators, (0, 1, 1, 0))


def kondo(S: float = 0.5) -> Site:
    """Electron level times spin S; state index is ``e * (2S+1) + m``, ``2Sz`` the sum of both."""
    return _kondo(doubled_spin(S))


def boson(levels: int) -> Site:
    """Truncated oscillator: charge ``Nb``; operators Id b bdag n and x = b + bdag."""
    if isinstance(levels, bool) or not isinstance(levels, int | np.integer) or levels < 2:
        raise InputError(f"levels: {levels!r} is not an integer of at least 2")
    return _boson(int(levels))


@cache
def purified(site: Site) -> Site:
    """Add an ancilla copy of the localized spin, in front of it: the local space of purifications.

    The space of a Kondo site becomes electron x ancilla x spin, that of a spin site ancilla x
    spin. All operators keep their names and act as the identity on the ancilla. The ancilla
    counts negative in ``2Sz``, so that ``sum_ij (sqrt rho)_ij |i> |j>_ancilla`` has charge 0 for
    every rho that commutes with Sz. Sites without localized spin are returned as they are.
    """
    d = site.spin_dim
    if d == 1:
        return site
    rest = site.dim // d
    # States in the order (rest, ancilla, spin).
    where = [(r * d + m, a) for r in range(rest) for a in range(d) for m in range(d)]
    charges = {name: tuple(values[k] for k, _ in where) for name, values in site.charges.items()}
    if "2Sz" in charges:
        charges["2Sz"] = tuple(
            q - (d - 1 - 2 * a) for q, (_, a) in zip(charges["2Sz"], where, strict=True)
        )
    one = np.eye(d)
    operators = {
        name: np.einsum("rmsn,ab->ramsbn", matrix.reshape(rest, d, rest, d), one).reshape(
            (site.dim * d,) * 2
        )
        for name, matrix in site.operators.items()
        if name != "Id"
    }
    labels = tuple(f"{site.labels[k]};{a}" for k, a in where)
    parity = tuple(site.parity[k] for k, _ in where)
    return make_site(f"purified-{site.name}", labels, charges, operators, parity, d)


@cache
def doubled(site: Site) -> Site:
    """Ket x bra of a site: the local space of density matrices written as vectors.

    State ``ket * d + bra`` stands for ``|ket><bra|``.  The operator X of the site becomes two:
    ``X`` multiplies rho from the left, ``X'`` from the right.  A charge is that of the ket minus
    that of the bra: a density matrix without elements between sectors has charge 0.

    Raises
    ------
    InputError
        If the site holds electrons, whose signs are not handled.
    """
    if site.has_fermions:
        raise InputError(f"sites: density matrices as vectors take no electrons ({site.name} site)")
    d = site.dim
    operators = {}
    for name, matrix in site.operators.items():
        if name != "Id":
            operators[name] = np.kron(matrix, np.eye(d))
            operators[f"{name}'"] = np.kron(np.eye(d), matrix.T)
    charges = {
        name: tuple(q - p for q in values for p in values) for name, values in site.charges.items()
    }
    labels = tuple(f"{ket}|{bra}" for ket in site.labels for bra in site.labels)
    return make_site(f"doubled-{site.name}", labels, charges, operators)


@cache
def fused(sites: tuple[Site, ...]) -> Site:
    """Several sites without electrons as one, the first slowest; it has no named operators."""
    labels = tuple(map(" ".join, product(*(site.labels for site in sites))))
    charges = {
        name: tuple(reduce(np.add.outer, (site.charge(name) for site in sites)).ravel().tolist())
        for name in dict.fromkeys(name for site in sites for name in site.charges)
    }
    return make_site("+".join(site.name for site in sites), labels, charges, {})


@cache
def _spin(doubled: int) -> Site:
    m2 = tuple(doubled - 2 * k for k in range(doubled + 1))
    labels = ("up", "dn") if doubled == 1 else tuple(_half_integer(m) for m in m2)
    return make_site(
        f"spin-{_half_integer(doubled)[1:]}",
        labels,
        {"2Sz": m2},
        _spin_matrices(doubled),
        spin_dim=doubled + 1,
    )


@cache
def _kondo(doubled: int) -> Site:
    level, local = electron(), _spin(doubled)
    operators = {k: np.kron(v, np.eye(local.dim)) for k, v in level.operators.items() if k != "Id"}
    operators |= {k: np.kron(np.eye(4), v) for k, v in local.operators.items() if k != "Id"}
    both = fused((level, local))
    labels = tuple(label.replace(" ", ",") for label in both.labels)
    parity = tuple(p for p in level.parity for _ in range(local.dim))
    return make_site(f"kondo-{local.name}", labels, both.charges, operators, parity, local.dim)


@cache
def _boson(levels: int) -> Site:
    b = np.diag(np.sqrt(np.arange(1, levels)), k=1)
    operators = {"b": b, "bdag": b.T, "n": np.diag(np.arange(levels)), "x": b + b.T}
    labels = tuple(str(k) for k in range(levels))
    return make_site("boson", labels, {"Nb": tuple(range(levels))}, operators)
