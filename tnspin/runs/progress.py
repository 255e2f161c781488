"""Progress bar on a terminal, and stopping a run with Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from tnspin.errors import Interrupted


class Bar:
    """Progress bar on stderr, shown on a terminal only.

    Parameters
    ----------
    shown
        Whether to show it.
    left
        Word behind the time left.
    """

    def __init__(self, shown: bool = True, left: str = "left") -> None:
        self.shown = shown and sys.stderr.isatty()
        self._layout = f"{{desc}} {{percentage:3.0f}}%|{{bar:24}}| {{remaining}} {left}{{postfix}}"
        self._bar: Any = None

    def update(self, share: float, done: str = "", note: str = "") -> None:
        """Show the share of the work that is done, how far that is in words, and a note.

        The time left follows from the share: not from how far a run is, but from what the rest
        of it will cost.
        """
        if not self.shown:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=1.0, initial=share, bar_format=self._layout, leave=False, miniters=0,
                dynamic_ncols=True, postfix=note, desc=done,
            )  # fmt: skip
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.set_description_str(done, refresh=False)
        # The bar would complain of going past its end by a rounding error.
        self._bar.update(min(share, 1.0) - self._bar.n)

    def clear(self) -> None:
        """Make room for a line of text."""
        if self._bar is not None:
            self._bar.clear()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def speaker(quiet: bool) -> Callable[[str], None]:
    """Function that prints a line for the user on stderr, or nothing."""

    def say(text: str) -> None:
        if not quiet:
            print(f"tnspin: {text}", file=sys.stderr, flush=True)

    return say


def position(config: Any, time: float) -> str:
    """How far a run is, in words: its time, or the fields done of a hysteresis loop."""
    return f"{'t =' if config.hysteresis is None else 'fields'} {time:.1f}/{config.length:g}"


class StopOnSignal:
    """Turn SIGINT and SIGTERM into a stop between two steps, where everything can be saved.

    Before `ready` is set there is nothing to save, and the signal acts at once; so does a
    second one.  Outside the main thread, to which signals go, nothing changes.

    Parameters
    ----------
    signals
        Their numbers.
    """

    def __init__(self, signals: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)) -> None:
        self.ready = False
        self.requested = False
        self._signals = signals
        self._old: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        if threading.current_thread() is threading.main_thread():
            self._old = {number: signal.signal(number, self._handle) for number in self._signals}
        return self

    def __exit__(self, *_: object) -> None:
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

    def on_snapshot(self, snapshot: Any) -> None:
        """Note that there is something to save, and `check`; for `simulate` and `certify`."""
        self.ready = True
        self.check()
