"""1e5 classical spins for 1e4 steps: the compiled kernel against a plain numpy loop.

    python scripts/bench_classical.py [SPINS] [STEPS] [NUMPY_STEPS]

A Heisenberg chain in a field, with damping and easy axis, from random directions.  Both take the
same predictor-corrector midpoint steps; numpy takes fewer of them (100 unless told), and both take
the first of those, to be compared spin by spin.  The converged midpoint rule, which keeps the
energy, runs for a tenth of the steps.  Times include nothing but the steps, except where they say
so: CPU seconds of all threads, wall seconds, and nanoseconds of CPU per spin and step.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tnspin import HeisenbergChain
from tnspin.operators.classical.energy import classical_energy
from tnspin.solvers.classical.integrator import LandauLifshitz

J, FIELD, AXIS, DAMPING, STEP = -1.0, (0.1, 0.0, 0.5), 0.2, 0.1, 0.05


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What ``work`` returns, its CPU seconds and its wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def numpy_field(n: np.ndarray, spin: float) -> np.ndarray:
    """-dE/dS of each of (N, 3) unit vectors of an open chain."""
    field = np.empty_like(n)
    field[:] = FIELD
    field[:-1] -= J * spin * n[1:]
    field[1:] -= J * spin * n[:-1]
    field[:, 2] += 2 * AXIS * spin * n[:, 2]
    return field


def numpy_steps(n: np.ndarray, spin: float, steps: int) -> np.ndarray:
    """The same equation and the same steps, as one would write them with numpy."""
    for _ in range(steps):
        middle = n
        for _ in range(2):
            w = 0.5 * STEP * numpy_field(middle, spin) + DAMPING * n
            square = (w * w).sum(axis=1, keepdims=True)
            along = (w * n).sum(axis=1, keepdims=True)
            new = n + 2 * (np.cross(n, w) + w * along - n * square) / (1 + square)
            middle = 0.5 * (n + new)
        n = new / np.linalg.norm(new, axis=1, keepdims=True)
    return n


def main() -> None:
    given = [int(text) for text in sys.argv[1:4]]
    size, steps, few = given + [100_000, 10_000, 100][len(given) :]
    spin = 1.0
    chain = HeisenbergChain(sites=size, spin=spin, J=J, field=FIELD, anisotropy=AXIS)
    hamiltonian, *first = timed(lambda: chain.hamiltonian)
    energy, *second = timed(lambda: classical_energy(hamiltonian))
    _, *third = timed(energy.fields)
    n = np.random.default_rng(0).normal(size=(size, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    solver = LandauLifshitz(energy, DAMPING, STEP, 2, iterations=2)
    converged = LandauLifshitz(energy, DAMPING, STEP, 2, tolerance=1e-14)
    _, *fourth = timed(lambda: (solver.advance(n, 0.0, STEP), converged.advance(n, 0.0, STEP)))

    print(f"{size} spins, {steps} steps of {STEP:g}, {os.cpu_count()} cores")
    for name, (cpu, wall) in (
        ("operator sum", first), ("classical energy", second), ("couplings", third),
        ("first step (compiles once per installation)", fourth),
    ):  # fmt: skip
        print(f"  {name:44} {cpu:8.2f} s CPU {wall:8.2f} s wall")

    def report(name: str, count: int, cpu: float, wall: float) -> float:
        each = 1e9 * cpu / (size * count)
        print(
            f"  {name:44} {cpu:8.2f} s CPU {wall:8.2f} s wall {each:8.1f} ns CPU per spin and step"
        )
        return each

    loop, cpu, wall = timed(lambda: numpy_steps(n, spin, few))
    slow = report(f"numpy, {few} steps", few, cpu, wall)
    same = solver.advance(n, 0.0, few * STEP)
    print(f"  {'largest difference of the two after those':44} {np.abs(loop - same).max():8.1e}")
    last, cpu, wall = timed(lambda: solver.advance(n, 0.0, steps * STEP))
    fast = report(f"compiled, {steps} steps", steps, cpu, wall)
    print(f"  {'largest deviation of a length from 1':44} "
          f"{np.abs(np.linalg.norm(last, axis=1) - 1).max():8.1e}")  # fmt: skip
    tenth = max(1, steps // 10)
    _, cpu, wall = timed(lambda: converged.advance(n, 0.0, tenth * STEP))
    report(f"compiled, converged midpoints, {tenth} steps", tenth, cpu, wall)
    print(f"  {'numpy / compiled, CPU':44} {slow / fast:8.1f}")


if __name__ == "__main__":
    main()
