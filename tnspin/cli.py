"""The ``tnspin`` command.

Heavy imports stay inside the functions that need them, so that ``--help`` and every refusal of
bad input answer at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tnspin.errors import InputError, RunError

DONE, FAILED, BAD_INPUT, REFUSED = 0, 1, 2, 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # Threads work on separate parts of the state, one BLAS thread each; this must be known
    # before numpy is imported.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        options = _parser().parse_args(arguments)
        options.arguments = arguments
        if "overrides" in options and options.use:
            paths = json.dumps([str(Path(path).resolve()) for path in options.use])
            options.overrides.insert(0, f"run.use={paths}")
        return int(options.function(options))
    except InputError as error:
        return _complain(error, BAD_INPUT)
    except RunError as error:
        return _complain(error, FAILED)
    except KeyboardInterrupt:
        return _complain("stopped", FAILED)
    except BrokenPipeError:  # the reader of our output has gone, as in `tnspin presets | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except MemoryError:
        return _complain("out of memory: lower solver.bond_dim", FAILED)
    except Exception as error:
        if os.environ.get("TNSPIN_DEBUG"):
            raise
        return _complain(f"{type(error).__name__}: {error} (TNSPIN_DEBUG=1 shows where)", FAILED)


def _complain(message: object, status: int) -> int:
    print("tnspin: " + " ".join(str(message).split()), file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    from tnspin.version import __version__

    parser = _Parser(prog="tnspin", description="Quantum spin-transfer torque and entangled spins.")
    parser.add_argument("--version", action="version", version=f"tnspin {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="carry out a run and write its result file")
    run.add_argument("config", metavar="CONFIG", help="name of a preset, or path of a TOML file")
    run.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help="override a dotted key, for instance time.stop=30; the value is TOML",
    )  # fmt: skip
    run.add_argument("-o", "--output", metavar="FILE.h5", type=Path, help="default: NAME.h5 here")
    run.add_argument("--resume", action="store_true", help="continue from FILE.ckpt.h5")
    run.add_argument("--quiet", action="store_true", help="print nothing but errors")
    _add_use(run)
    run.set_defaults(function=_run)

    listing = commands.add_parser("presets", help="list the shipped presets")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(function=_presets)

    info = commands.add_parser("info", help="what a result file holds and how far to trust it")
    info.add_argument("file", metavar="FILE.h5", type=Path)
    info.add_argument("--json", action="store_true", help="as JSON")
    info.set_defaults(function=_info)

    plot = commands.add_parser("plot", help="draw a result, a sweep or a certificate")
    plot.add_argument(
        "files", metavar="FILE.h5", type=Path, nargs="+",
        help="several of the same kind are drawn on the same axes; also sweep.nc, CERTIFICATE.json",
    )  # fmt: skip
    plot.add_argument(
        "-o", "--output", metavar="FILE.png", type=Path,
        help="default: FILE.png (FILE.gif, FILE-overlay.png); .pdf and others work as well",
    )  # fmt: skip
    plot.add_argument(
        "--movie", action="store_true", help="a movie instead: .gif, or .mp4 where ffmpeg is found"
    )
    plot.set_defaults(function=_plot)
    keys = commands.add_parser("keys", help="print the keys of a configuration")
    keys.add_argument(
        "table", metavar="TABLE[.KIND]", nargs="?", default="",
        help="such as solver, or solver.tebd; default: all tables and their kinds",
    )  # fmt: skip
    keys.add_argument("--markdown", action="store_true", help="the whole reference, in Markdown")
    _add_use(keys)
    keys.set_defaults(function=_keys)
    _add_certify(commands)
    _add_sweep(commands)
    return parser


def _add_use(command: Any) -> None:
    command.add_argument(
        "--use", metavar="FILE.py", action="append", default=[],
        help="a Python file that registers models, solvers, baths, ... of your own; repeatable",
    )  # fmt: skip


def _add_certify(commands: Any) -> None:
    certify = commands.add_parser(
        "certify", help="how far a run can be trusted, from runs of other accuracy",
        epilog="Stopped or killed, it continues when the same command is given again. "
        "Exit status 3: the tolerance does not hold to the end. The figure as PDF: tnspin plot "
        "FILE.json -o FILE.pdf.",
    )  # fmt: skip
    certify.add_argument("config", metavar="CONFIG", help="as for run")
    certify.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help="as for run",
    )  # fmt: skip
    certify.add_argument(
        "--tol", metavar="X", type=float, default=1e-2, help="largest error accepted (0.01)"
    )
    certify.add_argument(
        "--observables", metavar="A,B", default="",
        help="those that decide; default: local expectation values",
    )  # fmt: skip
    certify.add_argument(
        "-o", "--output", metavar="FILE.json", type=Path, help="default: NAME-certificate.json here"
    )
    certify.add_argument(
        "--estimate", action="store_true", help="estimate even where an exact solution fits"
    )
    certify.add_argument("--quiet", action="store_true", help="print nothing but errors")
    _add_use(certify)
    certify.set_defaults(function=_certify)


def _add_sweep(commands: Any) -> None:
    sweep = commands.add_parser(
        "sweep", help="a grid of runs, and their results as one dataset",
        epilog="Stopped or killed, it continues when the same command is given again, or with "
        "-o DIR alone. Exit status 1: some runs failed.",
    )  # fmt: skip
    sweep.add_argument("config", metavar="CONFIG", nargs="?", help="as for run")
    sweep.add_argument(
        "--over", metavar="KEY=V1,V2,...", action="append", default=[],
        help="values of a dotted key; several of these make every combination",
    )  # fmt: skip
    sweep.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help="as for run, for all runs",
    )  # fmt: skip
    sweep.add_argument("-o", "--output", metavar="DIR", type=Path, help="default: NAME-sweep here")
    sweep.add_argument(
        "--executor", choices=("process", "dask", "slurm"),
        help="processes of this machine (default), a Dask cluster, or the script of a Slurm job "
        "array, which is written and not submitted",
    )  # fmt: skip
    sweep.add_argument(
        "--workers",
        metavar="N",
        type=int,
        default=0,
        help="runs at the same time; default: one per processor (slurm: as many as it allows)",
    )
    sweep.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that is there")
    sweep.add_argument(
        "--jobqueue", metavar="KIND", help="start the workers with dask-jobqueue: slurm, pbs, ..."
    )
    sweep.add_argument("--retry", action="store_true", help="try again the runs that failed")
    sweep.add_argument("--collect", action="store_true", help="only gather what is there")
    sweep.add_argument("--task", metavar="K", type=int, help="only run number K, as a job does")
    sweep.add_argument("--quiet", action="store_true", help="print nothing but errors")
    _add_use(sweep)
    sweep.set_defaults(function=_sweep)


def _keys(options: argparse.Namespace) -> int:
    from tnspin.runs.config.reference import keys_text, reference_page
    from tnspin.schema.plugins import use

    use(options.use)
    print(reference_page().rstrip() if options.markdown else keys_text(options.table))
    return DONE


def _sweep(options: argparse.Namespace) -> int:
    from tnspin.runs.sweep.command import sweep_command

    return DONE if sweep_command(options) else FAILED


def _certify(options: argparse.Namespace) -> int:
    from tnspin.runs.certify.command import certify_command

    granted = certify_command(options)
    return DONE if granted else REFUSED


def _run(options: argparse.Namespace) -> int:
    from tnspin.runs.config.loading import load

    config = load(options.config, options.overrides)
    from tnspin.results.report import reached, summary
    from tnspin.runs.progress import Bar, StopOnSignal, position, speaker
    from tnspin.runs.simulation import check_output, simulate

    path = options.output or Path(f"{config.name}.h5")
    check_output(path)

    say = speaker(options.quiet)
    expected, watch = (None, None) if options.quiet else _expect(config, options.resume, say)
    share = expected or (lambda time: time / config.length)
    bar = Bar(shown=not options.quiet and config.length > 0)
    with StopOnSignal() as stop:

        def on_step(progress: Any) -> None:
            if bar.shown:
                cost = f"bond dimension {progress.bond_dim}, discarded {progress.discarded:.1e}"
                bar.update(share(progress.time), position(config, progress.time), cost)
            if watch is not None:
                watch.update(progress)
            stop.check()

        try:
            result = simulate(
                config, path, resume=options.resume, on_step=on_step,
                on_snapshot=stop.on_snapshot, say=say,
            )  # fmt: skip
        except KeyboardInterrupt as stopped:
            raise RunError("stopped" + _how_to_go_on(options, path)) from stopped
        finally:
            bar.close()
    if not result.complete:
        raise RunError(f"stopped {reached(result)}" + _how_to_go_on(options, path))
    if not options.quiet:
        print(summary(result, str(path)))
    return DONE


def _expect(config: Any, resumed: bool, say: Any) -> tuple[Any, Any]:
    """Say what a run will take; how its work is spread over time, and what tells later instead."""
    from tnspin.runs.forecast import Watch, forecast

    found = None if resumed else forecast(config)
    if found is None:
        return None, Watch(config, say)
    say(found.text())
    if found.warning():
        say(str(found.warning()))
    return (found.share, None) if found.seconds is not None else (None, Watch(config, say))


def _how_to_go_on(options: argparse.Namespace, path: Path) -> str:
    from tnspin.runs.checkpoint import resumable

    if not resumable(path):
        return " before anything was saved"
    again = [argument for argument in options.arguments if argument != "--resume"]
    return ", saved; continue with: " + shlex.join(["tnspin", *again, "--resume"])


def _presets(options: argparse.Namespace) -> int:
    from tnspin.runs.config.loading import presets

    rows = presets()
    if options.json:
        print(json.dumps(rows, indent=2))
        return DONE
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        print(f"{row['name']:<{width}}  {row.get('title', '')}")
        print(f"{'':<{width}}  {row.get('reproduces', '')}; {row.get('cost', '')}")
    return DONE


def _info(options: argparse.Namespace) -> int:
    from tnspin.results.report import info, info_text
    from tnspin.results.result import Result

    result = Result.load(options.file)
    if options.json:
        print(json.dumps({"file": str(options.file), **info(result)}, indent=2))
    else:
        print(f"{options.file}\n\n{info_text(result)}")
    return DONE


def _plot(options: argparse.Namespace) -> int:
    from tnspin.results.result import Result, check_writable
    from tnspin.runs.certify.certificate import read_certificate

    first, several = options.files[0], len(options.files) > 1
    certificate = any(file.suffix == ".json" for file in options.files)
    if options.movie and several:
        raise InputError("--movie: takes one FILE.h5")
    if certificate and (several or options.movie):
        raise InputError("FILE: a certificate is drawn alone, and not as a movie")
    facts = read_certificate(first) if certificate else {}
    results = [] if certificate else [Result.load(file) for file in options.files]
    ending = "-overlay.png" if several else ".gif" if options.movie else ".png"
    path = options.output or first.with_name(first.stem + ending)
    check_writable(path)
    try:
        from tnspin import figures
        from tnspin.figures import movie
    except ModuleNotFoundError as error:
        raise RunError(f"plot: {error.name} is missing: pip install 'tnspin[plot]'") from error
    if certificate:
        figures.save_certificate_figure(facts, path)
    elif options.movie:
        movie.save_movie(results[0], path)
    elif len(results) > 1:
        figures.save_overlay(results, [file.stem for file in options.files], path)
    else:
        figures.save_figure(results[0], path)
    print(path)
    return DONE
