"""Jump operators by series and integrals against eigenvectors; one bath for all spins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from open_systems import embedded

from tnspin.baths import UniversalLindblad, group_hamiltonian, jump_operators
from tnspin.baths.methods import taylor_coefficients
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain

METHODS = ["chebyshev", "time_integral", "taylor"]
#: The ring of FATE: its transitions reach to 2.8, its levels lie within 4.6.
RING = HeisenbergChain(4, field=(0, 0, 0.8), periodic=True)


def deviation(model, bath):
    """Largest relative difference of jump operators from the exact ones."""
    exact = jump_operators(model, replace(bath, method="exact"))
    found = jump_operators(model, bath)
    pairs = list(zip(found, exact, strict=True))
    assert all(a.name == b.name and a.sites == b.sites and a.charge == b.charge for a, b in pairs)
    return max(
        np.linalg.norm(a.matrix - b.matrix, 2) / np.linalg.norm(b.matrix, 2) for a, b in pairs
    )


@pytest.mark.parametrize("sign", ["kms", "printed"])
@pytest.mark.parametrize("coupling", ["sum", "components"])
@pytest.mark.parametrize("method", METHODS)
def test_methods_agree(method, coupling, sign):
    bath = UniversalLindblad(1.0, coupling=coupling, sign=sign, method=method)
    assert deviation(RING, replace(bath, edge=0.04)) < 1e-8


@pytest.mark.parametrize("method", METHODS[:2])
def test_a_cutoff_above_all_levels_is_no_step(method):
    bath = UniversalLindblad(1.0, omega_max=6.0, method=method)
    assert deviation(RING, bath) < 1e-11
    assert deviation(RING, replace(bath, cutoff="drude")) < 1e-11


@pytest.mark.parametrize("method", METHODS[:2])
def test_low_temperature(method):
    bath = UniversalLindblad(0.01, omega_max=6.0, method=method)
    assert deviation(RING, bath) < 1e-10


@pytest.mark.parametrize("method", METHODS[:2])
def test_sharper_edges_are_more_accurate_near_the_cutoff(method):
    # Transitions at 1.8 and 2.8 beside the cutoff: 0.1 below and 0.9 above.
    bath = UniversalLindblad(1.0, omega_max=1.9, method=method)
    errors = [deviation(RING, replace(bath, edge=edge)) for edge in (0.2, 0.08, 0.02)]
    assert errors[0] > 2 * errors[1] > 1e-2 and errors[2] < 1e-9


def test_the_power_series_is_refused_where_it_diverges():
    with pytest.raises(InputError, match=r"radius of convergence 2 pi T = 0\.06283.* 2\.8"):
        jump_operators(RING, UniversalLindblad(0.01, method="taylor"))
    with pytest.raises(InputError, match="knows no cutoff"):
        jump_operators(RING, UniversalLindblad(1.0, omega_max=2.0, method="taylor"))
    with pytest.raises(InputError, match="not converged"):
        jump_operators(RING, UniversalLindblad(2.81 / (2 * np.pi), method="taylor"))
    with pytest.raises(InputError, match=r"bath\.cutoff"):
        jump_operators(RING, UniversalLindblad(1.0, cutoff="drude", method="taylor"))
    with pytest.raises(InputError, match="diverges"):
        spins = HeisenbergChain(4, 1.5, periodic=True)
        jump_operators(spins, UniversalLindblad(0.8, omega_max=30.0, method="taylor"))


def test_coefficients_of_the_power_series():
    angle = 2 * np.pi * np.arange(1024) / 1024
    circle = 2.0 * np.exp(1j * angle)
    # Analytic inside 2 pi; the principal root is its own branch well inside.
    values = np.sqrt(circle / np.expm1(circle))
    scaled = np.fft.fft(values).real / 1024
    found = taylor_coefficients(300)
    assert np.allclose(found[:40] * 2.0 ** np.arange(40), scaled[:40], atol=1e-14)
    assert np.all(np.isfinite(found)) and abs(found[298] * (2 * np.pi) ** 298) < 1.0


def test_steps_too_sharp_for_a_series_are_refused():
    with pytest.raises(InputError, match=r"chebyshev.*not converged.*bath\.edge"):
        jump_operators(RING, UniversalLindblad(1.0, method="chebyshev", edge=1e-5))


@pytest.mark.parametrize("coupling", ["sum", "components"])
def test_a_common_bath_adds_the_jump_operators(coupling):
    bath = UniversalLindblad(0.7, coupling=coupling)
    single = jump_operators(RING, bath)
    common = jump_operators(RING, replace(bath, common=True))
    assert len(common) == len(single) // 4
    for k, jump in enumerate(common):
        total = sum(embedded(RING, one) for one in single[k :: len(common)])
        assert np.allclose(jump.matrix, total, atol=1e-13)
        assert jump.charge == single[k].charge and jump.name.endswith("common")


def test_a_common_bath_joins_groups():
    valve = KondoHeisenbergChain(sites=5, localized=[[0], [2, 3]], J_sd=0.5)
    (jump,) = jump_operators(valve, UniversalLindblad(0.5, common=True))
    assert jump.sites == (0, 2, 3) and jump.matrix.shape == (8, 8)
    assert np.abs(group_hamiltonian(valve, jump.sites)).max() > 0
    with pytest.raises(InputError, match=r"bath\.common"):
        jump_operators(HeisenbergChain(11), UniversalLindblad(0.5, common=True))
