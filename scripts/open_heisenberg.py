"""The open Heisenberg model against its article (New J. Phys. 22, 103029), figure by figure.

    python scripts/open_heisenberg.py FOLDER [--sites 500]

carries out the presets hysteresis and open-heisenberg with the parameters of Figs. 2 to 6, with
both mean fields beside each exact run, and leaves the results, a figure of each, the scan of
Fig. 4 (scan.png) and open-heisenberg.md (what was found) in FOLDER.  Runs that are finished already
are not repeated.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tnspin.figures import save_figure
from tnspin.figures.spins import connected_correlation
from tnspin.figures.style import BLUE, ORANGE, STYLE
from tnspin.results.result import Result, Variable
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate

VARIANTS = ("hartree", "printed")
#: Anisotropy shifts of Fig. 4.
_UP = (0.004, 0.016, 0.03, 0.0625, 0.125, 0.25, 0.375, 0.5)
SHIFTS = np.array([-x for x in reversed(_UP)] + [0.0, *_UP])


def run(folder: Path, name: str, preset: str, *overrides: str) -> Result:
    """A finished result of this name, or a new one and its figure."""
    path = folder / f"{name}.h5"
    if not path.exists():
        print(name, flush=True)
        simulate(config.load(preset, overrides), path)
        path.with_suffix(".ckpt.h5").unlink(missing_ok=True)
        path.with_name(f"{name}.ckpt.h5").unlink(missing_ok=True)
    result = Result.load(path)
    save_figure(result, path.with_suffix(".png"))
    return result


def loops(folder: Path, sites: int) -> Iterator[str]:
    """Fig. 2: the printed mean field without on-site dissipation."""
    for coupling in (0.5, 1.0):
        for across in (0.0, 1.0):
            result = run(
                folder, f"loop-V{coupling:g}-B{across:g}", "hysteresis", f"model.sites={sites}",
                f"model.V=[0.0, 0.0, {coupling}]", f"model.field=[{across}, {across}, 0.0]",
            )  # fmt: skip
            down, up = result["coercive_field"]
            half = np.diff(result["field"]).max() / 2
            yield (
                f"| Fig. 2, V_z = {coupling:g}, B_x = B_y = {across:g} | M_z = 0 at {down:+.3f} "
                f"(falling) and {up:+.3f} (rising) ± {half:.3f}, "
                f"area {result.attrs['loop_area']:.3g} |"
            )


def exact_and_mean(folder: Path, name: str, *overrides: str) -> Iterator[tuple[str, Result]]:
    """One exact run beside either mean field."""
    for variant in VARIANTS:
        yield variant, run(
            folder, f"{name}-{variant}", "open-heisenberg", "classical.kind=mean_field",
            f"classical.variant={variant}", *overrides,
        )  # fmt: skip


def trajectories(folder: Path) -> Iterator[str]:
    """Figs. 3(a, b), 5 and 6: how far mean fields are off, correlations, concurrence."""
    cases = {
        "Fig. 3(a, b), V_x = 0.5": ("anisotropic-0.5",),
        "Fig. 5(c), V_x = 1": ("anisotropic-1", "model.V=[1.0, 0.1, 0.1]", "time.every=0.05"),
        "Fig. 5(a), isotropic, Γ = 0.1": ("isotropic", "model.V=[0.1, 0.1, 0.1]"),
        "Fig. 5(a), isotropic, Γ = 0.01": (
            "isotropic-weak", "model.V=[0.1, 0.1, 0.1]", "bath.gamma=0.01", "time.stop=500.0",
            "time.every=2.0",
        ),
        "isotropic, closed": (
            "closed", "model.V=[0.1, 0.1, 0.1]", "bath.gamma=0.0", "time.every=1.0",
        ),
    }  # fmt: skip
    for title, (name, *overrides) in cases.items():
        words = []
        for variant, result in exact_and_mean(folder, name, *overrides):
            apart = (result["spin"] - result["classical_spin"]).mean(axis=1)
            distance = np.linalg.norm(apart, axis=1)
            words.append(
                f"{variant} off by up to {distance.max():.2g}, {distance[-1]:.2g} at the end"
            )
        largest = np.unravel_index(result["concurrence"].argmax(), result["concurrence"].shape)
        correlation = np.abs(connected_correlation(result)).max()
        words.append(
            f"concurrence up to {result['concurrence'][largest]:.4f} "
            f"(t = {result['time'][largest[0]]:.2f}), |C_xx| up to {correlation:.2g}"
        )
        yield f"| {title} | {'; '.join(words)} |"


def steady(folder: Path) -> Iterator[str]:
    """Fig. 3(c, d): steady states against the field."""
    for sites in (3, 4):
        for variant in VARIANTS:
            result = run(
                folder, f"steady-N{sites}-{variant}", "hysteresis", f"model.sites={sites}",
                "model.V=[1.0, 2.0, 1.0]", "model.field=[1.0, 1.0, 0.0]",
                "bath.kind=open_heisenberg", "solver.kind=master_equation",
                "classical.kind=mean_field", f"classical.variant={variant}",
                "hysteresis.largest=3.0", "hysteresis.steps=24",
            )  # fmt: skip
            exact = result["steady_spin"].mean(axis=1)
            mean_field = result["loop_classical_spin"].mean(axis=2)
            apart = np.linalg.norm(mean_field - exact, axis=-1).max()
            branches = np.abs(result["magnetization"] - exact).max()
            yield (
                f"| Fig. 3(c, d), N = {sites}, {variant} | mean field off by up to {apart:.2g}; "
                f"both branches of the exact loop within {branches:.1e} of the null vector |"
            )


def scan(folder: Path) -> Iterator[str]:
    """Fig. 4: time average of |M_MF - M|^2 without a bath against the anisotropy shift."""
    path = folder / "scan.h5"
    if not path.exists():
        print("scan", flush=True)
        means = np.array([[_apart(shift, variant) for variant in VARIANTS] for shift in SHIFTS])
        text = "time average of |M_MF - M|^2, 0 <= t <= 1000"
        variables = {
            "shift": Variable(("shift",), SHIFTS, "energy unit", "anisotropy shift of V_x"),
            "variant": Variable(("variant",), np.array(VARIANTS), "1", "mean field"),
            "distance": Variable(("shift", "variant"), means, "1", text),
        }
        Result(variables, {}).save(path)
    found = Result.load(path)["distance"]
    with rc_context(STYLE):
        drawing = Figure(figsize=(6.4, 4.4), layout="constrained")
        FigureCanvasAgg(drawing)
        ax = drawing.add_subplot()
        for k, colour in enumerate((BLUE, ORANGE)):
            ax.plot(SHIFTS, found[:, k], "o-", color=colour, label=VARIANTS[k])
        ax.set(xlabel="anisotropy shift Δ", ylabel=r"mean of $|M_{MF} - M|^2$ up to $t = 1000$")
        ax.legend()
        drawing.savefig(folder / "scan.png")
    for k, variant in enumerate(VARIANTS):
        listed = ", ".join(f"{x:.2g}" for x in found[::4, k])
        yield f"| Fig. 4, {variant}, Δ = {', '.join(f'{x:g}' for x in SHIFTS[::4])} | {listed} |"


def _apart(shift: float, variant: str) -> float:
    """Time average for one shift, exact and mean field in one run."""
    overrides = (
        f"model.V=[{0.1 + shift}, 0.1, 0.1]", "bath.gamma=0.0", "time.stop=1000.0",
        "time.every=1.0", "record.observables=['spin']", "classical.kind=mean_field",
        f"classical.variant={variant}", "classical.tolerance=1e-8",
    )  # fmt: skip
    result = simulate(config.load("open-heisenberg", overrides))
    apart = (result["spin"] - result["classical_spin"]).mean(axis=1)
    return float(np.square(apart).sum(axis=1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sites", type=int, default=500, help="spins of Fig. 2 (500)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = ["| | found |", "|---|---|"]
    for part in (trajectories, steady, scan):
        rows += part(options.folder)
    rows += loops(options.folder, options.sites)
    text = "\n".join(rows) + "\n"
    (options.folder / "open-heisenberg.md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
