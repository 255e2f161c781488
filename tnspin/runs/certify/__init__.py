"""Convergence certificates: how far a run can be trusted, from runs of other accuracy."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from tnspin.errors import InputError
from tnspin.results.result import Result, check_writable, write_atomically
from tnspin.runs.certify.certificate import Certificate
from tnspin.runs.certify.judge import judge
from tnspin.runs.certify.ladder import AXES, Level, ladder
from tnspin.runs.certify.runner import WINDOW_SECONDS, LadderRun
from tnspin.runs.config.config import Config
from tnspin.runs.simulation import check_output

__all__ = ["AXES", "Certificate", "Level", "certify", "files_of", "ladder"]

#: A ladder ends once the error exceeds the tolerance by this factor: finer levels would only cost.
BEYOND = 5.0


def certify(
    config: Config,
    path: str | Path | None = None,
    *,
    tolerance: float = 1e-2,
    observables: Sequence[str] = (),
    exact: bool = True,
    on_step: Callable[[Level, Any], None] = lambda level, progress: None,
    on_snapshot: Callable[[Any], None] = lambda snapshot: None,
    say: Callable[[str], None] = lambda text: None,
    window_seconds: float = WINDOW_SECONDS,
) -> Certificate:
    """Run a ladder of accuracies and say up to which time (or field) a tolerance holds.

    Parameters
    ----------
    config
        The run to certify, any preset or solver kind.
    path
        JSON file; beside it the result of the run (``FILE.h5``, with the attribute
        ``converged_until``) and the levels of the ladder (``FILE.rungs``), from which a ladder that
        was stopped continues.  None: nothing is kept.
    tolerance
        Largest error accepted, in the units of the observables.
    observables
        Those that decide; none: spin, electron_density and electron_spin, as far as they are
        recorded (of a hysteresis loop: loop_spin).  If named, the levels record nothing else, which
        may be faster.
    exact
        Whether the exact solver may tell the error, where it fits.
    on_step, on_snapshot, say, window_seconds
        See `LadderRun`.

    Raises
    ------
    InputError
        For closed forms, loops with noise, unknown observables, and what the run itself refuses.
    RunError
        If it was stopped; all that was done is saved.
    """
    if not tolerance > 0:
        raise InputError(f"--tol {tolerance:g}: must be above 0")
    levels = ladder(config, observables, exact=exact)
    with contextlib.ExitStack() as stack:
        names = {} if path is None else files_of(Path(path))
        if names:
            check_writable(names["json"])
            check_output(names["result"])
        folder = names.get("levels") or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        run = LadderRun(levels, folder, on_step, on_snapshot, say, window_seconds)
        certificate = _judged(run, tolerance, observables)
        base = run.results["base"].run
    assert base is not None
    if names:
        _certified(base, certificate).save(names["result"])
        text = json.dumps(certificate.to_dict(), indent=1)
        write_atomically(names["json"], BytesIO(text.encode()))
    return certificate


def files_of(path: Path) -> dict[str, Path]:
    """Paths named after a certificate: ``json``, ``result``, ``figure``, ``levels`` (a folder).

    Raises
    ------
    InputError
        If the name does not end in .json.
    """
    if path.suffix != ".json":
        raise InputError(f"-o {path}: must end in .json")
    suffixes = {"result": ".h5", "figure": ".png", "levels": ".rungs"}
    return {"json": path} | {name: path.with_suffix(end) for name, end in suffixes.items()}


def _judged(run: LadderRun, tolerance: float, observables: Sequence[str]) -> Certificate:
    """Advance a ladder until its end, or until the tolerance is clearly lost."""
    stop = run.levels[0].config.length
    certificate: Certificate | None = None
    for reached in run.advance():
        certificate = judge(run.results, tolerance, observables)
        worst = max(certificate.observables[name].error[-1] for name in certificate.judged)
        if worst > BEYOND * tolerance and reached < stop:
            why = f"at t = {reached:g}: error {worst:.1e}, over {BEYOND:g} times the tolerance"
            return replace(certificate, stopped=why)
    assert certificate is not None
    return certificate


def _certified(result: Result, certificate: Certificate) -> Result:
    """The result of the base, with what it was found to be worth."""
    until = certificate.converged_until
    never = -1.0 if certificate.fields is None else 0.0
    attrs = {
        "converged_until": never if until is None else until,
        "certified_tolerance": certificate.tolerance,
        "certified_observables": " ".join(certificate.judged),
        "certified": certificate.text(),
    }
    return Result(result.variables, {**result.attrs, **attrs})
