"""The register: kinds from inside and outside the package, and users' files."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

import tnspin as ts
from tnspin.cli import main
from tnspin.errors import InputError
from tnspin.schema import plugins, register
from tnspin.schema.plugins import use
from tnspin.solvers import SOLVERS

MINE = '''
from __future__ import annotations

from dataclasses import dataclass

import tnspin as ts


@ts.register
@dataclass(frozen=True)
class Halved(ts.Solver):
    """TEBD with half of the step.

    Parameters
    ----------
    step
        Twice the step that is taken.
    """

    kind = "halved"
    step: float = 0.1

    def evolve(self, model, state, times, *, ledger=None, on_step=None):
        return ts.evolve(model, state, times, dt=self.step / 2, on_step=on_step)


@ts.register
@dataclass(frozen=True)
class Staggered(ts.Observable):
    """Staggered magnetization."""

    kind = "staggered"
    dims = ("time",)
    units = "1"
    long_name = "staggered magnetization"

    def measure(self, snapshot):
        sz = snapshot.model.local_sites[0].op("Sz")
        return sum((-1) ** k * snapshot.expect(k, sz) for k in range(snapshot.model.length))
'''
TOML = """
[model]
kind = "heisenberg"
sites = 4

[state]
kind = "product"
directions = ["up", "down"]

[solver]
kind = "halved"
step = 0.2

[time]
stop = 1.0
every = 0.5

[record]
observables = ["spin", "staggered"]
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A user's file and configuration, in the current folder; its name is new for every test."""
    monkeypatch.chdir(tmp_path)
    name = "mine_" + tmp_path.name.replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MINE)
    (tmp_path / "my.toml").write_text(TOML)
    yield tmp_path / f"{name}.py"
    from tnspin.schema.register import _CLASSES

    _CLASSES["solver"].pop("halved", None)
    _CLASSES["observable"].pop("staggered", None)


def test_a_users_file_runs_and_its_text_is_kept(mine, capsys):
    assert main(["run", "my.toml", "--use", mine.name, "-o", "my.h5", "--quiet"]) == 0
    result = ts.load("my.h5")
    chain = ts.HeisenbergChain(sites=4)
    start = ts.product(chain, ["up", "down"]).to_mps(("2Sz",))
    snapshots = ts.evolve(chain, start, [0.0, 0.5, 1.0], dt=0.1)
    np.testing.assert_array_equal(result["spin"], ts.record(snapshots, ("spin",))["spin"])
    signs = 0.5 * (-1.0) ** np.arange(4)
    np.testing.assert_allclose(result["staggered"], result["spin"][:, :, 2] @ signs, atol=1e-14)
    kept = json.loads(result.attrs["user_files"])[mine.name]
    assert kept["text"] == MINE and len(kept["sha256"]) == 64


def test_without_its_file_a_kind_is_refused(mine, capsys):
    assert main(["run", "my.toml", "-o", "my.h5"]) == 2
    assert "solver.kind = 'halved': no such kind; allowed: closed_form" in capsys.readouterr().err
    assert main(["run", "my.toml", "--use", "none.py"]) == 2
    assert "must be the path of a Python file" in capsys.readouterr().err
    assert main(["run", "my.toml", "--use", mine.name, "--set", "solver.stp=1"]) == 2
    assert "solver.stp = 1: no such key; allowed: step" in capsys.readouterr().err


def test_reading_a_result_executes_nothing(mine, capsys):
    """The file fails when it is imported again; `info` and `plot` never do."""
    assert main(["run", "my.toml", "--use", mine.name, "-o", "my.h5", "--quiet"]) == 0
    mine.write_text("raise SystemExit('executed')")
    assert main(["info", "my.h5"]) == 0 and main(["plot", "my.h5"]) == 0


def test_nothing_goes_on_with_a_changed_file(mine, capsys):
    """Checkpoints, trajectories, sweeps: a file is compared by its checksum."""
    dephased = [
        "--use", mine.name, "--set", "bath.kind=universal_lindblad", "--set", "bath.temperature=1",
        "--set", "solver.kind=trajectories", "--set", "solver.trajectories=4",
        "--set", "time.stop=0.5", "--set", "solver.workers=1",
    ]  # fmt: skip
    sampled = ["run", "my.toml", *dephased, "-o", "sampled.h5", "--resume", "--quiet"]
    run = ["run", "my.toml", "--use", mine.name, "-o", "my.h5", "--resume", "--quiet"]
    sweep = ["sweep", "my.toml", "--use", mine.name, "--over", "solver.step=0.1,0.2", "--quiet"]
    sweep += ["--set", "time.stop=0.5", "-o", "swept", "--workers", "1"]
    for command in (sampled, run, sweep):
        assert main(command) == 0 == main(command)
    mine.write_text(MINE + "# changed")
    plugins._USED.clear()
    for command in (sampled, run, sweep):
        assert main(command) == 2
        assert f"{mine.name} has changed; restore the file" in capsys.readouterr().err


def test_keys_of_ones_own_kind(mine, capsys):
    assert main(["keys", "solver.halved", "--use", mine.name]) == 0
    text = capsys.readouterr().out
    assert "TEBD with half of the step." in text and "Twice the step that is taken." in text
    assert main(["keys", "solver.tebdd"]) == 2
    assert "did you mean 'tebd'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 +", "SyntaxError"),
        ("import tnspin as ts\n@ts.register\nclass A(ts.Solver): pass", "has no kind"),
        ("import tnspin as ts\n@ts.register\nclass A: kind = 'a'", "is none of model, lattice"),
        ("import tnspin as ts\n@ts.register('modl')\nclass A: kind = 'a'", "did you mean 'model'"),
        ("import tnspin as ts\n@ts.register\nclass A(ts.Solver): kind = 'tebd'", "is taken by"),
    ],
)
def test_files_that_do_not_register_are_refused(tmp_path, text, message):
    path = tmp_path / f"bad_{abs(hash(text))}.py"
    path.write_text(text)
    list(SOLVERS)
    with pytest.raises(InputError, match=message):
        use([path])


def test_a_file_named_like_another_module_is_refused(tmp_path):
    for name in ("time", "json"):
        path = tmp_path / f"{name}.py"
        path.write_text("")
        with pytest.raises(InputError, match=f"there is another module '{name}'; rename the file"):
            use([path])


def test_a_class_without_a_base_is_a_model():
    from tnspin.schema.register import _CLASSES

    @register("model")
    @dataclass(frozen=True)
    class Bare:
        kind = "bare_test_model"
        sites: int = 2

    try:
        from tnspin.models import MODELS

        assert MODELS.build({"kind": "bare_test_model", "sites": 3}) == Bare(3)
        with pytest.raises(InputError, match=r"model.site = 3: no such key"):
            MODELS.build({"kind": "bare_test_model", "site": 3})
        with pytest.raises(InputError, match=r"model.sites = 'x': must be a whole number"):
            MODELS.build({"kind": "bare_test_model", "sites": "x"})
    finally:
        _CLASSES["model"].pop("bare_test_model")
