"""Wrong input: refused with an InputError that names what is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import sin
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import tnspin as ts

ROOT = Path(__file__).parents[2]

ANOTHER_MODEL = {
    "kondo": """
made_for = ts.KondoHeisenbergChain(sites=8, localized=[4, 5], J_sd=0.5)
model = ts.KondoHeisenbergChain(sites=8, localized=[5, 6], J_sd=0.5)
state = ts.confined_electrons(made_for, n_electrons=2, well=3).to_mps(("N", "2Sz"))
solver = "tebd"
""",
    "spin-tebd": """
model = ts.HeisenbergChain(sites=4)
state = ts.product(ts.HeisenbergChain(sites=4, spin=1), ["up", "down"]).to_mps(("2Sz",))
solver = "tebd"
""",
    "spin-tdvp": """
model = ts.HeisenbergChain(sites=4)
state = ts.product(ts.HeisenbergChain(sites=4, spin=1), ["up", "down"]).to_mps(("2Sz",))
solver = "tdvp"
""",
    "short": """
model = ts.HeisenbergChain(sites=6)
state = ts.product(ts.HeisenbergChain(sites=4), ["up", "down"]).to_mps(("2Sz",))
solver = "tebd"
""",
}

EVOLVE = """
try:
    for _ in ts.evolve(model, state, [0.0, 4.0], solver=solver):
        pass
except ts.InputError as error:
    print("refused", error)
else:
    print("ran")
