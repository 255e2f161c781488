"""The engine: block-sparse matrix product states with any number of U(1) charges."""

from tnspin.mps.ledger import Ledger
from tnspin.mps.state import MPS

__all__ = ["MPS", "Ledger"]
