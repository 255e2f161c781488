"""Results: named arrays with units in an HDF5 file, written whole or not at all, for xarray too."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import DamagedFile, InputError, RunError
from tnspin.results.toml_text import loads
from tnspin.version import __version__

if TYPE_CHECKING:
    import xarray

FORMAT = "tnspin-result"
#: Version of the layout; files without one are of version 1, which had no number but is the same.
FORMAT_VERSION = 2
#: Attributes that say how the file is written, not what it holds.
_OF_THE_FILE = ("format", "format_version", "checksum", "_NCProperties")
#: Of the HDF5 layout: since 1.10, names and shapes carry checksums.
LIBVER = "v110"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Variable:
    """One array of a result.

    Attributes
    ----------
    dims
        Name of each axis of ``data``.
    data
        The numbers (or texts, for a coordinate such as ``axis``).
    units
        Units as text; ``"1"`` for a pure number.
    long_name
        Meaning, in words.
    attrs
        Further facts as texts, e.g. ``part_a`` and ``part_b``: sites of the two parts of a
        measure of entanglement, as JSON lists.
    """

    dims: tuple[str, ...]
    data: np.ndarray
    units: str = "1"
    long_name: str = ""
    attrs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """Result of a run: variables by name, and attributes (configuration, provenance)."""

    variables: Mapping[str, Variable]
    attrs: Mapping[str, Any]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.variables[name].data

    def __contains__(self, name: object) -> bool:
        return name in self.variables

    def __repr__(self) -> str:
        """Variables with their shapes, in one line."""
        shapes = (f"{name} {variable.data.shape}" for name, variable in self.variables.items())
        return f"Result of {len(self.variables)} variables: {', '.join(shapes)}"

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    @property
    def complete(self) -> bool:
        """Whether the run reached its end."""
        return bool(self.attrs.get("complete", 1))

    def at_times(self, keep: slice | np.ndarray) -> Result:
        """The result at some of its times, given as a slice or a mask."""
        rows = {
            name: replace(v, data=v.data[keep]) if v.dims[:1] == ("time",) else v
            for name, v in self.variables.items()
        }
        return Result(rows, self.attrs)

    def image(self) -> io.BytesIO:
        """Return the bytes of the HDF5 file, with netCDF-4 dimensions and without its digest."""
        import h5netcdf

        buffer = io.BytesIO()
        with h5netcdf.File(buffer, "w", libver=LIBVER) as file:
            for variable in self.variables.values():
                for dim, size in zip(variable.dims, variable.data.shape, strict=True):
                    if dim not in file.dimensions:
                        file.dimensions[dim] = size
            for name, variable in self.variables.items():
                _write_variable(file, name, variable)
            own = {"format": FORMAT, "format_version": FORMAT_VERSION}
            for key, value in {**own, **self.attrs}.items():
                file.attrs[key] = value
        return buffer

    def save(self, path: str | Path) -> None:
        """Write the file; an older one is replaced only once the new one is whole on disk.

        Raises
        ------
        RunError
            If the disk is full or the folder cannot be written.
        """
        from tnspin.results.checksums import append_checksum

        write_atomically(Path(path), append_checksum(self.image()))

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Read a result (or checkpoint) file.

        Raises
        ------
        InputError
            If there is no such file, it is not a result of tnspin, was made by a newer version,
            or is damaged.
        """
        import h5netcdf

        attrs = attributes(path)
        with readable(path), h5netcdf.File(path, "r") as file:
            _check_sizes(file, Path(path).stat().st_size)
            variables = {name: _read_variable(source) for name, source in file.variables.items()}
        return cls(variables, attrs)

    def to_xarray(self) -> xarray.Dataset:
        """The result as an `xarray.Dataset`."""
        import xarray

        data = {
            name: (v.dims, v.data, {"units": v.units, "long_name": v.long_name, **v.attrs})
            for name, v in self.variables.items()
        }
        labels = [name for name, v in self.variables.items() if v.dims == (name,)]
        labels += str(self.attrs.get("coordinates", "")).split()
        return xarray.Dataset(data, attrs=dict(self.attrs)).set_coords(labels)


load = Result.load


def attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a result file, without reading its variables.

    Raises
    ------
    InputError
        As `Result.load`.
    """
    import h5py

    from tnspin.results.checksums import verify_digest, verify_texts

    path = Path(path)
    with readable(path):  # the digest first: HDF5 may read a damaged file for ever
        verified = path.is_file() and os.access(path, os.R_OK) and verify_digest(path)
    if not _has_format(path):
        raise InputError(f"FILE = {str(path)!r}: {_why_not(path)}")
    with readable(path):
        if not verified:
            verify_texts(path)
        with h5py.File(path, "r") as file:
            found = {key: _scalar(value) for key, value in file.attrs.items()}
        _check_version(found)
        for key in ("config", "versions"):
            if not isinstance(found.get(key, ""), str):
                raise InputError(f"attribute {key!r} is no text")
        loads(found.get("config", ""))
        json.loads(found.get("versions", "{}"))
    return {key: found[key] for key in found if key not in _OF_THE_FILE}


@contextlib.contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Turn every error of the HDF5 library or of a decoder into one line that names the file.

    Raises
    ------
    DamagedFile
        In place of every other error.
    """
    from tnspin.results.checksums import damaged_array

    try:
        yield
    except DamagedFile:
        raise  # names its file already
    except InputError as error:
        raise DamagedFile(f"FILE = {str(path)!r}: {error}") from error
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        name = damaged_array(path) if isinstance(error, OSError) else None
        if name is not None:
            said = f"the numbers of {name!r} do not fit their checksum"
        raise DamagedFile(f"FILE = {str(path)!r}: is damaged ({said})") from error


