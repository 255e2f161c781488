"""Models: frozen dataclasses from parameters to an operator sum, by the ``kind`` of the TOML."""

from __future__ import annotations

from typing import ClassVar, Protocol

from tnspin.models.heisenberg import HeisenbergChain
from tnspin.models.kondo_heisenberg import KondoHeisenbergChain
from tnspin.models.open_heisenberg import OpenHeisenbergChain
from tnspin.models.purified import Purified
from tnspin.models.spin_dimer import SpinDimer
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site
from tnspin.schema import Registry

__all__ = [
    "MODELS",
    "HeisenbergChain",
    "KondoHeisenbergChain",
    "Model",
    "OpenHeisenbergChain",
    "Purified",
    "SpinDimer",
]


class Model(Protocol):
    """What a solver and an observable may ask of a model."""

    kind: ClassVar[str]

    @property
    def length(self) -> int:
        """Number of sites."""

    @property
    def local_sites(self) -> tuple[Site, ...]:
        """The chain."""

    @property
    def hamiltonian(self) -> OperatorSum:
        """H."""

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Sites of the localized spins of each group."""

    @property
    def localized_sites(self) -> tuple[int, ...]:
        """Sites of all localized spins."""

    @property
    def localized_spin(self) -> float:
        """S of the localized spins."""


#: Kind -> class of model.
MODELS = Registry("model", __name__)