"""


@pytest.mark.xfail(
    strict=True, reason="case 05: a state of another model: nonsense or a segmentation fault"
)
@pytest.mark.parametrize("case", ANOTHER_MODEL)
def test_a_state_of_another_model(case: str) -> None:
    """In a process of its own, because two of the four end in a segmentation fault."""
    code = "import tnspin as ts\n" + ANOTHER_MODEL[case] + EVOLVE
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.match("refused .*(state|sites)", done.stdout), done.stdout


@dataclass(frozen=True)
class Forgotten(ts.HeisenbergChain):
    """S+ S- without its conjugate, constant or with a coefficient that is 0 at first."""

    kind: ClassVar[str] = "forgotten"
    driven: bool = False

    @property
    def hamiltonian(self) -> ts.OperatorSum:
        H = ts.OperatorSum(self.local_sites)
        for i in range(self.sites - 1):
            H += (sin if self.driven else 1.0), "Sp", i, "Sm", i + 1
        return H


NOT_SEEN = pytest.mark.xfail(
    strict=True, reason="case 06: a Hamiltonian that is not Hermitian is evolved without a word"
)
TAKES_MPS = ("tebd", "tdvp", "density_matrix", "purification", "trajectories")


@pytest.mark.parametrize(
    ("solver", "driven"),
    [
        pytest.param("tebd", False, marks=NOT_SEEN),
        pytest.param("density_matrix", False, marks=NOT_SEEN),
        pytest.param("purification", False, marks=NOT_SEEN),
        pytest.param("mean_field", False, marks=NOT_SEEN),
        pytest.param("trajectories", False, marks=NOT_SEEN),
        ("tdvp", False),
        ("quantum_llg", False),
        ("exact", False),
        ("master_equation", False),
        pytest.param("tebd", True, marks=NOT_SEEN),
        pytest.param("tdvp", True, marks=NOT_SEEN),
        pytest.param("density_matrix", True, marks=NOT_SEEN),
        pytest.param("purification", True, marks=NOT_SEEN),
        pytest.param("mean_field", True, marks=NOT_SEEN),
        pytest.param("quantum_llg", True, marks=NOT_SEEN),
        # A RunError about spectral bounds, or a trace, which does not say what is wrong.
        pytest.param("exact", True, marks=NOT_SEEN),
        pytest.param("master_equation", True, marks=NOT_SEEN),
    ],
)
def test_a_hamiltonian_without_its_conjugate_terms(solver: str, driven: bool) -> None:
    chain = Forgotten(sites=4, driven=driven)
    neel = ts.product(chain, ["up", "down"])
    start = neel.to_mps() if solver in TAKES_MPS else neel.to_vector()
    options: dict[str, Any] = {}
    if solver == "trajectories":
        lower = 0.1 * chain.local_sites[0].op("Sm")
        jumps = [ts.JumpOperator((0,), lower, -2, "S- 0")]
        options = {"jumps": jumps, "trajectories": 4, "workers": 1}
    with pytest.raises(ts.InputError, match="Hermitian"):
        list(ts.evolve(chain, start, [0, 1.0], solver=solver, **options))


@pytest.mark.parametrize("solver", ["tebd", "tdvp"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dt", -0.1),
        ("dt", 0),
        ("dt", float("nan")),
        ("bond_dim", None),
        ("bond_dim", 0),
        ("cutoff", 2),
        ("cutoff", -1),
    ],
)
def test_an_option_out_of_range(solver: str, name: str, value: Any) -> None:
    chain = ts.HeisenbergChain(sites=4, J=1.0, Jz=0.0)
    start = ts.product(chain, ["up", "down"]).to_mps(("2Sz",))
    with pytest.raises(ts.InputError, match=name):
        list(ts.evolve(chain, start, [0, 1.0], solver=solver, **{name: value}))


CHAIN = ts.HeisenbergChain(sites=4)
NEEL = ts.product(CHAIN, ["up", "down"])


@dataclass(frozen=True)
class Cavity:
    """A spin and a mode of light."""

    kind: ClassVar[str] = "cavity"
    length: int = 2
    groups: tuple[tuple[int, ...], ...] = ((0,),)
    localized_sites: tuple[int, ...] = (0,)
    localized_spin: float = 0.5

    @property
    def local_sites(self) -> tuple:
        return ts.spin(0.5), ts.boson(4)

    @property
    def hamiltonian(self) -> ts.OperatorSum:
        H = ts.OperatorSum(self.local_sites)
        H += 1.0, "n", 1
        H += 0.2, "Sx", 0, "x", 1
        return H


def evolve(state: Any, times: Any = (0, 1.0), model: Any = CHAIN, **options: Any) -> Any:
    *_, now = ts.evolve(model, state, list(times), **options)
    return now


def far_jump() -> None:
    site = CHAIN.local_sites[0]
    jump = ts.JumpOperator((2, 0), np.kron(site.op("Sm"), site.op("Sz")), -2, "S-_2 Sz_0")
    evolve(NEEL.to_mps(), solver="purification", jumps=[jump])


def cavity_loss() -> None:
    cavity = Cavity()
    state = ts.VectorState(cavity.local_sites, np.eye(8)[1].astype(complex))
    jump = ts.JumpOperator((1,), 0.3 * ts.boson(4).op("b"), None, "loss")
    evolve(state, model=cavity, solver="master_equation", jumps=[jump])


def classical_expectation() -> None:
    evolve(NEEL.to_vector(), solver="llg").expect(0, CHAIN.local_sites[0].op("Sz"))


UNCLEAR = pytest.mark.xfail(strict=True, reason="case 10: an error that does not say what is wrong")


@pytest.mark.parametrize(
    ("attempt", "cause"),
    [
        pytest.param(lambda: evolve(NEEL), "MPS|to_mps", id="description to tebd", marks=UNCLEAR),
        pytest.param(
            lambda: evolve(NEEL, solver="exact"),
            "VectorState|to_vector",
            id="description to exact",
            marks=UNCLEAR,
        ),
        pytest.param(
            lambda: evolve(NEEL.to_vector()), "MPS|to_mps", id="vector to tebd", marks=UNCLEAR
        ),
        pytest.param(
            lambda: evolve(NEEL.to_mps(), solver="exact"),
            "VectorState|to_vector",
            id="MPS to exact",
            marks=UNCLEAR,
        ),
        pytest.param(
            lambda: evolve(NEEL.to_mps(), (0, -1j)), "time", id="imaginary time", marks=UNCLEAR
        ),
        pytest.param(
            far_jump, r"S-_2 Sz_0|\(2, 0\)|\[2, 0\]", id="jump on sites (2, 0)", marks=UNCLEAR
        ),
        # Today's message is of the shape of the matrix: "its spins have 1 states".
        pytest.param(cavity_loss, "site 1|boson", id="loss from a boson site", marks=UNCLEAR),
        pytest.param(classical_expectation, "classical|llg", id="expect of a classical run"),
        # Today's message is of sites 0 to 3, and not of the bond that closes the ring.
        pytest.param(
            lambda: evolve(NEEL.to_mps(), model=ts.HeisenbergChain(sites=4, periodic=True)),
            "periodic",
            id="ring with tebd",
            marks=UNCLEAR,
        ),
    ],
)
def test_the_message_names_the_cause(attempt: Callable[[], None], cause: str) -> None:
    with pytest.raises(ts.InputError, match=cause):
        attempt()
