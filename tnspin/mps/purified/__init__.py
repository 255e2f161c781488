"""Locally purified density matrices as matrix product states."""
