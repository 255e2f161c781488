"""Ground states in a charge sector by two-site DMRG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.algebra import Summand, direct_sum
from tnspin.mps.blocks import Blocks, BlockState, reachable
from tnspin.mps.dmrg_environments import Chain, ChargedMpo
from tnspin.mps.state import MPS
from tnspin.numerics.krylov import lowest
from tnspin.operators.charges import ChargeCode
from tnspin.operators.mpo import mpo_tensors
from tnspin.operators.operator_sum import OperatorSum

#: White's perturbation in the first sweeps, as a share of the density matrix.
_NOISE = (1e-3, 1e-4, 1e-5, 1e-6)
#: Bond dimension of the first sweep; it doubles until it reaches the limit.
_FIRST_DIM = 16
#: Largest Krylov space of one update, in perturbed sweeps and in clean ones.
_KRYLOV = 6, 20


@dataclass(frozen=True)
class SweepReport:
    """Energy and truncation of one sweep (right and back), for `on_sweep` of `ground_state`."""

    sweep: int
    energy: float
    change: float
    bond_dim: int
    discarded: float


@dataclass(frozen=True, eq=False)
class GroundState:
    """Result of `ground_state`.

    Attributes
    ----------
    energy
        Lowest energy found, in the units of the Hamiltonian.
    change
        Change of the energy in the last sweep.
    discarded
        Largest discarded weight of an update in the last sweep.
    state
        The canonical state.
    sweeps
        Sweeps made.
    converged
        Whether the change fell below the tolerance.
    """

    energy: float
    change: float
    discarded: float
    state: MPS
    sweeps: int
    converged: bool


def ground_state(
    hamiltonian: OperatorSum,
    charges: Mapping[str, int] | None = None,
    *,
    bond_dim: int = 200,
    cutoff: float = 1e-12,
    sweeps: int = 20,
    tolerance: float = 1e-10,
    seed: int = 0,
    start: MPS | None = None,
    on_sweep: Callable[[SweepReport], None] | None = None,
) -> GroundState:
    """Lowest state of a Hermitian sum (at t = 0) with given values of some charges.

    Two-site DMRG on charge blocks, with White's density-matrix perturbation in the first
    sweeps so that no sector stays closed (S. R. White, Phys. Rev. Lett. 69, 2863 (1992);
    Phys. Rev. B 72, 180403 (2005)).  Real arithmetic where Hamiltonian and start are real.

    Parameters
    ----------
    hamiltonian
        Any range, any number of factors per term.
    charges
        Totals of conserved charges; they label the blocks of the result.  None: dense.
    bond_dim, cutoff
        Largest bond dimension and discarded weight per update.
    sweeps
        Most sweeps to make, each right and back.
    tolerance
        Change of the energy in a sweep, relative to max(1, |E|), at which to stop.
    seed
        Of the random start.
    start
        State to start from, with the same charges; its own by default.
    on_sweep
        Called after every sweep; an exception that it raises stops the search.

    Raises
    ------
    InputError
        If the sector is empty, a charge is not conserved, the sum is not Hermitian, or
        ``start`` lies in another sector.
    """
    totals = dict(charges or {})
    if hamiltonian.length < 2:
        raise InputError("sites: DMRG needs at least two sites")
    if not hamiltonian.is_hermitian():
        raise InputError("hamiltonian: not Hermitian, so it has no ground state")
    tensors, bond_charges = mpo_tensors(hamiltonian, charge_names=tuple(totals))
    code = ChargeCode.for_sites(tuple(totals), hamiltonian.sites)
    allowed = _sectors(hamiltonian, code, totals)
    _check_start(start, code, totals, hamiltonian)
    real = all(np.abs(w.imag).max() < 1e-15 for w in tensors)
    if start is not None:
        real = real and all(np.abs(t.data.imag).max() < 1e-15 for t in start.tensors)
    dtype = np.dtype(np.float64 if real else np.complex128)
    if start is None:
        start = starting_state(hamiltonian, code, allowed, np.random.default_rng(seed), dtype)
    operator = ChargedMpo(
        tensors,
        [code.encode(c) for c in bond_charges],
        [code.site_keys(site) for site in hamiltonian.sites],
        dtype,
    )
    search = _Search(Chain(start.copy(), operator, allowed), bond_dim, cutoff, sweeps, tolerance)
    return search.run(on_sweep)


def _sectors(os: OperatorSum, code: ChargeCode, totals: Mapping[str, int]) -> list[set[int]]:
    """Sectors of every bond from which the totals can be reached."""
    for name, total in totals.items():
        most = sum(int(np.abs(site.charge(name)).max()) for site in os.sites)
        if abs(total) > most:
            raise InputError(f"charges: no state of this chain has {name} = {total}")
    wanted = int(code.encode(np.array(list(totals.values()), dtype=np.int64)))
    allowed = reachable([code.site_keys(site) for site in os.sites], wanted)
    if not allowed[0]:
        listed = ", ".join(f"{name} = {total}" for name, total in totals.items())
        raise InputError(f"charges: no state of this chain has {listed}")
    return allowed


def _check_start(
    start: MPS | None, code: ChargeCode, totals: Mapping[str, int], os: OperatorSum
) -> None:
    if start is None:
        return
    if start.code != code or [s.dim for s in start.sites] != [s.dim for s in os.sites]:
        raise InputError("start: a state on other sites or with other charges")
    if start.total_charge != dict(totals):
        raise InputError(f"start: has charges {start.total_charge}, asked for {dict(totals)}")


class _Search:
    """Sweeps of two-site updates until the energy converges."""

    def __init__(
        self, chain: Chain, bond_dim: int, cutoff: float, sweeps: int, tolerance: float
    ) -> None:
        self.chain = chain
        self.bond_dim = bond_dim
        self.cutoff = cutoff
        self.sweeps = sweeps
        self.tolerance = tolerance
        self.first_dim = max(_FIRST_DIM, chain.bond_dim())

    def run(self, on_sweep: Callable[[SweepReport], None] | None) -> GroundState:
        """Sweep until converged."""
        energy, change, discarded, converged, sweep = np.inf, np.inf, 0.0, False, 0
        for sweep in range(self.sweeps):
            before, noise, limit = energy, self._noise(sweep), self._limit(sweep)
            energy, discarded = self._sweep(noise, limit, discarded)
            change = abs(energy - before)
            reached = self.chain.bond_dim()
            if on_sweep is not None:
                on_sweep(SweepReport(sweep, energy, change, reached, discarded))
            full = limit >= self.bond_dim or reached < limit
            small = change < self.tolerance * max(1.0, abs(energy))
            converged = noise == 0 and full and small
            if converged:
                break
        state = self.chain.to_mps()
        return GroundState(energy, change, discarded, state, sweep + 1, converged)

    def _noise(self, sweep: int) -> float:
        # At least the second half of the sweeps is clean.
        return _NOISE[sweep] if sweep < min(len(_NOISE), self.sweeps // 2) else 0.0

    def _limit(self, sweep: int) -> int:
        if sweep >= self.sweeps // 2:
            return self.bond_dim
        return min(self.bond_dim, self.first_dim * 2 ** min(sweep, 30))

    def _sweep(self, noise: float, limit: int, lost: float) -> tuple[float, float]:
        """Right and back; returns the energy at the left end and the largest weight lost."""
        last = self.chain.length - 2
        path = [(i, True) for i in range(last)] + [(i, False) for i in range(last, -1, -1)]
        energy, worst = np.inf, 0.0
        # An error r of the vector costs r^2: no need to be better than the truncation.
        residual = 0.1 * np.sqrt(max(self.tolerance, lost))
        for i, rightwards in path:
            window = self.chain.window(i)
            energy, vector = lowest(
                window.hamiltonian.apply,
                window.vector,
                tolerance=residual,
                steps=_KRYLOV[0 if noise else 1],
                least=2,
            )
            lost = self.chain.move(
                i,
                window,
                vector,
                rightwards=rightwards,
                noise=noise,
                cutoff=self.cutoff,
                bond_dim=limit,
            )
            worst = max(worst, lost)
        return energy, worst


# ---------------------------------------------------------------------- where a search starts


#: Product states in the superposition.
_PATHS = 8
#: Amplitude of the other local states of equal charge in each product state.
_ADMIXTURE = 0.3


class _Classical:
    """Diagonal energies of sites and bonds, and the product state of lowest energy."""

    def __init__(self, os: OperatorSum) -> None:
        self.on_site = [np.zeros(site.dim) for site in os.sites]
        self.bond = [np.zeros((a.dim, b.dim)) for a, b in zip(os.sites, os.sites[1:], strict=False)]
        norms = []
        for term in os.local_terms():
            value, matrices = term.value(), list(term.matrices.values())
            where = list(term.matrices)
            diagonals = [np.diag(matrix) for matrix in matrices]
            if len(where) == 1:
                self.on_site[where[0]] += (value * diagonals[0]).real
            elif len(where) == 2 and where[1] == where[0] + 1:
                self.bond[where[0]] += (value * np.outer(*diagonals)).real
            if any(np.abs(m - np.diag(np.diag(m))).max() > 0 for m in matrices):
                norms.append(abs(value) * np.prod([np.linalg.norm(m, 2) for m in matrices]))
        self.scale = float(np.mean(norms)) if norms else 1.0

    def cheapest(
        self,
        site_keys: Sequence[np.ndarray],
        allowed: Sequence[set[int]],
        heat: Sequence[np.ndarray],
    ) -> list[int]:
        """Local state of every site of the product state of lowest energy, ``heat`` added per site.

        Dynamic programming from the right over (key of a bond, state of the site left of it).
        """
        length = len(site_keys)
        keys = [np.array(sorted(a), dtype=np.int64) for a in allowed]
        cost = np.zeros((keys[-1].size, site_keys[-1].size))
        choices = []
        for i in reversed(range(length)):
            # value[k, p]: everything from site i on, coming from key k with site i in state p.
            to = keys[i][:, None] + site_keys[i][None, :]
            at = np.minimum(np.searchsorted(keys[i + 1], to), keys[i + 1].size - 1)
            ahead = cost[at, np.arange(site_keys[i].size)] + self.on_site[i] + heat[i]
            value = np.where(keys[i + 1][at] == to, ahead, np.inf)
            bond = self.bond[i - 1] if i else np.zeros((1, site_keys[0].size))
            total = value[:, None, :] + bond[None, :, :]
            choices.append(total.argmin(axis=2))
            cost = total.min(axis=2)
        path, key, before = [], 0, 0
        for i, choice in enumerate(reversed(choices)):
            before = int(choice[np.searchsorted(keys[i], key), before])
            path.append(before)
            key += int(site_keys[i][before])
        return path


def starting_state(
    os: OperatorSum,
    code: ChargeCode,
    allowed: Sequence[set[int]],
    rng: np.random.Generator,
    dtype: np.dtype,
) -> MPS:
    """Random superposition of the classical ground state and of hotter product states.

    Adding Gumbel noise of strength T to the energies and taking the cheapest state draws
    roughly from the Boltzmann distribution at temperature T, sector included.

    Parameters
    ----------
    os
        The Hamiltonian.
    code
        Charges in use.
    allowed
        Result of `reachable`; every set non-empty.
    rng
        Source of all randomness.
    dtype
        float64 or complex128: kind of the amplitudes.
    """
    classical = _Classical(os)
    keys = [code.site_keys(site) for site in os.sites]
    paths = []
    for k in range(_PATHS):
        # A trace of noise in the first breaks ties.
        heat = classical.scale * (1e-6 if k == 0 else 0.5 * k)
        paths.append(
            classical.cheapest(keys, allowed, [heat * rng.gumbel(size=q.size) for q in keys])
        )
    state = _superposition(os, code, keys, np.array(paths), rng, dtype)
    state.canonicalize(cutoff=1e-14)
    return state


def _superposition(
    os: OperatorSum,
    code: ChargeCode,
    keys: Sequence[np.ndarray],
    paths: np.ndarray,
    rng: np.random.Generator,
    dtype: np.dtype,
) -> MPS:
    """Sum of product states, one per path, local states mixed within their charge."""
    count, length = paths.shape
    sizes = [[{0: 1}] for _ in range(count)]
    blocks: list[list[Blocks]] = [[] for _ in range(count)]
    at = np.zeros(count, dtype=np.int64)
    for i in range(length):
        for n in range(count):
            site: Blocks = {}
            for p in np.flatnonzero(keys[i] == keys[i][paths[n, i]]):
                amplitude = complex(p == paths[n, i]) + _ADMIXTURE * rng.normal()
                if dtype.kind == "c":
                    amplitude = amplitude + 1j * _ADMIXTURE * rng.normal()
                site[int(at[n]), int(p)] = np.array([[amplitude]])
            blocks[n].append(site)
        at = at + keys[i][paths[:, i]]
        for n, key in enumerate(at.tolist()):
            sizes[n].append({key: 1})
    parts = [
        BlockState.from_blocks(os.sites, code, *one) for one in zip(sizes, blocks, strict=True)
    ]
    return MPS.from_blocks(os.sites, code, *direct_sum([Summand(part) for part in parts]))
