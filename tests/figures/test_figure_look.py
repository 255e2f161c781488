"""All figures look the same: letters, units, colours, the ledger, and nothing beyond the edge."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from small_runs import write_config
from small_sweeps import CHAIN

from tnspin import figures
from tnspin.cli import main
from tnspin.figures.accuracy import accuracy_text
from tnspin.figures.style import PALETTE, SEQUENCE, STYLE
from tnspin.results.facts import conserved
from tnspin.results.result import Result, Variable
from tnspin.results.toml_text import dumps
from tnspin.runs.certify import certify
from tnspin.runs.certify.certificate import Certificate
from tnspin.runs.config import loading as config
from tnspin.runs.simulation import simulate
from tnspin.runs.sweep.collect import gather
from tnspin.runs.sweep.grid import grid_of

SHORT = "time.stop=1.0"
PULSE = ("state.n_electrons=1", SHORT, "solver.bond_dim=20", "model.sites=41")
RINGS = ("time.stop=2.0", "time.every=0.5")
#: A preset and its overrides for each kind of figure.
RUNS = {
    "pulse": ("stt-collinear", PULSE),
    "classical pulse": ("stt-classical", ("state.n_electrons=1", SHORT, "model.sites=41")),
    "valve": ("valve-pulse", ("state.n_electrons=2", SHORT, "solver.bond_dim=20")),
    "chain": ("chain-lindblad", RINGS),
    "truncated chain": ("chain-lindblad", (*RINGS, "solver.kind=density_matrix",
                                           "solver.bond_dim=3")),
    "neel": ("chain-impurity", ("time.stop=20", "time.every=5")),
    "long chain": ("chain-long", ("model.sites=14", "time.stop=0.5", "solver.bond_dim=12")),
    "dimer": ("dimer-qllg", (SHORT,)),
    "open chain": ("open-heisenberg", (SHORT,)),
    "loop": ("hysteresis", ("model.sites=2", "hysteresis.steps=4", "hysteresis.hold=1.0")),
    "edges": ("edge-information", ("model.largest=20",)),
}  # fmt: skip
#: More than a second or two to run or to draw.
SLOW = {"pulse", "classical pulse", "truncated chain", "long chain", "valve"}
KINDS = [pytest.param(kind, marks=pytest.mark.slow if kind in SLOW else ())
         for kind in (*RUNS, "generic", "overlay", "sweep", "certificate")]  # fmt: skip

#: A label ends with one of these units in brackets ...
UNITS = ("nat", "energy unit", "ħ", "fs", r"\hbar", "0 to 1", "B_0")
#: ... or is of a pure number: counts, probabilities, weights, and spins in units of their length.
NUMBERS = (
    "site", "bond", "probability", "discarded weight since t = 0", "summed since t = 0",
    "bond dimension", "largest bond dimension", "number of localized spins, as many electrons",
    "deviation", "change of a spin", "concurrence", "purity", "norm", "Fisher information per spin",
    "|difference|", "largest error so far", r"/ S$", r"\mathbf{n}$", r"\mathbf{n}|$", "T_{kl}$",
    "C_{xx}$", "M_x$", "M_y$", "M_z$", r"\rangle$", "|^2$", r"\rho P$", "Meyer-Wallach Q",
    "overlap with the Néel states", "spin, mean and range",
)  # fmt: skip
MAPS = {"inferno", "RdBu_r", "cividis"}


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """Runs of a small chain by overrides."""
    path = write_config(tmp_path_factory.mktemp("look"), CHAIN, "chain")
    return lambda *overrides: simulate(config.load(str(path), ("time.stop=0.4", *overrides)))


def drawn(kind: str, chains: Callable[..., Result], folder: Path) -> Figure:
    if kind in RUNS:
        return figures.figure(simulate(config.load(*RUNS[kind])))
    if kind == "generic":
        return figures.figure(chains())
    if kind == "overlay":
        return figures.overlay_figure([chains(), chains("model.J=2.0")], ["a", "b"])
    if kind == "sweep":
        grid = grid_of(str(write_config(folder, CHAIN, "chain")), ["model.J=1.0,2.0"])
        results = {one: simulate(one.config) for one in grid.runs}
        return figures.figure(gather(grid, results))
    return figures.certificate_figure(small_certificate(folder).to_dict())


def panels(drawing: Figure) -> list[Axes]:
    """Axes with data: no colour bars, and no second axes of a panel that has them already."""
    every = [ax for ax in drawing.axes if ax.has_data() and ax.get_label() != "<colorbar>"]
    return [ax for k, ax in enumerate(every) if not any(
        ax.bbox.bounds == other.bbox.bounds for other in every[:k])]  # fmt: skip


def known(label: str) -> bool:
    """Whether a label has a unit, or is of a pure number."""
    units = re.findall(r"\(([^()]*)\)", label.replace("\n", " "))
    has_unit = any(unit in text for text in units for unit in UNITS)
    return has_unit or any(label == name or label.endswith(name) for name in NUMBERS)


def check_labels(drawing: Figure) -> None:
    for ax in drawing.axes:
        if ax.get_label() == "<colorbar>" or not ax.has_data():
            continue
        assert known(ax.get_ylabel()), f"{ax.get_title(loc='left')}: {ax.get_ylabel()!r}"
        if ax.xaxis.get_visible() and ax.xaxis.get_tick_params()["labelbottom"]:
            label = ax.get_xlabel()
            swept = re.fullmatch(r"[a-z]+\.[A-Za-z_]+", label)  # a key of the configuration
            assert swept or known(label), f"{ax.get_title(loc='left')}: {label!r}"


def check_letters(drawing: Figure) -> None:
    titles = [ax.get_title(loc="left") for ax in panels(drawing)]
    assert [title[:5] for title in titles] == [f"({chr(97 + k)})  " for k in range(len(titles))]
    assert all(len(title) > 6 for title in titles), titles


def allowed(colour: object) -> bool:
    """Whether a colour is grey, of the palette or lighter, or of the map of many lines."""
    rgb = np.array(to_rgb(colour))  # type: ignore[arg-type]
    if np.ptp(rgb) < 1e-6:
        return True
    for base in map(np.array, map(to_rgb, PALETTE)):
        share = np.dot(rgb - base, 1 - base) / np.dot(1 - base, 1 - base)
        if -0.01 <= share <= 1 and np.abs(base + share * (1 - base) - rgb).max() < 0.01:
            return True
    steps = mpl.colormaps[SEQUENCE](np.linspace(0, 1, 256))[:, :3]
    return bool(np.abs(steps - rgb).max(axis=1).min() < 0.01)


def check_colours(drawing: Figure) -> None:
    for ax in panels(drawing):
        colours = [line.get_color() for line in ax.lines]
        colours += [patch.get_facecolor()[:3] for patch in ax.patches]
        for one in ax.collections:
            if isinstance(one, QuadMesh):
                assert one.get_cmap().name in MAPS
            elif isinstance(one, Collection):
                colours += [colour[:3] for colour in one.get_facecolor()]  # type: ignore[union-attr]
        assert all(map(allowed, colours)), ax.get_title(loc="left")


def check_ledger(drawing: Figure) -> None:
    (ledger,) = (text for text in drawing.texts if text.get_text().startswith("accuracy: "))
    words = " ".join(ledger.get_text().split())
    assert re.search(r"\de-\d|closed form", words), words
    if re.search(r"TEBD|density matrix \(", words) and "errors known" not in words:
        assert "discarded weight" in words
        assert any("discarded weight" in ax.get_title(loc="left") for ax in drawing.axes)


def check_edges(drawing: Figure) -> None:
    """Nothing is beyond the edge of the figure, no title on another one, the ledger below all."""
    renderer = drawing.canvas.get_renderer()  # type: ignore[attr-defined]
    box, size = drawing.get_tightbbox(renderer), drawing.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= size[0] and box.y1 <= size[1], (box, size)
    titles = []
    for ax in panels(drawing):
        for text in (ax.title, ax._left_title, ax._right_title):  # type: ignore[attr-defined]
            if text.get_text():
                titles.append((text.get_text(), text.get_window_extent(renderer)))
    for (one, first), (two, second) in itertools.combinations(titles, 2):
        assert not first.overlaps(second), (one, two)
    (ledger,) = (text for text in drawing.texts if text.get_text().startswith("accuracy: "))
    top = ledger.get_window_extent(renderer).y1
    for ax in drawing.axes:
        assert ax.get_tightbbox(renderer).y0 >= top, ax.get_title(loc="left")
    for legend in drawing.legends:
        assert legend.get_window_extent(renderer).y0 >= top


def small_certificate(folder: Path) -> Certificate:
    overrides = ("time.stop=0.4", "solver.kind=tebd", "solver.dt=0.1", "solver.bond_dim=4")
    run = config.load(str(write_config(folder, CHAIN, "chain")), overrides)
    return certify(run, folder / "certificate.json")


@pytest.mark.parametrize("kind", KINDS)
def test_one_look(kind: str, chains: Callable[..., Result], tmp_path: Path) -> None:
    with mpl.rc_context({**STYLE, "savefig.dpi": "figure"}):
        drawing = drawn(kind, chains, tmp_path)
        picture = io.BytesIO()
        drawing.savefig(picture, format="png")
        assert picture.getvalue()[:4] == b"\x89PNG"
        check_labels(drawing)
        check_letters(drawing)
        check_colours(drawing)
        check_ledger(drawing)
        check_edges(drawing)
        if kind in SLOW | {"chain", "overlay"}:
            page = io.BytesIO()
            drawing.savefig(page, format="pdf")
            assert page.getvalue()[:4] == b"%PDF"


def test_colours_are_told_apart_by_the_colour_blind() -> None:
    """Distances in the palette as people without green or red cones see it."""
    without = {
        "green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    }  # Machado, Oliveira and Fernandes, IEEE Trans. Vis. Comput. Graph. 15, 1291 (2009)
    colours = np.array([to_rgb(colour) for colour in PALETTE])
    for matrix in without.values():
        seen = (colours**2.2) @ np.array(matrix).T
        seen = np.clip(seen, 0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen, axis=-1)[np.triu_indices(len(seen), 1)]
        assert apart.min() > 0.1


def test_what_is_conserved_depends_on_what_acts() -> None:
    def kept(**tables: dict[str, object]) -> set[str]:
        names = ("norm", "particle_number", "energy", "total_sz", "purity")
        time = Variable(("time",), np.zeros(2))
        return set(conserved(Result(dict.fromkeys(names, time), {"config": dumps(tables)})))

    always = {"norm", "particle_number"}
    closed = {"kind": "heisenberg", "field": [0.0, 0.0, 1.0]}
    assert kept(model=closed) == always | {"energy", "total_sz", "purity"}
    assert kept(model=closed, bath={"gamma": 0.1}) == always
    assert "energy" in kept(model=closed, bath={"gamma": 0.0})
    assert kept(model=closed | {"field": [0.1, 0.0, 0.0]}) == always | {"energy", "purity"}
    driven = closed | {"drive": [0.0, 0.0, 0.2]}
    assert kept(model=driven) == always | {"total_sz", "purity"}
    assert kept(model={"kind": "open_heisenberg", "V": [1.0, 2.0, 1.0]}) == always | {
        "energy", "purity"
    }  # fmt: skip
    assert kept(model=closed, solver={"kind": "llg", "damping": 0.1}) == always
    isospectral = {"kind": "quantum_llg", "kappa": 0.5}
    assert kept(model=closed, solver=isospectral) == always | {"purity"}
    assert kept(model=closed, solver=isospectral | {"temperature": 1.0}) == always


def test_a_run_that_was_stopped_says_so(chains: Callable[..., Result]) -> None:
    result = chains()
    assert "STOPPED" not in accuracy_text([result])
    stopped = Result(result.variables, {**result.attrs, "complete": 0})
    assert "STOPPED before the end" in accuracy_text([stopped])
    assert accuracy_text([Result({}, {})]) == "accuracy: the file holds no measure of it"


def test_the_ledger_says_what_the_file_holds(chains: Callable[..., Result]) -> None:
    result = chains("record.observables=['spin', 'norm', 'energy']", "model.J=3.0")
    text = accuracy_text([result])
    assert text.startswith("accuracy: exact (tolerance 1e-13); largest drift: norm ")
    drift = np.abs(result["energy"] - result["energy"][0]).max()
    (shown,) = re.findall(r"energy (\S+)", text)
    assert float(shown) == pytest.approx(drift, rel=0.05)
    moved = Variable(("time",), result["energy"] + 1e-3 * result["time"], "energy unit")
    other = Result({**result.variables, "energy": moved}, result.attrs)
    assert "energy 4.0e-4" in accuracy_text([result, other])


def test_a_certificate_is_drawn_as_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small_certificate(tmp_path)
    assert main(["plot", "certificate.json", "-o", "print.pdf"]) == 0
    assert Path("print.pdf").read_bytes()[:4] == b"%PDF"
    assert main(["plot", "certificate.json"]) == 0
    assert Path("certificate.png").read_bytes()[:4] == b"\x89PNG"
    capsys.readouterr()
    Path("other.json").write_text("{}")
    Path("broken.json").write_text("{")
    for arguments, words in (
        (["certificate.json", "certificate.json"], "is drawn alone"),
        (["certificate.json", "--movie"], "not as a movie"),
        (["other.json"], "is not a certificate"),
        (["broken.json"], "is not JSON"),
        (["none.json"], "No such file"),
        (["certificate.json", "-o", "x.abc"], "no such picture format"),
    ):
        assert main(["plot", *arguments]) == 2
        assert words in capsys.readouterr().err
