"""Correlations of pairs of localized spins, and what of them is quantum (`Snapshot.pairs`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tnspin.observables import measures
from tnspin.observables.snapshot import Snapshot


def correlation_matrix(snapshot: Snapshot) -> np.ndarray:
    """``<S^a_i S^b_j> / S^2`` of every pair, (pair, axis, other_axis); T_kl of QLLG for S = 1/2."""
    state = snapshot.state
    return np.array([measures.correlation_matrix(state, i, j) for i, j in snapshot.pairs])


def concurrence(snapshot: Snapshot) -> np.ndarray:
    """Wootters concurrence of every pair, (pair,)."""
    return np.array([measures.concurrence(snapshot.state, i, j) for i, j in snapshot.pairs])


def bell_nonlocality(snapshot: Snapshot) -> np.ndarray:
    """Bell nonlocality of every pair, (pair,)."""
    return np.array([measures.bell_nonlocality(snapshot.state, i, j) for i, j in snapshot.pairs])


def eigenvalue(snapshot: Snapshot) -> np.ndarray:
    """Eigenvalues of the whole density matrix, ascending, (level,)."""
    state: Any = snapshot.state
    return state.eigenvalues()
