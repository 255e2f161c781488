"""Time-evolving block decimation: layers of two-site updates in parallel threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import expm
from scipy.sparse.csgraph import connected_components
from threadpoolctl import ThreadpoolController

from tnspin.errors import InputError, nearest
from tnspin.mps.blocks import Bond, Tensor
from tnspin.mps.kernels.decompose import METHODS, SVD
from tnspin.mps.kernels.update import update_bond
from tnspin.mps.ledger import Ledger
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.mps.state import MPS
from tnspin.numerics.parallel import default_workers
from tnspin.numerics.trotter import TimedLayer, layers_of_run, schedule

#: Below this discarded weight a Gram matrix no longer resolves the Schmidt values.
GRAM_LIMIT = 1e-12
#: Below that weight exact answers are wanted: bonds up to this dimension lose only round-off, for a
#: budget of 1e-14 spent anew at every update would add up to errors of 1e-6 in observables.
EXACT_BOND_DIM = 64
#: Amplitudes in a layer below which waking threads costs more than it gains.
_PARALLEL_FROM = 100_000

#: Bond Hamiltonian at a time, (bond, time) -> (D, D).
BondMatrix = Callable[[int, float], np.ndarray]


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """One BLAS thread: blocks are small, and bonds are the unit of parallel work."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


