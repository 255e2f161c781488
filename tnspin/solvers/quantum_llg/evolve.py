"""Evolution of the eigenvectors of a density matrix, deterministic or with noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sparse import sparse_parts, to_sparse
from tnspin.solvers.evolution.motion import Motion, equal_steps
from tnspin.solvers.quantum_llg.invariant import reachable, split
from tnspin.solvers.quantum_llg.isospectral import Flow, adaptive, fixed, product
from tnspin.states.spectral import Block, SpectralState

Frames = NDArray[np.complex128]
# Largest space whose invariant subspaces are looked for: dense matrices, a few seconds.
_SEARCHED = 512
# Elements of H out of a subspace that are more than round-off, relative to the norm of H.
_LEAK = 1e-10
#: Most elements of all eigenvectors, of which a step needs some twenty copies.
MOST_ELEMENTS = 2**23


class SpectralMotion(Motion):
    """Eigenvectors of a density matrix in the subspaces that H and rho do not leave.

    It begins with a `VectorState`, an `Ensemble` of them, a `DensityState` or a `SpectralState`.
    Every interval is computed from its initial state alone, the noise included.
    """

    evolves = SpectralState

    def begin(self, state: Any) -> SpectralState:
        """Decompose the state, and set up the equation of motion of each block."""
        self.check_hermitian()
        keys = self.solver
        now = self._initial(state)
        parts = sparse_parts(self.model.hamiltonian, now.basis)
        self.flows = [
            Flow(_inside(parts, b.inside), b.weights, keys.kind, keys.kappa) for b in now.blocks
        ]
        field = keys.noise == "field"
        several = now.realizations > 1
        # Sx, Sy, Sz of every localized spin, where noise or errors need them.
        self.spins = _spin_operators(self.model, now) if several or (keys.noisy and field) else []
        strength = 2.0 * keys.kappa * keys.temperature
        strength /= self.model.localized_spin if field else 1.0
        self.noise = None
        if keys.noisy:
            self.noise = _Noise(self.spins, now.dim, keys.noise, strength, keys.seed)
        return now

    def snapshot(self, time: float) -> Snapshot:
        """The state, with the standard error of ``spin`` over the realizations."""
        several = self.state.realizations > 1
        errors = {"spin": _spin_error(self.model, self.spins, self.state)} if several else None
        return Snapshot(time, self.model, self.state, errors=errors)

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move the eigenvectors of every block to ``stop``."""
        frames = [block.frames for block in self.state.blocks]
        count, h = equal_steps(start, stop, self.solver.dt)
        for k, flow in enumerate(self.flows):
            if self.noise is None:
                steps = adaptive(flow, frames[k], start, stop, self.solver.tolerance)
            else:
                drawn = self.noise.steps(len(frames[k]), start, h, count)
                steps = fixed(flow, frames[k], start, h, drawn)
            for time, frame in steps:
                frames[k] = frame
                yield Progress(time, 0, 0.0)
        self.state = self.state.with_frames(frames)

    def _initial(self, state: Any) -> SpectralState:
        """Eigenvectors of the start, within invariant subspaces, for every realization."""
        os, noisy = self.model.hamiltonian, self.solver.noisy
        given = SpectralState.from_state(state)
        count = max(self.solver.realizations, given.realizations)
        elements = count * given.dim * max(given.rank, 1)
        if elements > MOST_ELEMENTS:
            raise InputError(
                f"solver.kind = {self.solver.kind!r}: the eigenvectors have {elements:.1e} "
                f"elements, and at most {MOST_ELEMENTS:.1e} fit; use fewer sites or realizations, "
                "or a purer state"
            )
        # What a run has made goes on as it is, unless noise or another H leads out of its
        # subspaces.
        found = given
        if not (isinstance(state, SpectralState) and _stays(os, given, noisy)):
            whole = given.in_whole_space()
            found = whole if noisy else _confined(os, whole)
        if count > found.realizations:
            found = found.with_frames([np.repeat(b.frames, count, axis=0) for b in found.blocks])
        return found


# ---------------------------------------------------------------------- the start


def _stays(os: OperatorSum, state: SpectralState, noisy: bool) -> bool:
    """Whether a state does not leave the subspaces that its eigenvectors are confined to."""
    subspaces = [block.inside for block in state.blocks if block.inside is not None]
    if noisy or not subspaces:
        return not subspaces
    for _, matrix in sparse_parts(os, state.basis):
        size = float(abs(matrix).sum(axis=0).max())
        for inside in subspaces:
            moved = matrix @ inside
            leaving = moved - inside @ (inside.conj().T @ moved)
            if np.abs(leaving).max() > _LEAK * size:
                return False
    return True


