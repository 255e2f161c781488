"""Checksums of what HDF5 files hold: a bit that has flipped on a disk never becomes a number.

Names, shapes and plain numbers of attributes are checked by HDF5 itself (layout of 1.10), arrays by
its Fletcher-32 filter, which every reader applies.  Texts, and which dimension is which axis, lie
in a heap that has no checksum; theirs are in the attribute `CHECKSUM` of the object they belong to.
"""

from __future__ import annotations

import contextlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import h5py
import numpy as np

from tnspin.errors import InputError

__all__ = [
    "CHECKSUM",
    "GuardedGroup",
    "chunk_shape",
    "damaged",
    "guarded",
    "loose",
    "naming_damage",
    "sign",
    "sign_all",
    "verify",
    "verify_all",
]

#: Attribute with the checksums of the texts of an object: JSON, name -> CRC-32.
CHECKSUM = "checksum"
#: Largest chunk in bytes: what is read, and checked, at once.
_CHUNK = 2**20


def guarded(data: np.ndarray, at_once: int = _CHUNK) -> dict[str, Any]:
    """Options of h5py under which the numbers of an array are stored with a checksum.

    Parameters
    ----------
    data
        Any array; texts have none, see `loose`.
    at_once
        Largest chunk in bytes.
    """
    if not data.size or loose(data):
        return {}
    return {"chunks": chunk_shape(data.shape, data.itemsize, at_once), "fletcher32": True}


def loose(data: np.ndarray) -> dict[str, Any]:
    """The values of an array that the filter is not for, a text or a single number, for `sign`."""
    if data.ndim and data.dtype.kind not in "OSU":
        return {}
    return {"(values)": data if data.ndim else str(data[()])}


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


class GuardedGroup(h5py.Group):
    """A group whose arrays get checksums, however they are written into it."""

    def __setitem__(self, name: str, value: Any) -> None:
        self.create_dataset(name, data=value)

    def create_dataset(self, name: str, **options: Any) -> h5py.Dataset:
        """As h5py, with ``data``."""
        data = np.asarray(options.pop("data"))
        return super().create_dataset(name, data=data, **(guarded(data) | options))

    def create_group(self, name: str) -> GuardedGroup:
        """As h5py; such a group again."""
        return GuardedGroup(super().create_group(name).id)


# ---------------------------------------------------------------------- texts


def sign(attrs: MutableMapping[str, Any], texts: Mapping[str, Any] | None = None) -> None:
    """Add the checksums of all texts of an object to its attributes.

    Parameters
    ----------
    attrs
        Attributes of a file, group or dataset.
    texts
        Others by name, such as the names of its dimensions.
    """
    sums = _sums(attrs, texts or {})
    if sums:
        attrs[CHECKSUM] = json.dumps(sums)


def verify(attrs: Mapping[str, Any], texts: Mapping[str, Any] | None = None) -> None:
    """Compare texts with their checksums, as far as they have any.

    Raises
    ------
    InputError
        If one does not fit.
    """
    if CHECKSUM not in attrs:
        return  # written by a version without
    expected, found = json.loads(attrs[CHECKSUM]), _sums(attrs, texts or {})
    for name, value in found.items():
        # A text may have come to it later, by another hand.
        if expected.get(name, value) != value:
            raise InputError(
                f"is damaged, or was changed by another program: {name!r} does not fit its checksum"
            )


def sign_all(group: h5py.Group) -> None:
    """`sign` a group and all that is in it."""
    for item in _items(group):
        sign(item.attrs, _loose(item))


def verify_all(group: h5py.Group) -> None:
    """`verify` a group and all that is in it; see there."""
    for item in _items(group):
        verify(item.attrs, _loose(item))


def _items(group: h5py.Group) -> Iterator[Any]:
    yield group
    for name in group:
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _items(item)
        else:
            yield item


def _loose(item: Any) -> dict[str, Any]:
    small = isinstance(item, h5py.Dataset) and (not item.ndim or item.dtype.kind in "OSU")
    return loose(np.asarray(item[()])) if small else {}


def _sums(attrs: Mapping[str, Any], texts: Mapping[str, Any]) -> dict[str, int]:
    every = {name: attrs[name] for name in attrs if name != CHECKSUM} | dict(texts)
    return {name: _sum(value) for name, value in every.items() if _is_text(value)}


def _is_text(value: Any) -> bool:
    return bool(np.asarray(value).dtype.kind in "OSU")


def _sum(value: Any) -> int:
    parts = [part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
             for part in np.asarray(value, object).ravel()]  # fmt: skip
    return zlib.crc32(b"\0".join(parts))


# ---------------------------------------------------------------------- arrays


@contextlib.contextmanager
def naming_damage(group: h5py.Group) -> Iterator[None]:
    """Say which array of a group it is that cannot be read.

    Raises
    ------
    InputError
        In place of the error of the library, if there is such an array.
    """
    try:
        yield
    except OSError as error:
        for item in _items(group):
            if isinstance(item, h5py.Dataset):
                _try(item, error)
        raise


def _try(dataset: h5py.Dataset, cause: OSError) -> None:
    try:
        dataset[()]
    except OSError:
        raise damaged(str(dataset.name).lstrip("/")) from cause


def damaged(name: str) -> InputError:
    """The error for an array that the library refuses to read."""
    return InputError(f"is damaged: the numbers of {name!r} do not fit their checksum")
