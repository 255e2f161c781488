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
from tnspin.solvers.quantum_llg.invariant import reachable, split
from tnspin.solvers.quantum_llg.isospectral import Flow, adaptive, fixed, product
from tnspin.solvers.solver import Motion, equal_steps
from tnspin.states.spectral import Block, SpectralState

__all__ = ["SpectralMotion", "motion"]

Frames = NDArray[np.complex128]
# Largest space whose invariant subspaces are looked for: dense matrices, a few seconds.
_SEARCHED = 512
# Elements of H out of a subspace that are more than round-off, relative to the norm of H.
_LEAK = 1e-10
#: Most elements of all eigenvectors, of which a step needs some twenty copies.
MOST_ELEMENTS = 2**23


def motion(solver: Any, model: Model, state: Any, start: float) -> SpectralMotion:
    """The evolution of a density matrix, see `tnspin.solvers.quantum_llg.solver`."""
    os, temperature = model.hamiltonian, solver.temperature
    if not os.is_hermitian(1e-10, start):
        raise InputError(f"model: the Hamiltonian is not Hermitian at time {start:g}")
    now = _prepared(os, state, solver.realizations, bool(temperature), solver.kind)
    parts = sparse_parts(os, now.basis)
    flows = [
        Flow(_inside(parts, b.inside), b.weights, solver.kind, solver.kappa) for b in now.blocks
    ]
    field = solver.noise == "field"
    several = now.realizations > 1
    spins = _spin_operators(model, now) if several or (temperature and field) else []
    strength = 2.0 * solver.kappa * temperature / (model.localized_spin if field else 1.0)
    random = None
    if temperature:
        random = _Noise(spins, now.dim, solver.noise, strength, solver.seed)
    return SpectralMotion(model, now, flows, spins, random, solver.tolerance, solver.dt)


@dataclass(eq=False)
class SpectralMotion(Motion):
    """Eigenvectors in their subspaces.

    Every interval is computed from its initial state alone, the noise included.

    Attributes
    ----------
    flows
        Equation of motion of each block.
    spins
        Sx, Sy, Sz of every localized spin, where noise or errors need them.
    random
        Noise, None without.
    tolerance, dt
        Error of adaptive steps, and longest step with noise.
    """

    flows: list[Flow]
    spins: list[Any]
    random: _Noise | None
    tolerance: float
    dt: float

    def snapshot(self, time: float) -> Snapshot:
        """The state, with the standard error of ``spin`` over the realizations."""
        several = self.state.realizations > 1
        errors = {"spin": _spin_error(self.model, self.spins, self.state)} if several else None
        return Snapshot(time, self.model, self.state, errors=errors)

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move the eigenvectors of every block to ``stop``."""
        frames = [block.frames for block in self.state.blocks]
        for k, flow in enumerate(self.flows):
            for time, frame in _steps(
                flow, frames[k], start, stop, self.tolerance, self.dt, self.random
            ):
                frames[k] = frame
                yield Progress(time, 0, 0.0)
        self.state = self.state.with_frames(frames)


# ---------------------------------------------------------------------- the start


def _prepared(
    os: OperatorSum, state: Any, realizations: int, noisy: bool, equation: str
) -> SpectralState:
    """Eigenvectors of the start, within invariant subspaces, for every realization."""
    given = SpectralState.from_state(state)
    count = max(realizations, given.realizations)
    elements = count * given.dim * max(given.rank, 1)
    if elements > MOST_ELEMENTS:
        raise InputError(
            f"solver.kind = {equation!r}: the eigenvectors have {elements:.1e} elements, and at "
            f"most {MOST_ELEMENTS:.1e} fit; use fewer sites or realizations, or a purer state"
        )
    # What a run has made goes on as it is, unless noise or another H leads out of its subspaces.
    if isinstance(state, SpectralState) and _stays(os, given, noisy):
        found = given
    else:
        whole = given.in_whole_space()
        found = whole if noisy else _confined(os, whole)
    if count > found.realizations:
        found = found.with_frames([np.repeat(b.frames, count, axis=0) for b in found.blocks])
    return found


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
    """The same state in the subspaces that Hamiltonian and density matrix do not leave."""
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


def _steps(
    flow: Flow, frames: Frames, start: float, stop: float, tolerance: float, dt: float, random: Any
) -> Iterator[tuple[float, Frames]]:
    if random is None:
        return adaptive(flow, frames, start, stop, tolerance)
    count, h = equal_steps(start, stop, dt)
    return fixed(flow, frames, start, h, random.steps(len(frames), start, h, count))


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
