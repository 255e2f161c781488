"""Facts that a run writes into its result: conserved quantities, parts, representation, figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import cos
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import CHAIN

import tnspin as ts
from tnspin import figures
from tnspin.figures.accuracy import accuracy_text
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import OperatorSum
from tnspin.results.facts import conserved, group_members, kind_of_figure
from tnspin.results.report import conservation, info, info_text, summary
from tnspin.results.result import Result
from tnspin.results.toml_text import loads
from tnspin.runs.config import loading as config
from tnspin.runs.record import record
from tnspin.runs.simulation import simulate
from tnspin.runs.sweep.collect import gather
from tnspin.runs.sweep.grid import grid_of
from tnspin.states.initial.product import product

BATH = {"kind": "universal_lindblad", "gamma": 0.1, "temperature": 1.0}
#: Runs of presets made short, one for each of these kinds of figure.
PRESETS = {
    "chain": ("chain-lindblad", ("time.stop=1.0", "time.every=0.5")),
    "open_heisenberg": ("open-heisenberg", ("time.stop=0.5",)),
    "neel": ("chain-impurity", ("time.stop=10", "time.every=5")),
    "hysteresis": ("hysteresis", ("model.sites=2", "hysteresis.steps=2", "hysteresis.hold=0.5")),
    "edge_information": ("edge-information", ("model.largest=5",)),
}
ALL = ("norm", "energy", "total_sz")


@dataclass(frozen=True)
class Shaken(ts.HeisenbergChain):
    """A chain whose staggered field along z oscillates; nothing in its keys says so."""

    kind = "shaken"

    @property
    def hamiltonian(self) -> OperatorSum:
        total = super().hamiltonian
        for i in range(self.sites):
            total += (lambda t, sign=(-1) ** i: 0.5 * sign * cos(t)), "Sz", i
        return total


def run(**tables: dict[str, Any]) -> Result:
    """A short run of four spins with some tables changed."""
    base = loads(CHAIN)
    del base["record"]
    base["time"] = {"stop": 1.0, "every": 0.5}
    base["model"] |= tables.pop("model", {})
    return simulate(config.from_dict({**base, **tables}))


def check(result: Result, *names: str) -> None:
    """What is shown as conserved is what is named, and each is constant to round-off."""
    every = set(json.loads(result.attrs["conserved"]))
    assert set(names) == every & (set(result) | set(names))
    assert set(conserved(result)) == every & set(result)
    shown = set(conservation(result))
    errors = {"trace_error", "hermiticity_error", "smallest_eigenvalue"}
    assert shown - errors == set(conserved(result))
    for name in conserved(result):
        assert np.ptp(result[name]) < 2e-5, name
        assert f"{name} ".replace("_", " ").replace("sz", "Sz") in accuracy_text([result])
    lines = f"{summary(result, 'x.h5')}\n{info_text(result)}".splitlines()
    assert {line.split()[0] for line in lines if "largest drift" in line} == shown


def test_an_own_driven_model_does_not_conserve_its_energy() -> None:
    chain = Shaken(sites=4)
    start = product(chain, ["up", "down"]).to_vector()
    states = ts.evolve(chain, start, np.linspace(0, 2, 5), solver="exact")
    result = record(states, ("spin", "norm", "energy", "total_sz"))
    assert np.ptp(result["energy"]) > 0.1
    assert "energy" not in accuracy_text([result])
    check(result, "norm", "total_sz")
    assert result.attrs["representation"] == "vector"


def test_a_chain_left_alone_conserves_all() -> None:
    check(run(), *ALL, "purity")


@pytest.mark.parametrize("solver", ["exact", "llg", "mean_field", "tdvp"])
def test_a_driven_field_across_z_breaks_energy_and_spin(solver: str) -> None:
    drive = {"drive": [0.5, 0.0, 0.0], "drive_frequency": 1.0}
    result = run(model=drive, solver={"kind": solver})
    assert np.ptp(result["energy"]) > 0.01 and np.ptp(result["total_sz"]) > 0.01
    check(result, "norm", *["purity"] * ("purity" in json.loads(result.attrs["conserved"])))
    along = run(model={**drive, "drive": [0.0, 0.0, 0.5]}, solver={"kind": solver})
    assert {"norm", "total_sz"} <= set(conserved(along)) and "energy" not in conserved(along)


@pytest.mark.parametrize("solver", ["master_equation", "density_matrix"])
def test_a_bath_conserves_the_trace_alone(solver: str) -> None:
    result = run(bath=BATH, solver={"kind": solver})
    check(result, "norm")
    assert np.ptp(result["energy"]) > 1e-4
    without = run(bath=BATH | {"gamma": 0.0}, solver={"kind": solver})
    assert {"norm", "energy", "total_sz", "purity"} <= set(conserved(without))


def test_dephasing_conserves_the_spin_along_z() -> None:
    chain = ts.HeisenbergChain(sites=2)
    start = product(chain, [[0.3, 0.0], [2.0, 1.0]]).to_vector()
    z = np.diag([0.3, -0.3]).astype(complex)
    for charge, names in ((0, {"norm", "total_sz"}), (None, {"norm"})):
        jumps = [JumpOperator((0,), z, charge, "z")]
        states = ts.evolve(chain, start, [0.0, 1.0], solver="master_equation", jumps=jumps)
        assert set(conserved(record(states, ALL))) == names


def test_damped_classical_spins_keep_their_lengths() -> None:
    check(run(solver={"kind": "llg", "damping": 0.2}), "norm")
    check(run(solver={"kind": "llg"}), *ALL, "purity")


def test_a_mean_field_conserves_what_its_variant_does() -> None:
    check(run(solver={"kind": "mean_field"}), *ALL, "purity")
    chain = {"kind": "open_heisenberg", "sites": 2}
    base = {"state": {"kind": "product", "directions": [[0.4, 0.0]]},
            "time": {"stop": 1.0, "every": 0.5}, "model": chain}  # fmt: skip
    printed = {"kind": "mean_field", "variant": "printed"}
    check(simulate(config.from_dict({**base, "solver": printed})), "norm")


@pytest.mark.parametrize(("kappa", "temperature", "names"), [
    (0.5, 0.0, ("norm", "purity")), (0.0, 0.0, ("norm", "energy", "purity")),
    (0.5, 1.0, ("norm",)),
])  # fmt: skip
def test_the_quantum_llg_equation_keeps_the_spectrum(
    kappa: float, temperature: float, names: tuple[str, ...]
) -> None:
    keys = [f"solver.kappa={kappa}", f"solver.temperature={temperature}", "time.stop=0.2",
            "model.field=[0.1, 0.0, 1.0]"]  # fmt: skip
    result = simulate(config.load("dimer-qllg", keys))
    assert tuple(json.loads(result.attrs["conserved"])) == names
    assert result.attrs["representation"] == "isospectral"
    assert kind_of_figure(result) == "dimer"


@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_electrons_among_classical_spins(damping: float) -> None:
    keys = ["state.n_electrons=1", "time.stop=1.0", "model.sites=41", f"solver.damping={damping}"]
    result = simulate(config.load("stt-classical", keys))
    always = {"norm", "particle_number"}
    assert set(conserved(result)) == always | ({"energy", "total_sz"} if not damping else set())
    assert kind_of_figure(result) == "pulse"


def test_a_loop_and_a_closed_form_have_nothing_to_conserve() -> None:
    for name in ("hysteresis", "edge_information"):
        result = simulate(config.load(*PRESETS[name]))
        assert kind_of_figure(result) == result.attrs["figure"] == name
        assert conservation(result) == {}


@pytest.mark.parametrize("figure", ["chain", "open_heisenberg", "neel"])
def test_the_kind_of_figure_is_written(figure: str) -> None:
    result = simulate(config.load(*PRESETS[figure]))
    assert result.attrs["figure"] == figure
    nameless = Result(result.variables, result.attrs | {"config": ""})
    assert kind_of_figure(nameless) == figure
    drawn = figures.figure(nameless).axes
    assert len(drawn) == len(figures.figure(result).axes)
    assert info(nameless)["conservation"] == info(result)["conservation"]


def test_parts_and_groups_are_written_and_read(tmp_path: Path) -> None:
    keys = {"kind": "kondo_heisenberg", "sites": 6, "localized": [[1, 2], [4]], "Jz": 0.1}
    tables = {
        "model": keys,
        "state": {"kind": "confined_electrons", "n_electrons": 1, "well": 1},
        "solver": {"kind": "exact"},
        "time": {"stop": 1.0, "every": 0.5},
    }
    simulate(config.from_dict(tables), tmp_path / "valve.h5")
    result = ts.load(tmp_path / "valve.h5")
    attrs = result.variables["log_negativity"].attrs
    assert (json.loads(attrs["part_a"]), json.loads(attrs["part_b"])) == ([1, 2], [4])
    assert result.to_xarray()["mutual_information"].attrs["part_b"] == "[4]"
    assert group_members(Result(result.variables, result.attrs | {"config": ""})) == [[0, 1], [2]]
    halves = run().variables["log_negativity"].attrs
    assert (halves["part_a"], halves["part_b"]) == ("[0, 1]", "[2, 3]")


def test_files_of_earlier_versions_are_summarized_as_before() -> None:
    result = run(bath=BATH, solver={"kind": "master_equation"})
    facts = ("conserved", "figure", "representation", "groups")
    old = Result(result.variables, {k: v for k, v in result.attrs.items() if k not in facts})
    assert {"norm", "energy", "total_sz", "purity"} <= set(conservation(old))
    assert conserved(old) == ["norm"]
    assert kind_of_figure(old) == kind_of_figure(result)


def test_a_sweep_conserves_what_all_its_runs_do(tmp_path: Path) -> None:
    path = tmp_path / "chain.toml"
    path.write_text(CHAIN)
    grid = grid_of(str(path), ["model.drive_frequency=1.0,2.0", "model.drive=[0,0,0],[0,0,1]"])
    collection = gather(grid, {one: simulate(one.config) for one in grid.runs})
    assert "energy" not in json.loads(collection.attrs["conserved"])
    runs: Callable[..., Any] = figures.sweep_figure
    assert "energy" not in " ".join(text.get_text() for text in runs(collection).texts)
