"""The numbers that the five studies print, as found in results of this package.

    python scripts/claims.py FOLDER

reads what scripts/figures.py has left in FOLDER and says, for each figure of the README's tables,
what stands in their last column.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import tnspin as ts
from tnspin.results.onsets import onsets

Found = Callable[[Path], str]
FOUND: dict[str, Found] = {}


def of(name: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Register what to say of the result NAME.h5."""

    def register(function: Callable[[ts.Result, Path], str]) -> Callable[[ts.Result, Path], str]:
        FOUND[name] = lambda folder: function(ts.load(folder / f"{name}.h5"), folder)
        return function

    return register


def signed(values: np.ndarray | float, digits: int = 2) -> str:
    """One number or a vector, with a true minus sign."""
    # Adding 0 makes -0 a 0.
    rounded = np.round(np.atleast_1d(values), digits) + 0.0
    texts = [f"{value:+.{digits}f}".replace("-", "−") for value in rounded]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def small(value: float) -> str:
    """A number whose size alone matters."""
    return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-").replace("e-", "e−")


def at(result: ts.Result, name: str, *times: float, clock: str = "time") -> np.ndarray:
    """Rows of a variable at some of its times."""
    where = [int(np.argmin(np.abs(result[clock] - time))) for time in times]
    return result[name][where]


def first(result: ts.Result, condition: np.ndarray, clock: str = "time") -> str:
    """The first time of which something holds."""
    return f"{result[clock][int(np.argmax(condition))]:g}" if condition.any() else "never"


def extreme(result: ts.Result, name: str, clock: str = "time") -> str:
    """Largest value of a function of time, and when."""
    k = int(np.argmax(result[name]))
    return f"{result[name][k]:.3f} (t = {result[clock][k]:g})"


# ------------------------------------------------------------------- Phys. Rev. X 11, 021062


def _reversal(result: ts.Result) -> str:
    s = result["spin"][:, :, 2]
    when = first(result, s[:, 0] > 0)
    turned = "S₁ᶻ never above 0" if when == "never" else f"S₁ᶻ > 0 from t = {when} on"
    end = s[int(np.argmin(np.abs(result["time"] - 40)))]
    return f"{turned}; Sᶻ at t = 40: {signed(end)}"


@of("prx-8")
def _(result: ts.Result, folder: Path) -> str:
    total = result["localized_spin_total"][:, 2] + result["electron_spin_total"][:, 2]
    moved = np.abs(result["classical_spin"] - result["classical_spin"][0]).max()
    early = at(result, "spin", 15, 20)[:, 0, 2]
    return (
        f"{_reversal(result)}; S₁ᶻ(15), S₁ᶻ(20): {signed(early, 3)}; total Sᶻ drifts by "
        f"{small(float(np.ptp(total)))}; classical spins move by {small(moved)}; Q up to "
        f"{result['meyer_wallach'].max():.3f}"
    )


@of("prx-8-mixed")
@of("prx-5-mixed")
@of("prx-5")
@of("prx-1")
def _(result: ts.Result, folder: Path) -> str:
    return f"{_reversal(result)}; shortest S₁: {result['spin_length'][:, 0].min():.2f}"


@of("prx-x")
def _(result: ts.Result, folder: Path) -> str:
    aligned = ts.load(folder / "prx-8.h5")
    both = [at(r, "half_chain_entropy", 40)[0] for r in (result, aligned)]
    shares = [at(r, "meyer_wallach", 40)[0] for r in (result, aligned)]
    spin = at(result, "spin", 24)[0, 0]
    sideways = np.abs(result["spin"][:, :, :2]).max(axis=(0, 1))
    return (
        f"largest Sˣ, Sʸ: {sideways[0]:.2f}, {sideways[1]:.2f}; S₁ at t = 24: {signed(spin)}, "
        f"length {np.linalg.norm(spin):.2f}; at t = 40 entropy {both[0]:.2f} (along z "
        f"{both[1]:.2f}), Q {shares[0]:.3f} ({shares[1]:.3f})"
    )


@of("prx-classical")
def _(result: ts.Result, folder: Path) -> str:
    drift = np.abs(result["spin_length"] - 1).max()
    return f"S₁ at t = 24: {signed(at(result, 'spin', 24)[0, 0])}, length 1 to {small(drift)}"


@of("prx-edges")
def _(result: ts.Result, folder: Path) -> str:
    found, printed = result["mutual_information"], result["mutual_information_closed_form"]
    off = float(np.abs(found - printed).max())
    to = small(off) if off else "the last bit"
    return f"{found[-1]:.4f} for {result['n_localized'][-1]:g} spins; Eq. 16 to {to}"


