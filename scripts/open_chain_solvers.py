"""Every solver of open systems on the same four spins: what they differ by, and what they cost.

    python scripts/open_chain_solvers.py FOLDER [--stop 20] [--problems chain ring]
    python scripts/open_chain_solvers.py FOLDER --longer 8 16     # purified states of more spins

An antiferromagnet from the product state of FATE's Fig. 1 (Phys. Rev. B 109, L180408), with a bath
on each spin: ``chain`` is open, with jumps on the spin and its neighbours (``bath.window = 1``);
``ring`` is the preset chain-lindblad, with jumps on all spins.  Only the table ``[solver]`` changes
between the runs, one process each.  Leaves the results, solvers.md (a table) and solvers.png in
FOLDER; finished runs are not repeated.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import tnspin as ts
from tnspin.figures.style import STYLE
from tnspin.results.result import Result

PROBLEMS = {
    "chain": ["model.periodic=false", "bath.window=1"],
    "ring": [],
}
SOLVERS = {
    "master_equation": ["solver.kind='master_equation'"],
    "density_matrix": ["solver.kind='density_matrix'", "solver.dt=0.05", "solver.cutoff=1e-14"],
    "purification": ["solver.kind='purification'", "solver.dt=0.25", "solver.kraus_cutoff=1e-8"],
    "trajectories": [
        "solver.kind='trajectories'", "solver.trajectories=2000", "solver.chunk=20",
        "solver.seed=1", "solver.workers=1",
    ],
    "trajectories-mps": [
        "solver.kind='trajectories'", "solver.engine='tebd'", "solver.order=4", "solver.dt=0.2",
        "solver.cutoff=1e-10", "solver.trajectories=500", "solver.chunk=10", "solver.seed=2",
        "solver.workers=1",
    ],
}  # fmt: skip
LONGER = ["solver.kind='purification'", "solver.dt=0.25", "solver.cutoff=1e-8",
          "solver.kraus_cutoff=1e-7", "solver.bond_dim=100", "solver.kraus_dim=8"]  # fmt: skip
COLUMNS = (
    "problem", "solver", "CPU (s)", "spin", "negativity", "trace error", "smallest eigenvalue",
    "discarded", "bond dimension", "Kraus dimension",
)  # fmt: skip


def run(path: Path, overrides: list[str]) -> Path:
    """Carry out one run of the preset in a process of its own; it goes on if it was stopped."""
    if path.exists():
        return path
    sets = [part for one in overrides for part in ("--set", one)]
    command = [sys.executable, "-m", "tnspin", "run", "chain-lindblad", *sets, "--quiet"]
    command += ["-o", str(path)]
    resume = ["--resume"] if path.with_suffix(".ckpt.h5").exists() else []
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([*command, *resume], check=True, env=environment)
    return path


def deviations(found: Result, wanted: Result) -> tuple[str, str]:
    """Largest deviation of any spin component and of the negativity; of samples in their errors."""
    cells = []
    for name in ("spin", "log_negativity"):
        gap = np.abs(found[name] - wanted[name])
        if f"{name}_error" not in found:
            cells.append(f"{gap.max():.1e}")
            continue
        error = found[f"{name}_error"]
        known = error > 1e-9
        ratio = gap[known] / error[known]
        cells.append(
            f"{gap.max():.1e}; {np.mean(ratio < 1):.0%} within 1, {np.mean(ratio < 2):.0%} within "
            f"2, {np.mean(ratio < 3):.1%} within 3 errors (largest {ratio.max():.1f})"
        )
    return cells[0], cells[1]


def largest(result: Result, name: str) -> str:
    """Largest absolute value of a variable over the run."""
    return f"{np.abs(result[name]).max():.1e}" if name in result else ""


def row(problem: str, solver: str, result: Result, reference: Result) -> list[str]:
    """One line of the table."""
    spin, negativity = deviations(result, reference)
    lost = [n for n in ("discarded_weight", "kraus_discarded") if n in result]
    eigenvalue = result["smallest_eigenvalue"].min() if "smallest_eigenvalue" in result else None
    return [
        problem, solver, f"{float(result.attrs['cpu_time_s']):.1f}",
        *(("", "") if result is reference else (spin, negativity)),
        largest(result, "trace_error"), "" if eigenvalue is None else f"{eigenvalue:.1e}",
        f"{sum(result[n][-1].sum() for n in lost):.1e}" if lost else "",
        f"{result['bond_dim'].max():.0f}" if "bond_dim" in result else "",
        f"{result['kraus_dim'].max():.0f}" if "kraus_dim" in result else "",
    ]  # fmt: skip


def figure(results: dict[str, dict[str, Result]]) -> Figure:
    """Negativity of each problem, and how far each solver is from the master equation."""
    with mpl.rc_context(STYLE):
        fig = Figure(figsize=(4.2 * len(results), 6.2), layout="constrained")
        FigureCanvasAgg(fig)
        axes = fig.subplots(3, len(results), sharex=True, sharey="row", squeeze=False)
        for column, (problem, runs) in zip(axes.T, results.items(), strict=True):
            reference = runs["master_equation"]
            column[0].set_title(problem)
            for k, (solver, result) in enumerate(runs.items()):
                time = result["time"]
                style = {"label": solver.replace("_", " "), "color": f"C{k}"}
                column[0].plot(time, result["log_negativity"], **style)
                if result is reference:
                    continue
                spins = np.abs(result["spin"] - reference["spin"]).max(axis=(1, 2))
                gap = np.abs(result["log_negativity"] - reference["log_negativity"])
                column[1].semilogy(time[1:], spins[1:], **style)
                column[2].semilogy(time[1:], gap[1:], **style)
            column[1].axhline(1e-4, color="0.6", lw=0.8, ls="--")
            column[2].axhline(1e-3, color="0.6", lw=0.8, ls="--")
            column[2].set_xlabel("t (ħ/J)")
        axes[0, 0].set_ylabel("negativity (nat)")
        axes[1, 0].set_ylabel("deviation of the spins")
        axes[2, 0].set_ylabel("of the negativity")
        axes[0, -1].legend(fontsize="small")
    return fig


def compare(folder: Path, problems: list[str], solvers: list[str], times: list[str]) -> None:
    """Run what is missing; write the table and the figure."""
    results: dict[str, dict[str, Result]] = {}
    for problem in problems:
        for solver in solvers:
            path = folder / f"{problem}-{solver}.h5"
            overrides = [*PROBLEMS[problem], *SOLVERS[solver], *times]
            results.setdefault(problem, {})[solver] = ts.load(run(path, overrides))
    rows = [
        row(problem, solver, result, runs["master_equation"])
        for problem, runs in results.items()
        for solver, result in runs.items()
    ]
    text = table(COLUMNS, rows)
    (folder / "solvers.md").write_text(text, encoding="utf-8")
    figure(results).savefig(folder / "solvers.png", dpi=150)
    print(text, end="")


def longer(folder: Path, sizes: list[int], times: list[str]) -> None:
    """Open chains of more spins as purified states, against the master equation up to eight."""
    rows = []
    for n in sizes:
        chain = [*PROBLEMS["chain"], f"model.sites={n}", *times]
        result = ts.load(run(folder / f"chain{n}-purification.h5", [*chain, *LONGER]))
        reference = result
        if n <= 8:
            dense = [*chain, *SOLVERS["master_equation"]]
            reference = ts.load(run(folder / f"chain{n}-master_equation.h5", dense))
        rows.append(row(f"chain of {n}", "purification", result, reference))
    print(table(COLUMNS, rows), end="")


def table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    """Run, compare, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("folder", type=Path)
    add("--stop", type=float, default=20.0)
    add("--every", type=float, default=0.5)
    add("--problems", nargs="+", choices=tuple(PROBLEMS), default=list(PROBLEMS))
    add("--solvers", nargs="+", choices=tuple(SOLVERS), default=list(SOLVERS),
        help="besides the master equation")  # fmt: skip
    add("--longer", nargs="+", type=int, metavar="SITES")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    times = [f"time.stop={options.stop}", f"time.every={options.every}"]
    if options.longer:
        longer(options.folder, options.longer, times)
        return 0
    solvers = ["master_equation", *(s for s in options.solvers if s != "master_equation")]
    compare(options.folder, options.problems, solvers, times)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
