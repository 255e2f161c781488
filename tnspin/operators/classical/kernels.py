"""Compiled kernels: fields of classical spins and the midpoint rule, tile by tile.

One step of size h turns every spin by a rotation, n' - n = (n + n') x w with
w = (h/2) B + a n, where B is the field at the midpoint (n + n')/2 and a the damping: this is the
midpoint rule of dn/dt = n x B - a n x dn/dt, solved for n'.  Its length is kept to round-off
whatever B is; B itself is found by iteration.

Components are stored one after the other, (3, M), so that loops over spins use vector
instructions.  M = N C: the C copies of each of N spins lie side by side.  Couplings come as runs,
along which the matrix and the distance to the neighbour stay the same, and no run leaves its
tile: the field of a tile stays in the cache until its spins have turned.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Products may be fused with sums; midpoints are never NaN or infinite.
_FAST = {"contract", "nnan", "ninf", "nsz"}


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _run(field, start, n, first, last, distance, block, diagonal):
    """Add what one run of couplings does to ``field``, whose column 0 is spin ``start``."""
    # Slices that start at 0: indices that might be negative keep loops from being vectorized.
    size = last - first
    x, y, z = (
        field[0, first - start : last - start],
        field[1, first - start : last - start],
        field[2, first - start : last - start],
    )
    u, v, w = (
        n[0, first + distance : last + distance],
        n[1, first + distance : last + distance],
        n[2, first + distance : last + distance],
    )
    xx, yy, zz = block[0, 0], block[1, 1], block[2, 2]
    if diagonal:
        for m in range(size):
            x[m] += xx * u[m]
        for m in range(size):
            y[m] += yy * v[m]
        for m in range(size):
            z[m] += zz * w[m]
        return
    xy, xz, yz = block[0, 1], block[0, 2], block[1, 2]
    yx, zx, zy = block[1, 0], block[2, 0], block[2, 1]
    for m in range(size):
        x[m] += xx * u[m] + xy * v[m] + xz * w[m]
    for m in range(size):
        y[m] += yx * u[m] + yy * v[m] + yz * w[m]
    for m in range(size):
        z[m] += zx * u[m] + zy * v[m] + zz * w[m]


@njit(cache=True, nogil=True)
def field_of(n, tile, copies, fields, field):
    """Field of the spins of a tile of ``n`` (3, M) but for its constant part, added to ``field``.

    Parameters
    ----------
    fields
        `Fields.arrays`.
    field
        (3, >= size of the tile).
    """
    (borders, starts, firsts, lasts, distances, kinds, blocks, diagonal,
     high_starts, high_values, high_others) = fields  # fmt: skip
    start = borders[tile] * copies
    for k in range(starts[tile], starts[tile + 1]):
        _run(field, start, n, firsts[k] * copies, lasts[k] * copies, distances[k] * copies,
             blocks[kinds[k]], diagonal[kinds[k]])  # fmt: skip
    if len(high_values) == 0:
        return
    for spin in range(borders[tile], borders[tile + 1]):
        for axis in range(3):
            for k in range(high_starts[3 * spin + axis], high_starts[3 * spin + axis + 1]):
                for copy in range(copies):
                    value = high_values[k]
                    for c in high_others[k]:
                        if c >= 0:
                            value *= n[c % 3, (c // 3) * copies + copy]
                    field[axis, spin * copies + copy - start] += value


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _turn(n, middle, field, torque, damping, h, start, stop, out):
    """Midpoints between the spins start..stop of ``n`` and where they turn to, into ``out``.

    ``field`` (3, >= stop - start) is that of the spins of the tile; returns the largest change
    of any component from ``middle``.
    """
    half = 0.5 * h
    size = stop - start
    nx, ny, nz = n[0, start:stop], n[1, start:stop], n[2, start:stop]
    mx, my, mz = middle[0, start:stop], middle[1, start:stop], middle[2, start:stop]
    ox, oy, oz = out[0, start:stop], out[1, start:stop], out[2, start:stop]
    fx, fy, fz, own = field[0], field[1], field[2], damping[start:stop]
    if torque.shape[1] > 0:
        tx, ty, tz = torque[0, start:stop], torque[1, start:stop], torque[2, start:stop]
        for m in range(size):
            fx[m] += ty[m] * mz[m] - tz[m] * my[m]
            fy[m] += tz[m] * mx[m] - tx[m] * mz[m]
            fz[m] += tx[m] * my[m] - ty[m] * mx[m]
    for m in range(size):
        x, y, z, a = nx[m], ny[m], nz[m], own[m]
        wx, wy, wz = half * fx[m] + a * x, half * fy[m] + a * y, half * fz[m] + a * z
        square = wx * wx + wy * wy + wz * wz
        along = wx * x + wy * y + wz * z
        scale = 1.0 / (1.0 + square)
        # (n' - n)/2 = (n x w + w (w.n) - n w^2) / (1 + w^2)
        u = x + scale * (y * wz - z * wy + wx * along - x * square)
        v = y + scale * (z * wx - x * wz + wy * along - y * square)
        w = z + scale * (x * wy - y * wx + wz * along - z * square)
        fx[m] = max(abs(u - mx[m]), max(abs(v - my[m]), abs(w - mz[m])))
        ox[m], oy[m], oz[m] = u, v, w
    # Floats of one sign are ordered as their bits are, of which the largest is found much faster.
    bits, top = fx.view(np.int64), 0
    for m in range(size):
        top = max(top, bits[m])
    bits[0] = top
    return fx[0]


@njit(cache=True, nogil=True)
def iterate(n, middle, base, noise, torque, damping, h, first, last, copies, fields, out):
    """One iteration of the midpoints of the tiles first..last; return their largest change.

    Parameters
    ----------
    n, middle, out
        (3, M) spins, midpoints so far, and better ones.
    base
        (3, M) constant part of the field.
    noise, torque
        (3, M) stochastic field, and p of the torque n x (p x n); (3, 0) for none.
    damping
        (M,) Gilbert damping.
    h
        Step, of either sign.
    """
    borders = fields[0]
    field = np.empty((3, _widest(borders, first, last) * copies))
    change = 0.0
    for tile in range(first, last):
        start, stop = borders[tile] * copies, borders[tile + 1] * copies
        field[:, : stop - start] = base[:, start:stop]
        if noise.shape[1] > 0:
            field[:, : stop - start] += noise[:, start:stop]
        field_of(middle, tile, copies, fields, field)
        change = max(change, _turn(n, middle, field, torque, damping, h, start, stop, out))
    return change


@njit(cache=True, nogil=True)
def _widest(borders, first, last):
    widest = 0
    for tile in range(first, last):
        widest = max(widest, borders[tile + 1] - borders[tile])
    return widest


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def finish(n, middle, first, last):
    """Replace the spins first..last of ``n`` by those whose midpoints are given."""
    nx, ny, nz = n[0, first:last], n[1, first:last], n[2, first:last]
    mx, my, mz = middle[0, first:last], middle[1, first:last], middle[2, first:last]
    for m in range(last - first):
        u, v, w = 2.0 * mx[m] - nx[m], 2.0 * my[m] - ny[m], 2.0 * mz[m] - nz[m]
        # Millions of rotations add up their round-off: one Newton step towards length 1.
        unit = 1.5 - 0.5 * (u * u + v * v + w * w)
        nx[m], ny[m], nz[m] = unit * u, unit * v, unit * w


@njit(cache=True, nogil=True)
def settled(change, before, tolerance):
    """Whether midpoints that changed by so much, and ``before`` by so much, are found."""
    # Round-off may keep the change from falling below a very small tolerance.
    return change <= tolerance or (change >= before and change < 1e-13)


@njit(cache=True, nogil=True)
def advance(
    n, steps, stages, base, noise, torque, damping, tolerance, iterations, copies, fields
):  # fmt: skip
    """Advance spins (3, M) in place; parameters not named here are those of `iterate`.

    Parameters
    ----------
    steps
        Number of steps, each made of ``stages`` (their sizes).
    noise
        (steps, 3, M) fields of each step, or (0, 3, 0) for none.
    tolerance, iterations
        Each stage is iterated until its midpoints change by less, or exactly so many times (0:
        as often as needed).

    Returns
    -------
    float
        0, or the last change where an iteration did not converge.
    """
    size = n.shape[1]
    tiles = len(fields[0]) - 1
    most = iterations if iterations > 0 else 200
    middle, out = np.empty_like(n), np.empty_like(n)
    none = np.empty((3, 0))
    for step in range(steps):
        kick = noise[step] if len(noise) > 0 else none
        for h in stages:
            change, before = 0.0, 1e300
            for k in range(most):
                now = n if k == 0 else middle
                change = iterate(n, now, base, kick, torque, damping, h, 0, tiles, copies,
                               fields, out)  # fmt: skip
                middle, out = out, middle
                if iterations == 0 and settled(change, before, tolerance):
                    break
                before = change
            if iterations == 0 and not change <= max(tolerance, 1e-13):
                return change
            finish(n, middle, 0, size)
    return 0.0
