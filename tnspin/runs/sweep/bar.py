"""What a person sees of a sweep: a bar over its runs on a terminal, a line for each elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from tnspin.runs.sweep.runs import Outcome, Task

__all__ = ["RunsBar"]

_LAYOUT = "{desc} {percentage:3.0f}%|{bar:24}| {remaining} left{postfix}"


class RunsBar:
    """Runs done, and the time left if the others take as long.

    Parameters
    ----------
    total
        Runs to do.
    say
        Told each failure, whom a busy run waits for, and, away from a terminal, each run done.
    shown
        Whether to show anything.
    """

    def __init__(self, total: int, say: Callable[[str], None], shown: bool = True) -> None:
        self._total, self._say = total, say
        self._ended, self._start = 0, time.monotonic()
        self._waiting: set[str] = set()
        self._bar: Any = None
        if shown and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total, bar_format=_LAYOUT, leave=False, dynamic_ncols=True,
                desc=f"0/{total} runs",
            )  # fmt: skip

    def update(self, task: Task, outcome: Outcome) -> None:
        """Take note of how a run ended."""
        if outcome.status == "busy":
            if task.name not in self._waiting:
                self._waiting.add(task.name)
                self._tell(f"{task.name}: waiting for {outcome.message}")
            return
        self._ended += 1
        if outcome.status == "failed":
            self._tell(f"{task.name} failed: {outcome.message}")
        elif self._bar is None:
            self._say(f"{task.name}: done ({outcome.seconds:.1f} s); {self._left()}")
        if self._bar is not None:
            self._bar.set_description_str(f"{self._ended}/{self._total} runs", refresh=False)
            self._bar.update()

    def _left(self) -> str:
        seconds = (time.monotonic() - self._start) / self._ended * (self._total - self._ended)
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
        return f"{self._ended} of {self._total}, about {text} left"

    def _tell(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        self._say(text)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
