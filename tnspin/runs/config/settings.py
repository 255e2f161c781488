"""The tables of a configuration as frozen dataclasses: keys, defaults, allowed values.

``base`` has the tables that every run may have; solvers with a family of keys of their own have a
file each.
"""

from __future__ import annotations

from tnspin.runs.config.solver_tables import (
    Hybrid,
    HybridBeside,
    Hysteresis,
    MeanField,
    MeanFieldBeside,
    QuantumLl,
    QuantumLlg,
)
from tnspin.runs.config.tables import (
    About,
    Classical,
    ClosedForm,
    DensityMatrix,
    EdgeState,
    Exact,
    Llg,
    MasterEquation,
    Purification,
    Record,
    State,
    Tdvp,
    Tebd,
    Time,
    Trajectories,
    Units,
)

__all__ = [
    "About",
    "Classical",
    "ClosedForm",
    "DensityMatrix",
    "EdgeState",
    "Exact",
    "Hybrid",
    "HybridBeside",
    "Hysteresis",
    "Llg",
    "MasterEquation",
    "MeanField",
    "MeanFieldBeside",
    "Purification",
    "QuantumLl",
    "QuantumLlg",
    "Record",
    "State",
    "Tdvp",
    "Tebd",
    "Time",
    "Trajectories",
    "Units",
]
