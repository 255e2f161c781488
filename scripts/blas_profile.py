"""Where the compiled engine spends its time: every BLAS and LAPACK call, timed natively.

The engine binds its routines by symbol name. `install` puts a compiled wrapper under each name,
which reads the clock, calls the routine and adds up calls, nanoseconds and operations. This must
happen before any compiled kernel is loaded, so profile in a fresh process. Single-threaded only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
from numba import cfunc, njit, types
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from scipy.linalg.blas import zgemm

_PREFIX = "tnspin_"
# Real operations of a routine from the integers among its arguments, at most these three.
# BLAS counts are exact, LAPACK ones leading terms: `zheevd` is tridiagonalization 16/3 n^3,
# back-transformation 8 n^3 and about 8/3 n^3 of divide and conquer; `zgesdd` is R-SVD, roughly.
_OPERATIONS: dict[str, tuple[tuple[int, int, int], Callable[[Any, Any, Any], Any]]] = {
    "zgemm": ((2, 3, 4), lambda m, n, k: 8 * m * n * k),
    "dgemm": ((2, 3, 4), lambda m, n, k: 2 * m * n * k),
    "zherk": ((2, 2, 3), lambda n, _, k: 4 * n * n * k),
    "ztrsm": ((4, 5, 5), lambda m, n, _: 4 * m * n * n),
    "zpotrf": ((1, 1, 1), lambda n, _, __: 4 * n**3 / 3),
    "zheevd": ((2, 2, 2), lambda n, _, __: 16 * n**3),
    "zhetrd": ((1, 1, 1), lambda n, _, __: 16 * n**3 / 3),
    "zungtr": ((1, 1, 1), lambda n, _, __: 16 * n**3 / 3),
    "zgesdd": ((1, 2, 2), lambda m, n, _: 4 * (6 * max(m, n) + 11 * min(m, n)) * min(m, n) ** 2),
    "zgeqrf": ((0, 1, 1), lambda m, n, _: 8 * min(m, n) ** 2 * (max(m, n) - min(m, n) / 3)),
    "zgelqf": ((0, 1, 1), lambda m, n, _: 8 * min(m, n) ** 2 * (max(m, n) - min(m, n) / 3)),
    "zungqr": ((0, 1, 2), lambda m, n, k: 8 * n * n * (m - n / 3)),
    "zunglq": ((0, 1, 2), lambda m, n, k: 8 * m * m * (n - m / 3)),
}  # fmt: skip


class Routine(NamedTuple):
    """What one routine has cost: calls, seconds, real operations (0 where not counted)."""

    name: str
    calls: int
    seconds: float
    operations: float


class Profile:
    """Counters behind the wrappers; keep it alive as long as compiled code runs."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._counters = np.zeros((64, 3))
        self._keep: list[Any] = []

    def install(self, lapack: Any) -> None:
        """Wrap every routine that the module ``lapack`` has bound."""
        for value in vars(lapack).values():
            symbol = getattr(value, "symbol", "")
            if isinstance(value, types.ExternalFunction) and symbol.startswith(_PREFIX):
                self._wrap(value)

    def reset(self) -> None:
        """Forget what was counted."""
        self._counters[:] = 0

    def routines(self) -> list[Routine]:
        """Routines that were called, the most expensive first."""
        rows = [
            Routine(name, int(calls), nanoseconds * 1e-9, operations)
            for name, (calls, nanoseconds, operations) in zip(
                self.names, self._counters, strict=False
            )
            if calls
        ]
        return sorted(rows, key=lambda row: -row.seconds)

    def _wrap(self, external: types.ExternalFunction) -> None:
        name = external.symbol.removeprefix(_PREFIX)
        original = f"untimed_{external.symbol}"
        llvm.add_symbol(original, llvm.address_of_symbol(external.symbol))
        count = len(external.sig.args)
        cell = self._counters[len(self.names)].ctypes.data
        where = _OPERATIONS.get(name, ((0, 0, 0), None))[0]
        scope = {
            "call": types.ExternalFunction(original, external.sig),
            "carray": carray, "pointer": _pointer, "now": _clock, "cell": cell,
            "operations": njit(_OPERATIONS[name][1]) if name in _OPERATIONS else None,
            "np": np,
        }  # fmt: skip
        # numba callbacks take no *args, so the wrapper is written out for this many arguments.
        arguments = ", ".join(f"a{i}" for i in range(count))
        values = ", ".join(f"carray(a{i}, (1,))[0]" for i in where)
        tally = f"    sums[2] += operations({values})\n" if name in _OPERATIONS else ""
        gives = external.sig.return_type != types.void
        source = (
            f"def wrapper({arguments}):\n"
            "    sums = carray(pointer(cell), (3,))\n"
            "    ticks = np.empty(4, np.int64)\n"
            "    now(1, ticks.ctypes)\n"
            f"    {'out = ' if gives else ''}call({arguments})\n"
            "    now(1, ticks[2:].ctypes)\n"
            "    sums[0] += 1\n"
            "    sums[1] += (ticks[2] - ticks[0]) * 1e9 + ticks[3] - ticks[1]\n"
            + tally
            + ("    return out\n" if gives else "")
        )
        exec(source, scope)
        wrapper = cfunc(external.sig)(scope["wrapper"])
        llvm.add_symbol(external.symbol, wrapper.address)
        self.names.append(name)
        self._keep.append(wrapper)


_clock = types.ExternalFunction(
    "clock_gettime", types.int32(types.int32, types.CPointer(types.int64))
)


@intrinsic
def _pointer(typing_context: Any, address: Any) -> Any:
    """Integer address -> pointer to float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float64)(types.intp), generate


def zgemm_peak(size: int = 768, repeats: int = 5) -> float:
    """Best rate of a square complex product, real operations per second."""
    rng = np.random.default_rng(0)
    a, b = (np.asfortranarray(rng.normal(size=(size, size)) + 0j) for _ in range(2))
    best = np.inf
    for _ in range(repeats):
        begin = time.perf_counter()
        zgemm(1.0, a, b)
        best = min(best, time.perf_counter() - begin)
    return 8 * size**3 / best


class Clock:
    """A function that adds up the time spent in it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        begin = time.perf_counter()
        out = self.function(*arguments)
        self.seconds += time.perf_counter() - begin
        return out


@dataclass(frozen=True)
class Breakdown:
    """Seconds of some steps: all of it, inside the bond updates, inside BLAS and LAPACK."""

    wall: float
    updates: float
    routines: list[Routine]


def print_breakdown(part: Breakdown, steps: int, peak: float) -> None:
    """Print where the time of some steps went, and how near the floating-point limit it was."""
    library = sum(routine.seconds for routine in part.routines)
    operations = sum(routine.operations for routine in part.routines)
    print(f"  {'routine':10}{'calls/step':>12}{'share':>9}{'Gflop/s':>10}{'of peak':>9}")
    for routine in part.routines:
        rate = routine.operations / routine.seconds
        print(
            f"  {routine.name:10}{routine.calls / steps:>12.0f}{routine.seconds / part.wall:>9.1%}"
            f"{rate / 1e9:>10.1f}{rate / peak:>9.0%}"
        )
    rate = operations / part.wall
    print(
        f"  BLAS and LAPACK: {library / part.wall:.1%} of the time, at "
        f"{operations / library / 1e9:.1f} Gflop/s; zgemm peak {peak / 1e9:.1f}"
    )
    print(f"  everything: {rate / 1e9:.1f} Gflop/s, {rate / peak:.0%} of the peak")
    print(f"  outside bond updates (canonical form, Python): {1 - part.updates / part.wall:.1%}")
