"""Convergence certificates: how far a run can be trusted, from runs of other accuracy."""

from tnspin.runs.certify.runner import certify

__all__ = ["certify"]
