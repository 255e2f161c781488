"""Operators that observables measure, derived from a model's own Hamiltonian and cached.

Currents follow from the continuity equation of the hopping term, torques from the equation of
motion under the electron-spin part of the on-site term, so no sign or factor of a convention is
repeated here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.bonds import BondTerms, bonds
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, kron

_AXES = ("x", "y", "z")


def expectation(rho: np.ndarray, operator: np.ndarray) -> float:
    """``Tr rho O`` of a Hermitian operator, both (d, d)."""
    return float(np.vdot(operator, rho).real)


def expectations(rho: np.ndarray, operators: np.ndarray) -> np.ndarray:
    """``Tr rho O_k`` of (n, d, d) Hermitian operators, as (n,) real."""
    return np.einsum("kij,ji->k", operators, rho).real


@lru_cache(maxsize=64)
def local_spin(site: Site) -> np.ndarray:
    """(3, d, d) spin matrices Sx, Sy, Sz of the localized spin of a site."""
    return np.stack([site.op(f"S{axis}") for axis in _AXES])


@lru_cache(maxsize=64)
def electron_spin(site: Site) -> np.ndarray:
    """(3, d, d) matrices ``c^dag sigma c`` of a site with electrons."""
    return np.stack([site.op(f"s{axis}") for axis in _AXES])


@lru_cache(maxsize=256)
def hopping_current(left: Site, right: Site) -> np.ndarray:
    """Currents of charge and spin across a bond per unit of hopping.

    With ``H = -g sum c^dag_i c_{i+1} + h.c.`` everything right of the bond gains
    ``i [H, N_right] = -i g (c^dag_i c_{i+1} - h.c.)`` electrons per time, and likewise with a
    Pauli matrix between the operators for the spin ``c^dag sigma c``.

    Parameters
    ----------
    left, right
        The neighbouring sites.

    Returns
    -------
    ndarray
        (4, D, D) Hermitian, D = d_left d_right: charge, spin x, y, z.
    """
    pauli = (
        (("up", "up", 1), ("dn", "dn", 1)),
        (("up", "dn", 1), ("dn", "up", 1)),
        (("up", "dn", -1j), ("dn", "up", 1j)),
        (("up", "up", 1), ("dn", "dn", -1)),
    )
    matrices = []
    for elements in pauli:
        os = OperatorSum((left, right))
        for s, other, value in elements:
            os += (-1j * value, f"cdag_{s}", 0, f"c_{other}", 1)
            os += (1j * np.conj(value), f"cdag_{other}", 1, f"c_{s}", 0)
        matrices.append(bonds(os).matrix(0))
    return np.stack(matrices)


@lru_cache(maxsize=8)
def hamiltonian_bonds(model: Any) -> BondTerms | None:
    """Bond matrices of a model, None if its Hamiltonian reaches beyond neighbours."""
    try:
        return bonds(model.hamiltonian)
    except InputError:
        return None


def supports(model: Any, t: float) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Hamiltonian at time ``t`` as one matrix per set of sites, for couplings of any range."""
    sums: dict[tuple[int, ...], np.ndarray] = {}
    for term in model.hamiltonian.local_terms():
        sites = tuple(term.matrices)
        sums[sites] = sums.get(sites, 0) + term.value(t) * kron(term.matrices.values())
    return list(sums.items())


def torque(model: Any, t: float) -> list[np.ndarray]:
    """Torque operators ``i [H_sd, S^a] / S`` of each localized spin at time ``t``.

    ``H_sd`` is what the on-site Hamiltonian has beyond a part that acts on the electrons alone
    and one that acts on the spin alone; only it transfers spin between the two.

    Returns
    -------
    list of ndarray
        One (3, d, d) per localized spin, in the order of ``model.localized_sites``.
    """
    return _torque(model, t if model.hamiltonian.is_time_dependent else 0.0)


@lru_cache(maxsize=8)
def _torque(model: Any, t: float) -> list[np.ndarray]:
    on_site = {where: matrix for where, matrix in supports(model, t) if len(where) == 1}
    operators = []
    for k in model.localized_sites:
        site = model.local_sites[k]
        coupling = _coupling(site, on_site.get((k,), np.zeros((site.dim,) * 2)))
        spin = local_spin(site)
        operators.append(1j * (coupling @ spin - spin @ coupling) / model.localized_spin)
    return operators


def _coupling(site: Site, h: np.ndarray) -> np.ndarray:
    """The part of a matrix on electron x spin that is traceless on either factor."""
    on_electron, on_spin = site.partial_traces(h)
    one = np.eye(site.spin_dim), np.eye(site.dim // site.spin_dim)
    mean = np.trace(h) / len(h) * np.eye(len(h))
    return h - np.kron(on_electron, one[0]) - np.kron(one[1], on_spin) + mean
