"""Files and packages of users that register kinds of their own.

``--use FILE.py`` and the entry-point group ``tnspin.plugins`` load them.  The text of a file and
its checksum go into the result, for the record; text stored in a result is never executed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path

from tnspin.errors import InputError

#: Files that have been imported.
_USED: dict[Path, UserFile] = {}


@dataclass(frozen=True)
class UserFile:
    """A user's file as it was loaded.

    Attributes
    ----------
    path
        Absolute path.
    text
        Content.
    """

    path: Path
    text: str

    @property
    def sha256(self) -> str:
        """Checksum of the text, in hexadecimal digits."""
        return sha256(self.text.encode()).hexdigest()


def use(paths: Iterable[str | Path]) -> list[UserFile]:
    """Import users' files, each once, and return them.

    A file is imported under its own name, with its folder on ``sys.path``, so that worker processes
    find its classes as they find those of any script.

    Raises
    ------
    InputError
        If a file is missing, does not import, or its name is that of another module.
    """
    return [_used(str(path)) for path in paths]


def _used(given: str) -> UserFile:
    path = Path(given).resolve()
    if path not in _USED:
        _USED[path] = _imported(given, path)
    return _USED[path]


@cache
def load_plugins() -> None:
    """Import the modules of installed packages that declare ``tnspin.plugins``, once."""
    from importlib.metadata import entry_points

    for point in entry_points(group="tnspin.plugins"):
        try:
            point.load()
        except Exception as error:
            raise InputError(
                f"tnspin.plugins: {point.name} = {point.value!r} does not load: "
                f"{type(error).__name__}: {error}; repair or uninstall the package"
            ) from error


def _imported(given: str, path: Path) -> UserFile:
    if path.suffix != ".py" or not path.is_file():
        raise InputError(f"--use {given}: must be the path of a Python file, FILE.py")
    name = path.stem
    if not name.isidentifier():
        raise InputError(f"--use {given}: its name must be a Python name, such as my_model.py")
    loaded = sys.modules.get(name)
    # Built-in modules, such as time, have no file.
    if loaded is not None and Path(getattr(loaded, "__file__", None) or "").resolve() != path:
        raise InputError(f"--use {given}: there is another module {name!r}; rename the file")
    text = path.read_text(encoding="utf-8")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    try:
        module = import_module(name)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"--use {given}: {type(error).__name__}: {error}") from error
    if Path(str(module.__file__)).resolve() != path:
        raise InputError(f"--use {given}: there is another module {name!r}; rename the file")
    return UserFile(path, text)
