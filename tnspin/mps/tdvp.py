"""Two-site time-dependent variational principle for matrix product operators of any range.

One step is a sweep to the right and one back, each over half the time: two sites forward, split,
the center alone backward, on to the next pair (J. Haegeman et al., Phys. Rev. B 94, 165116
(2016)). The sweep back repeats the exponentials in reverse order, so the step is symmetric and
its error of second order.

Two-site updates alone never find the states that a term makes of two distant sites: every
window sees them only through bonds that hold nothing of the kind yet.  A product state would
stay uncorrelated for ever under such a term.  So a split also keeps the directions into which
the operators of terms still open, acting on one side of the bond, take the state, if they could
gain more weight in this sweep than the truncation discards (the idea of the perturbed density
matrix, S. R. White, Phys. Rev. B 72, 180403 (2005), and of the global expansion of M. Yang and
S. R. White, Phys. Rev. B 102, 094315 (2020)).  The state itself does not change by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.blocks import Bond, Tensor, reachable
from tnspin.mps.kernels.decompose import GRAM, SVD
from tnspin.mps.kernels.effective import (
    Leg,
    MpoEnvironment,
    absorb_site,
    apply,
    edge,
    merge,
    mirror,
    room,
    sketch,
)
from tnspin.mps.kernels.split import PairLayout, best_rows, form, matrices
from tnspin.mps.ledger import Ledger
from tnspin.mps.mpo_tables import DrivenMpo, Hops, MpoBond, lift
from tnspin.mps.state import MPS
from tnspin.mps.tebd import EXACT_BOND_DIM, GRAM_LIMIT, single_threaded_blas
from tnspin.numerics.krylov import exponential
from tnspin.numerics.parallel import default_workers
from tnspin.operators.mpo_sum import Automaton
from tnspin.operators.operator_sum import OperatorSum

#: Amplitudes times MPO states below which waking threads costs more than it gains.
_PARALLEL_FROM = 50_000


class Tdvp:
    """Evolves one MPS in place; the loop over snapshots is in `tnspin.solvers.tdvp`.

    Parameters
    ----------
    state
        Canonical initial state; replaced, never modified.
    generator
        An operator sum of any range that conserves the charges of the state.
    factor
        The state obeys d psi / dt = factor generator psi: -i for the Schroedinger equation, -1
        in imaginary time, 1 for a Lindbladian.
    hermitian
        Whether the generator is.
    bond_dim, cutoff
        Largest bond dimension; largest discarded weight of one split.
    tolerance
        Error of one local exponential.
    threads
        Sectors worked on in parallel; the numbers do not depend on it.
    ledger
        Errors so far, when continuing.
    constant
        Operators on many sites to add to the generator.

    Attributes
    ----------
    state
        Canonical whenever `advance` is exhausted; always normalized.
    log_norm
        Logarithm of the norm that a generator which does not conserve it has given the state.
    """

    def __init__(
        self,
        state: MPS,
        generator: OperatorSum,
        *,
        factor: complex = -1j,
        hermitian: bool = True,
        bond_dim: int = 400,
        cutoff: float = 1e-10,
        tolerance: float = 1e-9,
        threads: int | None = None,
        ledger: Ledger | None = None,
        constant: Automaton | None = None,
    ) -> None:
        if state.length < 2:
            raise InputError("sites: TDVP needs at least two sites")
        self.state = state.copy()
        self.state.ensure_canonical()
        self.mpo = DrivenMpo(generator, self.state.code, constant)
        self.factor = factor
        self.hermitian = hermitian
        self.bond_dim = bond_dim
        self.cutoff = cutoff
        self.tolerance = tolerance
        self.threads = threads or default_workers()
        self.ledger = Ledger.empty(state.length) if ledger is None else ledger.copy()
        self.ledger.order = 2
        self.log_norm = 0.0
        self.method = SVD if cutoff < GRAM_LIMIT else GRAM
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        total = int(state.bonds[-1].keys[0])
        self._sectors = [
            np.array(sorted(keys), dtype=np.int64)
            for keys in reachable(self.state.site_keys, total)
        ]
        self._lifted: dict[int, tuple[Hops, Hops]] = {}

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    # ------------------------------------------------------------------ steps

    def advance(self, start: float, dt: float, steps: int) -> Iterator[float]:
        """Make ``steps`` steps of ``dt`` from time ``start``, yielding the time after each.

        The state is canonical again when the iterator is exhausted.
        """
        self.ledger.dt = dt
        with single_threaded_blas():
            self._unpack()
        for step in range(steps):
            with single_threaded_blas():
                if self.mpo.set_time(start + (step + 0.5) * dt) or step == 0:
                    self._lifted.clear()
                    self._rebuild()
                self._sweep_right(dt)
                self._sweep_left(dt)
            self.ledger.steps += 1
            yield start + (step + 1) * dt
        with single_threaded_blas():
            self._pack()
            self.state.canonicalize(method="svd" if self.method == SVD else "gram")

    def bond_dims(self) -> np.ndarray:
        """Bond dimensions now, in the middle of an `advance` too."""
        return np.array([int(leg.dims.sum()) for leg in self.legs[1:-1]], dtype=np.int64)

    def _unpack(self) -> None:
        state = self.state
        self.legs = [Leg(bond.keys, bond.dims) for bond in state.bonds]
        self.tensors = list(state.tensors)
        self.q = state.site_keys
        self.length = state.length

    def _pack(self) -> None:
        nothing = np.empty(0)
        bonds = [Bond(leg.keys, leg.dims, nothing) for leg in self.legs]
        bonds[0], bonds[-1] = self.state.bonds[0], self.state.bonds[-1]
        self.state = MPS(self.state.sites, self.state.code, bonds, self.tensors)

    def _rebuild(self) -> None:
        """Environments of a state whose sites but the first are right isometries."""
        first = self.mpo.tables.bonds[0]
        last = self.mpo.tables.bonds[self.length]
        self.left = [edge(first, first.before)] * (self.length + 1)
        self.right = [edge(last, last.after)] * (self.length + 1)
        for i in reversed(range(1, self.length)):
            self._absorb_right(i)

    def _sweep_right(self, dt: float) -> None:
        self.ledger.layers += 1
        for i in range(self.length - 1):
            last = i + 2 == self.length
            # The last window is the turning point: both half steps at once.
            theta, offset = self._pair(i, dt if last else dt / 2)
            self._split(i, theta, offset, dt, rightwards=not last)
            if not last:
                self._absorb_left(i)
                self._center(i + 1, -dt / 2)

    def _sweep_left(self, dt: float) -> None:
        self.ledger.layers += 1
        for i in reversed(range(self.length - 2)):
            self._absorb_right(i + 2)
            self._center(i + 1, -dt / 2)
            theta, offset = self._pair(i, dt / 2)
            self._split(i, theta, offset, dt, rightwards=False)

    # ------------------------------------------------------------------ environments

    def _absorb_left(self, i: int) -> None:
        self.left[i + 1] = absorb_site(
            self.left[i], self.mpo.tables, i, self.legs, self.q[i], self.tensors[i], True
        )

    def _absorb_right(self, i: int) -> None:
        self.right[i] = absorb_site(
            self.right[i + 1], self.mpo.tables, i, self.legs, self.q[i], self.tensors[i], False
        )

    # ------------------------------------------------------------------ local problems

    def _pair(self, i: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """Sites i and i + 1, evolved by ``dt``: amplitudes and their layout."""
        left, middle, right = self.legs[i : i + 3]
        q = np.add.outer(self.q[i], self.q[i + 1]).ravel()
        offset, size = room(left, right, q)
        theta = merge(left, middle, right, self.q[i], self.q[i + 1], *self.tensors[i],
                      *self.tensors[i + 1], offset, size)  # fmt: skip
        if i not in self._lifted:
            dims = self.q[i].size, self.q[i + 1].size
            hops = self.mpo.tables.from_left
            self._lifted[i] = lift(hops[i], dims, True), lift(hops[i + 1], dims, False)
        widths = self.mpo.tables.bonds[i + 1].widths
        return self._exponential(i, i + 2, self._lifted[i], widths, q, offset, theta, dt), offset

    def _center(self, i: int, dt: float) -> None:
        """Evolve site i, the center, by ``dt``."""
        hops = self.mpo.tables.from_left[i]
        none = np.empty(0, dtype=np.int64)
        # A split leaves room for every block of the center that the charges allow.
        offset, vector = self.tensors[i]
        vector = self._exponential(i, i + 1, (hops, hops), none, self.q[i], offset, vector, dt)
        self.tensors[i] = Tensor(offset, vector)

    def _exponential(
        self,
        i: int,
        j: int,
        hops: tuple[Hops, Hops],
        middle: np.ndarray,
        q: np.ndarray,
        offset: np.ndarray,
        vector: np.ndarray,
        dt: float,
    ) -> np.ndarray:
        """Sites i to j - 1 evolved by ``dt`` between their environments."""
        left, right = self.legs[i], self.legs[j]
        parts = self._parts(vector.size * int(self.left[i].widths.sum()), left, right, q)

        def act(x: np.ndarray) -> np.ndarray:
            out = np.empty_like(x)
            jobs = [
                (part, j - i, self.left[i], middle, self.right[j], *hops, left, right, q, offset,
                 x, out)
                for part in parts
            ]  # fmt: skip
            if len(jobs) == 1 or self._pool is None:
                apply(*jobs[0])
            else:
                for future in [self._pool.submit(apply, *job) for job in jobs]:
                    future.result()
            return out

        result = exponential(
            act, vector, self.factor * dt, tolerance=self.tolerance, hermitian=self.hermitian
        )
        norm = float(np.linalg.norm(result))
        self.log_norm += np.log(norm)
        return result / norm

    def _parts(self, work: int, left: Leg, right: Leg, q: np.ndarray) -> list[np.ndarray]:
        """Left sectors in as many shares of equal work as there are threads."""
        every = np.arange(left.keys.size)
        if self._pool is None or work < _PARALLEL_FROM or every.size < 2:
            return [every]
        dims = dict(zip(right.keys.tolist(), right.dims.tolist(), strict=True))
        cost = [
            float(d) ** 2 * sum(dims.get(int(key + s), 0) for s in q)
            for key, d in zip(left.keys, left.dims, strict=True)
        ]
        shares: list[list[int]] = [[] for _ in range(min(self.threads, every.size))]
        loads = [0.0] * len(shares)
        for a in np.argsort(cost)[::-1]:
            least = int(np.argmin(loads))
            shares[least].append(int(a))
            loads[least] += cost[a]
        return [np.array(sorted(share), dtype=np.int64) for share in shares if share]

    # ------------------------------------------------------------------ splits

    def _split(
        self, i: int, theta: np.ndarray, offset: np.ndarray, dt: float, *, rightwards: bool
    ) -> None:
        """Split sites i and i + 1, keep the best states between them, move the center on."""
        side = self._side(i, theta, offset, rightwards)
        plan, blocks = matrices(
            side.near, side.far, side.near_keys, side.far_keys, side.states,
            self._sectors[i + 1], side.offset, side.data,
        )  # fmt: skip
        min_dim = EXACT_BOND_DIM if self.cutoff < GRAM_LIMIT else 1
        *best, discarded = best_rows(plan, blocks, self.cutoff, min_dim, self.bond_dim, self.method)
        certain = best[0]
        rows = self._expand(i, side, plan, KeptRows(*best), dt, rightwards)
        keys, new, *parts = form(
            plan, blocks, rows.kept, rows.start, rows.vectors, certain, side.near, side.far
        )
        self.legs[i + 1] = leg = Leg(keys, new)
        isometry, center = Tensor(*parts[:2]), Tensor(*parts[2:])
        if rightwards:
            self.tensors[i : i + 2] = [isometry, center]
        else:
            self.tensors[i] = Tensor(*mirror(leg, self.legs[i], -self.q[i], *center))
            self.tensors[i + 1] = Tensor(*mirror(self.legs[i + 2], leg, -self.q[i + 1], *isometry))
        self.ledger.add(i, float(discarded))

    def _side(self, i: int, theta: np.ndarray, offset: np.ndarray, rightwards: bool) -> PairView:
        left, right = self.legs[i], self.legs[i + 2]
        first, second = self.q[i], self.q[i + 1]
        p, r = np.divmod(np.arange(first.size * second.size), second.size)
        q = first[p] + second[r]
        if rightwards:
            states = np.column_stack([p, r])
            return PairView(left, right, first, second, q, states, offset, theta)
        states = np.column_stack([r, p])
        new_offset, data = mirror(left, right, q, offset, theta)
        return PairView(right, left, -second, -first, -q, states, new_offset, data)

    def _expand(
        self, i: int, side: PairView, plan: PairLayout, best: KeptRows, dt: float, rightwards: bool
    ) -> KeptRows:
        """Add directions that terms still open could fill."""
        tables, channels = self.mpo.tables, self.mpo.tables.bonds[i + 1]
        reach = tables.reach(i + 1, rightwards)
        free = self.bond_dim - int(best.kept.sum())
        if reach is None or free <= 0:
            return best
        dims = self.q[i].size, self.q[i + 1].size
        hops = tables.from_left[i] if rightwards else tables.from_right[i + 1]
        return expanded(
            best, side, plan, self.left[i] if rightwards else self.right[i + 2],
            lift(hops, dims, rightwards), channels, reach,
            least=self.cutoff / abs(self.factor * dt / 2) ** 2, most=free,
            seed=self.ledger.layers * self.length + i + 1,
        )  # fmt: skip


# ---------------------------------------------------------------------- new directions for a bond


#: Directions tried per sector, at least and as a share of those kept.
_PROBES = 12, 8
#: Squared directions below this are round-off.
_SMALLEST = 1e-24
#: Mean square of `decompose.fill_random`.
_VARIANCE = 2.0 / 3.0


class KeptRows(NamedTuple):
    """States kept of each middle sector: how many, where they begin, and their adjoints."""

    kept: np.ndarray
    start: np.ndarray
    vectors: np.ndarray


class PairView(NamedTuple):
    """A pair of sites as seen from the end where the isometry will be."""

    near: Leg
    far: Leg
    near_keys: np.ndarray
    far_keys: np.ndarray
    keys: np.ndarray
    states: np.ndarray
    offset: np.ndarray
    data: np.ndarray


def expanded(
    best: KeptRows,
    side: PairView,
    plan: PairLayout,
    environment: MpoEnvironment,
    hops: Hops,
    channels: MpoBond,
    reach: list[np.ndarray],
    *,
    least: float,
    most: int,
    seed: int,
) -> KeptRows:
    """Directions of weight above ``least``, at most ``most`` of them, added to the best ones.

    Parameters
    ----------
    best, side, plan
        The split as it stands.
    environment, hops
        Near end and W of the near site (lifted to the pair).
    channels, reach
        MPO states of the middle bond and their weights (`MpoTables.reach`).
    seed
        Of the random combinations in which directions are sought.
    """
    kept, start, vectors = best
    probes = np.minimum(plan.rows - kept, _PROBES[0] + kept // _PROBES[1])
    places = np.concatenate([[0], np.cumsum(channels.widths)])
    at, y = sketch(
        environment, hops, side.near, side.far, side.keys, side.offset, side.data, plan,
        side.states, channels.charges, channels.widths, np.concatenate(reach), places, probes, seed,
    )  # fmt: skip
    found = []
    for m, count in enumerate(probes):
        rows = plan.rows[m]
        samples = y[at[m] : at[m + 1]].reshape(rows, count)
        old = vectors[start[m] : start[m] + kept[m] * rows].reshape(kept[m], rows)
        found.append(_directions(samples, old, least))
    pieces, total = [], kept.copy()
    for m, new in enumerate(_strongest(found, most)):
        pieces += [vectors[start[m] : start[m] + kept[m] * plan.rows[m]], new.ravel()]
        total[m] += new.shape[0]
    begin = np.concatenate([[0], np.cumsum(total * plan.rows)]).astype(np.int64)
    return KeptRows(total, begin, np.concatenate(pieces))


def _directions(
    samples: np.ndarray, old: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights above ``least`` and vectors (adjoints, one per row) that ``samples`` add to ``old``.

    Parameters
    ----------
    samples
        (rows, probes), random combinations of the columns of a matrix X.
    old
        (kept, rows), orthonormal adjoints.
    """
    count = samples.shape[1]
    new = samples / np.sqrt(max(count, 1) * _VARIANCE)
    for _ in range(2):
        new = new - old.conj().T @ (old @ new)
    u, s, _ = np.linalg.svd(new, full_matrices=False)
    number = int(np.sum(s**2 > max(least, _SMALLEST)))
    # Once more, for what is small was round-off of what is large.
    u = u[:, :number] - old.conj().T @ (old @ u[:, :number])
    return s[:number] ** 2, np.linalg.qr(u)[0].conj().T


def _strongest(found: list[tuple[np.ndarray, np.ndarray]], limit: int) -> list[np.ndarray]:
    """The vectors of the ``limit`` largest weights of all sectors."""
    every = np.sort(np.concatenate([weights for weights, _ in found]))[::-1]
    least = every[limit] if limit < every.size else -1.0
    return [vectors[: int(np.sum(weights > least))] for weights, vectors in found]
