"""Compile the numerical kernels before the first run that needs them, on two processors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from tnspin.numerics.parallel import default_workers
from tnspin.runs.config.config import Config


def compile_kernels(config: Config, say: Callable[[str], None]) -> None:
    """Compile what a run needs now, and say so, rather than pause silently at its first step."""
    from tnspin.mps.warm_up import is_compiled, warm_up

    variational = "tdvp" in config.solver.kernels
    if not config.solver.kernels or is_compiled(variational=variational):
        return
    say("compiling the numerical kernels (once per installation, less than a minute) ...")
    helper = _helper()
    try:
        warm_up(variational=variational)
    except BaseException:
        # Stopped by a signal, which need not have reached the helper.
        if helper is not None:
            helper.terminate()
        raise
    finally:
        if helper is not None:
            helper.wait()


def compile_the_others() -> None:
    """Compile what an evolution of matrix product states comes to last, and classical spins."""
    from tnspin.models.kondo_heisenberg import KondoHeisenbergChain
    from tnspin.mps.warm_up import warm_up_canonical
    from tnspin.solvers import evolve
    from tnspin.states.hybrid import HybridState
    from tnspin.states.initial.pulses import confined_electrons

    warm_up_canonical()
    chain = KondoHeisenbergChain(sites=4, localized=(2, 3))
    start = HybridState.of(chain, confined_electrons(chain, n_electrons=1, well=2))
    list(evolve(chain, start, [0.0, 0.1], solver="hybrid"))


def _helper() -> subprocess.Popen[bytes] | None:
    """A process that compiles the others meanwhile; the files it leaves are used by the first.

    Whatever it does not come to, the first process compiles itself.
    """
    if default_workers() < 2:
        return None
    code = f"from {__name__} import compile_the_others; compile_the_others()"
    nothing = subprocess.DEVNULL
    try:
        return subprocess.Popen(
            [sys.executable, "-c", code], stdin=nothing, stdout=nothing, stderr=nothing
        )
    except OSError:
        return None
