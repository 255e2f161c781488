"""Convergence certificates: how far a run can be trusted, from runs of other accuracy."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from tnspin.errors import InputError
from tnspin.results.result import Result, check_writable, write_atomically
from tnspin.runs.certify.certificate import Certificate
from tnspin.runs.certify.judge import judge
from tnspin.runs.certify.ladder import AXES, Rung, ladder
from tnspin.runs.certify.runner import Climb
from tnspin.runs.config.config import Config
from tnspin.runs.simulation import check_output

__all__ = ["AXES", "Certificate", "Rung", "certify", "files_of", "ladder"]

#: A ladder ends once the error exceeds the tolerance by this factor: finer rungs would only cost.
BEYOND = 5.0


def certify(
    config: Config,
    path: str | Path | None = None,
    *,
    tolerance: float = 1e-2,
    observables: Sequence[str] = (),
    exact: bool = True,
    on_step: Callable[[Rung, Any], None] = lambda rung, progress: None,
    on_snapshot: Callable[[Any], None] = lambda snapshot: None,
    say: Callable[[str], None] = lambda text: None,
) -> Certificate:
    """Run a ladder of accuracies and say up to which time (or field) a tolerance holds.

    Parameters
    ----------
    config
        The run to certify, any preset or solver kind.
    path
        JSON file; beside it the result of the run (``FILE.h5``, with the attribute
        ``converged_until``) and the runs of the ladder (``FILE.rungs``), from which a ladder that
        was stopped continues.  None: nothing is kept.
    tolerance
        Largest error accepted, in the units of the observables.
    observables
        Those that decide; none: spin, electron_density and electron_spin, as far as they are
        recorded (of a hysteresis loop: loop_spin).  If named, the rungs record nothing else, which
        may be faster.
    exact
        Whether the exact solver may tell the error, where it fits.
    on_step, on_snapshot, say
        See `Climb`.

    Raises
    ------
    InputError
        For closed forms, loops with noise, unknown observables, and what the run itself refuses.
    RunError
        If it was stopped; all that was done is saved.
    """
    if not tolerance > 0:
        raise InputError(f"--tol {tolerance:g}: must be above 0")
    rungs = ladder(config, observables, exact=exact)
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            climb = Climb(rungs, Path(folder), on_step, on_snapshot, say)
            return _climbed(climb, tolerance, observables)[0]
    names = files_of(Path(path))
    check_writable(names["json"])
    check_output(names["result"])
    climb = Climb(rungs, names["rungs"], on_step, on_snapshot, say)
    certificate, base = _climbed(climb, tolerance, observables)
    _certified(base, certificate).save(names["result"])
    text = json.dumps(certificate.to_dict(), indent=1)
    write_atomically(names["json"], BytesIO(text.encode()))
    return certificate


def files_of(path: Path) -> dict[str, Path]:
    """What stands beside a certificate: ``json``, ``result``, ``figure``, ``rungs`` (a folder).

    Raises
    ------
    InputError
        If the name does not end in .json.
    """
    if path.suffix != ".json":
        raise InputError(f"-o {path}: must end in .json")
    suffixes = {"result": ".h5", "figure": ".png", "rungs": ".rungs"}
    return {"json": path} | {name: path.with_suffix(end) for name, end in suffixes.items()}


def _climbed(
    climb: Climb, tolerance: float, observables: Sequence[str]
) -> tuple[Certificate, Result]:
    """Climb until the tolerance is clearly lost."""
    stop = climb.rungs[0].config.length
    certificate: Certificate | None = None
    for reached in climb.rise():
        certificate = judge(climb.courses, tolerance, observables)
        worst = max(certificate.observables[name].error[-1] for name in certificate.judged)
        if worst > BEYOND * tolerance and reached < stop:
            stopped = f"at t = {reached:g}: error {worst:.1e}, over {BEYOND:g} times the tolerance"
            certificate = judge(climb.courses, tolerance, observables, stopped)
            break
    assert certificate is not None
    return certificate, climb.base_run


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
