r"""Jump operators of the universal Lindblad equation in the eigenbasis of a group of spins.

With ``coupling="components"`` three baths couple to Sx, Sy and Sz of a spin.  L depends linearly
on the coupling operator, and a unitary mixture of jump operators,
:math:`L'_k = \sum_a u_{ka} L_a`, gives the same master equation.  So they are taken from
:math:`S^+/\sqrt2`, :math:`S^-/\sqrt2` and :math:`S^z` instead: where the spins conserve 2Sz, each
then changes it by a definite amount, and states may stay in sectors of 2Sz.  For
``coupling="sum"`` there is one jump operator per spin, which mixes the sectors.

The spin enters the coupling as it stands in H: spin matrices, or Pauli matrices for localized
spins 1/2 of a Kondo chain with ``convention`` "pauli" or "mixed", where rates are four times those
of spin matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import prod

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from tnspin.baths.groups import SpinTerm, ball, neighbours, spin_charges, spin_matrix, spin_terms
from tnspin.baths.heisenberg_picture import HeisenbergPicture
from tnspin.baths.methods import approximate
from tnspin.baths.ohmic import OhmicBath
from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.numerics.arrays import Ints, Reals
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.sites import Matrix, Site, kron, widened
from tnspin.schema.register import register

# Largest space that is diagonalized: ten spins 1/2, or four spins 5/2.
_MOST_STATES = 1296
# Elements of H or differences of levels below this share of the largest are round-off.
_ROUND_OFF = 1e-12
# Elements of L below this share of the largest come from rotating the basis and back.
_NOISE = 1e-14
# ARPACK finds norms of matrices above this size faster than a full decomposition.
_SMALL = 64


@register
@dataclass(frozen=True)
class UniversalLindblad(OhmicBath):
    """One ohmic bath for each localized spin, weakly coupled: universal Lindblad equation."""

    kind = "universal_lindblad"

    def jump_operators(self, model: Model) -> list[JumpOperator]:
        """Return the jump operators of all localized spins, see `jump_operators`."""
        return jump_operators(model, self)


def jump_operators(model: Model, bath: OhmicBath) -> list[JumpOperator]:
    """Return the jump operators of all localized spins of a model, those that are zero left out.

    Parameters
    ----------
    model : Model
        Which spins see each other follows from its Hamiltonian.
    bath : OhmicBath
        The bath of each spin.

    Returns
    -------
    list of JumpOperator
        Spin by spin in the order of ``model.localized_sites``; of each spin one (``"sum"``) or
        S+, S-, Sz (``"components"``).

    Raises
    ------
    InputError
        If a spin is coupled to too many others, or the Hamiltonian of the spins depends on time.
    """
    terms = spin_terms(model)
    windows = _Windows(model, terms, bath)
    if bath.common:
        return _common_jumps(model, windows, bath)
    linked = neighbours(model, terms)
    jumps: list[JumpOperator] = []
    picture = HeisenbergPicture(model, terms, linked, bath)
    for centre in model.localized_sites:
        if _is_long(model, linked, centre, bath):
            jumps += _long_jumps(model, picture, centre, bath)
            continue
        sites, compared = _window(model, linked, centre, bath.window)
        for name, change, coupling in _couplings(model, centre, bath.coupling):
            matrix = windows.jump(sites, (centre,), coupling)
            if not matrix.any():
                continue
            error = 0.0 if compared is None else windows.change(sites, compared, centre, coupling)
            charge = change if windows.spectrum(sites).conserving else None
            jumps.append(JumpOperator(sites, matrix, charge, f"{name} {centre}", error))
    return jumps


def _is_long(model: Model, linked: dict[int, set[int]], centre: int, bath: OhmicBath) -> bool:
    """Whether jump operators of a spin are to be matrix product operators."""
    if bath.method != "time_integral" or bath.window:
        return False
    return prod(_dims(model, ball(linked, centre))) > _MOST_STATES


def _long_jumps(
    model: Model, picture: HeisenbergPicture, centre: int, bath: OhmicBath
) -> Iterator[JumpOperator]:
    """Jump operators of one spin as matrix product operators."""
    for name, change, coupling in _couplings(model, centre, bath.coupling):
        if bath.gamma > 0:
            found = picture.jump(centre, coupling)
            operator = found.operator
            charge = change if operator.definite else None
            yield JumpOperator(operator.sites, operator, charge, f"{name} {centre}", found.error)


def _common_jumps(model: Model, windows: _Windows, bath: OhmicBath) -> list[JumpOperator]:
    """Jump operators of the one bath of all spins."""
    sites = tuple(sorted(model.localized_sites))
    if not sites:
        return []
    if (states := prod(_dims(model, sites))) > _MOST_STATES:
        raise InputError(
            f"bath.common: the {len(sites)} spins have {states} states; at most {_MOST_STATES} can"
            " be diagonalized"
        )
    charge = windows.spectrum(sites).conserving
    found = [
        (name, change if charge else None, windows.jump(sites, sites, coupling))
        for name, change, coupling in _couplings(model, sites[0], bath.coupling)
    ]
    return [
        JumpOperator(sites, matrix, change, f"{name} common")
        for name, change, matrix in found
        if matrix.any()
    ]


class _Windows:
    """Jump operators of sets of spins; equal sets elsewhere in a chain are computed once."""

    def __init__(self, model: Model, terms: Sequence[SpinTerm], bath: OhmicBath) -> None:
        self._model = model
        self._terms = terms
        self._bath = bath
        self._keys: dict[tuple[int, ...], bytes] = {}
        self._spectra: dict[bytes, _Spectrum] = {}
        self._jumps: dict[tuple[bytes, tuple[int, ...], bytes], Matrix] = {}
        self._changes: dict[tuple[object, ...], float] = {}

    def spectrum(self, sites: tuple[int, ...]) -> _Spectrum:
        """Levels of the spins of these sites."""
        if sites not in self._keys:
            hamiltonian = spin_matrix(self._model, self._terms, sites)
            charges = spin_charges([self._model.local_sites[k] for k in sites])
            key = sha256(hamiltonian.tobytes() + charges.tobytes()).digest()
            if key not in self._spectra:
                self._spectra[key] = _Spectrum.of(hamiltonian, charges)
            self._keys[sites] = key
        return self._spectra[self._keys[sites]]

    def jump(self, sites: tuple[int, ...], coupled: tuple[int, ...], coupling: Matrix) -> Matrix:
        """L of the sum of an operator over the spins at ``coupled``, read-only."""
        spectrum = self.spectrum(sites)
        key = self._key(sites, coupled, coupling)
        if key not in self._jumps:
            one = [np.eye(dim, dtype=np.complex128) for dim in _dims(self._model, sites)]
            whole = np.zeros_like(spectrum.hamiltonian)
            for centre in coupled:
                factors = (coupling if k == centre else e for k, e in zip(sites, one, strict=True))
                whole += kron(factors)
            self._jumps[key] = spectrum.jump(whole, self._bath)
            self._jumps[key].setflags(write=False)
        return self._jumps[key]

    def change(
        self, one: tuple[int, ...], other: tuple[int, ...], centre: int, coupling: Matrix
    ) -> float:
        """Spectral norm of the difference of two windows' L, relative to the larger one's."""
        inner, outer = sorted((one, other), key=len)
        small, large = (self.jump(one, (centre,), coupling) for one in (inner, outer))
        # Equal numbers in equal places give the same; two windows may differ in where they lie.
        places = tuple(outer.index(k) for k in inner)
        key = (
            self._key(inner, (centre,), coupling), self._key(outer, (centre,), coupling), places,
        )  # fmt: skip
        if key not in self._changes:
            dims = _dims(self._model, outer)
            difference = widened(small, places, dims) - large
            self._changes[key] = _norm(difference) / _norm(large)
        return self._changes[key]

    def _key(
        self, sites: tuple[int, ...], coupled: tuple[int, ...], coupling: Matrix
    ) -> tuple[bytes, tuple[int, ...], bytes]:
        places = tuple(sites.index(k) for k in coupled)
        return self._keys[sites], places, coupling.tobytes()


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """H of a few spins and its eigenvectors, one sector per value of 2Sz if conserved."""

    hamiltonian: Matrix
    sectors: tuple[Ints, ...]

    @classmethod
    def of(cls, hamiltonian: Matrix, charges: Ints) -> _Spectrum:
        moved = np.abs(hamiltonian[charges[:, None] != charges[None, :]]).max(initial=0.0)
        if moved > _ROUND_OFF * np.abs(hamiltonian).max():
            charges = np.zeros_like(charges)
        return cls(hamiltonian, tuple(np.flatnonzero(charges == q) for q in np.unique(charges)))

    @cached_property
    def pairs(self) -> list[tuple[Reals, Matrix]]:
        """Eigenvalues and eigenvectors of every sector."""
        return [np.linalg.eigh(self.hamiltonian[np.ix_(rows, rows)]) for rows in self.sectors]

    @property
    def conserving(self) -> bool:
        """Whether the spins conserve 2Sz."""
        return len(self.sectors) > 1

    @property
    def resolution(self) -> float:
        """Differences of energies below this are zero."""
        return _ROUND_OFF * max(float(np.abs(e).max()) for e, _ in self.pairs)

    def jump(self, coupling: Matrix, bath: OhmicBath) -> Matrix:
        """L of a coupling operator, both in the product basis."""
        if bath.method == "exact":
            result = self.exact(coupling, bath.rate)
        else:
            result = approximate(self.hamiltonian, coupling, bath)
        result[np.abs(result) <= _NOISE * np.abs(result).max()] = 0.0
        return result

    def exact(self, coupling: Matrix, rate: Callable[[Reals], Reals]) -> Matrix:
        """``sqrt(rate(E_m - E_n)) X_mn`` of a coupling operator X, in the product basis."""
        result = np.zeros_like(coupling)
        levels = list(zip(self.sectors, self.pairs, strict=True))
        for rows, (final, out) in levels:
            for columns, (initial, into) in levels:
                block = coupling[np.ix_(rows, columns)]
                if not block.any():
                    continue
                energy = final[:, None] - initial[None, :]
                # At T = 0 the root of j is not smooth at w = 0: equal levels must be equal.
                energy[np.abs(energy) <= self.resolution] = 0.0
                rotated = np.sqrt(rate(energy)) * (out.conj().T @ block @ into)
                result[np.ix_(rows, columns)] = out @ rotated @ into.conj().T
        return result


def in_eigenbasis(
    hamiltonian: Matrix,
    coupling: Matrix,
    rate: Callable[[Reals], Reals],
) -> Matrix:
    """Return ``sqrt(rate(E_m - E_n)) X_mn`` of a coupling operator X, in the basis of H and X."""
    return _Spectrum(hamiltonian, (np.arange(len(hamiltonian)),)).exact(coupling, rate)


def _couplings(model: Model, centre: int, kind: str) -> Iterator[tuple[str, int | None, Matrix]]:
    """Name, change of 2Sz and matrix on the spin of each operator that couples to the bath."""
    site = model.local_sites[centre]
    scale = model.localized_scale
    x, y, z, plus, minus = (scale * _spin_matrix(site, f"S{a}") for a in ("x", "y", "z", "p", "m"))
    if kind == "sum":
        yield "Sx+Sy+Sz", None, x + y + z
        return
    yield "S+", 2, plus / np.sqrt(2.0)
    yield "S-", -2, minus / np.sqrt(2.0)
    yield "Sz", 0, z


def _spin_matrix(site: Site, name: str) -> Matrix:
    return site.op(name)[: site.spin_dim, : site.spin_dim]


def _dims(model: Model, sites: Sequence[int]) -> list[int]:
    return [model.local_sites[k].spin_dim for k in sites]


def _window(
    model: Model, linked: dict[int, set[int]], centre: int, radius: int
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Sites whose Hamiltonian the bath of one spin sees, and a window to compare with."""

    def fits(sites: tuple[int, ...]) -> bool:
        return prod(_dims(model, sites)) <= _MOST_STATES

    everything = ball(linked, centre)
    if radius == 0:
        if fits(everything):
            return everything, None
        radius = 1
        while fits(ball(linked, centre, radius + 1)):
            radius += 1
    sites = ball(linked, centre, radius)
    if not fits(sites):
        raise InputError(
            f"bath.window: the {len(sites)} spins within {radius} couplings of site {centre} have"
            f" {prod(_dims(model, sites))} states; at most {_MOST_STATES} can be diagonalized"
        )
    if sites == everything:
        return everything, None
    larger = ball(linked, centre, radius + 1)
    return sites, larger if fits(larger) else ball(linked, centre, radius - 1)


def _norm(matrix: Matrix) -> float:
    """Spectral norm, to three digits if the matrix is large."""
    if len(matrix) <= _SMALL or not matrix.any():
        return float(np.linalg.norm(matrix, 2))
    start = np.random.default_rng(7).normal(size=len(matrix))
    # Most elements of an operator that changes 2Sz by a definite amount are zero.
    sparse = sp.csr_array(matrix)
    return float(svds(sparse, k=1, v0=start, tol=1e-3, return_singular_vectors=False)[0])
