"""The figure of two spins 1/2: quantum beside classical, correlations, entanglement (QLLG)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tnspin.figures.chain import difference_panel, judged, mark, spin_panel
from tnspin.figures.common import AXES, BLACK, BLUE, ORANGE, PURPLE, SKY, times
from tnspin.figures.stack import Panel, stacked
from tnspin.results.facts import parameters
from tnspin.results.result import Result

_BESIDE = (((0, 1), PURPLE), ((0, 2), SKY), ((1, 2), BLACK))
_BELL = {"psi+": r"\Psi_+", "psi-": r"\Psi_-", "phi+": r"\Phi_+", "phi-": r"\Phi_-"}
_STATES = {"bell": "Bell", "werner": "Werner", "gibbs": "Gibbs"}


def dimer_figure(result: Result) -> Figure:
    """First spin and its classical counterpart, their difference, T_kl, and what is nonlocal."""
    panels: list[tuple[float, Panel]] = [
        (1.2, spin_panel), (1.2, _correlation_panel), (0.8, _nonlocality_panel)
    ]  # fmt: skip
    words = [_title(parameters(result))]
    if "classical_spin" not in result:
        return stacked(result, words[0], panels)[0]
    panels.insert(1, (0.7, difference_panel))
    found, verdict = judged(result)
    drawing, axes = stacked(result, "\n".join((*words, verdict)), panels)
    for ax in axes[:2]:
        mark(ax, result, found)
    return drawing


def _correlation_panel(ax: Axes, result: Result) -> None:
    """The nine elements of the correlation matrix of the pair."""
    t, matrix = times(result), result["correlation_matrix"][:, 0]
    for k, colour in enumerate(AXES):
        ax.plot(t, matrix[:, k, k], color=colour, label=f"${'xyz'[k] * 2}$")
    for (k, other), colour in _BESIDE:
        names = "xyz"[k] + "xyz"[other], "xyz"[other] + "xyz"[k]
        ax.plot(t, matrix[:, k, other], "-.", color=colour, lw=1.3, label=f"${names[0]}$")
        ax.plot(t, matrix[:, other, k], ":", color=colour, lw=1.7, label=f"${names[1]}$")
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    ax.set(ylabel=r"$T_{kl}$", ylim=(-1.06, 1.06), title="correlation matrix of the two spins")


def _nonlocality_panel(ax: Axes, result: Result) -> None:
    """Bell nonlocality, concurrence, and how far the first spin is from a pure state."""
    t = times(result)
    ax.plot(t, result["bell_nonlocality"][:, 0], color=BLUE, label="Bell\nnonlocality")
    if "concurrence" in result:
        ax.plot(t, result["concurrence"][:, 0], "--", color=ORANGE, label="concurrence")
    if "purity" in result:
        ax.plot(t, result["purity"], ":", color=BLACK, lw=1.2, label="purity")
    ax.set(ylabel="measure (0 to 1)", ylim=(-0.03, 1.06), title="nonlocality and entanglement")


def _title(tables: dict[str, Any]) -> str:
    """Equation, couplings and initial state, in two lines."""
    model, state, solver = (tables.get(name, {}) for name in ("model", "state", "solver"))
    names = {"quantum_llg": "quantum LLG", "quantum_ll": "quantum LL"}
    kind = str(solver.get("kind", ""))
    parts = [names.get(kind, kind.replace("_", " "))]
    for table, key, symbol in ((solver, "kappa", r"\kappa"), (model, "J", "J")):
        if key in table:
            parts.append(rf"${symbol} = {table[key]:g}$")
    for key, symbol in (("dmi", "D"), ("field", "b")):
        if np.any(model.get(key, 0)):
            values = ", ".join(f"{value:.3g}" for value in np.atleast_1d(model[key]))
            parts.append(rf"$\mathbf{{{symbol}}} = ({values})$")
    if model.get("g_convention") == "physical":
        parts.append("physical $g$")
    start = [str(one) for one in state.get("directions", ())]
    start += [rf"${_BELL[state['bell']]}$"] if state.get("bell") in _BELL else []
    start += [f"p = {state['p']:g}"] if "p" in state else []
    name = str(state.get("kind", "?"))
    words = f"{_STATES.get(name, name)} state" + ": " * bool(start) + ", ".join(start)
    return ", ".join(parts) + "\n" + words