@of("prx-strong")
def _(result: ts.Result, folder: Path) -> str:
    shares = []
    for one in (result, ts.load(folder / "prx-8.h5")):
        density = at(one, "electron_density", 30)[0]
        shares.append(density[:35].sum() / density.sum())
    return f"left of the spins at t = 30: {shares[0]:.0%} of the electrons ({shares[1]:.0%} at 0.5)"


# ------------------------------------------------------------------ Phys. Rev. A 109, 022414


def _negativities(result: ts.Result) -> str:
    values = at(result, "log_negativity", 30, 50, 70, clock="time_fs")
    if "log_negativity_error" not in result.variables:
        return ", ".join(f"{value:.4f}" for value in values)
    errors = at(result, "log_negativity_error", 30, 50, 70, clock="time_fs")
    return ", ".join(f"{v:.4f} ± {e:.4f}" for v, e in zip(values, errors, strict=True))


@of("pra-single")
def _(result: ts.Result, folder: Path) -> str:
    femtoseconds = result["time_fs"][-1] / result["time"][-1]
    begins = [value for name, value in onsets(result).items() if name.startswith("spin")]
    texts = ", ".join(f"{value * femtoseconds:.1f}" for value in begins if value is not None)
    zero = first(result, result["log_negativity"] > 1e-4, "time_fs")
    total = np.abs(result["magnon_probability"].sum(axis=1) - 1).max()
    return (
        f"onsets {texts} fs; negativity > 0 from {zero} fs on, {_negativities(result)} at 30, 50, "
        f"70 fs; W state up to {result['w_probability'].max():.2f} of "
        f"{result['magnon_probability'][:, 1].max():.2f}; probabilities sum to 1 to {small(total)}"
    )


@of("pra-thermal")
@of("pra-10K")
@of("pra-100K")
def _(result: ts.Result, folder: Path) -> str:
    return f"{_negativities(result)} at 30, 50, 70 fs"


@of("pra-10")
def _(result: ts.Result, folder: Path) -> str:
    lost = small(result["group_discarded"].max())
    return f"{_negativities(result)} at 30, 50, 70 fs; up to {lost} of weight compressed away"


@of("pra-2")
@of("pra-4")
@of("pra-8")
def _(result: ts.Result, folder: Path) -> str:
    entropy, negativity, information = (
        at(result, name, 44, clock="time_fs")[0]
        for name in ("half_chain_entropy", "log_negativity", "mutual_information")
    )
    length = at(result, "spin_length", 44, clock="time_fs")[0].min()
    return (
        f"at 44 fs entropy {entropy:.2f}, shortest spin {length:.2f}, negativity {negativity:.4f}, "
        f"mutual information {information:.4f}"
    )


# ----------------------------------------------------------------- Phys. Rev. B 109, L180408


@of("fate-half")
@of("fate-one")
@of("fate-large")
@of("fate-scaled")
@of("fate-ferro")
@of("fate-rc")
@of("fate-rcz")
@of("fate-common")
def _(result: ts.Result, folder: Path) -> str:
    negativity, lengths = result["log_negativity"], result["spin_length"][-1]
    ends = f"lengths of ⟨S⟩/S at the end {lengths.min():.2f} to {lengths.max():.2f}"
    if negativity.max() < 1e-6:
        return f"0 throughout; {ends}"
    k = int(np.argmin(negativity[1:])) + 1
    least = f", least {negativity[k]:.4f} (t = {result['time'][k]:g})" if negativity[k] else ""
    return (
        f"peak {extreme(result, 'log_negativity')}{least}, {negativity[-1]:.4f} at "
        f"t = {result['time'][-1]:g}; {ends}"
    )


@of("fate-cold")
@of("fate-hot")
def _(result: ts.Result, folder: Path) -> str:
    negativity = result["log_negativity"]
    zero = first(result, negativity < 1e-6)
    gone = f", 0 from t = {zero} on" if zero != "never" else ""
    return (
        f"negativity {negativity[0]:.3f} → {negativity[-1]:.3f}{gone}; Néel overlap "
        f"{result['neel_overlap'][0]:.3f} → {result['neel_overlap'][-1]:.3f}"
    )


@of("fate-long")
def _(result: ts.Result, folder: Path) -> str:
    name = "block_log_negativity"
    faded = np.arange(result["time"].size) > int(np.argmax(result[name]))
    gone = first(result, faded & (result[name] < 1e-8))
    return (
        f"ten central spins: peak {extreme(result, name)}, 0 from t = {gone} on; trace good to "
        f"{small(float(np.abs(result['trace_error']).max()))}"
    )


