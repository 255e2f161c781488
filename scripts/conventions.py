"""The current pulse in the three spin conventions: which of them does what the paper says?

    python scripts/conventions.py [FOLDER] [BOND_DIM]

runs five and eight electrons to t = 40 in each convention, keeps the results in FOLDER
(conventions/ if not given; a file that is complete there is not run again), and prints a table.
Phys. Rev. X 11, 021062 says that the first spin reverses only if there are more electrons than
localized spins (five), and that with eight electrons the distant spins stay reversed.
"""

import sys
from pathlib import Path

import numpy as np

from tnspin.results.result import Result
from tnspin.runs.config.loading import load
from tnspin.runs.simulation import simulate

OBSERVABLES = ["spin", "energy", "particle_number", "total_sz", "discarded_weight", "bond_dim"]
STOP = 40
ACCURACY = 0.05  # of S_1^z at the end


def run(folder: Path, convention: str, n_electrons: int, bond_dim: int) -> Result:
    """The run, or what an earlier call of this script left of it."""
    path = folder / f"{convention}-{n_electrons}-{bond_dim}.h5"
    if path.exists():
        return Result.load(path)
    changes = [
        f"model.convention={convention!r}",
        f"state.n_electrons={n_electrons}",
        f"solver.bond_dim={bond_dim}",
        "solver.threads=1",
        f"time.stop={STOP}",
        f"record.observables={OBSERVABLES}",
    ]
    print(f"{convention}, {n_electrons} electrons ...", file=sys.stderr, flush=True)
    return simulate(load("stt-collinear", changes), path, resume=True)


def row(convention: str, n_electrons: int, result: Result) -> str:
    """One line of the table."""
    time, spins = result["time"], result["spin"][:, :, 2]
    first = spins[:, 0]
    positive = np.flatnonzero(first > 0)
    # "Reversal needs more electrons than localized spins; distant spins stay reversed."
    reverses, distant = first.max() > ACCURACY, spins[-1, 3:].max() < 0
    cells = [
        convention,
        n_electrons,
        f"{first.max():+.2f} (t = {time[first.argmax()]:g})",
        f"from t = {time[positive[0]]:g}" if positive.size else "never",
        "(" + ", ".join(f"{value:+.2f}" for value in spins[-1]) + ")",
        "yes" if reverses == (n_electrons > spins.shape[1]) else "no",
        "yes" if distant else "no",
        f"{result['discarded_weight'][-1].sum():.1e}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main(folder: Path, bond_dim: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Bond dimension {bond_dim}, cutoff 1e-7, dt = 0.1, second order; t in hbar/gamma.\n")
    print(f"| convention | N_e | max of S_1^z | S_1^z > 0 | S_i^z at t = {STOP} ", end="")
    print("| reverses as the paper says | spins 4, 5 stay negative | discarded weight |")
    print("|---" * 8 + "|")
    for convention in ("pauli", "mixed", "spin"):
        for n_electrons in (5, 8):
            result = run(folder, convention, n_electrons, bond_dim)
            print(row(convention, n_electrons, result), flush=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        Path(arguments[0] if arguments else "conventions"),
        int(arguments[1]) if len(arguments) > 1 else 300,
    )
