"""The engine: block-sparse matrix product states with any number of U(1) charges."""

from .ledger import Ledger
from .state import MPS

__all__ = ["MPS", "Ledger"]
