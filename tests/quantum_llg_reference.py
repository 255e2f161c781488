"""The quantum LLG and LL equations for dense matrices: independent of the code under test.

The implicit equation is solved as a linear system for the D^2 elements of rho', not in the
eigenbasis of rho, and rho itself is integrated.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def commutator(a, b):
    """``a b - b a``."""
    return a @ b - b @ a


def llg_rate(rho, h, kappa):
    """rho' from ``rho' = i [rho, H] + i kappa [rho, rho']``."""
    one = np.eye(len(rho))
    # Row-major elements: (A X B) has the matrix kron(A, B^T).
    adjoint = np.kron(rho, one) - np.kron(one, rho.T)
    drive = 1j * commutator(rho, h)
    system = np.eye(len(rho) ** 2) - 1j * kappa * adjoint
    return np.linalg.solve(system, drive.ravel()).reshape(rho.shape)


def ll_rate(rho, h, kappa):
    """rho' of the quantum Landau-Lifshitz equation."""
    inner = commutator(rho, h)
    return 1j * inner - kappa * commutator(rho, inner)


def trajectory(rho, hamiltonian, kappa, times, rate=llg_rate):
    """(T, D, D) density matrices; ``hamiltonian`` a matrix or a function of time."""
    h = hamiltonian if callable(hamiltonian) else lambda t: hamiltonian
    shape = rho.shape

    def derivative(t, flat):
        return rate(flat.reshape(shape), h(t), kappa).ravel()

    found = solve_ivp(
        derivative, (times[0], times[-1]), rho.astype(complex).ravel(), "DOP853", times,
        rtol=1e-12, atol=1e-13,
    )  # fmt: skip
    return found.y.T.reshape(-1, *shape)


def random_density(rng, dim, rank=None):
    """Random density matrix of some rank."""
    rank = dim if rank is None else rank
    a = rng.normal(size=(dim, rank)) + 1j * rng.normal(size=(dim, rank))
    rho = a @ a.conj().T
    return rho / np.trace(rho).real
