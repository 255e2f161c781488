"""The base class of models: parameters that make a Hamiltonian."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Annotated, Any, ClassVar, TypeVar

from tnspin.errors import InputError
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import LARGEST_SPIN, Site, doubled_spin
from tnspin.schema.table import Table
from tnspin.schema.types import Range

T = TypeVar("T")
#: Sites beyond which listing the terms alone takes minutes.
LARGEST = 100_000


class _Default(cached_property[T]):
    """A property of the base class that a model may have as a key instead."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            # Dataclasses would take it for the default value of a key of that name.
            raise AttributeError(self.attrname)
        return super().__get__(instance, owner)


class Model(Table):
    """Base of all models; a model of one's own needs `local_sites` and `hamiltonian`.

    ::

        @register
        @dataclass(frozen=True)
        class MyChain(Model):
            kind = "my_chain"

            sites: Sites
            J: float = 1.0

    Attributes
    ----------
    shows_pairs
        Whether correlations of all pairs of spins are recorded by default.
    """

    section = "model"
    shows_pairs: ClassVar[bool] = False

    @property
    @abstractmethod
    def local_sites(self) -> tuple[Site, ...]:
        """The chain."""

    @property
    @abstractmethod
    def hamiltonian(self) -> OperatorSum:
        """H as an operator sum on the chain."""

    @_Default
    def length(self) -> int:
        """Number of sites."""
        return len(self.local_sites)

    @_Default
    def localized_sites(self) -> tuple[int, ...]:
        """Sites of all localized spins, those of one group after the other."""
        return tuple(k for k, site in enumerate(self.local_sites) if site.spin_dim > 1)

    @_Default
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Sites of the localized spins of each group; all spins are one group by default."""
        return (self.localized_sites,)

    @_Default
    def localized_spin(self) -> float:
        """S of the localized spins, 0 without any."""
        return max((self.local_sites[k].spin_dim - 1) / 2 for k in (*self.localized_sites, 0))

    @_Default
    def localized_scale(self) -> float:
        """Factor from spin matrices to what stands for the localized spins in H."""
        return 1.0


class _HalfIntegers(Range):
    """Multiples of 1/2 that a spin may have."""

    def allows(self, value: Any) -> bool:
        """Whether a number is S of a spin."""
        try:
            return bool(doubled_spin(value))
        except InputError:
            return False


Sites = Annotated[int, Range(least=2, most=LARGEST)]
Spin = Annotated[float, _HalfIntegers(words=f"a positive multiple of 0.5, at most {LARGEST_SPIN}")]
