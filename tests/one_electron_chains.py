"""Small chains with one electron, as state vectors and as one-electron states."""

from __future__ import annotations

import numpy as np

from tnspin.models import KondoHeisenbergChain
from tnspin.operators.basis import ChargeBasis
from tnspin.states import initial as states
from tnspin.states.one_electron.state import OneElectronState
from tnspin.states.vector import VectorState

GROUPS = ([3, 4], [6, 7])


def valve(**changes) -> KondoHeisenbergChain:
    """A spin valve of 2 + 2 localized spins on 9 sites."""
    return KondoHeisenbergChain(sites=9, localized=GROUPS, Jz=0.15, **changes)


def starts(
    model, polarization="z", charges=("N", "2Sz"), localized=("up", "down")
) -> tuple[VectorState, OneElectronState]:
    """The same wave packet in both forms."""
    packet = states.wave_packet(
        model, center=1, width=0.8, polarization=polarization, localized_spins=list(localized)
    )
    names = [name for name in charges if name in packet.conserved()]
    basis = ChargeBasis(model.local_sites, packet.total_charge(names))
    spins = states.localized_spin_vectors(model, list(localized))
    one = OneElectronState.from_groups(
        model.local_sites,
        packet.orbitals[0],
        [((k,), spins[k]) for k in model.localized_sites],
        names,
    )
    return packet.to_vector(basis), one


def evolved(model, start: VectorState, time: float, damping: np.ndarray | None = None):
    """``exp(-i H t)`` by diagonalization of the dense matrix in the sector (independent)."""
    from scipy.linalg import expm

    from tnspin.operators.sparse import to_sparse

    matrix = to_sparse(model.hamiltonian, start.basis).toarray()
    if damping is not None:
        matrix = matrix - 1j * damping
    return VectorState(start.sites, expm(-1j * time * matrix) @ start.vector, start.basis)
