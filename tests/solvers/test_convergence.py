"""The error of a Trotter run falls with the power of the step that its order promises."""

from __future__ import annotations

import numpy as np
import pytest
from solving import exact, tebd

from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.mps import MPS
from tnspin.operators.basis import ChargeBasis
from tnspin.states.vector import VectorState

# Power of the step and how far from it the fitted slope may be.
ORDERS = [(1, 0.1), (2, 0.1), (4, 0.2)]


def spin_chain():
    """XXZ chain in a field: (model, local states, charges)."""
    model = HeisenbergChain(sites=10, Jz=0.6, field=(0, 0, 0.2), impurity_field=0.4)
    return model, [k % 2 for k in range(10)], {"2Sz": 0}


def kondo_chain():
    """One electron, up, in a chain of three spins that point down."""
    model = KondoHeisenbergChain(sites=10, localized=[4, 5, 6], J=0.1, Jz=0.1005)
    return model, [0, 0, 1, 0, 1, 1, 1, 0, 0, 0], {"N": 1, "2Sz": -2}


def two_electrons():
    """Two electrons on a Kondo chain in tilted fields: only their number is conserved."""
    model = KondoHeisenbergChain(
        sites=5, localized=[2, 3], electron_field=(0.2, 0.1, 0.3), localized_field=(0.0, 0.3, 0.2)
    )
    return model, [1, 2, 1, 1, 0], {"N": 2}


def errors(system, order, steps, stop):
    """Distance of the final vectors, and the largest deviation of any site's density matrix."""
    model, states, charges = system
    vectors = [np.eye(s.dim)[k] for s, k in zip(model.local_sites, states, strict=True)]
    basis = ChargeBasis(model.local_sites, charges)
    start = VectorState.product(model.local_sites, vectors, basis)
    *_, wanted = exact(model, start, [0.0, stop])
    amplitudes, local = [], []
    for dt in steps:
        psi = MPS.product(model.local_sites, vectors, tuple(charges))
        *_, final = tebd(model, psi, [0.0, stop], dt=dt, order=order, bond_dim=500,
                                cutoff=1e-18, method="svd", threads=1)  # fmt: skip
        found = final.state.amplitudes(basis.states)
        amplitudes.append(np.linalg.norm(found - wanted.state.vector))
        pairs = zip(final.site_rdms, wanted.site_rdms, strict=True)
        local.append(max(np.abs(a - b).max() for a, b in pairs))
    return np.array(amplitudes), np.array(local)


@pytest.mark.parametrize(("order", "within"), ORDERS)
@pytest.mark.parametrize("system", [spin_chain, kondo_chain, two_electrons])
def test_slope(system, order, within):
    stop = 3.0
    counts = np.array([9, 12, 15, 20]) * (4 if order == 1 else 1)
    steps = stop / counts
    for error in errors(system(), order, steps, stop):
        assert error.min() > 1e-8  # far above round-off and truncation
        assert np.polyfit(np.log(steps), np.log(error), 1)[0] == pytest.approx(order, abs=within)
