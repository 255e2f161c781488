"""Certificates: error of each observable of a run against time.

The format of the file is described in `Certificate.to_dict`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.runs.certify.estimate import Array, Extrapolation, holds_until
from tnspin.runs.certify.ladder import AXES
from tnspin.version import __version__

FORMAT = "tnspin-certificate-1"
#: Series of at most so many components are written out extrapolated.
_WRITTEN = 64


@dataclass(frozen=True)
class Observed:
    """Error of one observable.

    Attributes
    ----------
    contributions
        (n,) error from each axis, a running maximum.
    differences
        (n,) largest difference from each level, a running maximum.
    extrapolation
        In discarded weight, where three bond dimensions were run.
    """

    contributions: Mapping[str, Array]
    differences: Mapping[str, Array]
    units: str = "1"
    extrapolation: Extrapolation | None = None

    @property
    def error(self) -> Array:
        """(n,) sum of the contributions."""
        return np.maximum.accumulate(np.sum(list(self.contributions.values()), axis=0))

    def limit(self, index: int) -> str:
        """The axis that contributes most at one of the times."""
        return max(self.contributions, key=lambda axis: self.contributions[axis][index])


@dataclass(frozen=True)
class Certificate:
    """Errors of a run against time, and the verdict on a tolerance.

    Attributes
    ----------
    config
        Nested tables of the run.
    tolerance, judged
        Largest error that is accepted, of each of these observables.
    times
        (n,) times at which the ladder was judged; it may end before the run does.
    observables
        Errors by name.
    levels
        What was run: name, axis, side, value, how far, at which cost.
    conserved
        Drift of what should be conserved, of the base.
    stop
        End of the run.
    stopped
        Why the ladder ended before the run, empty if it did not.
    fields
        (n,) of a hysteresis loop: the fields in the order in which they are taken.  Its times are
        how many of them are done.
    """

    config: Mapping[str, Any]
    tolerance: float
    judged: tuple[str, ...]
    times: Array
    observables: Mapping[str, Observed]
    levels: Sequence[Mapping[str, Any]]
    conserved: Mapping[str, Any]
    stop: float
    stopped: str = ""
    fields: Array | None = None

    @property
    def known(self) -> bool:
        """Whether errors are known from the exact solver, all of them."""
        return {level["axis"] for level in self.levels} == {"base", "exact"}

    @property
    def converged_until(self) -> float | None:
        """Last time up to which every judged observable is within the tolerance."""
        times = [self.holds_until(name) for name in self.judged]
        found = [time for time in times if time is not None]
        return min(found) if len(found) == len(times) else None

    @property
    def granted(self) -> bool:
        """Whether the tolerance holds to the end of the run."""
        reached = self.converged_until
        return reached is not None and reached >= self.stop * (1 - 1e-12)

    @property
    def limits(self) -> tuple[str, str]:
        """Observable and axis that end the certified span (or come closest to it)."""
        until = self.converged_until
        index = 0 if until is None else int(np.searchsorted(self.times, until)) + 1
        index = min(index, self.times.size - 1)
        name = max(self.judged, key=lambda one: self.observables[one].error[index])
        return name, self.observables[name].limit(index)

    def holds_until(self, name: str) -> float | None:
        """Last time up to which one observable is within the tolerance."""
        return holds_until(self.times, self.observables[name].error, self.tolerance)

    def text(self) -> str:
        """One line: until when the tolerance holds, and what limits it."""
        until = self.converged_until
        name, axis = self.limits
        how = "known from the exact solver" if self.known else f"limited by the {AXES[axis]}"
        size = float(self.observables[name].error[-1])
        error = f"{size:.1e}" if np.isfinite(size) else "unknown"
        if self.granted:
            return (
                f"certified: {', '.join(self.judged)} within {self.tolerance:g} "
                f"{self._up_to(self.stop)}; largest error {error} ({name}; {how})"
            )
        if self.fields is None:
            when = "at no time" if until is None else f"up to t = {until:g}, not to {self.stop:g}"
            end = f"at t = {self.times[-1]:g}"
        else:
            when, end = self._up_to(until or 0.0), "at the end"
        return (
            f"refused: {', '.join(self.judged)} within {self.tolerance:g} {when}; "
            f"{name}: error {error} {end} ({how})"
        )

    def _up_to(self, until: float) -> str:
        """Part of the run, in words."""
        if self.fields is None:
            return f"up to t = {until:g}"
        done, count = int(until), self.fields.size
        if done == 0:
            return f"at none of {count} fields"
        if done == count:
            return f"at all {count} fields of the loop"
        way = "falling" if done <= count // 2 else "rising"
        return f"at the first {done} of {count} fields, up to {self.fields[done - 1]:g} ({way})"

    def to_dict(self) -> dict[str, Any]:
        """Content of the JSON file.

        Returns
        -------
        dict
            ``format``, ``tnspin_version``, ``config`` (all tables), ``tolerance``, ``judged``;
            ``field`` (n,) of a hysteresis loop, else null: fields as they are taken, while
            ``time``, ``stop``, ``converged_until`` count how many of them are done;
            ``converged_until`` (null: not even at the start), ``granted``, ``stop`` (end of the
            run), ``known`` (errors are from the exact solver), ``limited_by`` (observable, axis),
            ``stopped`` (why the ladder ended before the run), ``energy_ev`` (or null);
            ``time`` (n,), ``observables``: for each ``units``, ``judged``, ``holds_until``,
            ``error`` (n,), ``contributions`` {axis: (n,)}, ``differences`` {level: (n,)} and, where
            there are three bond dimensions, ``extrapolation``: ``justified`` (n,) share of the
            components, ``error_bar`` (n,) largest, and for small ones ``values`` (n, ...);
            ``conservation`` {name: initial, final, drift}, ``rungs`` [name, axis, side, value,
            solver, reached, file, wall_time_s, cpu_time_s, bond_dim, discarded_weight, note].
            Numbers that are not finite are null.
        """
        found = {
            "format": FORMAT,
            "tnspin_version": __version__,
            "config": self.config,
            "tolerance": self.tolerance,
            "judged": list(self.judged),
            "converged_until": self.converged_until,
            "granted": self.granted,
            "stop": self.stop,
            "known": self.known,
            "limited_by": list(self.limits),
            "stopped": self.stopped,
            "energy_ev": self.config.get("units", {}).get("energy_ev"),
            "time": self.times,
            "field": self.fields,
            "observables": {name: self._observable(name) for name in self.observables},
            "conservation": self.conserved,
            "rungs": list(self.levels),
        }
        return dict(_plain(found))

    def _observable(self, name: str) -> dict[str, Any]:
        one = self.observables[name]
        table = {
            "units": one.units,
            "judged": name in self.judged,
            "holds_until": self.holds_until(name),
            "error": one.error,
            "contributions": one.contributions,
            "differences": one.differences,
        }
        if one.extrapolation is not None:
            found = one.extrapolation
            flat = found.justified.reshape(len(found.justified), -1)
            bars = found.error.reshape(len(found.error), -1)
            table["extrapolation"] = {
                "justified": flat.mean(axis=1),
                "error_bar": bars.max(axis=1),
                "values": found.values if flat.shape[1] <= _WRITTEN else None,
            }
        return table


def read_certificate(path: Path) -> dict[str, Any]:
    """Read a certificate file; returns the dict of `Certificate.to_dict`.

    Raises
    ------
    InputError
        If there is no such file or it is not a certificate.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"FILE = {str(path)!r}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"FILE = {str(path)!r}: is not JSON ({error})") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise InputError(f"FILE = {str(path)!r}: is not a certificate of tnspin certify")
    return {"field": None, **facts}  # the first ones knew no loops


def _plain(value: Any) -> Any:
    """Reduce values to those of JSON."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
