"""Moments of partial transposes against eigenvalues of dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from dense import full_vector, random_state

from tnspin.errors import InputError
from tnspin.mps import MPS
from tnspin.mps.density import DensityMPS
from tnspin.mps.purified.channels import lindblad_channel
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.observables.entanglement import partial_trace, partial_transpose
from tnspin.observables.measures import log_negativity
from tnspin.observables.pt_moments import moment, p3_ppt
from tnspin.operators.sites import spin
from tnspin.states.ensemble import Ensemble

SITES = (spin(0.5), spin(1), spin(0.5), spin(0.5))
DIMS = (2, 3, 2, 2)


def mixture(names, seed=0):
    rng = np.random.default_rng(seed)
    members = []
    for states in ([0, 1, 0, 1], [0, 1, 0, 0]):
        members.append(random_state(SITES, names, rng, states=states, dim=2))
        members[-1].canonicalize()
    vectors = [full_vector(one) for one in members]
    rho = sum(w * np.outer(v, v.conj()) for w, v in zip((0.7, 0.3), vectors, strict=True))
    return Ensemble(tuple(members), (0.7, 0.3)), rho


@pytest.mark.parametrize("names", [(), ("2Sz",)])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("sites", "turned"), [(range(4), [0, 1]), ([0, 2, 3], [2]), ([1, 3], [1]), (range(4), [])]
)
def test_moments_are_sums_of_powers_of_eigenvalues(names, order, sites, turned):
    ensemble, rho = mixture(names)
    sites = list(sites)
    reduced = partial_trace(rho, DIMS, sites)
    part = [sites.index(k) for k in turned]
    turned_rho = partial_transpose(reduced, [DIMS[k] for k in sites], part)
    wanted = (np.linalg.eigvalsh(turned_rho) ** order).sum()
    state = DensityMPS.from_state(ensemble)
    assert moment(state, order, sites, turned) == pytest.approx(wanted, abs=1e-12)


def test_purified_states_have_the_same_moments_and_negativity():
    ensemble, rho = mixture(("2Sz",), seed=1)
    state = PurifiedMPS.from_state(ensemble)
    channel = lindblad_channel(SITES, (2,), (2,), [spin(0.5).op("Sm")], 0.7, ("2Sz",))
    state.apply_local([channel])
    kraus = [np.kron(np.kron(np.eye(6), k), np.eye(2)) for k in channel.operators]
    rho = sum(k @ rho @ k.conj().T for k in kraus)
    values = np.linalg.eigvalsh(partial_transpose(rho, DIMS, [0, 1]))
    density = DensityMPS.from_state(state.purification, SITES)
    for order in (2, 3):
        wanted = (values**order).sum()
        assert moment(density, order, None, [0, 1]) == pytest.approx(wanted, abs=1e-12)
    wanted = np.log(np.abs(values).sum())
    for one in (state, density):
        assert log_negativity(one, [0, 1], [2, 3]) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("p", [0.2, 0.3, 0.4, 0.6, 1.0])
def test_werner_states(p):
    """p psi- + (1 - p) 1/4: negative for p > 1/3; the test of p3 is weaker than that."""
    sites = (spin(0.5),) * 2
    pairs = [MPS.product(sites, [np.eye(2)[a], np.eye(2)[b]]) for a in (0, 1) for b in (0, 1)]
    bell = np.array([0, 1, -1, 0]) / np.sqrt(2)
    blocks = [
        {(0, a): np.eye(2)[a][None, :] for a in range(2)},
        {(0, b): bell.reshape(2, 2)[:, b : b + 1] for b in range(2)},
    ]
    singlet = MPS.from_blocks(sites, pairs[0].code, [{0: 1}, {0: 2}, {0: 1}], blocks)
    singlet.canonicalize()
    weights = [p, *[(1 - p) / 4] * 4]
    members = [(w, one) for w, one in zip(weights, [singlet, *pairs], strict=True) if w > 0]
    state = DensityMPS.from_state(
        Ensemble(tuple(one for _, one in members), tuple(w for w, _ in members))
    )
    values = np.array([(1 + p) / 4] * 3 + [(1 - 3 * p) / 4])
    found = [moment(state, order, None, [0]) for order in (2, 3, 4)]
    assert found == pytest.approx([(values**n).sum() for n in (2, 3, 4)], abs=1e-13)
    detected = p3_ppt(*found[:2]) > 1e-12
    assert detected == ((values**2).sum() ** 2 > (values**3).sum() + 1e-12)
    assert not detected or p > 1 / 3
    assert detected or p < 0.5


def test_what_is_refused():
    ensemble, _ = mixture(())
    state = DensityMPS.from_state(ensemble)
    for sites, turned in (([0, 4], []), ([0, 1], [2])):
        with pytest.raises(InputError, match="must be among"):
            moment(state, 2, sites, turned)
    with pytest.raises(InputError, match="order: must be 1 or more"):
        moment(state, 0)
    with pytest.raises(InputError, match="copies of a bond"):
        moment(state, 3, largest=8)
