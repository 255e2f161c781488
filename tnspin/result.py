"""Results: named arrays with units, in an HDF5 file that xarray opens and nothing can halve."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError, RunError

if TYPE_CHECKING:
    import xarray

__all__ = [
    "Result",
    "Variable",
    "attributes",
    "check_writable",
    "is_result",
    "load",
    "write_atomically",
]

FORMAT = "tnspin-result"
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
        What it is, in words.
    """

    dims: tuple[str, ...]
    data: np.ndarray
    units: str = "1"
    long_name: str = ""


@dataclass(frozen=True)
class Result:
    """What a run leaves: variables by name, and global attributes (configuration, provenance)."""

    variables: Mapping[str, Variable]
    attrs: Mapping[str, Any]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.variables[name].data

    def __contains__(self, name: object) -> bool:
        return name in self.variables

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    @property
    def complete(self) -> bool:
        """Whether the run reached its end."""
        return bool(self.attrs.get("complete", 1))

    def image(self) -> io.BytesIO:
        """Return the bytes of the HDF5 file, with netCDF-4 dimensions."""
        import h5netcdf

        buffer = io.BytesIO()
        with h5netcdf.File(buffer, "w") as file:
            for variable in self.variables.values():
                for dim, size in zip(variable.dims, variable.data.shape, strict=True):
                    if dim not in file.dimensions:
                        file.dimensions[dim] = size
            for name, variable in self.variables.items():
                _write_variable(file, name, variable)
            for key, value in {"format": FORMAT, **self.attrs}.items():
                file.attrs[key] = value
        return buffer

    def save(self, path: str | Path) -> None:
        """Write the file; an older one is replaced only once the new one is whole on disk.

        Raises
        ------
        RunError
            If the disk is full or the folder cannot be written.
        """
        write_atomically(Path(path), self.image())

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Read a result (or checkpoint) file.

        Raises
        ------
        InputError
            If there is no such file, or it is not a result of tnspin.
        """
        import h5netcdf

        if not is_result(path):
            raise InputError(f"FILE = {str(path)!r}: {_why_not(Path(path))}")
        with h5netcdf.File(path, "r") as file:
            variables = {name: _read_variable(file.variables[name]) for name in file.variables}
            attrs = {key: _scalar(file.attrs[key]) for key in file.attrs if key != "format"}
        return cls(variables, attrs)

    def to_xarray(self) -> xarray.Dataset:
        """Return the same as an `xarray.Dataset`."""
        import xarray

        data = {
            name: (v.dims, v.data, {"units": v.units, "long_name": v.long_name})
            for name, v in self.variables.items()
        }
        labels = [name for name, v in self.variables.items() if v.dims == (name,)]
        labels += str(self.attrs.get("coordinates", "")).split()
        return xarray.Dataset(data, attrs=dict(self.attrs)).set_coords(labels)


def load(path: str | Path) -> Result:
    """Read a result (or checkpoint) file; see `Result.load`."""
    return Result.load(path)


def attributes(path: str | Path) -> dict[str, Any]:
    """Attributes of a result file, without reading its variables.

    Raises
    ------
    InputError
        If there is no such file, or it is not a result of tnspin.
    """
    import h5py

    if not is_result(path):
        raise InputError(f"FILE = {str(path)!r}: {_why_not(Path(path))}")
    with h5py.File(path, "r") as file:
        return {key: _scalar(value) for key, value in file.attrs.items() if key != "format"}


def is_result(path: str | Path) -> bool:
    """Whether a file was written by `Result.save` (or is a checkpoint)."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return bool(_scalar(file.attrs.get("format", "")) == FORMAT)
    except (OSError, RuntimeError):
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
            raise RunError(f"{path}: could not be written: the disk is full") from error
        reason = error.strerror or str(error)
        raise InputError(f"-o {path}: {str(folder)!r} cannot be written: {reason}") from error


def _refuse_devices(path: Path) -> None:
    # Put in the place of /dev/null, as in that of an old result, a file would destroy it.
    if path.exists() and not path.is_file():
        raise InputError(f"-o {path}: is not a regular file; give the name of a file")


def write_atomically(path: Path, image: io.BytesIO) -> None:
    """Write bytes beside ``path``, force them to disk, then put them in its place.

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
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            file.write(image.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = "the disk is full" if error.errno in _FULL else error.strerror or str(error)
        raise RunError(f"{path}: could not be written: {reason}") from error


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

    data = np.asarray(variable.data)
    if data.dtype.kind in "UO":
        texts = data.astype(object)
        target = file.create_variable(name, variable.dims, dtype=h5py.string_dtype(), data=texts)
    else:
        target = file.create_variable(name, variable.dims, dtype=data.dtype, data=data)
    target.attrs["units"] = variable.units
    target.attrs["long_name"] = variable.long_name


def _read_variable(source: Any) -> Variable:
    data = np.asarray(source[...])
    if data.dtype.kind == "O":
        data = np.array([_scalar(text) for text in data.ravel()]).reshape(data.shape)
    units, long_name = (str(_scalar(source.attrs.get(key, ""))) for key in ("units", "long_name"))
    return Variable(tuple(source.dimensions), data, units, long_name)


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray) and value.size == 1:
        return _scalar(value.ravel()[0])
    return value.item() if isinstance(value, np.generic) else value
