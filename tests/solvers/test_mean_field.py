"""Mean fields: reductions of dense Lindblad equations, formulas written out, exact limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from open_systems import Lindblad
from small_runs import write_config

from tnspin.baths import OpenHeisenbergBath, UniversalLindblad, jump_operators
from tnspin.errors import InputError, Interrupted
from tnspin.models import HeisenbergChain, KondoHeisenbergChain, OpenHeisenbergChain
from tnspin.observables.profiles import spin
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import kron
from tnspin.operators.sites import spin as spin_site
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate
from tnspin.solvers import evolve
from tnspin.solvers.mean_field.hartree import Hartree, hermitian_basis
from tnspin.solvers.mean_field.printed import GeneralizedLandauLifshitz
from tnspin.states.initial.product import product
from tnspin.states.mean_field import SiteProduct

RNG = np.random.default_rng(12)
ISOTROPIC = OpenHeisenbergChain(3, V=(0.1, 0.1, 0.1))


def random_state(sites):
    matrices = []
    for site in sites:
        a = RNG.normal(size=(site.dim,) * 2) + 1j * RNG.normal(size=(site.dim,) * 2)
        rho = a @ a.conj().T
        matrices.append(rho / np.trace(rho))
    return SiteProduct(sites, matrices)


def reduced(matrix, dims, k):
    """Partial trace over all sites but one."""
    before, after = int(np.prod(dims[:k])), int(np.prod(dims[k + 1 :]))
    tensor = matrix.reshape(before, dims[k], after, before, dims[k], after)
    return np.einsum("aibajb->ij", tensor)


def trajectory(model, times, solver, start=("x",), **options):
    state = product(model, start)
    state = state.to_vector() if solver == "master_equation" else state.to_mps()
    return np.array([spin(now) for now in evolve(model, state, times, solver=solver, **options)])


@dataclass(frozen=True)
class Mixed:
    """Spins 1/2, 1 and 3/2 with couplings of any range."""

    @property
    def local_sites(self):
        return tuple(spin_site(s) for s in (0.5, 1, 1.5))

    @property
    def hamiltonian(self):
        return OperatorSum.of(
            self.local_sites,
            [(0.7, "Sz", 0, "Sz", 2), (0.3, "Sp", 0, "Sm", 1), (0.3, "Sm", 0, "Sp", 1),
             (-0.4, "Sx", 1), (0.5, "Sz", 1, "Sz", 1), (0.2, "Sy", 2),
             (0.1, "Sx", 0, "Sx", 1, "Sx", 2)],
        )  # fmt: skip


OPEN = OpenHeisenbergChain(4, V=(0.3, -0.2, 0.5))
FREE = HeisenbergChain(3, spin=1, dmi=(0.1, 0.2, 0.3), anisotropy=0.3, dipole=0.2, field=(1, 2, 3))
RING = HeisenbergChain(3, field=(0.1, 0.2, 0.8), periodic=True)


@pytest.mark.parametrize(
    "model, jumps",
    [
        (OPEN, OpenHeisenbergBath(gamma=0.3, neighbour_ratio=0.5).jump_operators(OPEN)),
        (FREE, ()),
        (RING, jump_operators(RING, UniversalLindblad(0.7, gamma=0.5))),
        (Mixed(), ()),
    ],
    ids=["open chain", "spin 1", "jumps on three sites", "mixed"],
)
def test_hartree_is_the_reduction_of_the_lindblad_equation(model, jumps):
    equation = Hartree(model.hamiltonian, jumps)
    state = random_state(model.local_sites)
    dims = [site.dim for site in model.local_sites]
    moved = Lindblad(model, jumps).generator @ kron(state.matrices).ravel()
    rate = equation(0.0, equation.components(state))
    found = equation.state(equation.components(state) + rate).matrices
    for k, dim in enumerate(dims):
        wanted = reduced(moved.reshape((int(np.prod(dims)),) * 2), dims, k)
        assert np.abs(found[k] - state.matrices[k] - wanted).max() < 1e-12
        assert wanted.shape == (dim, dim)


def test_driven_terms_that_are_hermitian_only_together():
    sites = (spin_site(0.5),) * 2
    drive = OperatorSum(sites).plus_hc(lambda t: np.exp(2j * t), "Sp", 0, "Sm", 1)
    static = OperatorSum.of(sites, [(0.3, "Sx", 0)])
    equation, state = Hartree(drive + static), random_state(sites)
    frozen = OperatorSum(sites).plus_hc(np.exp(2j * 0.7), "Sp", 0, "Sm", 1) + static
    x = equation.components(state)
    assert equation.is_time_dependent
    np.testing.assert_allclose(equation(0.7, x), Hartree(frozen)(0.0, x), atol=1e-14)


def test_the_basis_is_orthonormal():
    basis = hermitian_basis(4)
    np.testing.assert_allclose(np.einsum("aij,bji->ab", basis, basis), np.eye(16), atol=1e-14)


def hartree_by_hand(model, bath, moments):
    """Bloch vectors of the product-state reduction of OHM Eq. 9, derived on paper."""
    gains, losses = bath.rates[2], bath.neighbour_rates[2]
    total, inversion = gains.sum(), gains[1] - gains[0]
    coupling = losses[1] - losses[0]
    rates = []
    for i, own in enumerate(moments):
        beside = [moments[k] for k in (i - 1, i + 1) if 0 <= k < len(moments)]
        field = np.array(model.field) + sum(np.array(model.V) * other / 2 for other in beside)
        rate = -np.cross(own, field) - total * np.array([0.5, 0.5, 1.0]) * own
        rate[2] -= inversion
        for other in beside:
            plane = own[:2] @ other[:2]
            rate += coupling / 2 * np.array([own[2] * other[0], own[2] * other[1], -plane])
        rates.append(rate)
    return np.array(rates)


def test_hartree_of_the_open_chain_by_hand():
    bath = OpenHeisenbergBath(gamma=0.3, n_bosons=0.4, neighbour_ratio=0.5)
    equation = Hartree(OPEN.hamiltonian, bath.jump_operators(OPEN))
    state = random_state(OPEN.local_sites)
    x = equation.components(state)
    found = equation.state(x + equation(0.0, x)).vectors - state.vectors
    np.testing.assert_allclose(found, hartree_by_hand(OPEN, bath, state.vectors), atol=1e-13)


@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_without_neighbour_terms_isotropic_spins_are_a_mean_field(gamma):
    """Parallel spins stay a product state under an isotropic exchange and equal single baths."""
    times = np.arange(0.0, 51.0, 5.0)
    bath = OpenHeisenbergBath(gamma=gamma, neighbour_ratio=0.0)
    jumps = bath.jump_operators(ISOTROPIC)
    exact = trajectory(ISOTROPIC, times, "master_equation", jumps=jumps)
    found = trajectory(ISOTROPIC, times, "mean_field", jumps=jumps)
    np.testing.assert_allclose(found, exact, atol=1e-9)
    if not gamma:
        np.testing.assert_allclose(
            trajectory(ISOTROPIC, times, "mean_field", variant="printed"), exact, atol=1e-9
        )


def test_what_neighbour_terms_do_to_a_mean_field():
    """Single spins depart from the exact ones with the neighbour rates, their mean in 2nd order."""
    times = np.arange(0.0, 31.0, 1.0)
    single, mean = [], []
    for ratio in (0.02, 0.04):
        jumps = OpenHeisenbergBath(neighbour_ratio=ratio).jump_operators(ISOTROPIC)
        exact = trajectory(ISOTROPIC, times, "master_equation", jumps=jumps, tolerance=1e-12)
        found = trajectory(ISOTROPIC, times, "mean_field", jumps=jumps, tolerance=1e-12)
        single.append(np.abs(found - exact).max())
        mean.append(np.abs((found - exact).mean(axis=1)).max())
    assert np.log2(single[1] / single[0]) == pytest.approx(1.0, abs=0.05)
    assert np.log2(mean[1] / mean[0]) == pytest.approx(2.0, abs=0.05)
    assert mean[0] < 2e-5


def printed_by_hand(moment, V, B, alpha, g, total):
    """OHM Eqs. 12-14 in components, with D as in Eq. 18."""
    mx, my, mz = moment / np.linalg.norm(moment)
    bx, by, bz = (b + m * v for b, m, v in zip(B, (mx, my, mz), V, strict=True))
    (x, y, z), size = moment, np.linalg.norm(moment)
    gx, gy, gz = np.array(g) + 2 * alpha * np.array([bx, by, bz])
    return np.array(
        [
            z * by - y * bz + (-gz * x * z - gy * x * y + gx * (y * y + z * z)) / (2 * size),
            x * bz - z * bx + (-gz * y * z - gx * x * y + gy * (x * x + z * z)) / (2 * size),
            y * bx - x * by + (-gy * y * z - gx * x * z + gz * (x * x + y * y)) / (2 * size),
        ]
    ) - total * np.array([x / 2, y / 2, z + 1])


def test_the_printed_equations():
    bath = OpenHeisenbergBath(gamma=0.3, n_bosons=0.4, neighbour_ratio=0.5)
    state = random_state(OPEN.local_sites)
    equation = GeneralizedLandauLifshitz(OPEN, bath, damping=0.2)
    found = equation(0.0, equation.components(state)).reshape(-1, 3)
    g = 0.5 * np.array([0.0, 0.0, 0.3 / 1.8])
    for k, moment in enumerate(state.vectors):
        V = np.array(OPEN.V) / (2 if k in (0, 3) else 1)
        wanted = printed_by_hand(moment, V, OPEN.field, 0.2, g, 0.3)
        np.testing.assert_allclose(found[k], wanted, atol=1e-14)


@pytest.mark.parametrize("Vz, steady", [(1.0, (0.31, 0.31, -0.89)), (0.5, (0.35, 0.35, -0.87))])
def test_the_quoted_steady_state_is_that_of_the_larger_coupling(Vz, steady):
    """(0.31, 0.31, -0.89) is printed for OHM Fig. 2(c) with V_z = 0.5; it is that of V_z = 1."""
    model = OpenHeisenbergChain(500, V=(0, 0, Vz), field=(1, 1, -2))
    start = [(np.pi / 40, np.pi / 4)]
    found = trajectory(
        model, [0.0, 10.0, 60.0], "mean_field", start, variant="printed", damping=0.5
    )
    mean = found[-1].mean(axis=0)
    # Two digits, cut off rather than rounded.
    np.testing.assert_allclose(mean, steady, atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(found[1:], axis=2), 1.0, atol=1e-9)
    # Along the effective field of a spin in the middle.
    field = np.array([1, 1, -2 + Vz * found[-1, 250, 2]])
    np.testing.assert_allclose(found[-1, 250], field / np.linalg.norm(field), atol=1e-9)


# ---------------------------------------------------------------------- through configurations

BESIDE = """
    [model]
    kind = "open_heisenberg"
    sites = 3

    [state]
    kind = "product"
    directions = ["x"]

    [bath]
    kind = "open_heisenberg"

    [solver]
    kind = "mean_field"

    [time]
    stop = 4.0
    every = 0.5

    [record]
    checkpoint = 0.0
