"""Lock files that record their owner and are taken over if the owner has died."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tnspin.errors import InputError, RunError
from tnspin.results.result import reason

#: Seconds between two signs of life of a holder, and without one until it is taken for dead.
HEARTBEAT, PATIENCE = 10.0, 120.0


class Lock:
    """Lock file, held by one process at a time, on any machine that sees the file.

    A holder on this machine is alive if its process is; one on another machine, if it has touched
    the file lately, by the clock of the file system, which all machines share.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = uuid.uuid4().hex
        # A file of our own in the same folder, renamed to the path once it is complete.
        self._aside = path.with_name(f"{path.name}.{self._token[:12]}")
        self._released = threading.Event()

    def acquire(self) -> str | None:
        """Take the lock; None if that succeeded, else who holds it."""
        for _ in range(3):  # somebody else may take over from a dead holder at the same moment
            if self._create():
                threading.Thread(target=self._beat, daemon=True).start()
                return None
            owner = self._owner(self.path)
            if owner is None:
                continue
            if self._alive(owner):
                return _in_words(owner)
            self._break(owner)
        return "somebody else"

    def holder(self) -> str | None:
        """Who holds the lock and lives, None if nobody."""
        owner = self._owner(self.path)
        return _in_words(owner) if owner is not None and self._alive(owner) else None

    def release(self) -> None:
        """Give the lock back."""
        self._released.set()
        if (self._owner(self.path) or {}).get("token") == self._token:
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        """Put a file with our name at the path, unless there is one."""
        facts = {
            "host": socket.gethostname(), "pid": os.getpid(), "born": _born(os.getpid()),
            "since": datetime.now(UTC).isoformat(timespec="seconds"), "token": self._token,
        }  # fmt: skip
        try:
            self._aside.write_text(json.dumps(facts))
            return self._put()
        finally:
            self._aside.unlink(missing_ok=True)

    def _put(self) -> bool:
        """Move the file of our own to the path, unless there is one."""
        try:
            self.path.touch(exist_ok=False)  # of several processes one succeeds
        except FileExistsError:
            return False
        os.replace(self._aside, self.path)
        return True

    def _owner(self, path: Path) -> dict[str, Any] | None:
        """Content of a lock file, None if there is none."""
        try:
            return dict(json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):  # just made, or not one of ours; it counts while touched
            return {}

    def _alive(self, owner: dict[str, Any]) -> bool:
        if owner.get("host") == socket.gethostname():
            born = _born(int(owner["pid"]))
            return born is not None and born == owner.get("born")
        try:
            self._aside.touch()
            return self._aside.stat().st_mtime - self.path.stat().st_mtime < PATIENCE
        except FileNotFoundError:
            return True
        finally:
            self._aside.unlink(missing_ok=True)

    def _break(self, owner: dict[str, Any]) -> None:
        """Remove the file of a dead owner, but not that of a process that took over before us."""
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path, self._aside)
            if (self._owner(self._aside) or {}).get("token") != owner.get("token"):
                self._put()
            self._aside.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._released.wait(HEARTBEAT):
            with contextlib.suppress(OSError):
                os.utime(self.path)


def _in_words(owner: dict[str, Any]) -> str:
    pid, host, since = (owner.get(key, "?") for key in ("pid", "host", "since"))
    return f"process {pid} on {host}, since {since}"


@contextlib.contextmanager
def hold(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock file.

    Parameters
    ----------
    path
        The lock file.
    busy
        Message if another process holds it, with its name in place of ``{holder}``.

    Raises
    ------
    InputError
        If another process holds it; what a killed one has left is taken over.
    RunError
        If the file cannot be written.
    """
    lock = Lock(path)
    try:
        holder = lock.acquire()
    except OSError as error:
        raise RunError(f"{path}: could not be written: {reason(error)}") from error
    if holder is not None:
        raise InputError(busy.replace("{holder}", holder))
    try:
        yield
    finally:
        lock.release()


_BUSY = "another run writes this file ({holder}); wait for it, or choose another"


def only_writer(path: Path) -> contextlib.AbstractContextManager[None]:
    """`hold` ``FILE.h5.lock`` while a run writes ``FILE.h5`` and the files named after it."""
    return hold(_lock_path(path), f"-o {path}: {_BUSY}")


def check_free(path: Path) -> None:
    """Refuse, before any work is done, a file that another run writes.

    Raises
    ------
    InputError
        If another run holds its lock, see `only_writer`.
    """
    holder = Lock(_lock_path(path)).holder()
    if holder is not None:
        raise InputError(f"-o {path}: {_BUSY}".replace("{holder}", holder))


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _born(pid: int) -> str | None:
    """Start of a process according to /proc, None if it does not run.

    Numbers of processes are used again, a number with a time of birth is not.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""  # no /proc here: the number alone has to do
    return None if fields[0] in "ZX" else fields[19]
