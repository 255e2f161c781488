"""Compiled kernels for amplitudes (configuration, site): H times a vector, and row products.

Rows of amplitudes too small to matter are skipped, and stay zero: with one electron most of the
configurations of many spins are never reached.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def chebyshev_rows(
    first, last, stride, now, now_alive, after, after_alive, diagonal, starts, columns, values,
    offsets, bands, local_starts, local_sites, local_columns, local_values, previous, weight,
    total, after_complex, smallest, work,
):  # fmt: skip
    """``after = 2 G now - after`` (or ``G now``), then ``total += weight after``, rows first..last.

    Parameters
    ----------
    stride
        2 if ``now`` and ``after`` are complex amplitudes viewed as pairs of reals (G real), else 1.
    now, after
        (C, W) views of the amplitudes, W = L or 2 L; ``after`` holds the vector before ``now``.
    now_alive, after_alive
        (C,) whether a row may be nonzero; the latter is updated.
    diagonal, starts, columns, values
        Background of 2 G: diagonal and compressed rows of the rest.
    offsets, bands
        (b,), (b, W) hopping of 2 G: ``bands[k, i]`` multiplies the amplitude ``offsets[k]`` entries
        to the right.
    local_starts, local_sites, local_columns, local_values
        Compressed rows of what 2 G does where the electron is.
    previous
        Whether there is a vector before ``now``.
    weight, total, after_complex
        Coefficient of the series, its sum so far, and ``after`` as complex numbers.
    smallest
        Norm squared under which a new row is dropped.
    work
        (W,) scratch.
    """
    width = now.shape[1]
    length = total.shape[1]
    for c in range(first, last):
        reached = now_alive[c] or (previous and after_alive[c])
        if not reached:
            for j in range(starts[c], starts[c + 1]):
                if now_alive[columns[j]]:
                    reached = True
                    break
        if not reached:
            for j in range(local_starts[c], local_starts[c + 1]):
                if now_alive[local_columns[j]]:
                    reached = True
                    break
        if not reached:
            continue
        for i in range(width):
            work[i] = 0.0
        if now_alive[c]:
            for i in range(width):
                work[i] += diagonal[c] * now[c, i]
            for k in range(offsets.size):
                shift = offsets[k]
                for i in range(max(0, -shift), min(width, width - shift)):
                    work[i] += bands[k, i] * now[c, i + shift]
        for j in range(starts[c], starts[c + 1]):
            other = columns[j]
            if now_alive[other]:
                value = values[j]
                for i in range(width):
                    work[i] += value * now[other, i]
        for j in range(local_starts[c], local_starts[c + 1]):
            at, other, value = stride * local_sites[j], local_columns[j], local_values[j]
            for i in range(at, at + stride):
                work[i] += value * now[other, i]
        if previous:
            for i in range(width):
                after[c, i] = work[i] - after[c, i]
        else:
            for i in range(width):
                after[c, i] = 0.5 * work[i]
        if _norm_squared(after_complex[c]) < smallest:
            for i in range(width):
                after[c, i] = 0.0
            after_alive[c] = False
            continue
        after_alive[c] = True
        for i in range(length):
            total[c, i] += weight * after_complex[c, i]


@njit(cache=True, nogil=True)
def _norm_squared(row):
    # Four sums side by side: a single chain of additions would wait for each of them.
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    stop = row.size - row.size % 4
    for i in range(0, stop, 4):
        a += row[i].real * row[i].real + row[i].imag * row[i].imag
        b += row[i + 1].real * row[i + 1].real + row[i + 1].imag * row[i + 1].imag
        c += row[i + 2].real * row[i + 2].real + row[i + 2].imag * row[i + 2].imag
        d += row[i + 3].real * row[i + 3].real + row[i + 3].imag * row[i + 3].imag
    for i in range(stop, row.size):
        a += row[i].real * row[i].real + row[i].imag * row[i].imag
    return a + b + c + d


@njit(cache=True, nogil=True)
def row_weights(first, last, amplitudes, weights):
    """Norm squared of each row first..last, into ``weights``."""
    for c in range(first, last):
        weights[c] = _norm_squared(amplitudes[c])


@njit(cache=True, nogil=True)
def row_products(rows, others, amplitudes, skipped):
    """Sum over j of <others[j]|rows[j]>, the positions ``skipped`` left out."""
    total = 0.0j
    for j in range(rows.size):
        a, b = rows[j], others[j]
        for i in range(amplitudes.shape[1]):
            total += amplitudes[a, i] * amplitudes[b, i].conjugate()
        for i in skipped:
            total -= amplitudes[a, i] * amplitudes[b, i].conjugate()
    return total