"""


def load(tmp_path, *overrides):
    return config.load(write_config(tmp_path, BESIDE), overrides)


def test_a_master_equation_carries_its_mean_field(tmp_path):
    exact = ("solver.kind=master_equation", "classical.kind=mean_field")
    for variant in ("hartree", "printed"):
        both = simulate(load(tmp_path, *exact, f"classical.variant={variant}"))
        alone = simulate(load(tmp_path, f"solver.variant={variant}"))
        np.testing.assert_array_equal(both["classical_spin"], alone["spin"])
        assert both.attrs["classical_variant"] == variant


def test_runs_record_what_product_states_have_and_resume_to_the_last_bit(tmp_path):
    path = tmp_path / "run.h5"

    def stop(snapshot):
        if snapshot.time >= 2.0:
            raise Interrupted

    first = simulate(load(tmp_path), path, on_snapshot=stop)
    resumed = simulate(load(tmp_path), path, resume=True)
    whole = simulate(load(tmp_path))
    assert not first.complete and "log_negativity" not in whole and "concurrence" not in whole
    np.testing.assert_array_equal(resumed["spin"], whole["spin"])
    np.testing.assert_allclose(whole["norm"], 1.0, atol=1e-12)
    model = load(tmp_path).model
    start = whole["spin"][0].mean(axis=0)
    exchange = np.array(model.V) @ (start * start) / 4 * 2
    assert whole["energy"][0] == pytest.approx(1.5 * np.array(model.field) @ start + exchange)


@pytest.mark.parametrize(
    "overrides, match",
    [
        (["solver.variant=hartre"], "solver.variant"),
        (["solver.damping=0.1"], "only variant 'printed'"),
        (["solver.variant=printed", "solver.damping=-0.1"], "0 or more"),
        (["solver.variant=printed", "bath.gamma=[0.1, 0.1, 0.1]"], "along z only"),
        (["solver.variant=printed", "model.kind=heisenberg"], "not 'heisenberg'"),
        (["classical.kind=mean_feild"], "did you mean 'mean_field'"),
        (
            [
                "solver.kind=exact",
                "bath.kind=none",
                "classical.kind=mean_field",
                "classical.within=0",
            ],
            "classical.within",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, overrides, match):
    with pytest.raises(InputError, match=match):
        load(tmp_path, *overrides)


def test_electrons_are_refused():
    with pytest.raises(InputError, match="not of electrons"):
        Hartree(KondoHeisenbergChain(sites=3, localized=[1]).hamiltonian)
