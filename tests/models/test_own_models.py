"""Models and baths of one's own: what the base classes add, from objects and from tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tnspin.baths import BATHS, Bath, JumpOperator, jumps_of
from tnspin.errors import InputError
from tnspin.models import MODELS, HeisenbergChain, Model
from tnspin.models.base import Sites
from tnspin.models.lattice import Chain, Lattice, Square
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import electron, kondo, spin
from tnspin.operators.sparse import to_sparse
from tnspin.schema import register


@register
@dataclass(frozen=True)
class Ising(Model):
    """Ising model on any lattice."""

    kind = "ising_of_tests"

    lattice: Lattice
    J: float = 1.0

    @property
    def local_sites(self):
        """Spins 1/2."""
        return (spin(0.5),) * self.lattice.sites

    @property
    def hamiltonian(self):
        """H."""
        items = [(self.J, "Sz", i, "Sz", j) for i, j in self.lattice.bonds()]
        return OperatorSum.of(self.local_sites, items)


@register
@dataclass(frozen=True)
class Wire(Model):
    """An electron level between two spins; keys named as what the base class derives."""

    kind = "wire_of_tests"

    length: Sites
    groups: tuple[tuple[int, ...], ...] = ((0,), (2,))
    hamiltonian = None

    @property
    def local_sites(self):
        """Spins at both ends."""
        return tuple(kondo(1) if k in (0, self.length - 1) else electron() for k in range(3))


@register
@dataclass(frozen=True)
class Tilted(HeisenbergChain):
    """A shipped model with another default."""

    kind = "tilted_of_tests"

    field: tuple[float, float, float] = (1.0, 0.0, 0.0)


@register
@dataclass(frozen=True)
class Dephasing(Bath):
    """Dephasing of every spin."""

    kind = "dephasing_of_tests"

    rate: float = 0.1

    def jump_operators(self, model):
        """One jump operator for each spin."""
        sz = np.sqrt(self.rate) * spin(0.5).op("Sz")
        return [JumpOperator((k,), sz, 0, f"Sz {k}") for k in model.localized_sites]


def test_two_methods_make_a_model():
    model = MODELS.build({"kind": "ising_of_tests", "lattice": {"kind": "chain", "length": 3}})
    assert model == Ising(Chain(3)) and hash(model) == hash(Ising(Chain(3)))
    assert model.length == 3 and model.localized_sites == (0, 1, 2)
    assert model.groups == ((0, 1, 2),) and model.localized_spin == 0.5
    assert model.localized_scale == 1.0
    wanted = to_sparse(HeisenbergChain(3, J=0.0, Jz=1.0).hamiltonian).toarray()
    assert np.array_equal(to_sparse(model.hamiltonian).toarray(), wanted)
    assert Ising(Square(2, 2)).length == 4
    with pytest.raises(InputError, match=r"model.lattice = 3: must be a table \[lattice\]"):
        Ising(3)
    with pytest.raises(InputError, match=r"model.lattice.kind = 'chian'.*did you mean 'chain'"):
        Ising({"kind": "chian", "length": 3})


def test_keys_may_have_the_names_of_what_is_derived():
    model = Wire(3)
    assert model.length == 3 and model.groups == ((0,), (2,))
    assert model.localized_sites == (0, 2) and model.localized_spin == 1.0
    with pytest.raises(InputError, match=r"model.length: missing"):
        Wire()


def test_shipped_models_may_be_changed():
    model = MODELS.build({"kind": "tilted_of_tests", "sites": 3})
    same = HeisenbergChain(3, field=(1, 0, 0))
    assert np.array_equal(*(to_sparse(m.hamiltonian).toarray() for m in (model, same)))


def test_a_bath_of_ones_own():
    bath = BATHS.build({"kind": "dephasing_of_tests", "rate": 0.25})
    jumps = jumps_of(HeisenbergChain(3), bath)
    assert [jump.sites for jump in jumps] == [(0,), (1,), (2,)] and jumps[0].matrix[0, 0] == 0.25
    assert jumps_of(HeisenbergChain(3), None) == []
    assert bath.extended(HeisenbergChain(3)) == HeisenbergChain(3)
