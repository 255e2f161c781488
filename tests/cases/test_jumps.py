"""Jump operators: those that are dropped, and runs that crash, do not go on or do not end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.linalg

import tnspin as ts
from tnspin.cli import main

ROOT = Path(__file__).parents[2]


def run_script(text: str, folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a script as a user does, in a process that may crash or be killed."""
    script = folder / "script.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, str(script)], cwd=folder, timeout=timeout, capture_output=True,
        text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@dataclass(frozen=True)
class Wire:
    """Two sites between which electrons hop, without spins."""

    kind: ClassVar[str] = "wire"
    length: int = 2
    groups: tuple[tuple[int, ...], ...] = ((),)
    localized_sites: tuple[int, ...] = ()
    localized_spin: float = 0.5

    @property
    def local_sites(self) -> tuple:
        return (ts.electron(),) * self.length

    @property
    def hamiltonian(self) -> ts.OperatorSum:
        H = ts.OperatorSum(self.local_sites)
        for s in ("up", "dn"):
            H = H.plus_hc(-1.0, f"cdag_{s}", 0, f"c_{s}", 1)
        return H


def lindblad(jump_of: Callable[[list[np.ndarray]], np.ndarray]) -> list[float]:
    """Electrons on both sites at t = 1, by the dense 16 x 16 equation (Jordan-Wigner)."""
    a, z, one = np.array([[0, 1], [0, 0]]), np.diag([1.0, -1]), np.eye(2)
    # up 0, up 1, dn 0, dn 1
    c = [reduce(np.kron, [z] * k + [a] + [one] * (3 - k)) for k in range(4)]
    hop = c[0].T @ c[1] + c[2].T @ c[3]
    H, jump = -(hop + hop.T), jump_of(c)
    unit, LL = np.eye(16), jump.T @ jump
    generator = (
        -1j * (np.kron(H, unit) - np.kron(unit, H.T))
        + np.kron(jump, jump.conj())
        - 0.5 * (np.kron(LL, unit) + np.kron(unit, LL.T))
    )
    psi = c[0].T @ np.eye(16)[0]
    rho = (scipy.linalg.expm(generator) @ np.outer(psi, psi).ravel()).reshape(16, 16)
    return [np.trace((c[i].T @ c[i] + c[2 + i].T @ c[2 + i]) @ rho).real for i in (0, 1)]


SITE = ts.electron()
JUMPS = {
    "loss": (SITE.op("c_up"), lambda c: c[0]),
    "dephasing": (2 * SITE.op("n"), lambda c: 2 * (c[0].T @ c[0] + c[2].T @ c[2])),
}
DROPPED = pytest.mark.xfail(
    strict=True, reason="case 04: trajectories of state vectors drop jump operators on electrons"
)


@pytest.mark.parametrize("name", JUMPS)
@pytest.mark.parametrize(
    ("solver", "options"),
    [
        pytest.param("trajectories", {"trajectories": 400, "workers": 1}, marks=DROPPED),
        ("master_equation", {}),
    ],
)
def test_jumps_of_electrons_act_or_are_refused(
    solver: str, options: dict[str, Any], name: str
) -> None:
    """The right numbers, or an InputError about the jumps; never the numbers without them."""
    matrix, dense = JUMPS[name]
    wire = Wire()
    start = np.kron([0, 1, 0, 0], [1, 0, 0, 0]).astype(complex)
    state = ts.VectorState(wire.local_sites, start)
    jumps = [ts.JumpOperator((0,), matrix, None, name)]
    try:
        *_, now = ts.evolve(wire, state, [0, 1.0], solver=solver, jumps=jumps, **options)
    except ts.InputError as refusal:
        assert "jumps" in str(refusal) and name in str(refusal)
        return
    n = [np.trace(now.state.rdm([i]) @ SITE.op("n")).real for i in (0, 1)]
    # Four standard errors of 400 trajectories; without the jumps n is off by 0.2 and more.
    np.testing.assert_allclose(n, lindblad(dense), atol=0.1)


PLAIN_SCRIPT = """
import numpy as np
import tnspin as ts

print("preparing", flush=True)
pair = ts.HeisenbergChain(sites=2, field=(0, 0, 0.3))
start = ts.product(pair, ["up", "x"]).to_vector()
lower = pair.local_sites[0].op("Sm")
jumps = [ts.JumpOperator((k,), np.sqrt(0.1) * lower, -2, f"S- {k}") for k in range(2)]
times = np.linspace(0, 5, 11)
*_, right = ts.evolve(pair, start, times, solver="master_equation", jumps=jumps)
*_, now = ts.evolve(
    pair, start, times, solver="trajectories", trajectories=200, seed=1, jumps=jumps
)
sz = pair.local_sites[0].op("Sz")
print("error", now.expect(0, sz) - right.expect(0, sz))
"""


