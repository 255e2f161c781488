"""Checks that TOML and Python share: tables, constrained values, register, nearest names."""