def _check_version(attrs: Mapping[str, Any]) -> None:
    version = attrs.get("format_version", 1)
    if not isinstance(version, int) or version < 1:
        raise InputError(f"is damaged (format_version = {version!r})")
    if version > FORMAT_VERSION:
        raise InputError(
            f"has format version {version}, made by tnspin {attrs.get('tnspin_version', '?')}; "
            f"this is tnspin {__version__}, which reads up to {FORMAT_VERSION}: install a newer one"
        )


def _check_sizes(file: Any, size: int) -> None:
    """Refuse arrays that the file has no room for, before memory is taken for them."""
    for name in file.variables:
        variable = file.variables[name]
        count = math.prod(variable.shape)
        packed = variable.compression is not None
        if not packed and count * variable.dtype.itemsize > size:
            raise InputError(f"is damaged ({name!r} is larger than the file)")


def is_result(path: str | Path) -> bool:
    """Whether a file was written by `Result.save` (or is a checkpoint), damaged or not."""
    from tnspin.results.checksums import verify_digest

    try:
        verify_digest(path)
    except InputError:
        return True
    except OSError:
        return False
    return _has_format(path)


def _has_format(path: str | Path) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return bool(_scalar(file.attrs.get("format", "")) == FORMAT)
    except Exception:  # a damaged file can make the library say anything
        return False


def check_writable(path: Path) -> None:
    """Refuse, before any work is done, a path at which nothing can be written later.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written, or another kind of file is there.
    RunError
        If the disk is full.
    """
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"-o {path}: there is no folder {str(folder)!r}; make it first")
    if path.is_dir():
        raise InputError(f"-o {path}: is a folder; give the name of a file")
    _refuse_devices(path)
    try:
        # Only trying tells: permission bits say nothing to root, nor on a read-only disk.
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        if error.errno in _FULL:
            raise RunError(f"{path}: could not be written: {reason(error)}") from error
        raise InputError(
            f"-o {path}: {str(folder)!r} cannot be written: {reason(error)}"
        ) from error


def _refuse_devices(path: Path) -> None:
    # Put in the place of /dev/null, as in that of an old result, a file would destroy it.
    if path.exists() and not path.is_file():
        raise InputError(f"-o {path}: is not a regular file; give the name of a file")


def write_atomically(path: Path, image: io.BytesIO) -> None:
    """Write bytes to a file next to ``path``, force them to disk, then rename it to ``path``.

    The HDF5 file is made in memory and written in one go: the HDF5 library cannot recover from
    a disk that fills up while it holds a file open, plain writes can.

    Raises
    ------
    InputError
        If ``path`` is a folder or a device.
    RunError
        If the disk is full or the folder cannot be written; ``path`` is as it was before.
    """
    _refuse_devices(path)
    # Of two processes that write the same file, the later one's stays, never a mixture.
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(image.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise RunError(f"{path}: could not be written: {reason(error)}") from error


def reason(error: OSError) -> str:
    """Why a file could not be written, in words."""
    return "the disk is full" if error.errno in _FULL else error.strerror or str(error)


def _why_not(path: Path) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "is a folder, not a result file"
    if not os.access(path, os.R_OK):
        return "cannot be read (permission denied)"
    return "is not a tnspin result file (expected HDF5 written by tnspin run)"


def _write_variable(file: Any, name: str, variable: Variable) -> None:
    import h5py

    from tnspin.results.checksums import checksum_options

    data = np.asarray(variable.data)
    if data.dtype.kind in "UO":
        data = data.astype(object)
    dtype = h5py.string_dtype() if data.dtype.kind == "O" else data.dtype
    options = checksum_options(data)
    target = file.create_variable(name, variable.dims, dtype=dtype, data=data, **options)
    target.attrs["units"] = variable.units
    target.attrs["long_name"] = variable.long_name
    for key, text in variable.attrs.items():
        target.attrs[key] = text


def _read_variable(source: Any) -> Variable:
    data = np.asarray(source[...])
    if data.dtype.kind == "O":
        data = np.array([_scalar(text) for text in data.ravel()]).reshape(data.shape)
    attrs = source.attrs.items()
    texts = {key: str(_scalar(value)) for key, value in attrs if key not in _OF_THE_FILE}
    units, long_name = (texts.pop(key, "") for key in ("units", "long_name"))
    return Variable(tuple(source.dimensions), data, units, long_name, texts)


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray) and value.size == 1:
        return _scalar(value.ravel()[0])
    return value.item() if isinstance(value, np.generic) else value
