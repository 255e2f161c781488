"""Sector keys: additive, reversible, wide enough for every partial sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import boson, electron, kondo, spin

CHAIN = (electron(), kondo(0.5), kondo(1.0), electron(), boson(4), spin(1.5))
NAMES = ("N", "2Sz", "Nb")


def test_keys_add_where_charges_add():
    code = ChargeCode.for_sites(NAMES, CHAIN)
    assert code.names == NAMES
    total_key = np.zeros(1, dtype=np.int64)
    total = np.zeros((1, 3), dtype=np.int64)
    for site in CHAIN:
        charges = np.stack([site.charge(name) for name in NAMES], axis=-1)
        keys = code.site_keys(site)
        assert np.array_equal(keys, code.encode(charges))
        total_key = (total_key[:, None] + keys).ravel()
        total = (total[:, None, :] + charges).reshape(-1, 3)
        assert np.array_equal(code.decode(total_key), total)
    # One key for each combination of charges and no two combinations alike.
    pairs = {(int(k), *map(int, q)) for k, q in zip(total_key, total, strict=True)}
    assert len({p[0] for p in pairs}) == len({p[1:] for p in pairs}) == len(pairs)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*(st.integers(-1, 1) for _ in NAMES)), min_size=1, max_size=20))
def test_decode_reverses_encode_up_to_twice_the_range(signs):
    largest = np.array([sum(int(np.abs(s.charge(n)).max()) for s in CHAIN) for n in NAMES])
    charges = np.array(signs) * 2 * largest
    code = ChargeCode.for_sites(NAMES, CHAIN)
    assert np.array_equal(code.decode(code.encode(charges)), charges)


def test_no_charges_is_one_sector():
    code = ChargeCode.for_sites((), CHAIN)
    for site in CHAIN:
        assert np.array_equal(code.site_keys(site), np.zeros(site.dim))
    assert code.decode(np.array([0])).shape == (1, 0)
    assert code.encode(np.zeros((5, 0))).tolist() == [0] * 5


def test_a_charge_that_a_site_lacks_is_zero_there():
    code = ChargeCode.for_sites(("N",), CHAIN)
    assert np.array_equal(code.site_keys(CHAIN[5]), np.zeros(4))
    assert np.array_equal(code.site_keys(CHAIN[0]), [0, 1, 1, 2])


def test_too_many_charges_for_one_key():
    names = ("N", "2Sz", "Nb", "N", "2Sz", "Nb", "N", "2Sz")
    with pytest.raises(ValueError, match="do not fit"):
        ChargeCode.for_sites(names, CHAIN * 50)
