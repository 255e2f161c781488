r"""Flows that move the eigenvectors of a density matrix and leave its eigenvalues alone.

Every equation rho' = i [rho, K] with a Hermitian K(rho, H) is one. Between eigenvectors of rho,
with x the difference of their eigenvalues, K_ij = f(x_ij) H_ij makes

* f = 1: the von Neumann equation;
* f = 1 / (1 - i kappa x): the quantum LLG equation (QLLG Eq. 3), exactly, implicit as it is;
* f = 1 + i kappa x: the quantum LL equation (Wieser, PRL 110, 147201).

As the eigenvalues are constant, so are the factors f. Only eigenvectors beside the commonest
eigenvalue c are followed; what they do towards the others depends on their own eigenvalue alone:

.. math:: \Phi' = -i [\Phi (f \circ h) + (H \Phi - \Phi h) f(c - p)],  h = \Phi^+ H \Phi

Rotations among eigenvectors of one eigenvalue are left out of f o h: they do not change rho. A step
is one of Dormand and Prince (order 8), then the nearest orthonormal vectors: the eigenvalues of rho
are those of the start to round-off, whatever the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853

from tnspin.errors import RunError

Frames = NDArray[np.complex128]
Reals = NDArray[np.float64]
Part = tuple[Callable[[float], complex] | None, Any]

#: Name of the equation -> f(x, kappa).
FACTORS: dict[str, Callable[[Reals, float], Any]] = {
    "quantum_llg": lambda x, kappa: 1.0 / (1.0 - 1j * kappa * x),
    "quantum_ll": lambda x, kappa: 1.0 + 1j * kappa * x,
}
# Steps shorter than this only occur at a jump of a driven Hamiltonian, and are accepted.
_SMALLEST_STEP = 1e-12
_ROUND_OFF = 2e-15
_FOURTH = ((0.0, 0.0), (0.5, 0.5), (0.5, 0.5), (1.0, 1.0))


@dataclass(frozen=True, eq=False)
class Flow:
    """Right-hand side for the eigenvectors of one block.

    Attributes
    ----------
    parts
        Matrices of H, dense or sparse, each with its function of time (None: constant).
    weights : (r,)
        Eigenvalues of rho minus the commonest one.
    equation
        Key of `FACTORS`.
    kappa
        Dimensionless damping.
    """

    parts: Sequence[Part]
    weights: Reals
    equation: str
    kappa: float

    @cached_property
    def _inner(self) -> Any:
        """(r, r) factors between the eigenvectors, 0 where their eigenvalues are equal."""
        x = self.weights[:, None] - self.weights[None, :]
        return np.where(x == 0.0, 0.0, FACTORS[self.equation](x, self.kappa))

    @cached_property
    def _outer(self) -> Any:
        """(r,) factors from each eigenvector towards everything else."""
        return FACTORS[self.equation](-self.weights, self.kappa)

    def energy_applied(self, t: float, frames: Frames, noise: Any = None) -> Frames:
        """H Phi, (R, d, r); ``noise``: called with frames, what the stochastic field adds."""
        total = np.zeros_like(frames)
        for function, matrix in self.parts:
            value = 1.0 if function is None else complex(function(t))
            total += value * product(matrix, frames)
        return total if noise is None else total + noise(frames)

    def __call__(self, t: float, frames: Frames, noise: Any = None) -> Frames:
        """Derivative of (R, d, r) eigenvectors."""
        moved = self.energy_applied(t, frames, noise)
        if len(self.weights) == 1:
            # Many realizations of one vector: no stack of tiny matrix products.
            mean = (frames.conj() * moved).sum(axis=1, keepdims=True)
            return (-1j * self._outer) * (moved - mean * frames)
        h = frames.conj().swapaxes(1, 2) @ moved
        return -1j * ((moved - frames @ h) * self._outer + frames @ (self._inner * h))


def product(matrix: Any, frames: Frames) -> Frames:
    """Matrix times each of R frames (R, d, r)."""
    count, size, rank = frames.shape
    if count == 1:
        return (matrix @ frames[0])[None]
    wide = matrix @ frames.transpose(1, 0, 2).reshape(size, count * rank)
    return np.asarray(wide).reshape(size, count, rank).transpose(1, 0, 2)


def orthonormal(frames: Frames) -> Frames:
    """Nearest orthonormal vectors (polar factor) to nearly orthonormal (R, d, r) ones."""
    if frames.shape[2] == 1:
        return frames / np.sqrt(np.square(np.abs(frames)).sum(axis=1, keepdims=True))
    one = np.eye(frames.shape[2])
    # Newton's iteration for (F^+ F)^(-1/2): 1e-5 becomes 1e-10, then round-off.
    for _ in range(3):
        excess = frames.conj().swapaxes(1, 2) @ frames - one
        frames = frames - 0.5 * (frames @ excess)
        if np.abs(excess).max(initial=0.0) < 1e-9:
            break
    return frames


def adaptive(
    flow: Flow, frames: Frames, start: float, stop: float, tolerance: float
) -> Iterator[tuple[float, Frames]]:
    """Yield (time, frames) after every step from ``start`` to ``stop``.

    Parameters
    ----------
    frames : (R, d, r) ndarray
        At ``start``; every step gives orthonormal ones.
    tolerance
        Error of each step in the Frobenius norm of the frames; round-off sets a limit.

    Raises
    ------
    RunError
        If numbers cease to be finite.
    """
    rate = flow(start, frames)
    size = float(np.abs(rate).max(initial=0.0))
    step = min(stop - start, 0.1 / size if size else stop - start)
    time = start
    tolerance = max(tolerance, _ROUND_OFF)
    while time < stop:
        last = time + step >= stop - _SMALLEST_STEP
        h = stop - time if last else step
        moved, error = _dormand_prince(flow, time, frames, rate, h)
        if not np.isfinite(error) and h <= _SMALLEST_STEP:
            raise RunError(f"{flow.equation}: numbers are not finite at time {time:g}")
        if error <= tolerance or h <= _SMALLEST_STEP:
            time, frames = (stop if last else time + h), orthonormal(moved)
            yield time, frames
            if time < stop:
                rate = flow(time, frames)
        # At rest no step is too inaccurate, but from some size on they are unstable: grow slowly.
        wanted = 0.9 * (tolerance / max(error, 1e-300)) ** 0.125 if np.isfinite(error) else 0.1
        step = h * min(2.0, max(0.1, wanted))


@np.errstate(over="ignore", invalid="ignore")
def _dormand_prince(
    flow: Flow, time: float, frames: Frames, rate: Frames, h: float
) -> tuple[Frames, float]:
    """One step of order 8, and its error as estimated from orders 5 and 3."""
    stages = np.empty((DOP853.n_stages + 1, frames.size), dtype=np.complex128)
    shape = frames.shape

    def combined(weights: Reals) -> Frames:
        sums: Frames = weights.astype(np.complex128) @ stages[: len(weights)]
        return sums.reshape(shape)

    stages[0] = rate.ravel()
    for k in range(1, DOP853.n_stages):
        inner = frames + h * combined(DOP853.A[k, :k])
        stages[k] = flow(time + DOP853.C[k] * h, inner).ravel()
    moved = frames + h * combined(DOP853.B)
    stages[-1] = flow(time + h, moved).ravel()
    fifth, third = (_largest(combined(weights)) for weights in (DOP853.E5, DOP853.E3))
    scale = np.hypot(fifth, 0.1 * third)
    return moved, float(h * fifth**2 / scale) if scale else 0.0


def _largest(frames: Frames) -> float:
    """Largest Frobenius norm of any realization."""
    return float(np.sqrt(np.square(np.abs(frames)).sum(axis=(1, 2)).max(initial=0.0)))


def fixed(
    flow: Flow, frames: Frames, start: float, h: float, noises: Iterator[Any]
) -> Iterator[tuple[float, Frames]]:
    """Yield (time, frames) after every step of length ``h``, one for each stochastic field.

    The field is constant during a step, so that ordinary calculus holds: the limit of short steps
    is the Stratonovich solution.
    """
    for count, noise in enumerate(noises):
        time = start + count * h
        total, stage = np.zeros_like(frames), np.zeros_like(frames)
        for (ahead, share), weight in zip(_FOURTH, (1.0, 2.0, 2.0, 1.0), strict=True):
            stage = flow(time + ahead * h, frames + share * h * stage, noise)
            total += (weight / 6.0) * stage
        frames = orthonormal(frames + h * total)
        yield start + (count + 1) * h, frames
