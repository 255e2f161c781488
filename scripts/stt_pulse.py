"""The current pulse with the library by hand: eight electrons meet five localized spins.

    python scripts/stt_pulse.py [STOP]

evolves the chain of Phys. Rev. X 11, 021062 to t = STOP (15 if not given, in hbar/gamma), prints
how the first localized spin turns, and leaves pulse.h5 and pulse.png.
"""

import sys
from pathlib import Path

import numpy as np
from solving import tebd

from tnspin import figures
from tnspin.models import KondoHeisenbergChain
from tnspin.observables import OBSERVABLES
from tnspin.runs.record import record
from tnspin.states import initial as states


def purity(snapshot):
    """How pure the first localized spin is: |S_1|, 1 unless it is entangled with the rest."""
    components = [snapshot.expect(35, snapshot.model.local_sites[35].op(f"S{a}")) for a in "xyz"]
    return 2 * np.linalg.norm(components)


def main(stop: float) -> None:
    chain = KondoHeisenbergChain(sites=75, localized=range(35, 40), J_sd=0.5, J=0.1, Jz=0.1005)
    pulse = states.confined_electrons(chain, n_electrons=8, well=10, localized_spins="down")
    start = pulse.to_mps(charge_names=("N", "2Sz"))
    times = np.arange(0, stop + 0.25, 0.5)
    run = tebd(chain, start, times, dt=0.1, order=2, bond_dim=400, cutoff=1e-7)

    # Observables of the package by name; any function of a snapshot is one as well.
    names = ("spin", "electron_density", "electron_spin", "entropy", "discarded_weight", "bond_dim")
    result = record(run, {name: OBSERVABLES[name] for name in names} | {"purity": purity})
    for t, spin, length in zip(
        result["time"], result["spin"][:, 0, 2], result["purity"], strict=True
    ):
        print(f"t = {t:5.1f}   S_1^z = {spin:+.4f}   |S_1| = {length:.4f}")

    result.save("pulse.h5")
    figures.save_figure(result, Path("pulse.png"))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 15.0)
