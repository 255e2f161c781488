"""Compilation of the kernels ahead of their first use, and a check for compiled code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tnspin.mps.kernels.effective import sketch
from tnspin.mps.kernels.update import update_bond
from tnspin.mps.state import MPS
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import Tebd
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import spin


def is_compiled(*, variational: bool = False) -> bool:
    """Whether compiled kernels are cached, so that the first step starts without delay.

    ``variational``: those of TDVP, else those of TEBD.
    """
    kernel = sketch if variational else update_bond
    folder = Path(str(kernel.stats.cache_path))
    return any(folder.glob(f"*{kernel.py_func.__name__}*.nbi"))


def warm_up(*, variational: bool = False) -> None:
    """Compile every kernel of an evolution (half a minute the first time, then cached)."""
    start = _start()
    sites = start.sites
    exchange = np.array([[1, 0, 0, 0], [0, -1, 2, 0], [0, 2, -1, 0], [0, 0, 0, 1]], dtype=complex)
    # Longer than two windows, so that the bonds are widened too.
    pairs = [
        (1.0, a, i, b, j) for a, b in (("Sp", "Sm"), ("Sm", "Sp")) for i, j in ((0, 3), (1, 2))
    ]
    for cutoff in (1e-6, 1e-14):
        engine: Tebd | Tdvp
        if variational:
            engine = Tdvp(start, OperatorSum.of(sites, pairs), cutoff=cutoff, threads=1)
        else:
            engine = Tebd(start, lambda bond, time: exchange, [False] * 3, cutoff=cutoff, threads=1)
        for _ in engine.advance(0.0, 0.1, 2):
            pass
        _measure(engine.state)


def warm_up_canonical() -> None:
    """Compile what restores the canonical form, and what measures."""
    state = _start()
    for method in ("svd", "gram"):
        state.canonicalize(method=method)
    _measure(state)


def _start() -> MPS:
    up, down = np.eye(2)
    return MPS.product((spin(0.5),) * 4, [up, down, up, down], ["2Sz"])


def _measure(state: MPS) -> None:
    state.site_rdms()
    state.bond_rdms()