PROCESSORS = (
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)


@pytest.mark.xfail(
    PROCESSORS > 1,  # one processor: no workers, and nothing goes wrong
    strict=True,
    reason="case 08: a plain script with trajectories is run again in every worker",
)
def test_a_plain_script_with_trajectories(tmp_path: Path) -> None:
    """It runs once, or is refused with what is wrong: no guard around the main program."""
    done = run_script(PLAIN_SCRIPT, tmp_path, timeout=120)
    assert done.stdout.count("preparing") == 1
    if done.returncode:
        last = done.stderr.splitlines()[-1]
        assert "InputError" in last and re.search("__main__|workers", last)
    else:
        error = float(done.stdout.split("error")[1])
        assert abs(error) < 0.15  # four standard errors of 200 trajectories


BATH = """
[model]
kind = "heisenberg"
sites = 3
[state]
kind = "product"
directions = ["up", "down"]
[bath]
kind = "universal_lindblad"
temperature = 1.0
gamma = 0.1
[solver]
kind = "trajectories"
trajectories = 40
[time]
stop = 1.0
every = 0.5
"""


@pytest.mark.xfail(
    strict=True, reason="case 07: a finished run of trajectories does not go on past its end"
)
def test_a_finished_run_of_trajectories_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every other solver does, with the numbers of a run that was as long from the start."""
    monkeypatch.chdir(tmp_path)
    Path("bath.toml").write_text(BATH)
    longer = ["--set", "time.stop=2.0", "--quiet"]
    assert main(["run", "bath.toml", "-o", "part.h5", "--quiet"]) == 0
    assert main(["run", "bath.toml", "-o", "part.h5", "--resume", *longer]) == 0
    assert main(["run", "bath.toml", "-o", "whole.h5", *longer]) == 0
    part, whole = ts.load("part.h5"), ts.load("whole.h5")
    assert len(whole["spin"]) == 5
    np.testing.assert_allclose(part["spin"], whole["spin"], atol=1e-12)


ENDLESS = """
import numpy as np
import tnspin as ts

n, dephasing, rate, bias = 6, 0.1, 0.5, 0.6
chain = ts.HeisenbergChain(sites=n, J=1.0, Jz=0.7)
s = chain.local_sites[0]
jumps = [
    ts.JumpOperator((k,), np.sqrt(dephasing) * s.op("Sz"), 0, f"Sz {k}") for k in range(n)
]
for k, sign in ((0, 1), (n - 1, -1)):
    gain, loss = rate * (1 + sign * bias) / 2, rate * (1 - sign * bias) / 2
    jumps.append(ts.JumpOperator((k,), np.sqrt(gain) * s.op("Sp"), 2, f"gain {k}"))
    jumps.append(ts.JumpOperator((k,), np.sqrt(loss) * s.op("Sm"), -2, f"loss {k}"))
start = ts.product(chain, ["up", "down"] * 3)
times = np.linspace(0, 2, 9)
*_, ref = ts.evolve(chain, start.to_vector(), times, solver="master_equation", jumps=jumps)
print("reference", flush=True)
try:
    mps = start.to_mps(("2Sz",))
    *_, now = ts.evolve(chain, mps, times, solver="purification", jumps=jumps, dt=0.25)
except (ts.InputError, ts.RunError) as error:
    print("refused", error)
else:
    sz = s.op("Sz")
    print("error", max(abs(now.expect(i, sz) - ref.expect(i, sz)) for i in range(n)))
"""


@pytest.mark.slow
@pytest.mark.xfail(
    strict=True,
    raises=subprocess.TimeoutExpired,
    reason="case 14: purification of six spins with dephasing takes minutes and gigabytes",
)
def test_purification_of_six_spins_ends(tmp_path: Path) -> None:
    """The numbers of the master equation within a minute, or a refusal that names a solver."""
    done = run_script(ENDLESS, tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    reference, outcome = done.stdout.splitlines()
    assert reference == "reference"
    if outcome.startswith("refused"):
        assert re.search("master_equation|density_matrix", outcome)
    else:
        assert float(outcome.removeprefix("error")) < 0.02
