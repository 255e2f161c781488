"""Models: tables of parameters that make an operator sum, by the ``kind`` of the TOML."""

from tnspin.models.base import Model
from tnspin.models.heisenberg import HeisenbergChain
from tnspin.models.kondo_heisenberg import KondoHeisenbergChain
from tnspin.models.open_heisenberg import OpenHeisenbergChain
from tnspin.models.purified import Purified
from tnspin.models.spin_dimer import SpinDimer
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

#: Kind -> class of model.
MODELS = Registry("model", __name__)
