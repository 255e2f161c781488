"""Figures of spin chains: compared with classical spins, with baths, long ones, and pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.labels import localized_sites, times, title
from tnspin.figures.layout import DISCARDED, stack, two_columns
from tnspin.figures.panel import Curve, Panel, color_map, components, from_zero, key
from tnspin.figures.style import AXES, BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY
from tnspin.results.facts import classical_verdict, parameters
from tnspin.results.result import Result

# Characters that fit above the panels, and pairs with a line of their own.
_WIDTH, _MOST_PAIRS = 84, 4
# A concurrence below this is round-off.
_NOTHING = 1e-9
_UNIT = (-1.06, 1.06)


def chain_figure(result: Result) -> Figure:
    """First spin, quantum and classical; their difference; the negativity below."""
    return _beside_classical(result, title(result), (SPIN, DIFFERENCE, NEGATIVITY), 3)


def _beside_classical(
    result: Result, heading: str, panels: Sequence[Panel], compared: int
) -> Figure:
    """Panels with the verdict on the classical spins in words, if there are any."""
    if "classical_spin" not in result:
        return stack(result, heading, panels)
    found = classical_verdict(result)
    words = fill(found.text(float(result["time"][0])), _WIDTH)
    heading = "\n".join(filter(None, (heading, words)))
    return stack(result, heading, panels, found, compared)


def _first_spin(result: Result) -> list[Curve]:
    """Components and length of the first spin, quantum solid and classical, if any, dashed."""
    quantum = result["spin"][:, 0]
    error = result["spin_error"][:, 0] if "spin_error" in result else None
    length = Curve(np.linalg.norm(quantum, axis=1), "0.6", "length", width=1.1)
    if "classical_spin" not in result:
        return [length, *components(quantum, None, error)]
    damping = float(result.attrs.get("classical_damping", 0.0))
    how = "fitted" if result.attrs.get("classical_fitted") else "given"
    label = f"classical,\ndamping\n{damping:.3g} ({how})"
    both = components(quantum, result["classical_spin"][:, 0], error)
    return [length, *both, key(label, BLACK, "--", 1.2)]


def _first_spin_title(result: Result) -> str:
    sites, classical = localized_sites(result), "classical_spin" in result
    words = ": quantum (solid), classical (dashed)" if classical else ""
    return f"spin on site {sites[0] if sites.size else 0}{words}"


def _distances(result: Result) -> list[Curve]:
    """Distance of quantum and classical spins: of the first, and the largest of all."""
    apart = np.linalg.norm(result["spin"] - result["classical_spin"], axis=-1)
    largest = Curve(apart.max(axis=1), PURPLE, "largest of all", width=2.4)
    return [largest, Curve(apart[:, 0], BLACK, "this spin", "--", 1.1)]


def _tolerance(ax: Axes, result: Result) -> None:
    tolerance = classical_verdict(result).tolerance
    ax.axhline(tolerance, color="0.5", ls=":", lw=1, label=f"{tolerance:g}")


SPIN = Panel(
    _first_spin_title, r"$\langle \mathbf{S} \rangle / S$, $\mathbf{n}$", _first_spin,
    limits=_UNIT, zero="0.85", height=1.5,
)  # fmt: skip
DIFFERENCE = Panel(
    "difference", r"$|\langle \mathbf{S} \rangle / S - \mathbf{n}|$", _distances,
    needs=("classical_spin",), extra=_tolerance, limits=(0, None),
)  # fmt: skip
NEGATIVITY = Panel(
    "entanglement", "log-negativity (nat)", (Curve("log_negativity", BLUE),),
    needs=("log_negativity",), limits=from_zero(1.05, 1e-3, 0.03),
)  # fmt: skip


# ---------------------------------------------------------------------- antiferromagnetic rings


def neel_figure(result: Result) -> Figure:
    """Spins along z, negativity of the halves and probability of the Neel states."""
    return stack(result, title(result), (_EVERY_SPIN, NEGATIVITY, _OVERLAP))


def _every_spin(result: Result) -> list[Curve]:
    """z component of every spin; equal spins lie on each other, hence the dashes."""
    spins, sites = result["spin"][..., 2], localized_sites(result)
    names = sites if sites.size else range(spins.shape[1])
    return [
        Curve(spins[:, k], None, f"site {name}", ("-", "--", ":", "-.")[k % 4], 1.6 + 0.3 * (k < 2))
        for k, name in enumerate(names)
    ]


def _symmetric(ax: Axes, result: Result) -> tuple[float, float]:
    top = max(1.2 * float(abs(result["spin"][..., 2]).max()), 1e-3)
    return -top, top


_EVERY_SPIN = Panel(
    "spins", r"$\langle S^z \rangle / S$", _every_spin, limits=_symmetric, zero="0.85"
)
_OVERLAP = Panel(
    "probability of the Néel states", r"$\mathrm{Tr}\,\rho P$", (Curve("neel_overlap", GREEN),),
    limits=(0, 1.05),
)  # fmt: skip


# ---------------------------------------------------------------------- two spins 1/2

_OTHERS = (((0, 1), PURPLE), ((0, 2), SKY), ((1, 2), BLACK))
_BELL = {"psi+": r"\Psi_+", "psi-": r"\Psi_-", "phi+": r"\Phi_+", "phi-": r"\Phi_-"}
_STATES = {"bell": "Bell", "werner": "Werner", "gibbs": "Gibbs"}


def dimer_figure(result: Result) -> Figure:
    """First spin and its classical counterpart, their difference, T_kl, and what is nonlocal."""
    heading = _dimer_title(parameters(result))
    return _beside_classical(result, heading, _DIMER, 2)


def _correlation_matrix(result: Result) -> list[Curve]:
    """The nine elements of the correlation matrix of the pair."""
    matrix = result["correlation_matrix"][:, 0]
    curves = [Curve(matrix[:, k, k], AXES[k], f"${'xyz'[k] * 2}$") for k in range(3)]
    for (k, m), colour in _OTHERS:
        upper, lower = (f"${'xyz'[a]}{'xyz'[b]}$" for a, b in ((k, m), (m, k)))
        curves += [Curve(matrix[:, k, m], colour, upper, "-.", 1.3),
                   Curve(matrix[:, m, k], colour, lower, ":", 1.7)]  # fmt: skip
    return curves


_DIMER = (
    replace(SPIN, height=1.2),
    replace(DIFFERENCE, height=0.7),
    Panel("correlation matrix of the two spins", "$T_{kl}$", _correlation_matrix,
          limits=_UNIT, zero="0.85", height=1.2),
    Panel(
        "nonlocality and entanglement", "measure (0 to 1)",
        (Curve("bell_nonlocality", BLUE, "Bell\nnonlocality", column=0),
         Curve("concurrence", ORANGE, "concurrence", "--", column=0),
         Curve("purity", BLACK, "purity", ":", 1.2)),
        limits=(-0.03, 1.06), height=0.8,
    ),
)  # fmt: skip


def _dimer_title(tables: dict[str, Any]) -> str:
    """Equation, couplings and initial state, in two lines."""
    model, state, solver = (tables.get(name, {}) for name in ("model", "state", "solver"))
    names = {"quantum_llg": "quantum LLG", "quantum_ll": "quantum LL"}
    kind = str(solver.get("kind", ""))
    parts = [names.get(kind, kind.replace("_", " "))]
    numbers = ((solver, "kappa", r"\kappa"), (model, "J", "J"))
    parts += [rf"${symbol} = {table[name]:g}$" for table, name, symbol in numbers if name in table]
    vectors = {"D": np.atleast_1d(model.get("dmi", 0)), "b": np.atleast_1d(model.get("field", 0))}
    words = {k: ", ".join(f"{x:.3g}" for x in v) for k, v in vectors.items() if v.any()}
    parts += [rf"$\mathbf{{{symbol}}} = ({values})$" for symbol, values in words.items()]
    parts += ["physical $g$"] * (model.get("g_convention") == "physical")
    start = [str(one) for one in state.get("directions", ())]
    start += [rf"${_BELL[state['bell']]}$"] if state.get("bell") in _BELL else []
    start += [f"p = {state['p']:g}"] if "p" in state else []
    name = str(state.get("kind", "?"))
    state_words = f"{_STATES.get(name, name)} state" + ": " * bool(start) + ", ".join(start)
    return ", ".join(parts) + "\n" + state_words


# ---------------------------------------------------------------------- open chains, mean field


def open_heisenberg_figure(result: Result) -> Figure:
    """Magnetization, exact and mean field; their difference; correlations; concurrence."""
    return stack(result, f"{title(result)}, {statement(result)}", _OPEN_HEISENBERG)


def connected_correlation(result: Result, axis: int = 0) -> np.ndarray:
    """(time, pair) correlation of one component of both spins (OHM Eq. 21)."""
    sites = localized_sites(result).tolist()
    pairs = [[sites.index(k) for k in _sites(label)] for label in result["pair"]]
    product = np.stack(
        [result["spin"][:, i, axis] * result["spin"][:, j, axis] for i, j in pairs], axis=1
    )
    return np.asarray(result["correlation_matrix"][:, :, axis, axis] - product)


def statement(result: Result) -> str:
    """Couplings, field and bath in words; a component of the field that is swept as "swept"."""
    tables = parameters(result)
    model, bath = tables.get("model", {}), tables.get("bath", {})
    vectors = {name: [f"{x:g}" for x in model[name]] for name in ("V", "field") if name in model}
    if "hysteresis" in tables and "field" in vectors:
        vectors["field"]["xyz".index(tables["hysteresis"]["axis"])] = "swept"
    parts = [f"{name.replace('field', 'B')} = ({', '.join(v)})" for name, v in vectors.items()]
    coupling = ("neighbour", "g") if "neighbour" in bath else ("neighbour_ratio", "g/γ")
    for name, symbol in (("gamma", "Γ"), coupling):
        value = bath.get(name)
        shown = f"{value:g}" if isinstance(value, int | float) else str(value)
        parts += [f"{symbol} = {shown}"] * (name in bath)
    return ", ".join(parts)


def _magnetization(result: Result) -> list[Curve]:
    exact, mean_field = (result[name].mean(axis=1) for name in ("spin", "classical_spin"))
    label = f"mean field,\n{result.attrs.get('classical_variant', '')}"
    return [*components(exact, mean_field), key(label, BLACK, "--", 1.2)]


def _squared_difference(result: Result) -> list[Curve]:
    apart = result["spin"] - result["classical_spin"]
    mean = np.square(apart.mean(axis=1)).sum(axis=-1)
    worst = np.square(apart).sum(axis=-1).max(axis=1)
    return [Curve(mean, PURPLE, "of M"), Curve(worst, BLACK, "largest of\nany spin", ":", 1.2)]


def _some_pairs(result: Result, values: np.ndarray) -> list[Curve]:
    """Curves of a (time, pair) quantity, of a few pairs, evenly from the list of pairs."""
    count = len(result["pair"])
    chosen = np.unique(np.linspace(0, count - 1, min(count, _MOST_PAIRS)).astype(int)).tolist()
    # Pairs that mirror each other have the same values.
    looks = ((BLUE, "-", 2.4), (ORANGE, "-", None), (BLACK, ":", None), (PURPLE, "--", 1.2))
    names = ["sites " + ", ".join(map(str, _sites(result["pair"][k]))) for k in chosen]
    lines = zip(chosen, names, looks, strict=False)
    return [Curve(values[:, k], look[0], name, *look[1:]) for k, name, look in lines]


def _sites(label: str) -> list[int]:
    """Sites of a pair from its label, "0-1"."""
    return [int(part) for part in str(label).split("-")]


def _concurrence_title(result: Result) -> str:
    values = result["concurrence"]
    moment, pair = np.unravel_index(values.argmax(), values.shape)
    largest, when = values[moment, pair], times(result)[moment]
    return "concurrence" + (
        f", at most {largest:.3g} at t = {when:.4g}" if largest > _NOTHING else ": none"
    )


def _concurrence_limits(ax: Axes, result: Result) -> tuple[float, float]:
    top = max(1.15 * float(result["concurrence"].max()), 1e-2)  # of all pairs, drawn or not
    return -0.03 * top, top


_OPEN_HEISENBERG = (
    Panel("magnetization: quantum (solid), mean field (dashed)",
          r"$M = \frac{1}{N}\sum_j \langle\sigma_j\rangle$", _magnetization,
          limits=_UNIT, zero="0.85", height=1.6),
    Panel("difference squared", r"$|M_{MF} - M|^2$", _squared_difference, limits=(0, None)),
    Panel(
        r"two-point correlation $\langle\sigma_x\sigma_x\rangle"
        r" - \langle\sigma_x\rangle\langle\sigma_x\rangle$", "$C_{xx}$",
        lambda result: _some_pairs(result, connected_correlation(result)),
        needs=("correlation_matrix",), zero="0.85",
    ),
    Panel(_concurrence_title, "concurrence",
          lambda result: _some_pairs(result, result["concurrence"]),
          needs=("concurrence",), limits=_concurrence_limits),
)  # fmt: skip


# ---------------------------------------------------------------------- long chains with baths


def long_chain_figure(result: Result) -> Figure:
    """Spins, energy, entanglement and operator entropy; below, what truncation has cost."""
    heading = f"{title(result)}\n{_bath(result)}"
    rows = [(1.0, _LONG_CHAIN[k : k + 2]) for k in range(0, len(_LONG_CHAIN), 2)]
    return two_columns(result, heading, rows, 10.6, fontsize=12)


def _bath(result: Result) -> str:
    """Parameters of the bath, and the error of the windows of its jump operators."""
    keys = parameters(result).get("bath", {})
    names = {"gamma": r"\Gamma", "omega_max": r"\omega_m"}
    parts = [rf"${names[k]} = {keys[k]:g}$" for k in names if k in keys]
    error = float(result.attrs.get("jump_error", 0.0))
    if error:
        parts.append(f"windows of the baths change their jump operators by {error:.1%}")
    return ", ".join(parts)


def _spin_map(ax: Axes, result: Result) -> None:
    values = result["spin"][:, :, 2]
    color_map(ax, result, values, np.arange(values.shape[1] + 1) - 0.5, "RdBu_r", vmin=-1, vmax=1)


def _means(result: Result) -> list[Curve]:
    """Magnetization, uniform and staggered, and the energy per spin."""
    spins = result["spin"][:, :, 2]
    count = spins.shape[1]
    staggered = spins @ (-1.0) ** np.arange(count) / count
    energies = [result["energy"] / count] if "energy" in result else []
    return [
        Curve(staggered, BLUE, "staggered $S^z/S$"),
        Curve(spins.mean(axis=1), ORANGE, "mean $S^z/S$"),
        *(Curve(energy, GREEN, "energy per spin", "--") for energy in energies),
    ]


def _end_of_entanglement(ax: Axes, result: Result) -> None:
    t, left = times(result), np.flatnonzero(result["block_log_negativity"] > 1e-6)
    if left.size and left[-1] + 1 < t.size:
        end = t[left[-1] + 1]
        ax.axvline(end, color=BLACK, ls=":", lw=1, label=f"block: none from t = {end:g} on")


def _operator_entropy(ax: Axes, result: Result) -> None:
    """Operator entropy of every bond, which the bond dimension has to follow."""
    t, entropy = times(result), result["operator_entropy"]
    middle = (entropy.shape[1] - 1) // 2
    least, most = entropy.min(axis=1), entropy.max(axis=1)
    ax.fill_between(t, least, most, color=SKY, alpha=0.35, lw=0, label="all bonds")
    ax.plot(t, entropy[:, middle], color=BLUE, label=f"cut {middle}|{middle + 1}")


def _truncation_errors(result: Result) -> list[Curve]:
    """Trace, Hermiticity and positivity, which truncation does not keep."""
    names = (("trace_error", BLUE, "trace"), ("hermiticity_error", ORANGE, "Hermiticity"))
    curves = [Curve(np.abs(result[name]), c, label) for name, c, label in names if name in result]
    if "block_smallest_eigenvalue" in result:
        below = np.maximum(0.0, -result["block_smallest_eigenvalue"])
        curves += [Curve(below, GREEN, "negative eigenvalue, central block")] * bool(below.any())
    return curves


_LONG_CHAIN = (
    Panel(r"$\langle S^z_i\rangle / S$", "site", extra=_spin_map, shading=""),
    Panel("means over the chain", r"$S^z/S$, energy (energy unit)", _means, zero="0.85",
          legend={"share": 0.15, "ncols": 3}, shading="explained"),
    Panel("entanglement of the two sides", "negativity (nat)",
          (Curve("block_log_negativity", BLUE, "log-negativity, central block"),
           Curve("renyi_negativity", PURPLE, "Rényi negativity of order 3, halves of the chain",
                 "--")),
          extra=_end_of_entanglement, limits=from_zero(1.02, 1e-3, 0.03),
          legend={"share": 0.28}),
    Panel("operator entropy of the density matrix", "operator entropy (nat)",
          extra=_operator_entropy, limits=from_zero(), legend={"share": 0.15, "ncols": 2}),
    DISCARDED,
    Panel("errors of truncation", "deviation", _truncation_errors, log=True,
          legend={"share": 0.25, "ncols": 3}, shading=""),
)  # fmt: skip
