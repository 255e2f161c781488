"""A spin valve at finite temperature: baths and thermal spins against Phys. Rev. A 109, 022414.

    python scripts/valve_baths.py FOLDER [--trajectories 200] [--quick]

carries out the presets valve-bath (10 K and 100 K, several strengths and cutoffs of the bath, both
ways to couple it) and valve-thermal (several fields before t = 0), and leaves the results,
valve_baths.md (tables) and valve_baths.png in FOLDER.  Runs that are finished are not repeated;
one that was stopped goes on.  ``--quick`` leaves out the runs with one jump operator per spin,
which mix all 2Sz and take five times as long.

It also asks where the rise of the printed negativity at early times may come from, by comparing
the mean of the negativities of single trajectories with the negativity of their mean, for jump
operators of single spins and for combinations (L_i +- L_j) / sqrt 2 of spins of both
ferromagnets, which give the same master equation.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import tnspin as ts
from tnspin.baths import JumpOperator, UniversalLindblad, jump_operators
from tnspin.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, STYLE
from tnspin.observables.groups.spins import group_state
from tnspin.operators.basis import ChargeBasis
from tnspin.results.facts import parameters
from tnspin.results.onsets import onset
from tnspin.runs.config.loading import load
from tnspin.solvers.trajectories.averages import Averaged
from tnspin.solvers.trajectories.store import Store
from tnspin.states.vector import VectorState
from tnspin.units import EnergyScale

#: Coupling, Gamma and omega_max (eV) of the baths; each at both temperatures.
BATHS = (
    ("components", 0.001, 3.0),
    ("components", 0.01, 3.0),
    ("components", 0.1, 3.0),
    ("components", 0.001, 0.3),
    ("components", 0.003, 0.1),
    ("components", 0.01, 0.1),
    ("sum", 0.01, 3.0),
    ("sum", 0.01, 0.1),
)
KELVIN = (10, 100)
FIELDS = (0.0, 0.001, 0.01, 0.1)
COMMON = ("time.stop='70 fs'", "time.every='5 fs'")
OBSERVABLES = "record.observables=['log_negativity', 'spin', 'magnon_probability']"
EV = EnergyScale(1.0)
SHOWN = (30.0, 50.0, 70.0)
# Of the closed run, and of the printed curve, the negativity exceeds this soon after the onset.
ONSET = 1e-3
SINGLE = 100

Reals = np.ndarray


# ---------------------------------------------------------------------- runs


def run(folder: Path, name: str, preset: str, *overrides: str) -> ts.Result:
    """Result of a preset with a few keys changed, from FOLDER if it is there already."""
    path = folder / f"{name}.h5"
    if not path.exists():
        print(name, file=sys.stderr, flush=True)
        sets = [part for override in (*COMMON, *overrides) for part in ("--set", override)]
        command = [sys.executable, "-m", "tnspin", "run", preset, *sets, "-o", str(path)]
        subprocess.run([*command, "--resume", "--quiet"], check=True, env={**os.environ})
    return ts.load(path)


def bath(
    folder: Path, trajectories: int, coupling: str, gamma: float, cutoff: float, kelvin: int
) -> ts.Result:
    """A run of the preset valve-bath."""
    return run(
        folder, f"bath-{coupling}-{gamma:g}-{cutoff:g}-{kelvin}K", "valve-bath", OBSERVABLES,
        f"bath.coupling='{coupling}'", f"bath.gamma={gamma}", f"bath.omega_max={cutoff}",
        f"bath.temperature='{kelvin} K'", f"solver.trajectories={trajectories}",
    )  # fmt: skip


def thermal(folder: Path, field: float) -> ts.Result:
    """A run of the preset valve-thermal."""
    return run(
        folder, f"thermal-{field:g}", "valve-thermal", f"state.field={field}",
        "record.observables=['log_negativity', 'spin']",
    )  # fmt: skip


# ---------------------------------------------------------------------- tables


def at(result: ts.Result, time: float, name: str = "log_negativity") -> float:
    """Value at a time in femtoseconds."""
    return float(result[name][np.argmin(np.abs(result["time_fs"] - time))])


def with_error(result: ts.Result, time: float) -> str:
    """Negativity and its error at a time."""
    error = at(result, time, "log_negativity_error")
    return f"{at(result, time):.4f} ± {error:.4f}"


def verdict(result: ts.Result) -> str:
    """Whether the negativity decays before the end: to less than half of what it was."""
    values, errors = result["log_negativity"], result["log_negativity_error"]
    top = int(values.argmax())
    apart = values[top] - 2 * values[-1]
    error = float(np.hypot(errors[top], 2 * errors[-1]))
    return "yes" if apart > 2 * error else "no" if apart < -2 * error else "undecided"


def table_of_baths(runs: dict[tuple[object, ...], ts.Result], closed: ts.Result) -> str:
    """Negativity at a few times for each bath."""
    head = ["coupling", "Γ (eV)", "ω_m (eV)", "T (K)", "trajectories"]
    head += [f"{t:g} fs" for t in SHOWN]
    rows = [[*head, "largest", "decays"], ["---"] * (len(head) + 2)]
    top = closed["log_negativity"].max()
    rows.append(["none", "", "", "", ""] + [f"{at(closed, t):.4f}" for t in SHOWN]
                + [f"{top:.4f}", "no"])  # fmt: skip
    for (coupling, gamma, cutoff, kelvin), result in runs.items():
        sampled = parameters(result)["solver"]["trajectories"]
        cells = [str(coupling), f"{gamma:g}", f"{cutoff:g}", str(kelvin), str(sampled)]
        cells += [with_error(result, t) for t in SHOWN]
        rows.append([*cells, f"{result['log_negativity'].max():.4f}", verdict(result)])
    return markdown(rows)


def table_of_fields(runs: dict[float, ts.Result], closed: ts.Result) -> str:
    """Negativity at a few times for thermal spins that start in several fields."""
    head = ["field (eV)", "field (T)", "S^z at t = 0"]
    head += [f"{t:g} fs" for t in SHOWN]
    rows = [[*head, f"passes {ONSET:g} at"], ["---"] * (len(head) + 1)]
    for label, result in [*runs.items(), ("T = 0", closed)]:
        # -f sigma = -2 f S, S in hbar: f stands for half of g mu_B B.
        tesla = f"{EV.tesla(2 * label):.0f}" if isinstance(label, float) else ""
        start = np.abs(result["spin"][0, :, 2]).mean()
        cells = [f"{label:g}" if isinstance(label, float) else label, tesla, f"± {start:.2f}"]
        cells += [f"{at(result, t):.4f}" for t in SHOWN]
        when = onset(result["time_fs"], result["log_negativity"], ONSET)
        rows.append([*cells, "never" if when is None else f"{when:.1f} fs"])
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Lines of a table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


# ---------------------------------------------------------------------- single trajectories


def negativities(folder: Path, model: ts.KondoHeisenbergChain) -> tuple[Reals, Reals]:
    """Mean of the trajectories' own negativities, and negativity of their mean, (T,) each.

    The folder holds chunks of one trajectory of one initial state.  A chunk is a projector times
    the probability that there is a jump at all; the course without any is kept apart.
    """
    place = Store(folder)
    still = float(place.probability(0) or 0.0)
    layout = place.layout(model)

    def of(vector: Reals) -> float:
        return group_state(Averaged(layout, vector), *model.groups).log_negativity()

    own, whole = [], []
    for sample in place.samples(place.chunks()):
        single = [of(vector / (1 - still)) for vector in sample.chunks]
        own.append(still * of(sample.base / still) + (1 - still) * np.mean(single))
        whole.append(of(sample.base + np.mean(sample.chunks, axis=0)))
    return np.array(own), np.array(whole)


def one_electron_alone(folder: Path) -> tuple[Reals, Reals, Reals]:
    """Times in fs and both negativities, for an electron with spin up and a bath at 100 K."""
    name = "single-trajectories"
    # Four chunks at least are made of a run, so that one trajectory is a chunk of its own.
    result = run(
        folder, name, "valve-bath", "record.observables=['norm']", "state.polarization='z'",
        "bath.coupling='components'", "bath.gamma=0.01", "bath.omega_max=3.0",
        "bath.temperature='100 K'", "solver.chunk=1", f"solver.trajectories={SINGLE}",
    )  # fmt: skip
    model = load("valve-bath").model
    return result["time_fs"], *negativities(folder / f"{name}.chunks", model)


def combined(jumps: Sequence[JumpOperator], groups: Sequence[Sequence[int]]) -> list[JumpOperator]:
    """(L_i +- L_j) / sqrt 2 for the spins i, j in the same place of both groups.

    A unitary mixture of jump operators: the master equation is the same.
    """
    one, other = ([j for j in jumps if set(j.sites) <= set(group)] for group in groups)
    made = []
    for left, right in zip(one, other, strict=True):
        size, rest = len(left.matrix), len(right.matrix)
        a, b = np.kron(left.matrix, np.eye(rest)), np.kron(np.eye(size), right.matrix)
        for sign in (1, -1):
            name = f"{left.name} {'+' if sign > 0 else '-'} {right.name}"
            sites = (*left.sites, *right.sites)
            made.append(JumpOperator(sites, (a + sign * b) / np.sqrt(2), left.charge, name))
    return made


def spins_alone(
    folder: Path, change: Callable[..., list[JumpOperator]] | None, count: int
) -> tuple[Reals, Reals, Reals]:
    """The same for the localized spins of the valve without any electron."""
    model = ts.KondoHeisenbergChain(
        sites=9, localized=[[0, 1, 2, 3], [5, 6, 7, 8]], J=0.1, Jz=0.1005, J_sd=0.5
    )
    sites = model.local_sites
    vectors = [np.eye(site.dim)[1 if k > 4 else 0] for k, site in enumerate(sites)]
    state = VectorState.product(sites, vectors, ChargeBasis(sites, {"N": 0}))
    jumps = jump_operators(
        model, UniversalLindblad(EV.temperature(100.0), gamma=0.01, coupling="sum")
    )
    jumps = change(jumps, model.groups) if change else jumps
    femtoseconds = np.arange(0.0, 71.0, 5.0)
    store = folder / f"spins-{'combined' if change else 'local'}-{count}.chunks"
    snapshots = ts.evolve(
        model, state, [EV.time(t) for t in femtoseconds], solver="trajectories", jumps=jumps,
        trajectories=count, chunk=1, seed=1, observables=("norm",), store=store,
    )  # fmt: skip
    for _ in snapshots:
        pass
    return femtoseconds, *negativities(store, model)


# ---------------------------------------------------------------------- figure


def band(ax: Axes, result: ts.Result, colour: str, label: str, style: str = "-") -> None:
    """A line with its error."""
    time, value = result["time_fs"], result["log_negativity"]
    ax.plot(time, value, style, color=colour, label=label)
    if "log_negativity_error" in result:
        error = result["log_negativity_error"]
        ax.fill_between(time, value - error, value + error, color=colour, alpha=0.25, lw=0)


def figure(
    baths: dict[tuple[object, ...], ts.Result], fields: dict[float, ts.Result],
    closed: ts.Result, single: dict[str, tuple[Reals, Reals, Reals]],
) -> Figure:  # fmt: skip
    """Baths, thermal spins, and single trajectories."""
    drawing = Figure(figsize=(11.0, 8.0), layout="constrained")
    FigureCanvasAgg(drawing)
    (wide, narrow), (thermally, alone) = drawing.subplots(2, 2)
    for ax, cutoff, letter in ((wide, 3.0, "a"), (narrow, 0.1, "b")):
        band(ax, closed, BLACK, "no bath")
        for gamma, style in ((0.001, "--"), (0.01, "-")):
            for kelvin, colour in ((10, BLUE), (100, ORANGE)):
                key = ("components", gamma, cutoff, kelvin)
                if key in baths:
                    band(ax, baths[key], colour, rf"{kelvin} K, $\Gamma$ = {gamma:g} eV", style)
        ax.set_title(rf"({letter})  baths, $\omega_m$ = {cutoff:g} eV")
    band(thermally, closed, BLACK, "T = 0")
    for (field, result), colour in zip(fields.items(), (BLUE, SKY, GREEN, ORANGE), strict=True):
        band(thermally, result, colour, f"100 K, field {field:g} eV")
    thermally.set_title("(c)  thermal spins, no bath")
    for (label, (time, own, whole)), colour in zip(
        single.items(), (ORANGE, BLUE, PURPLE), strict=True
    ):
        alone.plot(time, own, "--", color=colour, label=f"{label}: mean of negativities")
        alone.plot(time, whole, "-", color=colour, label=f"{label}: negativity of mean")
    alone.set_title(r"(d)  single trajectories, 100 K, $\Gamma$ = 0.01 eV, $\omega_m$ = 3 eV")
    for ax in (wide, narrow, thermally, alone):
        ax.set(xlabel="time (fs)", ylabel="logarithmic negativity (nat)", xlim=(0, 70))
        ax.set_ylim(bottom=0)
        ax.legend(fontsize=8.5)
    return drawing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trajectories", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="without coupling 'sum'")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    closed = run(folder, "closed", "valve-single", OBSERVABLES)
    baths = {
        (*key, kelvin): bath(folder, options.trajectories, *key, kelvin)
        for key in BATHS
        for kelvin in KELVIN
        if key[0] != "sum" or not options.quick
    }
    fields = {field: thermal(folder, field) for field in FIELDS}
    single = {
        "one electron": one_electron_alone(folder),
        "no electron": spins_alone(folder, None, SINGLE),
        "no electron, combined jumps": spins_alone(folder, combined, SINGLE),
    }
    text = table_of_baths(baths, closed) + "\n" + table_of_fields(fields, closed)
    rows = [["single trajectories", *(f"{t:g} fs" for t in (15.0, *SHOWN))], ["---"] * 5]
    for label, (time, *both) in single.items():
        for kind, values in zip(("mean of negativities", "negativity of mean"), both, strict=True):
            picked = (f"{values[np.argmin(np.abs(time - t))]:.4f}" for t in (15.0, *SHOWN))
            rows.append([f"{label}: {kind}", *picked])
    text += "\n" + markdown(rows)
    (folder / "valve_baths.md").write_text(text)
    print(text)
    with mpl.rc_context(STYLE):
        figure(baths, fields, closed, single).savefig(folder / "valve_baths.png", dpi=160)


if __name__ == "__main__":
    main()
