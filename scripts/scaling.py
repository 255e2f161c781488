"""Cost and entanglement of a run against its size N, with the exponents that fit them.

    python scripts/scaling.py valve|pulse|wire|chain FOLDER [--sizes 1,2,4] [--solver exact|mps]
                              [--stop T] [--bond-dim M] [--fit-from N]

valve  ferromagnets of n + n spins and one unpolarized electron (preset valve-single, Phys. Rev. A
       109, 022414, Fig. 4), exactly and by matrix product states, to T = 70 fs
pulse  n electrons on 75 sites (preset stt-collinear), to T = 25
wire   2 electrons on n sites, localized spins in the middle (the same preset), to T = 20
chain  open chains of n spins with a bath on each (preset chain-long), to T = 2

One process per run, so that its peak memory is its own.  Results, scaling.md (a table, also
printed), scaling.png and scaling.pdf go into FOLDER.  Runs that are finished already are not
repeated; one that was stopped goes on.  Without a study it is valve.

Exponents are the slopes of least squares in log-log over the sizes shown (from --fit-from on), with
their standard errors; none below three points.  Runs that are mostly start-up (less than 1.5 s of
CPU; less than 300 MiB) are left out of the fits of cost, runs with more than 1 % of the norm
discarded out of those of entanglement.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, NullLocator

import tnspin as ts
from tnspin.figures.accuracy import CONVERGED, write_accuracy
from tnspin.figures.style import BLUE, ORANGE, letter, new_figure, save, steps
from tnspin.observables.snapshot import Options
from tnspin.results.result import Result

Number = Callable[[Result], float]
Runs = dict[tuple[int, str], Result]

# Counted from 0, as the preset valve-single: polarizer, spacer, and the wire behind the analyzer.
FIRST, SPACER, BEHIND = 90, 26, 77
# Rows of the blocks that the density matrix of large groups is cut down to: a minute a matrix.
LARGEST = 4096
# Beyond these spins per ferromagnet the exact solver takes more than 10 GiB.
MOST_EXACT = 10
WELL, WIDE = 10, 5
TRUNCATION = ("bond_dim", "discarded_weight")


@dataclass(frozen=True)
class Study:
    """What is run for each size, and what is read off."""

    preset: str
    size: str  # label of the axis
    overrides: Callable[[int, str, argparse.Namespace], list[str]]
    sizes: dict[str, tuple[int, ...]]  # of each solver
    entanglement: dict[str, Number]  # name of the column: what is in it
    lines: tuple[str, str]  # variable against time and its label
    stop: float
    bond_dim: int
    count: Callable[[int], int] = lambda n: n  # N from the size
    name: Callable[[int], str] = str


def largest(variable: str) -> Number:
    return lambda result: float(result[variable].max())


def final(variable: str) -> Number:
    return lambda result: float(np.sum(result[variable][-1]))


def valve(n: int, solver: str, options: argparse.Namespace) -> list[str]:
    """A valve of n + n spins with the wire behind it as long as for 4 + 4."""
    second = FIRST + n + SPACER
    groups = [list(range(FIRST, FIRST + n)), list(range(second, second + n))]
    names = [
        "spin", "log_negativity", "mutual_information", "group_entropy", "group_discarded",
        "magnon_probability", "energy", "norm", "particle_number", "total_sz",
    ]  # fmt: skip
    by_mps = ("solver.kind='tebd'", "solver.dt=0.2", "solver.order=4", "solver.cutoff=1e-10",
              f"solver.bond_dim={options.bond_dim}")  # fmt: skip
    return [
        f"model.sites={second + n + BEHIND}",
        f"model.localized={groups}",
        *(by_mps if solver == "mps" else ()),
        f"time.stop='{options.stop:g} fs'",
        f"time.every='{1 if n <= 5 else 2 if n <= 7 else 10} fs'",
        f"record.observables={[*names, *(TRUNCATION if solver == 'mps' else ())]}",
        f"record.group_largest={LARGEST}",
    ]


def pulse(n: int, solver: str, options: argparse.Namespace) -> list[str]:
    """The published pulse with n electrons."""
    return [
        f"state.n_electrons={n}",
        f"time.stop={options.stop}",
        f"solver.bond_dim={options.bond_dim}",
        "classical.kind='none'",
        f"record.observables={['spin', 'entropy', 'energy', *TRUNCATION]}",
    ]


def wire(n: int, solver: str, options: argparse.Namespace) -> list[str]:
    """Two electrons on n sites; as far from the well to the spins as published."""
    if n < WELL + 25 + WIDE:
        raise SystemExit(f"wire: {n} sites; at least {WELL + 25 + WIDE} are needed")
    return [f"model.sites={n}", *pulse(2, solver, options)]


def chain(n: int, solver: str, options: argparse.Namespace) -> list[str]:
    """An open chain of n spins with a bath on each."""
    names = ["spin", "operator_entropy", "trace_error", *TRUNCATION]
    # The measures of few and of many spins: logarithmic negativity, and the Renyi one of order 3.
    names.append("renyi_negativity" if 2**n > Options.halves else "log_negativity")
    return [
        f"model.sites={n}",
        f"time.stop={options.stop}",
        f"solver.bond_dim={options.bond_dim}",
        f"record.observables={names}",
    ]


PULSE = {"largest entropy": largest("entropy"), "discarded weight": final("discarded_weight")}
STUDIES = {
    "valve": Study(
        "valve-single", "localized spins N", valve,
        {"exact": (1, 2, 3, 4, 5, 7, 10), "mps": (4, 7, 10, 20)},
        {
            "negativity": final("log_negativity"),
            "mutual information": final("mutual_information"),
            "discarded (groups)": final("group_discarded"),
            "discarded weight": final("discarded_weight"),
        },
        ("log_negativity", "logarithmic negativity (nat)"), 70.0, 400,
        lambda n: 2 * n, lambda n: f"{n} + {n}",
    ),
    "pulse": Study(
        "stt-collinear", "electrons N", pulse, {"mps": (1, 2, 3, 4, 5, 6, 7, 8)}, PULSE,
        ("entropy", "largest entropy of a cut (nat)"), 25.0, 400,
    ),
    "wire": Study(
        "stt-collinear", "sites N", wire, {"mps": (45, 60, 75, 100, 150)}, PULSE,
        ("entropy", "largest entropy of a cut (nat)"), 20.0, 400,
    ),
    "chain": Study(
        "chain-long", "spins N", chain, {"mps": (8, 12, 16, 24, 32)},
        {
            "largest operator entropy": largest("operator_entropy"),
            "negativity": largest("log_negativity"),
            "Renyi negativity": largest("renyi_negativity"),
            "largest trace error": largest("trace_error"),
            "discarded weight": final("discarded_weight"),
        },
        ("operator_entropy", "largest operator entropy of a cut (nat)"), 2.0, 60,
    ),
}  # fmt: skip
COST: dict[str, Number] = {
    "bond dimension": largest("bond_dim"),
    "CPU (s)": lambda result: float(result.attrs["cpu_time_s"]),
    "memory (MiB)": lambda result: float(result.attrs["peak_memory_bytes"]) / 2**20,
}
# Below these a run is mostly start-up: its cost says nothing about N.
START_UP = {"CPU (s)": 1.5, "memory (MiB)": 300.0}
# Errors say how far to trust a row; an exponent of theirs says nothing.
ERRORS = ("discarded weight", "discarded (groups)", "largest trace error")


def run(folder: Path, kind: str, n: int, solver: str, options: argparse.Namespace) -> Path:
    """Carry out one run in a process of its own, so that its peak memory is its own."""
    study, path = STUDIES[kind], folder / f"{kind}-{n}-{solver}.h5"
    if path.exists():
        found = ts.load(path)
        if found["time_fs" if "time_fs" in found else "time"][-1] >= options.stop - 1e-9:
            return path
    sets = [p for one in study.overrides(n, solver, options) for p in ("--set", one)]
    print(f"{kind} {study.name(n)}, {solver}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "tnspin", "run", study.preset, *sets, "-o", str(path)]
    subprocess.run([*command, "--resume", "--quiet"], check=True)
    return path


def exponent(sizes: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Slope of log(values) against log(sizes), and its standard error (nan below three points)."""
    good = np.isfinite(values) & (values > 0)
    x, y = np.log(sizes[good]), np.log(values[good])
    if x.size < 2:
        return np.nan, np.nan
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    rest = y - y.mean() - slope * x
    error = np.sqrt(rest @ rest / (x.size - 2) / (x @ x)) if x.size > 2 else np.nan
    return slope, float(error)


