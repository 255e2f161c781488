"""Whether the compiled kernels are ready, and making them so."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..sites import spin
from .kernels import update_bond
from .state import MPS
from .tebd import Tebd


def is_compiled() -> bool:
    """Whether a machine-code cache of the kernels exists, so that the first step starts at once."""
    folder = Path(str(update_bond.stats.cache_path))
    return any(folder.glob(f"*{update_bond.py_func.__name__}*.nbi"))


def warm_up() -> None:
    """Compile every kernel of an evolution (about a minute the first time, then cached)."""
    up, down = np.eye(2)
    start = MPS.product([spin(0.5)] * 4, [up, down, up, down], ["2Sz"])
    exchange = np.array([[1, 0, 0, 0], [0, -1, 2, 0], [0, 2, -1, 0], [0, 0, 0, 1]], dtype=complex)
    for cutoff in (1e-6, 1e-14):
        engine = Tebd(start, lambda bond, time: exchange, [False] * 3, cutoff=cutoff, threads=1)
        for _ in engine.advance(0.0, 0.1, 2):
            pass
        engine.state.site_rdms()
        engine.state.bond_rdms()
