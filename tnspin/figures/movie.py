"""Movies of a current pulse; nothing here needs a display."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tnspin.errors import InputError, RunError
from tnspin.figures.labels import localized_sites, polarization, time_label
from tnspin.figures.style import BLACK, GREEN, ORANGE, STYLE, new_figure
from tnspin.results.result import Result, reason, write_atomically

#: What is drawn; sweeps have the same variables along other axes as well.
_SHOWN = {
    "electron_density": ("time", "site"),
    "electron_spin": ("time", "site", "axis"),
    "spin": ("time", "localized", "axis"),
}


def save_movie(result: Result, path: Path, seconds: float = 10.0) -> None:
    """Write a movie of the pulse: densities along the chain, localized spins as arrows.

    Parameters
    ----------
    result
        A run with electrons and localized spins.
    path
        A ``.gif`` file, or ``.mp4`` where ffmpeg is installed.
    seconds
        Length of the movie.

    Raises
    ------
    InputError
        If the result has no electrons to show, or the format cannot be written.
    RunError
        If the disk is full, or ffmpeg fails; an older movie stays.
    """
    from matplotlib.animation import AbstractMovieWriter, FFMpegWriter, PillowWriter

    if any(
        name not in result or result.variables[name].dims != dims for name, dims in _SHOWN.items()
    ):
        raise InputError("--movie: this result has no electron densities to show")
    if not result["time"].size or not localized_sites(result).size:
        raise InputError("--movie: this result has no times, or no localized spins, to show")
    kinds: dict[str, type[Any]] = {".gif": PillowWriter, ".mp4": FFMpegWriter}
    if path.suffix not in kinds:
        raise InputError(f"-o {path}: a movie is a .gif or .mp4 file")
    if not kinds[path.suffix].isAvailable():
        raise InputError(f"-o {path}: a .mp4 needs ffmpeg, which is not installed; allowed: .gif")
    rate = int(np.clip(result["time"].size / seconds, 2, 25))
    writer: AbstractMovieWriter = kinds[path.suffix](fps=rate)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        with mpl.rc_context(STYLE):
            drawing, draw = _movie_frame(result)
            with writer.saving(drawing, str(partial), dpi=100):
                for k in range(result["time"].size):
                    draw(k)
                    writer.grab_frame()
        image = io.BytesIO(partial.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: could not be written: {reason(error)}") from error
    except subprocess.CalledProcessError as error:
        raise RunError(f"{path}: could not be written: {_last_words(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    write_atomically(path, image)


def _last_words(error: subprocess.CalledProcessError) -> str:
    """What ffmpeg said last, before it failed."""
    said = error.stderr or error.output or b""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    last = (text.strip() or "no reason given").splitlines()[-1].strip()
    return f"ffmpeg failed with status {error.returncode}: {last}"


def _movie_frame(result: Result) -> tuple[Figure, Callable[[int], None]]:
    """Return the figure of a movie and the function that sets it to snapshot k."""
    drawing = new_figure(8.0, 4.5)
    upper, lower = drawing.subplots(2, 1, height_ratios=(1.0, 1.8))
    density, spins = result["electron_density"], result["spin"]
    axis = polarization(result)
    electron_spin = result["electron_spin"][:, :, axis]
    sites, localized = np.arange(density.shape[1]), localized_sites(result)

    upper.set(xlim=(-1, sites.size), ylim=(-1.25, 1.25), yticks=[-1, 0, 1], xticks=[],
              ylabel="localized\nspins, z")  # fmt: skip
    upper.axhline(0, color="0.85", lw=1, zorder=0)
    arrows = upper.quiver(
        localized, np.zeros(localized.size), spins[0, :, 0], spins[0, :, 2], color=GREEN,
        angles="xy", scale_units="xy", scale=1.0, width=0.006, zorder=3,
    )  # fmt: skip
    (charge_line,) = lower.plot(sites, density[0], color=BLACK, label="charge")
    (spin_line,) = lower.plot(sites, electron_spin[0], color=ORANGE, label=f"spin, {'xyz'[axis]}")
    lower.axvspan(localized.min() - 0.5, localized.max() + 0.5, color=GREEN, alpha=0.12, lw=0)
    low, high = min(0.0, float(electron_spin.min())), float(density.max())
    lower.set(xlim=(-1, sites.size), ylim=(low - 0.05 * high, 1.1 * high),
              xlabel="site", ylabel="electrons per site")  # fmt: skip
    lower.legend(loc="upper right")

    def draw(k: int) -> None:
        arrows.set_UVC(spins[k, :, 0], spins[k, :, 2])
        charge_line.set_ydata(density[k])
        spin_line.set_ydata(electron_spin[k])
        upper.set_title(f"{time_label(result)} = {result['time'][k]:.1f}")

    return drawing, draw