def _confined(os: OperatorSum, state: SpectralState) -> SpectralState:
    """The state, written in the subspaces that Hamiltonian and density matrix do not leave."""
    (block,) = state.blocks
    if not len(block.weights):
        return state  # the unit matrix, which does not move
    if state.dim > _SEARCHED:
        return state
    operators = [part for _, matrix in sparse_parts(os, state.basis) for part in _hermitian(matrix)]
    columns = block.columns[0]
    inside = reachable(operators, columns)
    if len(block.weights) == 1:
        return _with_blocks(state, [(inside, inside.conj().T @ columns, block.weights)])
    # Several eigenvectors need not share all that they reach together.
    within = [inside.conj().T @ (one @ inside) for one in operators]
    vectors = inside.conj().T @ columns
    rho = (vectors * block.weights) @ vectors.conj().T
    found = []
    for part in split([rho, *within]):
        values, frames = np.linalg.eigh(part.conj().T @ rho @ part)
        kept = np.abs(values) > 1e-13
        nearest = np.abs(values[kept, None] - block.weights).argmin(axis=1)
        found.append((inside @ part, frames[:, kept], block.weights[nearest]))
    return _with_blocks(state, [one for one in found if len(one[2])])


def _with_blocks(state: SpectralState, parts: Sequence[tuple[Any, Any, Any]]) -> SpectralState:
    blocks = []
    for inside, frames, weights in parts:
        whole = inside.shape[1] == state.dim
        chosen = inside @ frames if whole else frames
        blocks.append(Block(None if whole else inside, chosen[None], weights))
    return SpectralState(state.sites, state.basis, blocks, state.background)


def _hermitian(matrix: Any) -> Iterator[Any]:
    """Dense Hermitian parts of one time dependence; its coefficient may be complex."""
    dense = matrix.toarray()
    size = np.abs(dense).max(initial=0.0)
    for part in (dense + dense.conj().T, 1j * (dense - dense.conj().T)):
        if np.abs(part).max(initial=0.0) > 1e-14 * size:
            yield 0.5 * part


def _inside(parts: Sequence[Any], inside: Any) -> list[Any]:
    """Matrices of the Hamiltonian within a subspace; dense where that is faster."""
    if inside is not None:
        return [(f, inside.conj().T @ (matrix @ inside)) for f, matrix in parts]
    return [(f, m.toarray() if m.shape[0] <= 64 else m) for f, m in parts]


# ---------------------------------------------------------------------- steps


def _spin_operators(model: Model, state: SpectralState) -> list[Any]:
    """Sx, Sy, Sz of every localized spin, one after the other.

    Raises
    ------
    InputError
        If the state is confined to a charge sector, which a field would leave.
    """
    names = [(axis, k) for k in model.localized_sites for axis in ("Sx", "Sy", "Sz")]
    if state.charge_names:
        raise InputError(f"state: noise changes the charge {state.charge_names[0]!r}; leave it out")
    sums = (OperatorSum.of(model.local_sites, [(1.0, *name)]) for name in names)
    return [to_sparse(one, state.basis) for one in sums]


@dataclass(frozen=True, eq=False)
class _Noise:
    """Stochastic part of the Hamiltonian, constant during a step.

    ``strength`` is the spectral density of each component of the field, or of each element of the
    random matrix.
    """

    operators: Sequence[Any]
    dim: int
    kind: str
    strength: float
    seed: int

    def __post_init__(self) -> None:
        if self.kind == "operator" and self.dim > _SEARCHED:
            raise InputError(
                f"solver.noise = 'operator': a random matrix of {self.dim} states is too large "
                f"(at most {_SEARCHED}); use 'field'"
            )

    def steps(self, count: int, start: float, h: float, steps: int) -> Iterator[Any]:
        """One function of frames (R, d, r) per step."""
        key = int(np.float64(start).view(np.uint64))
        random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(key,)))
        size = np.sqrt(self.strength / h)
        for _ in range(steps):
            if self.kind == "field":
                drawn = size * random.standard_normal((len(self.operators), count, 1, 1))
                yield partial(self._field, drawn)
            else:
                shape = 2, count, self.dim, self.dim
                real, imaginary = 0.5 * size * random.standard_normal(shape)
                matrix = real + 1j * imaginary
                yield partial(np.matmul, matrix + matrix.conj().swapaxes(1, 2))

    def _field(self, drawn: Any, frames: Frames) -> Frames:
        """``-b.S`` of all spins, applied."""
        total = np.zeros_like(frames)
        for operator, values in zip(self.operators, drawn, strict=True):
            total -= values * product(operator, frames)
        return total


def _spin_error(model: Model, operators: Sequence[Any], state: SpectralState) -> Any:
    """(N, 3) standard error of the mean of <S>/S over the realizations."""
    each = np.zeros((len(operators), state.realizations))
    for block in state.blocks:
        columns = block.columns
        for k, operator in enumerate(operators):
            overlaps = (columns.conj() * product(operator, columns)).sum(axis=1).real
            each[k] += overlaps @ block.weights
    error = each.std(axis=1, ddof=1) / np.sqrt(state.realizations) / model.localized_spin
    return error.reshape(-1, 3)
