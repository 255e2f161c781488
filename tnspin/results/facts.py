"""Facts that a run has written into its result: conserved quantities, groups, kind of figure.

Files of earlier versions have none of these attributes; for them `conserved`, `group_members` and
`kind_of_figure` fall back on the configuration text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tnspin.results.distance import Verdict, verdict
from tnspin.results.result import Result
from tnspin.results.toml_text import loads

#: Vectors of a model that turn spins unless they are along z (files without facts).
_VECTORS = ("field", "dmi", "drive", "electron_field", "localized_field")


def parameters(result: Result) -> dict[str, Any]:
    """Configuration of the run as nested tables."""
    return loads(str(result.attrs.get("config", "")))


def conserved(result: Result) -> list[str]:
    """Recorded quantities that the equation of motion conserves: any drift of them is an error."""
    written = result.attrs.get("conserved")
    names = _guess(parameters(result)) if written is None else json.loads(written)
    return [name for name in names if name in result and result[name].size]


def group_members(result: Result) -> list[list[int]]:
    """Positions along ``localized`` of each group of localized spins."""
    count = result["spin"].shape[1]
    groups = json.loads(result.attrs.get("groups", "null"))
    if groups is None:
        groups = parameters(result).get("model", {}).get("localized", [])
    nested = bool(groups) and all(isinstance(group, list) for group in groups)
    ends = np.cumsum([len(group) for group in groups] if nested else [count])
    if ends[-1] != count:
        ends = np.array([count])
    return [part.tolist() for part in np.split(np.arange(count), ends[:-1]) if part.size]


def kind_of_figure(result: Result) -> str:
    """Kind of figure that the run has written; of older files, the one that fits its variables."""
    if "figure" in result.attrs:
        return str(result.attrs["figure"])
    spins = result["spin"].shape[1] if "spin" in result else 0
    groups = len(group_members(result)) if spins else 0
    mean_field = parameters(result).get("model", {}).get("kind") == "open_heisenberg"
    return figure_kind(set(result), spins, groups, mean_field)


def figure_kind(names: Collection[str], spins: int, groups: int, mean_field: bool) -> str:
    """Kind of figure for a result.

    Parameters
    ----------
    names
        Names of its variables.
    spins, groups
        Number of localized spins, and of groups of them.
    mean_field
        Whether the classical counterpart of the model is its mean field.

    Returns
    -------
    str
        Key of `tnspin.figures.FIGURES`.
    """
    present = set(names)
    conditions = {
        "edge_information": "mutual_information_closed_form" in present,
        "dimer": spins == 2 and {"spin", "correlation_matrix", "bell_nonlocality"} <= present,
        "hysteresis": "loop_spin" in present,
        "open_heisenberg": mean_field and {"spin", "classical_spin"} <= present,
        "chain": {"spin", "classical_spin"} <= present and "electron_density" not in present,
        "long_chain": {"spin", "operator_entropy", "block_log_negativity"} <= present,
        "valve": {"spin", "log_negativity"} <= present and groups == 2,
        "neel": {"spin", "log_negativity", "neel_overlap"} <= present,
        "pulse": {"electron_density", "electron_spin", "spin"} <= present,
    }
    return next((kind for kind, fits in conditions.items() if fits), "variables")


def classical_verdict(result: Result) -> Verdict:
    """Verdict on the classical counterpart of the spins, with the tolerance of the run."""
    written = parameters(result).get("classical", {}).get("within", 0.05)
    within = float(result.attrs.get("classical_within", written))
    return verdict(result["time"], result["spin"], result["classical_spin"], within)


def _guess(tables: Mapping[str, Any]) -> list[str]:
    """What the run of a configuration conserves, of files in which it has not been written."""
    model, bath, solver = (tables.get(name, {}) for name in ("model", "bath", "solver"))
    kind, names = solver.get("kind"), ["norm", "particle_number"]
    losses = [solver.get(key, 0) for key in ("damping", "kappa", "torque", "temperature")]
    losses += [bath.get("gamma", 1.0)] if bath else []
    # Texts are values with a unit.  The prefactors of a printed mean field are not of an energy.
    lossy = any(isinstance(value, str) or np.any(value) for value in losses)
    if not lossy and (kind, solver.get("variant")) != ("mean_field", "printed"):
        vectors = [np.atleast_2d(model[key]) for key in _VECTORS if np.ndim(model.get(key, 0))]
        couplings = model.get("V", (0, 0, 0))
        axial = not any(v[:, :2].any() for v in vectors) and couplings[0] == couplings[1]
        driven = "hysteresis" in tables or bool(np.any(model.get("drive", 0)))
        names += ["energy"] * (not driven) + ["total_sz"] * axial + ["purity"]
    elif kind in ("quantum_llg", "quantum_ll") and not bath and not solver.get("temperature"):
        names += ["purity"]  # the spectrum of the density matrix, unless noise is averaged over
    return names
