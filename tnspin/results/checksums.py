"""Checksums of HDF5 files: a bit that flips on a disk never becomes a wrong number.

The SHA-256 digest of a file follows its HDF5 part, where HDF5 readers do not look::

    <HDF5>tnspin SHA-256 <64 hexadecimal digits>\\n

so that ``head -c -80 FILE | sha256sum`` computes it again.  Arrays also carry the Fletcher-32
checksums of HDF5, which every reader checks, and which tell which array is damaged.  A program that
opens the file for writing cuts the digest off; the file is then read without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tnspin.errors import InputError

_MAGIC = b"tnspin SHA-256 "
_LENGTH = len(_MAGIC) + 65
#: Largest chunk in bytes: what is read, and checked, at once.
_CHUNK = 2**20


# ---------------------------------------------------------------------- files


def append_checksum(image: io.BytesIO) -> io.BytesIO:
    """Append the SHA-256 digest of an HDF5 file that is still in memory."""
    digest = hashlib.sha256(image.getbuffer()).hexdigest()
    image.seek(0, io.SEEK_END)
    image.write(_MAGIC + digest.encode() + b"\n")
    return image


def verify(path: str | Path) -> None:
    """Compare an HDF5 file with its digest, or the texts of an older file with their checksums.

    Raises
    ------
    InputError
        If they differ.
    """
    if not verify_digest(path):
        verify_texts(path)


def verify_digest(path: str | Path) -> bool:
    """Compare a file with its digest; returns whether it has one.

    Nothing but bytes is read, so that the file need not be HDF5.

    Raises
    ------
    InputError
        If they differ.
    """
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(36)
        file.seek(max(0, size - _LENGTH))
        tail = file.read()
        # Superblocks since HDF5 1.8 hold the end of the file.  Whatever follows it must be a
        # digest: damage to its first bytes alone does not make a file one without.
        longer = head[8:9] > b"\1" and size > int.from_bytes(head[28:], "little")
        if not (tail.startswith(_MAGIC) or (head.startswith(b"\x89HDF") and longer)):
            return False
        file.seek(0)
        digest, left = hashlib.sha256(), size - _LENGTH
        while block := file.read(max(0, min(left, _CHUNK))):
            digest.update(block)
            left -= len(block)
    if tail == _MAGIC + digest.hexdigest().encode() + b"\n":
        return True
    name = damaged_array(path)
    what = "it does" if name is None else f"the numbers of {name!r} do"
    raise InputError(f"is damaged: {what} not fit its checksum (SHA-256)")


def damaged_array(path: str | Path) -> str | None:
    """Name of the first array that does not fit its Fletcher-32 checksums, None if all do."""

    def refused(name: str, item: Any) -> str | None:
        # Of other arrays HDF5 may read damaged texts for ever.
        if isinstance(item, h5py.Dataset) and item.fletcher32:
            try:
                item[()]
            except OSError:
                return name
        return None

    with contextlib.suppress(Exception), h5py.File(path, "r") as file:
        found: str | None = file.visititems(refused)
        return found
    return None


def verify_texts(path: str | Path) -> None:
    """Check the CRC-32 that earlier versions stored of each text, in the attribute ``checksum``.

    Raises
    ------
    InputError
        If one differs.
    """

    def compare(name: str, item: Any) -> None:
        for key, expected in json.loads(item.attrs.get("checksum", "{}")).items():
            if key == "(dimensions)":
                text: Any = [dim[0].name[1:] if len(dim) else name for dim in item.dims]
            else:
                text = item[()] if key == "(values)" else item.attrs.get(key, "")
            parts = [_encoded(part) for part in np.atleast_1d(text).ravel()]
            if zlib.crc32(b"\0".join(parts)) != expected:
                raise InputError(
                    f"is damaged, or was changed by another program: {key!r} "
                    f"of {name or 'the file'!r} does not fit its checksum"
                )

    with h5py.File(path, "r") as file:
        compare("", file)
        file.visititems(compare)


def _encoded(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogateescape")


# ---------------------------------------------------------------------- arrays


def checksum_options(data: np.ndarray, at_once: int = _CHUNK) -> dict[str, Any]:
    """Options of h5py that store an array of numbers with Fletcher-32 checksums.

    Parameters
    ----------
    data
        Any array; texts, single numbers and empty arrays cannot have one.
    at_once
        Largest chunk in bytes.
    """
    if not data.size or not data.ndim or data.dtype.kind in "OSU":
        return {}
    return {"chunks": chunk_shape(data.shape, data.itemsize, at_once), "fletcher32": True}


def chunk_shape(shape: tuple[int, ...], itemsize: int, at_once: int = _CHUNK) -> tuple[int, ...]:
    """Divide an array along its first axes into parts of nearly the same size.

    Returns
    -------
    tuple
        Shape of the parts: at most ``at_once`` bytes, and the whole array where that suffices.
    """
    sizes = list(shape)
    for axis, size in enumerate(shape):
        row = itemsize * math.prod(shape[axis + 1 :])
        if size * row <= at_once:
            break
        # The last part is stored in full even where there are no numbers left for it.
        parts = math.ceil(size / max(1, at_once // row))
        sizes[axis] = math.ceil(size / parts)
    return tuple(sizes)


class ChecksumGroup(h5py.Group):
    """HDF5 group that stores every array written into it with `checksum_options`."""

    def __setitem__(self, name: str, value: Any) -> None:
        self.create_dataset(name, data=value)

    def create_dataset(self, name: str, **options: Any) -> h5py.Dataset:
        """As h5py, with ``data``."""
        data = np.asarray(options.pop("data"))
        return super().create_dataset(name, data=data, **(checksum_options(data) | options))

    def create_group(self, name: str) -> ChecksumGroup:
        """As h5py; arrays of the new group have checksums too."""
        return ChecksumGroup(super().create_group(name).id)
