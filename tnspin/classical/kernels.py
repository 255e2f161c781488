"""Compiled kernels: fields of classical spins and the midpoint rule, for ranges of spins.

One step of size h turns every spin by a rotation, n' - n = (n + n') x w with
w = (h/2) B + a n, where B is the field at the midpoint (n + n')/2 and a the damping: this is the
midpoint rule of dn/dt = n x B - a n x dn/dt, solved for n'.  Its length is kept to round-off
whatever B is; B itself is found by iteration.
"""

from __future__ import annotations

from numba import njit

__all__ = ["advance", "field_of", "middle_of", "turn"]


@njit(cache=True, nogil=True)
def field_of(
    n, first, last, linear, starts, columns, blocks, high_starts, high_values, high_others, out
):  # fmt: skip
    """Fields of the spins first..last of ``n`` (N, 3), into ``out`` (N, 3)."""
    high = len(high_values) > 0
    for i in range(first, last):
        x, y, z = linear[i, 0], linear[i, 1], linear[i, 2]
        for k in range(starts[i], starts[i + 1]):
            j = columns[k]
            u, v, w = n[j, 0], n[j, 1], n[j, 2]
            x += blocks[k, 0, 0] * u + blocks[k, 0, 1] * v + blocks[k, 0, 2] * w
            y += blocks[k, 1, 0] * u + blocks[k, 1, 1] * v + blocks[k, 1, 2] * w
            z += blocks[k, 2, 0] * u + blocks[k, 2, 1] * v + blocks[k, 2, 2] * w
        out[i, 0], out[i, 1], out[i, 2] = x, y, z
        if high:
            for axis in range(3):
                for k in range(high_starts[3 * i + axis], high_starts[3 * i + axis + 1]):
                    value = high_values[k]
                    for c in high_others[k]:
                        if c >= 0:
                            value *= n[c // 3, c % 3]
                    out[i, axis] += value


@njit(cache=True, nogil=True)
def turn(n, field, torque, middle, damping, h, first, last, new):
    """Rotate the spins first..last of ``n`` (N, 3) into ``new``.

    Parameters
    ----------
    field
        (N, 3) B, all of it but the spin-transfer torque.
    torque
        (N, 3) p of the torque n x (p x n), or (0, 3) for none.
    middle
        (N, 3) where ``field`` was taken; only the torque needs it.
    damping
        (N,) Gilbert damping.
    h
        Step, of either sign.
    """
    half = 0.5 * h
    for i in range(first, last):
        x, y, z = n[i, 0], n[i, 1], n[i, 2]
        bx, by, bz = field[i, 0], field[i, 1], field[i, 2]
        if len(torque) > 0:
            px, py, pz = torque[i, 0], torque[i, 1], torque[i, 2]
            u, v, w = middle[i, 0], middle[i, 1], middle[i, 2]
            bx += py * w - pz * v
            by += pz * u - px * w
            bz += px * v - py * u
        a = damping[i]
        wx, wy, wz = half * bx + a * x, half * by + a * y, half * bz + a * z
        square = wx * wx + wy * wy + wz * wz
        along = wx * x + wy * y + wz * z
        scale = 2.0 / (1.0 + square)
        # n' = n + (n x w + w (w.n) - n w^2) 2 / (1 + w^2)
        u = x + scale * (y * wz - z * wy + wx * along - x * square)
        v = y + scale * (z * wx - x * wz + wy * along - y * square)
        w = z + scale * (x * wy - y * wx + wz * along - z * square)
        # Millions of rotations add up their round-off: one Newton step towards length 1.
        unit = 1.5 - 0.5 * (u * u + v * v + w * w)
        new[i, 0], new[i, 1], new[i, 2] = unit * u, unit * v, unit * w


@njit(cache=True, nogil=True)
def middle_of(n, new, first, last, middle):
    """Midpoints (n + new)/2 of the spins first..last; return their largest change."""
    change = 0.0
    for i in range(first, last):
        for axis in range(3):
            value = 0.5 * (n[i, axis] + new[i, axis])
            change = max(change, abs(value - middle[i, axis]))
            middle[i, axis] = value
    return change


@njit(cache=True, nogil=True)
def advance(
    states, first, last, steps, stages, damping, external, noise, torque, tolerance, iterations,
    linear, starts, columns, blocks, high_starts, high_values, high_others,
):  # fmt: skip
    """Advance the realizations first..last of ``states`` (R, N, 3) in place.

    Parameters
    ----------
    steps
        Number of steps, each made of ``stages`` (their sizes).
    damping
        (R, N).
    external
        (N, 3) field added to that of the energy.
    noise
        (steps, R, N, 3) fields of each step, or (0, R, N, 3) for none.
    tolerance, iterations
        Each stage is iterated until its midpoints change by less, or exactly so many times (0:
        as often as needed).

    Returns
    -------
    float
        0, or the last change where an iteration did not converge.
    """
    size = states.shape[1]
    most = iterations if iterations > 0 else 200
    for r in range(first, last):
        n = states[r].copy()
        new, middle, field = n.copy(), n.copy(), n.copy()
        for step in range(steps):
            for h in stages:
                middle[:] = n
                change, before = 0.0, 1e300
                for _ in range(most):
                    field_of(middle, 0, size, linear, starts, columns, blocks, high_starts,
                             high_values, high_others, field)  # fmt: skip
                    field += external
                    if len(noise) > 0:
                        field += noise[step, r]
                    turn(n, field, torque, middle, damping[r], h, 0, size, new)
                    change = middle_of(n, new, 0, size, middle)
                    # Round-off may keep the change from falling below a very small tolerance.
                    if iterations == 0 and (
                        change <= tolerance or (change >= before and change < 1e-13)
                    ):
                        break
                    before = change
                if iterations == 0 and not change <= max(tolerance, 1e-13):
                    return change
                # The loop ended on a rotation with the converged field.
                n, new = new, n
        states[r] = n
    return 0.0
