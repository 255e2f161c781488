"""The quantum Landau-Lifshitz-Gilbert and Landau-Lifshitz equations for any density matrix.

    quantum_llg: rho' = i [rho, H] + i kappa [rho, rho']             (QLLG Eq. 3)
    quantum_ll:  rho' = i [rho, H] - kappa [rho, [rho, H]]           (Wieser, PRL 110, 147201)

Both keep all eigenvalues of rho, so only eigenvectors are evolved (`isospectral`):
one for a pure state, also of many spins, and one for a Werner state.  They stay within the
subspaces that H and rho cannot leave (`invariant`), which keeps round-off from
growing in lower-lying sectors that the state has no access to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.observables.snapshot import Progress, Snapshot, output_times
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sparse import sparse_parts, to_sparse
from tnspin.solvers.quantum_llg.invariant import reachable, split
from tnspin.solvers.quantum_llg.isospectral import FACTORS, Flow, adaptive, fixed, product
from tnspin.states.spectral import Block, SpectralState

__all__ = ["evolve"]

Frames = NDArray[np.complex128]
NOISES = ("field", "operator")
# Largest space whose invariant subspaces are looked for: dense matrices, a few seconds.
_SEARCHED = 512
# Elements of H out of a subspace that are more than round-off, relative to the norm of H.
_LEAK = 1e-10
#: Most elements of all eigenvectors, of which a step needs some twenty copies.
MOST_ELEMENTS = 2**23


def evolve(
    model: Model,
    state: Any,
    times: Sequence[float],
    *,
    equation: str = "quantum_llg",
    kappa: float = 0.5,
    tolerance: float = 1e-12,
    temperature: float = 0.0,
    noise: str = "field",
    dt: float = 0.01,
    realizations: int = 1,
    seed: int = 0,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[Snapshot]:
    """Evolve a density matrix of constant spectrum and yield it at each of ``times``.

    Every interval is computed from its initial state alone, the stochastic field included, so
    continuing from a yielded state gives the same numbers.

    Parameters
    ----------
    model : Model
        Its Hamiltonian may be long-ranged and time-dependent.
    state : VectorState, Ensemble of them, DensityState or SpectralState
        Start; trace 1 after normalization.
    times : sequence of float
        Ascending, in units of hbar over the model's energy unit.
    equation : {"quantum_llg", "quantum_ll"}
        Which of the two.
    kappa : float
        Damping; of one spin 1/2 with Bloch vector r it is a Gilbert damping kappa |r|.
    tolerance : float
        Error of each step in the norm of the eigenvectors.
    temperature : float
        T of a stochastic noise operator (suggested in QLLG's outlook); 0 for none.
    noise : {"field", "operator"}
        ``field``: a magnetic field on every localized spin, as strong as that of classical spins
        with damping kappa (<b b'> = 2 kappa T / S per component).  ``operator``: a random Hermitian
        matrix, equally strong in all directions of the Hilbert space.  A pure state then samples
        exp(-<H>/T) over all pure states exactly, and of one spin 1/2 both are the same.
    dt : float
        Largest step of runs with noise.
    realizations : int
        Number of trajectories at a temperature, unless ``state`` has several already.
    seed : int
        Of the noise; it depends on the start of an interval and on nothing else.
    on_step : callable, optional
        Called with the progress after every step; may raise to stop.

    Yields
    ------
    Snapshot
        Its state is a `SpectralState`; `Snapshot.errors` has the standard error of ``spin``.

    Raises
    ------
    InputError
        For charges that are not conserved, a non-Hermitian Hamiltonian, a density matrix that is
        too large, or values out of range.
    RunError
        If numbers cease to be finite.
    """
    points = output_times(times)
    _check(equation, kappa, tolerance, temperature, noise, dt, realizations)
    os = model.hamiltonian
    if not os.is_hermitian(1e-10, points[0]):
        raise InputError(f"model: the Hamiltonian is not Hermitian at time {points[0]:g}")
    now = _prepared(os, state, realizations, bool(temperature), equation)
    parts = sparse_parts(os, now.basis)
    flows = [Flow(_inside(parts, b.inside), b.weights, equation, kappa) for b in now.blocks]
    several = now.realizations > 1
    spins = _spin_operators(model, now) if several or (temperature and noise == "field") else []
    strength = 2.0 * kappa * temperature / (model.localized_spin if noise == "field" else 1.0)
    random = _Noise(spins, now.dim, noise, strength, seed) if temperature else None

    def snapshot(time: float) -> Snapshot:
        errors = {"spin": _spin_error(model, spins, now)} if several else None
        return Snapshot(time, model, now, errors=errors)

    yield snapshot(points[0])
    for start, stop in pairwise(points):
        frames = [block.frames for block in now.blocks]
        for k, flow in enumerate(flows):
            for time, frame in _steps(flow, frames[k], start, stop, tolerance, dt, random):
                frames[k] = frame
                if on_step is not None:
                    on_step(Progress(time, 0, 0.0))
        now = now.with_frames(frames)
        yield snapshot(stop)


def _check(
    equation: str, kappa: float, tolerance: float, temperature: float, noise: str, dt: float,
    realizations: int,
) -> None:  # fmt: skip
    """Refuse values out of range."""
    if equation not in FACTORS:
        raise InputError(f"equation: {equation!r} is not one of {', '.join(FACTORS)}")
    for name, value, allowed in (
        ("kappa", kappa, np.isfinite(kappa) and kappa >= 0),
        ("tolerance", tolerance, 0 < tolerance < 1),
        ("temperature", temperature, np.isfinite(temperature) and temperature >= 0),
        ("noise", noise, noise in NOISES),
        ("dt", dt, dt > 0),
        ("realizations", realizations, realizations >= 1),
    ):
        if not allowed:
            raise InputError(f"solver.{name}: {value!r} is out of range")
    if realizations > 1 and not temperature:
        raise InputError("solver.realizations: more than 1 needs solver.temperature above 0")


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
    count = max(1, ceil((stop - start) / dt - 1e-9))
    h = (stop - start) / count
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
