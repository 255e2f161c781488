"""OHM Eqs. 3, 5-7 and 9 written out with dense matrices."""

from __future__ import annotations

import numpy as np
from open_systems import embedded

_SX = np.array([[0, 1], [1, 0]]) / 2
_SY = np.array([[0, -1j], [1j, 0]]) / 2
_SZ = np.diag([1.0, -1.0]) / 2
_ONE_SPIN = {"Sx": _SX, "Sy": _SY, "Sz": _SZ}


def embed(matrix, k, length):
    """One-site matrix at site k of a chain of spins 1/2."""
    return np.kron(np.kron(np.eye(2**k), matrix), np.eye(2 ** (length - k - 1)))


def operator(name, k, length):
    return embed(_ONE_SPIN[name], k, length)


def raising(axis):
    """S_{alpha,+} of Eqs. 5-7."""
    return {"x": -_SZ + 1j * _SY, "y": _SZ + 1j * _SX, "z": _SX + 1j * _SY}[axis]


def hamiltonian(length, V, field):
    """Eq. 3."""
    total = np.zeros((2**length,) * 2, dtype=complex)
    for axis, v, b in zip("xyz", V, field, strict=True):
        spins = [operator(f"S{axis}", k, length) for k in range(length)]
        total += sum(b * s for s in spins)
        total += sum(v * spins[k] @ spins[k + 1] for k in range(length - 1))
    return total


def dissipated(rho, length, rates, neighbour_rates):
    """The second and third line of Eq. 9; rates (3, 2), eta = +, -."""
    total = np.zeros_like(rho)
    for a, axis in enumerate("xyz"):
        plus = [embed(raising(axis), k, length) for k in range(length)]
        for eta, family in enumerate((plus, [s.conj().T for s in plus])):
            for j, here in enumerate(family):
                for k, other in enumerate(family):
                    rate = {0: rates, 1: neighbour_rates}.get(abs(j - k))
                    if rate is None:
                        continue
                    decay = here.conj().T @ other
                    term = other @ rho @ here.conj().T - (decay @ rho + rho @ decay) / 2
                    total = total + rate[a, eta] * term
    return total


def lindblad(rho, model, jumps):
    """sum L rho L+ - {L+ L, rho} / 2."""
    total = np.zeros_like(rho)
    for jump in jumps:
        matrix = embedded(model, jump)
        decay = matrix.conj().T @ matrix
        total += matrix @ rho @ matrix.conj().T - (decay @ rho + rho @ decay) / 2
    return total
