"""Configurations: TOML tables, their keys, and what goes together."""
