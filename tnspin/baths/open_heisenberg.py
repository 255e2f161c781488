r"""On-site and nearest-neighbour dissipators of a common boson bath (OHM Eq. 9).

.. math::
    \mathcal D\rho = \sum_{\alpha\eta} \sum_{jj'} K^{\alpha\eta}_{jj'}
    \Big[S^{j'}_{\alpha\eta} \rho S^{j+}_{\alpha\eta}
    - \tfrac12 \{S^{j+}_{\alpha\eta} S^{j'}_{\alpha\eta}, \rho\}\Big]

with rates gamma_{alpha,eta} on the diagonal of K and g_{alpha,eta} between neighbours, eta = +, -.
S_{z,+-} = S_x +- i S_y, and the operators of the other axes are those of OHM Eqs. 5 and 6.

The neighbour terms alone are not completely positive.  All of it together is if and only if the
Kossakowski matrix of the chain, in a basis of three orthogonal operators per spin, has no negative
eigenvalue.  For one axis its eigenvalues are :math:`\gamma_\eta + 2 g_\eta \cos(k\pi/(N+1))`, so
that |g| may be at most :math:`\gamma / (2 \cos(\pi/(N+1)))`.

A matrix that couples neighbours only has a Cholesky factor that does so too: each of its columns is
one jump operator on two neighbouring sites, whatever the length of the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import numpy as np

from tnspin.baths.base import Bath
from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.numerics.arrays import Reals
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.sites import Matrix, spin
from tnspin.schema.register import register
from tnspin.schema.types import NonNegative, Vector

# Coefficients of S_{alpha,+} in (S+, S-, Sz), OHM Eqs. 5-7; S_{alpha,-} is its adjoint.
_RAISING = {
    "x": np.array([0.5, -0.5, -1.0]),  # -Sz + i Sy
    "y": np.array([0.5j, 0.5j, 1.0]),  # Sz + i Sx
    "z": np.array([1.0, 0.0, 0.0]),
}
# The adjoint swaps S+ and S- and conjugates.
_ADJOINT = [1, 0, 2]
# S+, S- and this multiple of Sz are orthogonal and of the same norm.
_SCALE = np.array([1.0, 1.0, 1.0 / np.sqrt(2.0)])
#: Change of 2Sz by S+, S- and Sz, and what an operator with such a change is called.
_CHANGES = (2, -2, 0)
_NAMES = {2: "S+", -2: "S-", 0: "Sz", None: "S"}
# Negative eigenvalues, and parts of jump operators, below this share of the largest are round-off.
_ROUND_OFF = 1e-12


@register
@dataclass(frozen=True)
class OpenHeisenbergBath(Bath):
    """Bath of an open Heisenberg chain (``[bath] kind = "open_heisenberg"``).

    Parameters
    ----------
    gamma : float or vector
        Gamma = gamma_{alpha,+} + gamma_{alpha,-} of each axis; a number means the z axis alone.
    n_bosons : float
        n_b, the bosons in the bath: ``gamma_- = g0 (n_b + 1)``, ``gamma_+ = g0 n_b`` with
        ``g0 = Gamma / (2 n_b + 1)``.
    neighbour_ratio : float
        Ratio g / gamma of the rates of neighbours and of single spins.
    neighbour : float or vector, optional
        g_{alpha,+} + g_{alpha,-} of each axis instead, shared out between + and - in the same way.
    """

    kind = "open_heisenberg"

    gamma: NonNegative | tuple[NonNegative, NonNegative, NonNegative] = 0.1
    n_bosons: NonNegative = 0.08
    neighbour_ratio: float = 0.1
    neighbour: float | Vector | None = None

    @property
    def rates(self) -> Reals:
        """(3, 2) gamma_{alpha,eta}: axes x, y, z; eta = +, -."""
        return np.outer(_per_axis(self.gamma), self._shares)

    @property
    def neighbour_rates(self) -> Reals:
        """(3, 2) g_{alpha,eta}."""
        if self.neighbour is None:
            return self.neighbour_ratio * self.rates
        return np.outer(_per_axis(self.neighbour), self._shares)

    @property
    def _shares(self) -> Reals:
        """gamma_+ / Gamma and gamma_- / Gamma."""
        return np.array([self.n_bosons, self.n_bosons + 1.0]) / (2.0 * self.n_bosons + 1.0)

    def blocks(self) -> tuple[Matrix, Matrix]:
        """(3, 3) blocks of the Kossakowski matrix, on a site and from a site to its neighbour.

        In the orthogonal operators S+, S- and sqrt(2) Sz.
        """
        found = []
        for rates in (self.rates, self.neighbour_rates):
            total = np.zeros((3, 3), dtype=np.complex128)
            for axis, (up, down) in zip("xyz", rates, strict=True):
                raising = _RAISING[axis] * _SCALE
                for rate, vector in ((up, raising), (down, raising.conj()[_ADJOINT])):
                    total += rate * np.outer(vector, vector.conj())
            found.append(total)
        return found[0], found[1]

    def kossakowski(self, length: int) -> Matrix:
        """(3 N, 3 N) Kossakowski matrix of N spins in a row, spin by spin."""
        on_site, link = self.blocks()
        links = np.eye(length, k=1)
        return np.kron(np.eye(length), on_site) + np.kron(links + links.T, link)

    def check_length(self, length: int) -> None:
        """Refuse what is not completely positive.

        Raises
        ------
        InputError
            With the lowest eigenvalue of the Kossakowski matrix of this many spins in a row.
        """
        values = np.linalg.eigvalsh(self.kossakowski(length))
        if values[0] >= -_ROUND_OFF * max(values[-1], 0.0):
            return
        key = "neighbour_ratio" if self.neighbour is None else "neighbour"
        bound = f"|g| <= gamma / (2 cos(pi/{length + 1}))"
        if length > 1:
            bound += f" = {1 / (2 * cos(pi / (length + 1))):.6g} gamma"
        raise InputError(
            f"bath.{key} = {getattr(self, key)!r}: the dissipator of {length} spins is not "
            f"completely positive, its Kossakowski matrix has the eigenvalue {values[0]:.6g}; must "
            f"be {bound} for a bath along one axis"
        )

    def jump_operators(self, model: Model) -> list[JumpOperator]:
        """Return jump operators on one or two neighbouring sites.

        Parameters
        ----------
        model : Model
            Spins without a gap between them are neighbours; rings are refused.

        Raises
        ------
        InputError
            If the dissipator is not completely positive, or the chain is a ring.
        """
        if getattr(model, "periodic", False):
            raise InputError("bath.kind = 'open_heisenberg': takes open chains (model.periodic)")
        runs = _runs(sorted(model.localized_sites))
        for run in runs:
            self.check_length(len(run))
        dims = {k: model.local_sites[k].spin_dim for run in runs for k in run}
        return [jump for run in runs for jump in self._jumps(run, [dims[k] for k in run])]

    def _jumps(self, run: Sequence[int], dims: Sequence[int]) -> list[JumpOperator]:
        """Columns of the block Cholesky factor of the Kossakowski matrix."""
        on_site, link = self.blocks()
        left = on_site
        largest = float(np.abs(on_site).max(initial=0.0))
        jumps = []
        for place, site in enumerate(run):
            last = place == len(run) - 1
            values, vectors = np.linalg.eigh(left)
            kept = values > _ROUND_OFF * max(largest, 1e-300)
            here = vectors[:, kept] * np.sqrt(values[kept])
            # Where the pivot has no weight a positive matrix has no neighbour terms either.
            there = link @ vectors[:, kept] / np.sqrt(values[kept])
            for column, other in zip(here.T, there.T, strict=True):
                pair = (column, np.zeros(3)) if last else (column, other)
                jumps.append(_jump(run[place : place + 2], dims[place : place + 2], pair, site))
            left = on_site - there @ there.conj().T
        return jumps


def _jump(
    sites: Sequence[int], dims: Sequence[int], pair: Sequence[Any], first: int
) -> JumpOperator:
    """One jump operator from its coefficients of S+, S-, sqrt(2) Sz on one or two sites."""
    largest = max(float(np.abs(column).max()) for column in pair)
    cleaned = [np.where(np.abs(c) > _ROUND_OFF * largest, c, 0.0) for c in pair[: len(sites)]]
    if len(cleaned) > 1 and not cleaned[1].any():
        cleaned, sites, dims = cleaned[:1], sites[:1], dims[:1]
    parts = [_on_spin(c, dim) for c, dim in zip(cleaned, dims, strict=True)]
    if len(parts) == 1:
        matrix = parts[0]
    else:
        matrix = np.kron(parts[0], np.eye(dims[1])) + np.kron(np.eye(dims[0]), parts[1])
    changes = {q for c in cleaned for q, value in zip(_CHANGES, c, strict=True) if value}
    charge = changes.pop() if len(changes) == 1 else None
    return JumpOperator(tuple(sites), matrix, charge, f"{_NAMES[charge]} {first}")


def _on_spin(coefficients: Matrix, dim: int) -> Matrix:
    site = spin((dim - 1) / 2)
    operators = (site.op("Sp"), site.op("Sm"), np.sqrt(2.0) * site.op("Sz"))
    total = sum(c * op for c, op in zip(coefficients, operators, strict=True))
    return np.asarray(total, dtype=np.complex128)


def _runs(sites: Sequence[int]) -> list[list[int]]:
    """Sites in groups without a gap."""
    runs: list[list[int]] = []
    for site in sites:
        if runs and runs[-1][-1] == site - 1:
            runs[-1].append(site)
        else:
            runs.append([site])
    return runs


def _per_axis(value: float | Vector) -> Vector:
    """A number (of the z axis) or three of them."""
    return value if isinstance(value, tuple) else (0.0, 0.0, value)
