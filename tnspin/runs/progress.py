"""What a person sees and does while a run is under way: a bar, and Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any

from tnspin.errors import Interrupted

__all__ = ["Bar", "LadderBar", "StopOnSignal"]

_LAYOUT = "{desc} {percentage:3.0f}%|{bar:24}| {remaining} left{postfix}"
_LADDER_LAYOUT = "{percentage:3.0f}%|{bar:24}| {remaining} left at most{postfix}"


class Bar:
    """Progress bar on stderr: current time, time left, largest bond dimension, discarded weight.

    Parameters
    ----------
    stop
        Time at which the run ends.
    shown
        Whether to show it; it is shown only on a terminal.
    share
        Share of the work that is done at a time, so that the time left is told from what the
        rest will cost, not from how long it is; None: in proportion to time.
    label
        What is counted, if not time.
    """

    def __init__(
        self,
        stop: float,
        shown: bool = True,
        share: Callable[[float], float] | None = None,
        label: str = "t =",
    ) -> None:
        self._stop = stop
        self._label = label
        self._shown = shown and sys.stderr.isatty() and stop > 0
        self._share = share or (lambda time: time / stop)
        self._bar: Any = None

    def update(self, progress: Any) -> None:
        """Show a `Progress`."""
        if not self._shown:
            return
        cost = f"bond dimension {progress.bond_dim}, discarded {progress.discarded:.1e}"
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=1.0, initial=self._share(progress.time), bar_format=_LAYOUT, leave=False,
                miniters=0, dynamic_ncols=True, postfix=cost, desc=self._where(progress),
            )  # fmt: skip
        self._bar.set_postfix_str(cost, refresh=False)
        self._bar.set_description_str(self._where(progress), refresh=False)
        # The bar would complain of going past its end by a rounding error.
        self._bar.update(min(self._share(progress.time), 1.0) - self._bar.n)

    def _where(self, progress: Any) -> str:
        return f"{self._label} {progress.time:.1f}/{self._stop:g}"

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


class LadderBar:
    """Progress bar of several runs of unequal cost, one after the other.

    Parameters
    ----------
    costs
        Name of each run and its cost relative to the others.
    stop
        Time at which the runs end.
    shown
        Whether to show it; it is shown only on a terminal.
    label
        What is counted, if not time.
    """

    def __init__(
        self, costs: Mapping[str, float], stop: float, shown: bool = True, label: str = "t ="
    ) -> None:
        self._stop = stop
        self._label = label
        self._costs = costs
        self._reached = dict.fromkeys(costs, 0.0)
        self._shown = shown and sys.stderr.isatty() and stop > 0
        self._bar: Any = None

    def update(self, name: str, progress: Any) -> None:
        """Show how far one of the runs is."""
        if not self._shown:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=100.0, bar_format=_LADDER_LAYOUT, leave=False, miniters=0, dynamic_ncols=True
            )
        self._reached[name] = min(progress.time / self._stop, 1.0)
        done = sum(self._costs[one] * part for one, part in self._reached.items())
        self._bar.set_postfix_str(f"{name}, {self._label} {progress.time:.1f}", refresh=False)
        self._bar.update(100.0 * done / sum(self._costs.values()) - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


class StopOnSignal:
    """Turn SIGINT and SIGTERM into a stop between two steps, where everything can be saved.

    Before `ready` is set there is nothing to save, and the signal acts at once; so does a
    second one.
    """

    def __init__(self) -> None:
        self.ready = False
        self.requested = False
        self._old: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._old[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested or not self.ready:
            raise KeyboardInterrupt
        self.requested = True

    def check(self) -> None:
        """Raise `Interrupted` if a signal came."""
        if self.requested:
            raise Interrupted
