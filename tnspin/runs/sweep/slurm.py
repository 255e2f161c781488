"""A Slurm job array instead of processes: one job for each run that is not done."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tnspin.results.result import write_atomically
from tnspin.runs.sweep.grid import Grid, Run

__all__ = ["SCRIPT", "array_of", "write_script"]

SCRIPT = "sweep.sbatch"

_TEXT = """\
#!/bin/bash
# Runs of a sweep that were not done when this was written; what is done by now is skipped, what
# was interrupted goes on. Time and memory that one run needs: sbatch --time=... --mem=...
#SBATCH --job-name={job}
#SBATCH --array={array}
#SBATCH --cpus-per-task={cores}
#SBATCH --output={folder}/slurm-%A_%a.out
#SBATCH --open-mode=append
#SBATCH --requeue
# Two minutes before the time is up: save and stop.
#SBATCH --signal=B:TERM@120

export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
exec {python} -m tnspin sweep -o {quoted} --task "$SLURM_ARRAY_TASK_ID"{retry}
"""


def write_script(
    folder: Path, grid: Grid, runs: Sequence[Run], at_once: int = 0, retry: bool = False
) -> Path:
    """Write the script of a job array and return its path; nothing is submitted.

    Parameters
    ----------
    folder
        Folder of the sweep, which all nodes must see under this path.
    grid, runs
        The sweep, and those of its runs that are wanted.
    at_once
        How many may run at the same time, 0 for as many as Slurm allows.
    retry
        Whether to try again what failed before.
    """
    folder = folder.resolve()
    solver = runs[0].config.solver
    cores = max(getattr(solver, "threads", 0), getattr(solver, "workers", 0), 1)
    text = _TEXT.format(
        job=f"tnspin-{grid.name}".replace(" ", "-"),
        array=array_of(run.index for run in runs) + (f"%{at_once}" if at_once else ""),
        cores=cores, folder=folder, quoted=shlex.quote(str(folder)),
        python=shlex.quote(sys.executable), retry=" --retry" * retry,
    )  # fmt: skip
    path = folder / SCRIPT
    write_atomically(path, io.BytesIO(text.encode()))
    return path


def array_of(numbers: Iterable[int]) -> str:
    """Numbers as Slurm writes them: ``0-3,7,9-11``."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
