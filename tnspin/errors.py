"""The errors a user can meet, and the spelling hint that goes with them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input from the user.

    The message is one line that names the key, the value, what is allowed and, where a name
    was misspelt, the nearest valid one. The command line turns it into exit status 2.
    """


class DamagedFile(InputError):
    """A file that holds no result, or no longer what was written into it; the message names it."""


class RunError(RuntimeError):
    """A run that started and could not finish (exit status 1), for instance on a full disk."""


class Interrupted(Exception):
    """Raised between two steps by a progress callback, to end a run early and saved."""


def nearest(name: object, allowed: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest allowed name, or ``""`` if none is close.

    Parameters
    ----------
    name
        What the user wrote.
    allowed
        The valid names.
    """
    close = difflib.get_close_matches(str(name), list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
