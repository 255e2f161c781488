"""Evolutions under way: the base class, tensor networks, members of mixtures in lock step."""
