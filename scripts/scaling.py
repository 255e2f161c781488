"""Entanglement of a spin valve against the number of spins, and what it costs to compute it.

    python scripts/scaling.py FOLDER [--exact 1,2,4,7,10] [--mps 4,10,20] [--stop 70]

sends the unpolarized electron of the preset valve-single (Phys. Rev. A 109, 022414, Fig. 4)
through ferromagnets of n + n spins for each n, exactly and by matrix product states, one process
per run, and leaves the results, scaling.md (a table) and scaling.png in FOLDER.  Runs that are
finished already are not repeated; one that was stopped goes on.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

import tnspin as ts
from tnspin.figures.common import STYLE

# Counted from 0, as the preset: polarizer, spacer, and the wire behind the analyzer.
FIRST, SPACER, BEHIND = 90, 26, 77
OBSERVABLES = (
    "spin", "log_negativity", "mutual_information", "group_entropy", "group_discarded",
    "magnon_probability", "energy", "norm", "particle_number", "total_sz", "bond_dim",
    "discarded_weight",
)  # fmt: skip
MPS = ("solver.kind='tebd'", "solver.dt=0.2", "solver.order=4", "solver.bond_dim=400",
       "solver.cutoff=1e-10")  # fmt: skip
# Rows of the blocks that the density matrix of large groups is cut down to: a minute a matrix.
LARGEST = 4096
COLUMNS = (
    "spins", "solver", "negativity", "mutual information", "bond dimension", "discarded (state)",
    "discarded (groups)", "wall (s)", "CPU (s)", "memory (MiB)",
)  # fmt: skip


def valve(n: int) -> list[str]:
    """Overrides for a valve of n + n spins with the wire behind it as long as for 4 + 4."""
    second = FIRST + n + SPACER
    groups = [list(range(FIRST, FIRST + n)), list(range(second, second + n))]
    return [f"model.sites={second + n + BEHIND}", f"model.localized={groups}"]


def run(folder: Path, n: int, solver: str, stop: float) -> Path:
    """Carry out one run in a process of its own, so that its peak memory is its own."""
    path = folder / f"valve-{n}-{solver}.h5"
    if path.exists() and ts.load(path)["time_fs"][-1] >= stop - 1e-9:
        return path
    names = [name for name in OBSERVABLES if solver == "mps" or name not in _TRUNCATION]
    overrides = [
        *valve(n),
        *(MPS if solver == "mps" else ()),
        f"time.stop='{stop:g} fs'",
        f"time.every='{1 if n <= 5 else 2 if n <= 7 else 10} fs'",
        f"record.observables={names}",
        f"record.group_largest={LARGEST}",
    ]
    sets = [part for override in overrides for part in ("--set", override)]
    command = [sys.executable, "-m", "tnspin", "run", "valve-single", *sets, "-o", str(path)]
    print(f"{n} + {n} spins, {solver}", flush=True)
    subprocess.run([*command, "--resume"], check=True, env={**os.environ})
    return path


_TRUNCATION = ("bond_dim", "discarded_weight")


def row(path: Path) -> tuple[str, ...]:
    """One line of the table."""
    result = ts.load(path)
    n, solver = path.stem.split("-")[1:]
    truncated = "bond_dim" in result
    return (
        f"{n} + {n}",
        solver,
        f"{result['log_negativity'][-1]:.4f}",
        f"{result['mutual_information'][-1]:.4f}",
        str(result["bond_dim"].max()) if truncated else "",
        f"{result['discarded_weight'][-1].sum():.0e}" if truncated else "",
        f"{result['group_discarded'][-1]:.0e}" if result["group_discarded"][-1] else "0",
        f"{result.attrs['wall_time_s']:.0f}",
        f"{result.attrs['cpu_time_s']:.0f}",
        f"{result.attrs['peak_memory_bytes'] / 2**20:.0f}",
    )


def table(paths: list[Path]) -> str:
    """Return the table as markdown."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row(path) for path in paths)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def figure(paths: list[Path]) -> Figure:
    """Negativity against time for each n, at the end against N, and what it cost."""
    drawing = Figure(figsize=(11.0, 8.0), layout="constrained")
    FigureCanvasAgg(drawing)
    (time, growth), (work, memory) = drawing.subplots(2, 2)
    results = {(int(n), solver): ts.load(path) for path in paths
               for n, solver in [path.stem.split("-")[1:]]}  # fmt: skip
    best = {n: results[n, s] for s in ("mps", "exact") for n, kind in results if kind == s}
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(best)))
    for n, colour in zip(sorted(best), colours, strict=True):
        series = best[n]["log_negativity"]
        time.plot(best[n]["time_fs"], series, color=colour, label=f"{n} + {n}")
    time.set(xlabel="time (fs)", ylabel="logarithmic negativity (nat)", ylim=(0, None))
    time.set_title("(a)  one unpolarized electron")
    time.legend(fontsize=9)
    for solver, style in (("exact", "o-"), ("mps", "s--")):
        sizes = sorted(n for n, kind in results if kind == solver)
        chosen, spins = [results[n, solver] for n in sizes], [2 * n for n in sizes]
        for ax, values in (
            (growth, [r["log_negativity"][-1] for r in chosen]),
            (work, [r.attrs["cpu_time_s"] for r in chosen]),
            (memory, [r.attrs["peak_memory_bytes"] / 2**20 for r in chosen]),
        ):
            ax.plot(spins, values, style, label=solver, mfc="none")
    ticks = sorted({2 * n for n in best})
    for ax, letter, name, unit in (
        (growth, "b", "negativity at the end", "logarithmic negativity (nat)"),
        (work, "c", "cost", "CPU time (s)"),
        (memory, "d", "memory", "peak memory (MiB)"),
    ):
        ax.set(xscale="log", yscale="linear" if ax is growth else "log")
        ax.set(xlabel="localized spins N", ylabel=unit)
        ax.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_title(f"({letter})  {name}")
        ax.legend()
    return drawing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--exact", default="1,2,3,4,5,7,10", help="n of the exact runs")
    parser.add_argument("--mps", default="4,7,10,20", help="n of the runs by matrix product states")
    parser.add_argument("--stop", type=float, default=70.0, help="end, in femtoseconds")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        (int(n), kind)
        for kind in ("exact", "mps")
        for n in filter(None, getattr(options, kind).split(","))
    ]
    paths = [run(options.folder, n, kind, options.stop) for n, kind in sorted(jobs)]
    text = table(paths)
    (options.folder / "scaling.md").write_text(text)
    print(text)
    with mpl.rc_context(STYLE):
        figure(paths).savefig(options.folder / "scaling.png", dpi=160)


if __name__ == "__main__":
    main()