# ---------------------------------------------------------------------- New J. Phys. 22, 103029


@of("ohm-loop")
@of("ohm-half")
@of("ohm-transverse")
def _(result: ts.Result, folder: Path) -> str:
    half = np.abs(np.diff(result["field"])).max() / 2
    coercive = np.abs(result["coercive_field"]).max()
    area = f"{result.attrs['loop_area']:.2g}".replace("-", "−")
    return f"coercive field {coercive:.3f} ± {half:.3f}; area {area}"


@of("ohm-exact")
@of("ohm-mean")
@of("ohm-isotropic")
@of("ohm-closed")
def _(result: ts.Result, folder: Path) -> str:
    mean = result["spin"].mean(axis=1)
    off = np.linalg.norm(result["classical_spin"].mean(axis=1) - mean, axis=1)
    return (
        f"exact M(50) = {signed(mean[-1])}; mean field off by at most {off.max():.2g}, "
        f"{off[-1]:.2g} at the end"
    )


@of("ohm-steady")
def _(result: ts.Result, folder: Path) -> str:
    branches, null = result["loop_spin"], result["steady_spin"]
    off = np.abs(branches - null[None]).max()
    mean = np.linalg.norm((result["loop_classical_spin"] - branches).mean(axis=2), axis=-1).max()
    return (
        f"both branches within {small(off)} of the null vector: no hysteresis; mean field off by "
        f"up to {mean:.2f}"
    )


@of("ohm-strong")
def _(result: ts.Result, folder: Path) -> str:
    largest = result["concurrence"].max(axis=1)
    k = int(np.argmax(largest))
    return f"largest concurrence {largest[k]:.4f} (t = {result['time'][k]:g})"


# ------------------------------------------------------------------ Phys. Rev. Lett. 133, 266704


@of("qllg-afm")
@of("qllg-fm")
@of("qllg-afm-dmi")
@of("qllg-fm-dmi")
def _(result: ts.Result, folder: Path) -> str:
    diagonal = np.diag(result["correlation_matrix"][-1, 0])
    across = result["correlation_matrix"][:, 0, 0, 1] + result["correlation_matrix"][:, 0, 1, 0]
    drift = np.abs(result["eigenvalue"] - result["eigenvalue"][0]).max()
    return (
        f"r₁ = {signed(result['spin'][-1, 0], 3)}, classical "
        f"{signed(result['classical_spin'][-1, 0], 3)}; diagonal of T {signed(diagonal)}; "
        f"T_xy + T_yx = 0 to {small(float(np.abs(across).max()))}; eigenvalues constant to "
        f"{small(drift)}"
    )


@of("qllg-bell")
@of("qllg-bell-dmi")
def _(result: ts.Result, folder: Path) -> str:
    bell, rate = result["bell_nonlocality"][:, 0], 2 * 0.5 / (1 + 0.5**2)
    off = np.abs(bell - 1 / np.cosh(rate * result["time"])).max()
    law = f", sech(2κt/(1 + κ²)) to {small(float(off))}" if off < 1e-3 else ""
    return f"B = {bell[0]:.4f} → {bell[-1]:.4f}{law}"


def _werner(folder: Path) -> str:
    found = []
    for path in sorted(folder.glob("qllg-werner/*.h5")):
        if path.name.endswith(".ckpt.h5"):
            continue
        result = ts.load(path)
        local = result["bell_nonlocality"][:, 0] < 1e-6
        name = path.stem.split("=")[1].split("_")[0]
        coupling = "AFM" if path.stem.endswith("=1.0") else "FM"
        ends = f"ends at {result['bell_nonlocality'][-1, 0]:.2f}"
        spells = f"local for {local.mean() * result['time'][-1]:.1f} in all"
        spells = spells if local.any() else "never local"
        found.append(f"{name} {coupling}: {spells}, {ends}")
    return "; ".join(found)


FOUND["qllg-werner"] = _werner


def _series(folder: Path) -> str:
    found = {}
    for solver in ("mps", "exact"):  # the latter's number where both have one
        for path in folder.glob(f"pra-series/valve-*-{solver}.h5"):
            found[int(path.stem.split("-")[1])] = float(ts.load(path)["log_negativity"][-1])
    numbers = ", ".join(f"{found[n]:.4f}" for n in sorted(found))
    return f"{numbers} at 70 fs for n + n spins, n = {', '.join(map(str, sorted(found)))}"


FOUND["pra-series"] = _series


def main(folder: Path) -> None:
    for name, found in FOUND.items():
        try:
            print(f"{name}: {found(folder)}")
        except ts.InputError as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
