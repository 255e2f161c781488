"""Checks that TOML and Python share: tables, constrained types, the register, users' files."""

from tnspin.schema.register import Registry, register
from tnspin.schema.table import Table

__all__ = ["Registry", "Table", "register"]
