"""A lock file that says who holds it, and that outlives nobody."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tnspin.errors import (InputError, RunError)
from tnspin.results.result import reason

__all__ = ["Lock", "check_free", "only_writer"]

#: Seconds between two signs of life of a holder, and without one until it is taken for dead.
HEARTBEAT, PATIENCE = 10.0, 120.0
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Lock:
    """Held by one process at a time, on any machine that sees the file.

    On the same machine a holder is alive if its process is; one on another machine, if it has
    touched the file lately.  The clock is the file system's, which all of them share.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = uuid.uuid4().hex
        self._released = threading.Event()

    def acquire(self) -> str | None:
        """Take the lock; None if that succeeded, else who holds it."""
        for _ in range(3):  # somebody else may take over from a dead holder at the same moment
            if self._create():
                threading.Thread(target=self._beat, daemon=True).start()
                return None
            holder = self._holder()
            if holder is None:
                continue
            if self._alive(holder):
                return _in_words(holder)
            self._break(holder)
        return "somebody else"

    def holder(self) -> str | None:
        """Who holds the lock and lives, None if nobody."""
        holder = self._holder()
        return _in_words(holder) if holder is not None and self._alive(holder) else None

    def release(self) -> None:
        """Give the lock back."""
        self._released.set()
        holder = self._holder()
        if holder is not None and holder.get("token") == self._token:
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        """Put a file with our name at the path, unless there is one; all at once."""
        mine = self.path.with_name(f"{self.path.name}.{self._token[:12]}")
        facts = {
            "host": socket.gethostname(), "pid": os.getpid(), "born": _born(os.getpid()),
            "since": datetime.now(UTC).isoformat(timespec="seconds"), "token": self._token,
        }  # fmt: skip
        try:
            mine.write_text(json.dumps(facts))
            os.link(mine, self.path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._create_in_place(mine.read_text())
        finally:
            with contextlib.suppress(OSError):
                mine.unlink(missing_ok=True)
        return True

    def _create_in_place(self, text: str) -> bool:
        """The same where files cannot have two names (FAT, some network disks)."""
        try:
            with open(self.path, "x") as file:
                file.write(text)
        except FileExistsError:
            return False
        except OSError:  # made, and then the disk was full
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
            raise
        return True

    def _holder(self) -> dict[str, Any] | None:
        """What the file says, None if there is none."""
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):  # not one of ours; it counts while it is touched
            return {}

    def _alive(self, holder: dict[str, Any]) -> bool:
        if holder.get("host") == socket.gethostname():
            born = _born(int(holder["pid"]))
            return born is not None and born == holder.get("born")
        return self._age() < PATIENCE

    def _age(self) -> float:
        """Seconds since the file was touched, by the clock of the file system."""
        probe = self.path.with_name(f"{self.path.name}.{self._token[:12]}")
        try:
            probe.touch()
            return probe.stat().st_mtime - self.path.stat().st_mtime
        except FileNotFoundError:
            return 0.0
        finally:
            probe.unlink(missing_ok=True)

    def _break(self, holder: dict[str, Any]) -> None:
        """Remove the file of a dead holder, but not that of whoever was faster than us."""
        aside = self.path.with_name(f"{self.path.name}.{self._token[:12]}")
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path, aside)
            taken = Lock(aside)._holder()
            if taken is not None and taken.get("token") != holder.get("token"):
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self.path)
            aside.unlink()

    def _beat(self) -> None:
        while not self._released.wait(HEARTBEAT):
            with contextlib.suppress(OSError):
                os.utime(self.path)


def _in_words(holder: dict[str, Any]) -> str:
    pid, host, since = (holder.get(key, "?") for key in ("pid", "host", "since"))
    return f"process {pid} on {host}, since {since}"


def check_free(path: Path) -> None:
    """Refuse, before any work is done, a file that another run writes.

    Raises
    ------
    InputError
        If another run holds the lock of the file, see `only_writer`.
    """
    _refuse(path, _lock_of(path).holder())


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold ``FILE.h5.lock`` while a run writes ``FILE.h5`` and what stands beside it.

    Raises
    ------
    InputError
        If another run holds it; what a killed one has left is taken over.
    RunError
        If the lock cannot be written.
    """
    lock = _lock_of(path)
    try:
        holder = lock.acquire()
    except OSError as error:
        raise RunError(f"{lock.path}: could not be written: {reason(error)}") from error
    _refuse(path, holder)
    try:
        yield
    finally:
        lock.release()


def _lock_of(path: Path) -> Lock:
    return Lock(path.with_name(path.name + ".lock"))


def _refuse(path: Path, holder: str | None) -> None:
    if holder is not None:
        raise InputError(
            f"-o {path}: another run writes this file ({holder}); wait for it, or choose another"
        )


def _born(pid: int) -> str | None:
    """When a process started, as its system tells it; None if it runs no more.

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
