"""The command ``tnspin certify``: progress bar, signals, figure and table around `certify`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tnspin.errors import RunError
from tnspin.results.result import check_writable
from tnspin.runs.certify.certificate import Certificate
from tnspin.runs.certify.ladder import Level, ladder
from tnspin.runs.certify.runner import certify, files_of
from tnspin.runs.config.config import Config
from tnspin.runs.config.loading import load
from tnspin.runs.progress import Bar, StopOnSignal, position, speaker


def certify_command(options: argparse.Namespace) -> bool:
    """Certify a configuration as the command line says; whether the tolerance holds to its end."""
    config = load(options.config, options.overrides)
    path = options.output or Path(f"{config.name}-certificate.json")
    files = files_of(path)
    check_writable(path)
    names = [name.strip() for name in options.observables.split(",") if name.strip()]
    levels = ladder(config, names, exact=not options.estimate)
    costs = {level.name: level.cost for level in levels}
    done = dict.fromkeys(costs, 0.0)
    bar = Bar(not options.quiet and config.length > 0, "left at most")
    say = speaker(options.quiet)
    if not options.quiet and not files["levels"].is_dir():
        _expect(config, levels, say)
    with StopOnSignal() as stop:

        def on_step(level: Level, progress: Any) -> None:
            if bar.shown:
                done[level.name] = progress.time / level.config.length
                share = sum(costs[name] * part for name, part in done.items())
                where = f"{level.name}, {position(level.config, progress.time)}"
                bar.update(share / sum(costs.values()), where)
            stop.check()

        try:
            certificate = certify(
                config, path, tolerance=options.tol, observables=names,
                exact=not options.estimate, on_step=on_step, on_snapshot=stop.on_snapshot,
                say=say,
            )  # fmt: skip
        except (RunError, KeyboardInterrupt) as error:
            if isinstance(error, RunError) and not stop.requested:
                raise
            again = shlex.join(["tnspin", *options.arguments])
            raise RunError(f"{str(error) or 'stopped'}; continue with: {again}") from error
        finally:
            bar.close()
    _draw(certificate, files["figure"], say)
    if not options.quiet:
        print(table(certificate))
    return certificate.granted


def _expect(config: Config, levels: tuple[Level, ...], say: Callable[[str], None]) -> None:
    """Print the expected cost of the run by itself, and of its ladder."""
    from tnspin.runs.forecast import forecast

    found = forecast(config)
    if found is None or found.seconds is None:
        return
    times = sum(level.cost for level in levels)
    more = "and the exact solver" if levels[1].axis == "exact" else f"up to {times:.0f} times it"
    say(f"{found.text()}; the ladder {more}")


def table(certificate: Certificate) -> str:
    """Table of the verdict, the levels and the error of each observable."""
    facts = certificate.to_dict()
    to, end = "to t", f"t = {certificate.times[-1]:g}"
    if certificate.fields is not None:
        to, end = "fields", "the end"
    lines = [certificate.text(), "", f"{'level':<24} {to:>8} {'CPU (s)':>9}  note"]
    for level in facts["rungs"]:
        reached = "" if level["reached"] is None else f"{level['reached']:g}"
        cpu = f"{level['cpu_time_s']:.1f}" if "cpu_time_s" in level else ""
        lines.append(f"{level['name']:<24} {reached:>8} {cpu:>9}  {level['note']}".rstrip())
    if facts["stopped"]:
        lines.append(f"ladder ended {facts['stopped']}")
    lines += ["", f"{'observable':<34} {'holds until':>11}  error at {end}, and its parts"]
    for name, one in facts["observables"].items():
        until = one["holds_until"]
        mark = "*" if one["judged"] else " "
        parts = ", ".join(
            f"{axis} {_number(values[-1])}" for axis, values in one["contributions"].items()
        )
        until_text = "never" if until is None else f"{until:g}"
        error = _number(one["error"][-1])
        lines.append(f"{mark}{name:<33} {until_text:>11}  {error}  ({parts})")
    drifts = [f"{name} {one['drift']:.1e}" for name, one in facts["conservation"].items()]
    audit = ["drift of the run itself: " + ", ".join(drifts)] if drifts else []
    return "\n".join([*lines, "* decides", *audit])


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.1e}"


def _draw(certificate: Certificate, path: Path, say: Callable[[str], None]) -> None:
    try:
        from tnspin.figures.certificate import save_certificate_figure
    except ModuleNotFoundError as error:
        say(f"no figure: {error.name} is missing: pip install 'tnspin[plot]'")
        return
    save_certificate_figure(certificate.to_dict(), path)
