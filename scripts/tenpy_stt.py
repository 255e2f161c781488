"""The current pulse in TeNPy: the peer that `bench_stt.py` measures against.

Written with TeNPy's own sites and operators, so that agreement of the two programs checks the
Hamiltonian and its signs too. Only the initial Slater determinant is taken from tnspin.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import tenpy.linalg.np_conserved as npc
from tenpy.algorithms import tebd
from tenpy.models.lattice import TrivialLattice
from tenpy.models.model import NearestNeighborModel
from tenpy.networks.mps import MPS
from tenpy.networks.site import GroupedSite, SpinHalfFermionSite, SpinHalfSite, set_common_charges

from tnspin import mps
from tnspin.models import KondoHeisenbergChain

ENGINES = {"svd": tebd.TEBDEngine, "qr": tebd.QRBasedTEBDEngine}
# Local states in tnspin's order; electrons are spin-polarized here, so the sign that the two
# programs may give a doubly occupied site never enters the initial state.
_ELECTRON = ("empty", "up", "down", "full")
_SPIN = ("up", "down")


class TenpyPulse:
    """One TeNPy run of a polarized pulse on a Kondo-Heisenberg chain in the Pauli convention.

    Parameters
    ----------
    chain
        One group of localized spins 1/2; neither well nor fields.
    state
        Canonical initial state with the charges (N, 2Sz).
    bond_dim, cutoff
        Largest bond dimension and largest discarded weight of one update.
    dt
        Second-order Trotter step.
    engine
        "svd" for TeNPy's TEBDEngine, "qr" for its QRBasedTEBDEngine.
    """

    def __init__(
        self,
        chain: KondoHeisenbergChain,
        state: mps.MPS,
        *,
        bond_dim: int,
        cutoff: float,
        dt: float,
        engine: str = "svd",
    ) -> None:
        self.chain = chain
        along = chain.J if chain.Jz is None else chain.Jz
        # A chain may have one coupling per group; this one has a single group.
        self._j, self._jz, self._j_sd = (
            float(np.ravel(x)[0]) for x in (chain.J, along, chain.J_sd)
        )
        electron, spin = SpinHalfFermionSite("N", "Sz"), SpinHalfSite("Sz")
        set_common_charges([electron, spin], "same")
        both = GroupedSite([electron, spin], labels=["_e", "_s"], charges="same")
        localized = set(chain.localized_sites)
        self.sites = [both if i in localized else electron for i in range(chain.length)]
        lattice = TrivialLattice(self.sites, bc="open", bc_MPS="finite")
        terms = [None, *(self._bond(i) for i in range(chain.length - 1))]
        options = {
            "order": 2,
            "max_N_sites_per_ring": chain.length,
            # TeNPy compares the discarded sum of squares with the square of `trunc_cut`.
            "trunc_params": {"chi_max": bond_dim, "trunc_cut": cutoff**0.5, "svd_min": None},
        }
        self.engine = ENGINES[engine](
            self._converted(state), NearestNeighborModel(lattice, terms), options
        )
        self.engine.prepare_evolve(dt)
        self._dt = dt

    @property
    def state(self) -> Any:
        """The present TeNPy MPS."""
        return self.engine.psi

    def restart(self, state: Any) -> None:
        """Continue from a copy of ``state``."""
        self.engine.psi = state.copy()

    def advance(self, steps: int) -> None:
        """Make Trotter steps, the first and last half layers included."""
        self.engine.evolve(steps, self._dt)

    def localized_spins(self) -> np.ndarray:
        """<sigma_z> of each localized spin, from a canonical copy of the state."""
        psi = self.state.copy()
        psi.canonical_form()
        return 2 * np.real(psi.expectation_value(["Sz_s"], list(self.chain.localized_sites)))

    def _matrix(self, i: int, name: str, part: str = "_e") -> np.ndarray:
        grouped = isinstance(self.sites[i], GroupedSite)
        return np.asarray(self.sites[i].get_op(name + part if grouped else name).to_ndarray())

    def _bond(self, i: int) -> npc.Array:
        """Hamiltonian of bond (i, i + 1), on-site terms shared equally by both bonds."""
        left, right = self.sites[i], self.sites[i + 1]
        h = self._coupling(i)
        for j, add in ((i, lambda x: np.kron(x, np.eye(right.dim))),
                       (i + 1, lambda x: np.kron(np.eye(left.dim), x))):  # fmt: skip
            if isinstance(self.sites[j], GroupedSite):
                ends = (j == 0) + (j == self.chain.length - 1)
                h += add(self._on_site(j)) * (1.0 if ends else 0.5)
        legs = [left.leg, right.leg, left.leg.conj(), right.leg.conj()]
        dims = (left.dim, right.dim)
        return npc.Array.from_ndarray(
            h.reshape(dims + dims), legs, labels=["p0", "p1", "p0*", "p1*"]
        )

    def _coupling(self, i: int) -> np.ndarray:
        chain, j = self.chain, i + 1
        string = self._matrix(i, "JW")
        h = np.zeros((self.sites[i].dim * self.sites[j].dim,) * 2)
        for s in "ud":
            hop = np.kron(self._matrix(i, f"Cd{s}") @ string, self._matrix(j, f"C{s}"))
            h -= chain.hopping * (hop + hop.T)
        if isinstance(self.sites[i], GroupedSite) and isinstance(self.sites[j], GroupedSite):
            flip = np.kron(self._matrix(i, "Sp", "_s"), self._matrix(j, "Sm", "_s"))
            along = np.kron(self._matrix(i, "Sz", "_s"), self._matrix(j, "Sz", "_s"))
            # sigma = 2 S: sx sx + sy sy = 2 (S+ S- + S- S+), sz sz = 4 Sz Sz.
            h -= 2 * self._j * (flip + flip.T) + 4 * self._jz * along
        return h

    def _on_site(self, i: int) -> np.ndarray:
        up = self._matrix(i, "Cdu") @ self._matrix(i, "Cd")
        n_up, n_down = (self._matrix(i, f"Cd{s}") @ self._matrix(i, f"C{s}") for s in "ud")
        flip = up @ self._matrix(i, "Sm", "_s")
        along = (n_up - n_down) @ self._matrix(i, "Sz", "_s")
        return -2 * self._j_sd * (flip + flip.T + along)

    def _converted(self, state: mps.MPS) -> MPS:
        """The initial state as a TeNPy MPS."""
        both = [f"{e}__e {s}__s" for e in _ELECTRON for s in _SPIN]
        grouped = (isinstance(site, GroupedSite) for site in self.sites)
        return to_tenpy(state, self.sites, [both if one else list(_ELECTRON) for one in grouped])


def to_tenpy(state: mps.MPS, sites: list[Any], labels: list[list[str]]) -> MPS:
    """A state of tnspin on TeNPy's sites, with their names of its local states."""
    tensors = []
    for i, site in enumerate(sites):
        left, right = _starts(state.bonds[i]), _starts(state.bonds[i + 1])
        dense = np.zeros((site.dim, left[None], right[None]), dtype=complex)
        for (key, p), block in state.blocks(i).items():
            a, b = left[key], right[key + int(state.site_keys[i][p])]
            at = site.state_labels[labels[i][p]]
            dense[at, a : a + block.shape[0], b : b + block.shape[1]] = block
        tensors.append(dense)
    schmidt = [bond.schmidt for bond in state.bonds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_Bflat(
            sites, tensors, schmidt, permute=False, form=None, unit_cell_width=len(sites)
        )
    psi.canonical_form()
    return psi


def _starts(bond: Any) -> dict[int | None, int]:
    """First index of each sector in a dense bond; the total dimension under None."""
    ends = np.cumsum(bond.dims)
    starts: dict[int | None, int] = {None: int(ends[-1])}
    for key, dim, end in zip(bond.keys.tolist(), bond.dims.tolist(), ends.tolist(), strict=True):
        starts[key] = end - dim
    return starts
