"""Ground states in a charge sector by two-site DMRG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.dmrg_environments import Chain, Operator
from tnspin.mps.guess import reachable, starting_state
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
    """What a sweep (right and back) did: for a progress bar or to stop by raising."""

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
        Called after every sweep.

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
    operator = Operator(
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
    """Sweeps of two-site updates until the energy stands still."""

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