def columns(study: Study) -> dict[str, Number]:
    return study.entanglement | COST


def value(read: Number, result: Result) -> float:
    """A number of a result; nan where the run has none (bond dimension of an exact one)."""
    try:
        return read(result)
    except KeyError:
        return float("nan")


def series(study: Study, runs: Runs, solver: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(sizes N, values) of one column for one solver."""
    sizes = sorted(n for n, kind in runs if kind == solver)
    values = [value(columns(study)[name], runs[n, solver]) for n in sizes]
    return np.array([study.count(n) for n in sizes], float), np.array(values)


def fitted(
    study: Study, runs: Runs, solver: str, name: str, start: float
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a series that an exponent is fitted to."""
    sizes, values = series(study, runs, solver, name)
    used = (sizes >= start) & (values > START_UP.get(name, 0.0)) & (name not in ERRORS)
    if name in study.entanglement and name not in ERRORS:
        # Too much truncated: entanglement is then a lower estimate.
        lost = [value(final("discarded_weight"), runs[n, solver])
                for n in sorted(n for n, kind in runs if kind == solver)]  # fmt: skip
        used &= ~(np.array(lost) > CONVERGED)
    return sizes[used], values[used]


def shown(name: str, number: float) -> str:
    if np.isnan(number):
        return ""
    if name in ERRORS:
        return f"{number:.0e}" if number else "0"
    return f"{number:.0f}" if number >= 50 else f"{number:.3g}" if name in COST else f"{number:.4f}"


def measured(slope: float, error: float) -> str:
    """As it is printed; nothing without an error."""
    return "" if np.isnan(error) else f"{round(slope, 2) + 0.0:.2f} ± {error:.2f}"


def table(study: Study, runs: Runs, start: float) -> str:
    """The table as markdown: a line for each run, and one of exponents for each solver."""
    names = columns(study)
    lines = [(study.size.removesuffix(" N"), "solver", *names), ("---",) * (len(names) + 2)]
    for (n, solver), result in sorted(runs.items()):
        cells = (shown(name, value(read, result)) for name, read in names.items())
        lines.append((study.name(n), solver, *cells))
    for solver in dict.fromkeys(kind for _, kind in sorted(runs)):
        parts = (fitted(study, runs, solver, name, start) for name in names)
        slopes = (measured(*exponent(*part)) for part in parts)
        lines.append(("exponent of N", solver, *slopes))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def figure(study: Study, runs: Runs, start: float) -> Figure:
    """Entanglement against time for each size and against N, and what it cost."""
    drawing = new_figure(11.0, 8.0)
    axes = drawing.subplots(2, 2)
    against_time(axes[0, 0], study, runs)
    first = next(iter(study.entanglement))
    for ax, name, unit, log in (
        (axes[0, 1], first, study.lines[1].partition(" of a cut")[0], False),
        (axes[1, 0], "CPU (s)", "CPU time (s)", True),
        (axes[1, 1], "memory (MiB)", "peak memory (MiB)", True),
    ):
        against_size(ax, study, runs, name, start, log=log)
        ax.set_ylabel(unit if "(" in unit else f"{unit} (nat)")
    letter(axes.flat)
    write_accuracy(drawing, list(runs.values()))
    return drawing


def against_time(ax: Axes, study: Study, runs: Runs) -> None:
    """What entangles against time, for each size (by matrix product states where both ran)."""
    best = {n: runs[n, kind] for n, kind in sorted(runs)}  # "mps" comes after "exact"
    variable, label = study.lines
    for (n, result), colour in zip(best.items(), steps(len(best)), strict=True):
        data = result[variable].reshape(result["time"].size, -1).max(axis=1)
        times = result["time_fs"] if "time_fs" in result else result["time"]
        ax.plot(times, data, color=colour, label=study.name(n))
    units = "fs" if "time_fs" in result else "ħ/energy unit"
    ax.set(xlabel=f"time ({units})", ylabel=label, ylim=(0, None), title="entanglement in time")
    ax.legend(title=study.size.removesuffix(" N"), fontsize=9)


def against_size(ax: Axes, study: Study, runs: Runs, name: str, start: float, *, log: bool) -> None:
    """One column against N with the power law that fits it."""
    ticks: set[float] = set()
    for solver, marker, colour in (("exact", "o", BLUE), ("mps", "s", ORANGE)):
        sizes, values = series(study, runs, solver, name)
        if not sizes.size:
            continue
        ticks |= set(sizes)
        x, y = fitted(study, runs, solver, name, start)
        found = measured(*exponent(x, y))
        label = f"{solver}: exponent {found}" if found else solver
        ax.plot(sizes, values, marker, color=colour, mfc="none", label=label)
        if found:
            line = np.geomspace(x[0], x[-1], 50)
            law = np.exp(np.log(y).mean()) * (line / np.exp(np.log(x).mean())) ** exponent(x, y)[0]
            ax.plot(line, law, color=colour, lw=1, ls="--")
    ax.set(xscale="log", yscale="log" if log else "linear", xlabel=study.size)
    ax.set_title(name.partition(" (")[0])
    if log:
        ax.yaxis.set_major_formatter(LogFormatter())
        ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.0, 0.5)))
    else:
        ax.set_ylim(0, 1.25 * ax.dataLim.y1)
    ax.set_xticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.legend(fontsize=9)


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", help=f"n of the runs, exact ones only up to {MOST_EXACT}")
    parser.add_argument("--solver", choices=("exact", "mps"), help="only this one")
    parser.add_argument("--stop", type=float, help="end (valve: in femtoseconds)")
    parser.add_argument("--bond-dim", type=int, help="largest bond dimension")
    parser.add_argument("--fit-from", type=float, default=0, help="smallest N of the fits")
    # Without a study: the valve, but for the options that ask for help.
    named = bool(words) and (words[0] in STUDIES or words[0].startswith("-"))
    options = parser.parse_args(words if named else ["valve", *words])
    study = STUDIES[options.study]
    options.stop = study.stop if options.stop is None else options.stop
    options.bond_dim = study.bond_dim if options.bond_dim is None else options.bond_dim
    return options


def jobs(options: argparse.Namespace) -> list[tuple[int, str]]:
    """(n, solver) of every run, small ones first."""
    found = []
    for solver, usual in STUDIES[options.study].sizes.items():
        wanted = usual if options.sizes is None else map(int, options.sizes.split(","))
        if options.solver in (None, solver):
            found += [(n, solver) for n in wanted if solver == "mps" or n <= MOST_EXACT]
    return sorted(found)


def main(words: list[str]) -> None:
    options = arguments(words)
    study, folder = STUDIES[options.study], options.folder
    folder.mkdir(parents=True, exist_ok=True)
    runs = {job: ts.load(run(folder, options.study, *job, options)) for job in jobs(options)}
    text = table(study, runs, options.fit_from)
    (folder / "scaling.md").write_text(text)
    print(text)
    for ending in ("png", "pdf"):
        save(folder / f"scaling.{ending}", lambda: figure(study, runs, options.fit_from))


if __name__ == "__main__":
    main(sys.argv[1:])
