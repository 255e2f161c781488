"""Jump operators of long chains as matrix product operators; what solvers make of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solving import density_matrix, master_equation, trajectories

from tnspin.baths import UniversalLindblad, group_hamiltonian, jump_operators, jumps
from tnspin.baths.groups import neighbours, spin_terms
from tnspin.baths.heisenberg_picture import HeisenbergPicture
from tnspin.baths.ohmic import spectral_density
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.mps import MPS
from tnspin.observables import OBSERVABLES
from tnspin.operators.sites import kron
from tnspin.operators.spin_mpo import SpinOperator
from tnspin.states.vector import VectorState

#: A cutoff above all transitions: a hard one among them would be remembered for ever.
BATH = UniversalLindblad(
    1.0, omega_max=30.0, coupling="components", method="time_integral", tolerance=1e-6
)


def exact(model, centre, coupling, bath):
    """The jump operator in the eigenbasis of all spins, from its definition."""
    dims = [model.local_sites[k].spin_dim for k in model.localized_sites]
    place = model.localized_sites.index(centre)
    factors = [coupling if k == place else np.eye(d) for k, d in enumerate(dims)]
    energies, vectors = np.linalg.eigh(group_hamiltonian(model, model.localized_sites))
    gaps = energies[:, None] - energies[None, :]
    rates = 2 * np.pi * spectral_density(
        gaps, bath.temperature, gamma=bath.gamma, omega_max=bath.omega_max, cutoff=bath.cutoff
    )  # fmt: skip
    inside = vectors.conj().T @ kron(factors) @ vectors
    return vectors @ (np.sqrt(rates) * inside) @ vectors.conj().T


def on_all(model, operator):
    """Matrix of an operator on all localized spins."""
    found = operator.matrix
    before = [model.local_sites[k].spin_dim for k in model.localized_sites if k < operator.sites[0]]
    after = [model.local_sites[k].spin_dim for k in model.localized_sites if k > operator.sites[-1]]
    return kron([np.eye(int(np.prod(before))), found, np.eye(int(np.prod(after)))])


@pytest.fixture
def long_jumps(monkeypatch):
    """`jump_operators`, but matrix product operators for groups of any size."""

    def made(model, bath):
        with monkeypatch.context() as patch:
            patch.setattr(jumps, "_MOST_STATES", 2)
            return jump_operators(model, bath)

    return made


@pytest.mark.parametrize("centre", [0, 2])
def test_against_the_eigenbasis(centre):
    """The error follows the tolerance, at the end and in the middle of a chain."""
    model = HeisenbergChain(5, field=(0, 0, 0.8))
    plus = model.local_sites[0].op("Sp") / np.sqrt(2)
    wanted = exact(model, centre, plus, BATH)
    terms = spin_terms(model)
    for tolerance in (1e-4, 1e-8):
        bath = replace(BATH, tolerance=tolerance)
        found = HeisenbergPicture(model, terms, neighbours(model, terms), bath).jump(centre, plus)
        assert found.operator.charges[-1] == 2
        error = np.linalg.norm(on_all(model, found.operator) - wanted) / np.linalg.norm(wanted)
        assert error < tolerance and error < 2 * found.error < 10 * tolerance


@pytest.mark.parametrize(
    "keys",
    [{}, {"dmi": (0, 0, 0.3)}, {"field": (0.4, 0, 0.8)}, {"field": (0, 0.4, 0.8)}],
    ids=["real", "complex", "real without charges", "complex without charges"],
)
def test_past_and_future_of_real_and_complex_hamiltonians(keys):
    """Of real ones only the future is followed, if X is real but for a phase."""
    model = HeisenbergChain(4, **{"field": (0, 0, 0.8), **keys})
    terms, bath = spin_terms(model), replace(BATH, tolerance=1e-5)
    site = model.local_sites[0]
    for coupling in (site.op("Sx") + site.op("Sy") + site.op("Sz"), 1j * site.op("Sp")):
        wanted = exact(model, 1, coupling, bath)
        found = HeisenbergPicture(model, terms, neighbours(model, terms), bath).jump(1, coupling)
        error = np.linalg.norm(on_all(model, found.operator) - wanted) / np.linalg.norm(wanted)
        assert error < bath.tolerance


@pytest.mark.slow
def test_charges_spins_and_electrons(long_jumps):
    """Large spins, a field that breaks 2Sz, the sum of components, spins beside electrons."""
    tilted = HeisenbergChain(3, spin=1.0, J=-0.7, field=(0.3, 0, 0.2))
    valve = KondoHeisenbergChain(sites=4, localized=[1, 2], J_sd=0.4, J=0.3)
    for model, bath in (
        (tilted, replace(BATH, coupling="sum")),
        (tilted, replace(BATH, cutoff="drude", omega_max=2.0)),
        (valve, replace(BATH, temperature=0.7)),
        (HeisenbergChain(4, field=(0, 0, 0.8)), replace(BATH, coupling="sum")),
    ):
        found = long_jumps(model, replace(bath, tolerance=1e-5))
        wanted = jump_operators(model, replace(bath, method="exact"))
        for one, other in zip(found, wanted, strict=True):
            assert one.name == other.name and one.charge == other.charge
            matrix = on_all(model, one.form)
            assert np.linalg.norm(matrix - other.matrix) < 1e-5 * np.linalg.norm(other.matrix)


@pytest.mark.slow
def test_any_range_by_the_variational_principle(long_jumps):
    """A ring has a coupling between its ends."""
    model = HeisenbergChain(4, field=(0, 0, 0.8), periodic=True)
    bath = replace(BATH, coupling="sum")
    found = long_jumps(model, replace(bath, tolerance=1e-3))[0]
    wanted = jump_operators(model, replace(bath, method="exact"))[0]
    error = np.linalg.norm(on_all(model, found.form) - wanted.matrix)
    assert error < max(1e-3, found.error) * np.linalg.norm(wanted.matrix)


@pytest.mark.slow
def test_a_long_chain_has_equal_jumps_inside():
    model = HeisenbergChain(32, field=(0, 0, 0.8))
    bath = replace(BATH, tolerance=1e-3)
    found = jump_operators(model, bath)
    assert len(found) == 96 and all(isinstance(one.form, SpinOperator) for one in found)
    inner, other = found[3 * 14], found[3 * 17]
    assert other.sites == tuple(k + 3 for k in inner.sites) and len(inner.sites) < 15
    assert other.form.tensors[0] is inner.form.tensors[0]
    # Windows of exact jump operators come closer as they grow.
    distances = []
    for window in (1, 2, 3):
        near = jump_operators(model, replace(bath, method="exact", window=window))[3 * 14]
        small = near.on(model.local_sites)
        share = inner.form.norm**2 - small.norm**2
        distances.append(abs(share) / inner.form.norm**2)
    assert distances[2] < 1e-3


def test_a_bath_that_remembers_is_refused(long_jumps):
    model = HeisenbergChain(12)
    with pytest.raises(InputError, match="memory"):
        long_jumps(model, replace(BATH, temperature=0.01))
    with pytest.raises(InputError, match="memory"):
        long_jumps(model, replace(BATH, omega_max=2.0))
    with pytest.raises(InputError, match=r"bath\.tolerance"):
        replace(BATH, tolerance=0.5)


def neel(model, names=("2Sz",)):
    return MPS.product(model.local_sites, [np.eye(2)[k % 2] for k in range(model.length)], names)


def as_operators(model, bath):
    """Jump operators as matrices, and the same as matrix product operators."""
    matrices = jump_operators(model, replace(bath, method="exact"))
    return matrices, [replace(one, form=one.on(model.local_sites)) for one in matrices]


def test_density_matrices_take_them():
    """A ring of four with jumps on all spins, against the dense master equation."""
    model = HeisenbergChain(4, field=(0, 0, 0.8), periodic=True)
    matrices, operators = as_operators(model, replace(BATH, gamma=0.2))
    times = [0.0, 0.5, 1.0]
    start = VectorState.product(model.local_sites, [np.eye(2)[k % 2] for k in range(4)])
    wanted = list(master_equation(model, start, times, jumps=matrices))
    errors = []
    for dt in (0.25, 0.125):
        found = list(density_matrix(model, neel(model), times, jumps=operators, dt=dt))
        rho, sigma = (run[-1].state.rdm(range(4)) for run in (found, wanted))
        errors.append(float(np.abs(rho - sigma).max()))
    assert errors[1] < 2e-4 and errors[1] < 0.4 * errors[0]
    with pytest.raises(InputError, match="tebd"):
        list(density_matrix(model, neel(model), times, jumps=matrices, engine="tebd"))


def test_trajectories_go_the_way_of_the_vector():
    """The same random numbers, the same jumps: matrix product operators against matrices."""
    model = HeisenbergChain(4, field=(0, 0, 0.8), periodic=True)
    matrices, operators = as_operators(model, replace(BATH, gamma=0.5))
    start = VectorState.product(model.local_sites, [np.eye(2)[k % 2] for k in range(4)])
    options = {"trajectories": 4, "chunk": 1, "workers": 1, "seed": 5, "dt": 0.05}
    times, spin = [0.0, 0.5], OBSERVABLES["spin"].measure
    ones = list(trajectories(model, neel(model, ()), times, jumps=operators, **options))
    others = list(trajectories(model, start, times, jumps=matrices, **options))
    assert np.abs(spin(ones[-1]) - spin(others[-1])).max() < 1e-3
    assert np.abs(spin(others[-1]) - spin(others[0])).max() > 0.3
    with pytest.raises(InputError, match=r"solver\.order"):
        list(trajectories(model, neel(model), times, jumps=operators, order=4))


@pytest.mark.slow
def test_trajectories_average_to_the_master_equation():
    model = HeisenbergChain(4, field=(0, 0, 0.8))
    matrices, operators = as_operators(model, replace(BATH, gamma=0.5))
    start = VectorState.product(model.local_sites, [np.eye(2)[k % 2] for k in range(4)])
    times, spin = [0.0, 1.0], OBSERVABLES["spin"].measure
    options = {"trajectories": 200, "chunk": 10, "seed": 5, "observables": ("spin",)}
    found = list(trajectories(model, neel(model), times, jumps=operators, **options))[-1]
    wanted = spin(list(master_equation(model, start, times, jumps=matrices))[-1])
    error = np.maximum(found.errors["spin"], 1e-6)
    assert np.all(np.abs(spin(found) - wanted) < 3 * error)
