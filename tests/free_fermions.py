"""Open XX chains as free fermions: closed linear equations for C_ij = <c+_i c_j>, any length.

With H = sum_ij h_ij c+_i c_j, loss and gain of single fermions and dephasing by S^z = n - 1/2,

    C' = i (h C - C h) - {loss + gain, C} / 2 + gain - sum_i k_i (off-diagonal row and column i) / 2

for real symmetric h.  On spins, c_0 = S-_0 up to nothing and c_{N-1} = S-_{N-1} up to the parity of
the rest, which drops out of two-point functions.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def covariances(h, occupied, times, *, loss=0.0, gain=0.0, dephasing=0.0):
    """C (times, N, N) from a product state.

    Parameters
    ----------
    h : (N, N) array
        Real hopping matrix.
    occupied : sequence of float
        Initial occupation of every site.
    times : sequence of float
        Ascending, from 0.
    loss, gain, dephasing : float or (N,) array
        Rates of L = sqrt(rate) c, c+ and S^z at every site.
    """
    n = len(h)
    loss, gain, dephasing = (np.broadcast_to(rate, n) for rate in (loss, gain, dephasing))
    decay = np.add.outer(loss + gain, loss + gain) / 2
    decay = decay + np.add.outer(dephasing, dephasing) / 2 * (1 - np.eye(n))

    def slope(_, y):
        c = y.reshape(n, n)
        return (1j * (h @ c - c @ h) - decay * c + np.diag(gain)).ravel()

    start = np.diag(np.asarray(occupied, dtype=complex)).ravel()
    found = solve_ivp(
        slope, (0, times[-1]), start, method="DOP853", t_eval=times, rtol=1e-11, atol=1e-12
    )
    return found.y.T.reshape(-1, n, n)


def hopping(length, J):
    """h of an XX chain ``J (SxSx + SySy)``."""
    return J / 2 * (np.eye(length, k=1) + np.eye(length, k=-1))