class Tebd:
    """Evolves one MPS in place; the loop over snapshots is in `tnspin.solvers.tebd`.

    Parameters
    ----------
    state
        Canonical initial state; replaced, never modified.
    matrix
        Bond Hamiltonian ``matrix(bond, time)``.
    driven
        Whether each bond depends on time, (length - 1,).
    order, bond_dim, cutoff, method
        Trotter order; largest bond dimension; largest discarded weight of one update;
        decomposition ("auto", "svd", "gram", "range").
    threads
        Parallel updates per layer; the numbers do not depend on it.
    """

    def __init__(
        self,
        state: MPS,
        matrix: BondMatrix,
        driven: Iterable[bool],
        *,
        order: int = 2,
        bond_dim: int = 400,
        cutoff: float = 1e-7,
        method: str = "auto",
        threads: int | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        if method not in METHODS:
            raise InputError(
                f"solver.method: {method!r} is not one of {sorted(METHODS)}"
                f"{nearest(method, METHODS)}"
            )
        schedule(order)  # refuses a bad order before any work
        self.state = state.copy()
        self.state.ensure_canonical()
        self.matrix = matrix
        self.driven = list(driven)
        self.order = order
        self.bond_dim = bond_dim
        self.cutoff = cutoff
        self.method = METHODS[method]
        self.min_dim = EXACT_BOND_DIM if cutoff < GRAM_LIMIT else 1
        if method == "auto" and cutoff < GRAM_LIMIT:
            self.method = SVD
        self.threads = threads or default_workers()
        self.ledger = Ledger.empty(state.length) if ledger is None else ledger.copy()
        self.ledger.order = order
        #: Log of the factor by which the state has been divided so far.  It matters where gates are
        #: not unitary: only the state times that factor obeys a linear equation.
        self.log_norm = 0.0
        self._log_norms = np.zeros(state.length - 1)
        self._gates: dict[tuple[int, float], Gate] = {}
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def advance(self, start: float, dt: float, steps: int) -> Iterator[float]:
        """Make ``steps`` steps of ``dt`` from time ``start``, yielding the time now and then.

        The state is canonical again when the iterator is exhausted.
        """
        self.ledger.dt = dt
        layers = layers_of_run(self.order, start, dt, steps, any(self.driven))
        elapsed = start
        for layer in layers:
            with single_threaded_blas():
                self._apply(layer)
            if layer.parity == 1:
                elapsed += layer.span
                yield elapsed
        self.ledger.steps += steps
        with single_threaded_blas():
            self.state.canonicalize(method="svd" if self.method == SVD else "gram")
        self.log_norm += float(np.log(self.state.divided))

    def _apply(self, layer: TimedLayer) -> None:
        tensors, seed = self.state.tensors, self.ledger.layers * self.state.length
        work = []
        for bond in range(layer.parity, self.state.length - 1, 2):
            size = tensors[bond].data.size + tensors[bond + 1].data.size
            work.append((size, bond, self._gate(bond, layer)))
        self.state.canonical = False
        self._log_norms[:] = 0.0

        def update(item: tuple[int, int, Gate]) -> tuple[int, float]:
            return item[1], self._update(*item[1:], seed)

        if self._pool is None or sum(size for size, *_ in work) < _PARALLEL_FROM:
            weights = [update(item) for item in work]
        else:
            # Largest first, taken one by one: no thread is left with a big bond at the end.
            work.sort(key=lambda item: item[0], reverse=True)
            weights = sorted(self._pool.map(update, work))
        # Entered in chain order, so that sums do not depend on who finished first.
        for bond, weight in weights:
            self.ledger.add(bond, weight)
        self.log_norm += float(self._log_norms.sum())
        self.ledger.layers += 1

    def _gate(self, bond: int, layer: TimedLayer) -> Gate:
        key = bond, layer.span
        if key in self._gates:
            return self._gates[key]
        gate = evolution_gate(self.matrix(bond, layer.time), layer.span)
        if not self.driven[bond]:
            self._gates[key] = gate
        return gate

    def _only_phase(self, bond: int, gate: Gate) -> bool:
        """Update two sites in a product of basis states that the gate multiplies by a phase.

        This is the case in the vacuum ahead of a pulse, where a full update is pure overhead.
        """
        first, second = self.state.tensors[bond : bond + 2]
        if first.data.size > 1 or second.data.size > 1:
            return False
        p1, p2 = (int(tensor.offset.max(axis=0).argmax()) for tensor in (first, second))
        phase = gate.phase[p1 * second.offset.shape[1] + p2]
        if phase == 0.0:
            return False
        self.state.tensors[bond] = Tensor(first.offset, first.data * phase)
        return True

    def _update(self, bond: int, gate: Gate, seed: int) -> float:
        state = self.state
        if self._only_phase(bond, gate):
            return 0.0
        left, middle, right = state.bonds[bond : bond + 3]
        new, discarded, norm = update_bond(
            *left, middle.keys, middle.dims, right.keys, right.dims,
            *state.tensors[bond], *state.tensors[bond + 1],
            state.site_keys[bond], state.site_keys[bond + 1], *gate[:3],
            self.cutoff, self.min_dim, self.bond_dim, self.method, seed + bond,
        )  # fmt: skip
        state.bonds[bond + 1] = Bond(*new[:3])
        state.tensors[bond] = Tensor(*new[3:5])
        state.tensors[bond + 1] = Tensor(*new[5:])
        self._log_norms[bond] = np.log(norm)
        return float(discarded)


class Gate(NamedTuple):
    """``out = sum(amplitude * source)`` over ``pointer[out]:pointer[out + 1]``.

    Local states are numbered ``p1 d2 + p2``.  ``phase``: what the gate multiplies each of them by
    if that is all it does to it, else 0.
    """

    pointer: np.ndarray
    source: np.ndarray
    amplitude: np.ndarray
    phase: np.ndarray


def evolution_gate(hamiltonian: np.ndarray, span: float) -> Gate:
    """exp(-i span H) of a bond matrix (d1 d2, d1 d2), without spurious entries.

    States that H does not connect are exponentiated apart, so every symmetry of the bond,
    declared as a charge or not, leaves exact zeros.
    """
    size = hamiltonian.shape[0]
    _, label = connected_components(hamiltonian != 0, directed=False)
    gate = np.zeros((size, size), dtype=np.complex128)
    for component in range(label.max() + 1):
        states = np.flatnonzero(label == component)
        block = hamiltonian[np.ix_(states, states)]
        gate[np.ix_(states, states)] = _exponential(block, span)
    return compile_gate(gate)


def _exponential(block: np.ndarray, span: float) -> np.ndarray:
    if np.allclose(block, block.conj().T, rtol=0, atol=1e-14):
        energies, vectors = np.linalg.eigh(block)
        return (vectors * np.exp(-1j * span * energies)) @ vectors.conj().T
    return expm(-1j * span * block)


def compile_gate(gate: np.ndarray) -> Gate:
    """Row table of a dense gate (out, in), round-off in either part set to zero."""
    tidy = np.where(np.abs(gate.real) > 1e-16, gate.real, 0.0).astype(np.complex128)
    gate = tidy + 1j * np.where(np.abs(gate.imag) > 1e-16, gate.imag, 0.0)
    out, source = np.nonzero(gate)
    pointer = np.concatenate([[0], np.cumsum(np.bincount(out, minlength=gate.shape[0]))])
    alone = (gate != 0).sum(axis=0) == 1
    return Gate(
        pointer.astype(np.int64),
        source.astype(np.int64),
        gate[out, source].astype(np.complex128),
        np.where(alone, np.diag(gate), 0.0),
    )


# ---------------------------------------------------------------------- locally purified states


class KrausTebd(Tebd):
    """`Tebd` for a state whose Kraus indices the gates leave alone.

    Parameters
    ----------
    state
        It is not changed; `purified` is the evolved one.
    matrix, driven, options
        As for `Tebd`, with matrices on the sites of the chain.
    """

    def __init__(
        self, state: PurifiedMPS, matrix: BondMatrix, driven: list[bool], **options: Any
    ) -> None:
        self.purified = state.copy()
        super().__init__(state.purification, matrix, driven, **options)

    def move(self, start: float, dt: float, steps: int) -> None:
        """Evolve `purified` by some steps; it is canonical afterwards."""
        self.state = self.purified.purification.copy()
        for _ in self.advance(start, dt, steps):
            pass
        self.purified = PurifiedMPS(self.purified.sites, self.state, self.purified.kraus)

    def _gate(self, bond: int, layer: TimedLayer) -> Gate:
        first, second = self.purified.sites[bond : bond + 2]
        k1, k2 = (len(table) for table in self.purified.kraus[bond : bond + 2])
        return widened(super()._gate(bond, layer), k1, first.dim, k2, second.dim)


def widened(gate: Gate, k1: int, d1: int, k2: int, d2: int) -> Gate:
    """A gate on sites of dimensions d1, d2 times the identity on leading factors k1, k2."""
    if k1 == k2 == 1:
        return gate
    # Where state (p1, p2) goes for every (kraus 1, kraus 2): (k1, k2, d1 d2).
    first, second = np.divmod(np.arange(d1 * d2), d2)
    rows = np.add.outer(np.arange(k1) * d1, first)
    columns = np.add.outer(np.arange(k2) * d2, second)
    place = rows[:, None, :] * (k2 * d2) + columns[None, :, :]
    counts = np.diff(gate.pointer)
    target = np.repeat(np.arange(d1 * d2), counts)
    out, source = place[..., target].ravel(), place[..., gate.source].ravel()
    amplitude = np.broadcast_to(gate.amplitude, (k1, k2, target.size)).ravel()
    order = np.argsort(out, kind="stable")
    size = k1 * d1 * k2 * d2
    pointer = np.concatenate([[0], np.cumsum(np.bincount(out, minlength=size))])
    phase = np.empty(size, dtype=gate.phase.dtype)
    phase[place] = gate.phase
    return Gate(
        pointer.astype(np.int64), source[order].astype(np.int64), amplitude[order].copy(), phase
    )
