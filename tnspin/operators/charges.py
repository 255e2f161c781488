"""Any number of U(1) charges as one additive integer per sector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tnspin.operators.sites import Site


@dataclass(frozen=True)
class ChargeCode:
    """Mixed-radix code: ``key = sum_c charge_c stride_c``, so keys add where charges add.

    Attributes
    ----------
    names
        Charges in use; none means a dense MPS with a single sector of key 0.
    strides
        One integer per charge, wide enough that no partial sum along the chain overflows
        into the next charge.
    """

    names: tuple[str, ...]
    strides: tuple[int, ...]

    @classmethod
    def for_sites(cls, names: Sequence[str], sites: Sequence[Site]) -> ChargeCode:
        """Strides from the largest charge that ``sites`` can hold together."""
        strides, stride = [], 1
        for name in names:
            strides.append(stride)
            largest = sum(int(np.abs(site.charge(name)).max()) for site in sites)
            # Room for the intermediate charges of an operator too, hence twice the range.
            stride *= 4 * largest + 5
        if stride >= 2**62:
            raise ValueError(f"charges {tuple(names)} do not fit one 64-bit key on this chain")
        return cls(tuple(names), tuple(strides))

    def encode(self, charges: np.ndarray) -> np.ndarray:
        """Keys (...) of charge vectors (..., number of charges)."""
        charges = np.asarray(charges, dtype=np.int64)
        if not self.names:
            return np.zeros(charges.shape[:-1], dtype=np.int64)
        return charges @ np.array(self.strides, dtype=np.int64)

    def decode(self, keys: np.ndarray) -> np.ndarray:
        """Charge vectors (n, number of charges) of keys (n)."""
        rest = np.array(keys, dtype=np.int64)
        out = np.zeros((rest.size, len(self.names)), dtype=np.int64)
        for c in reversed(range(len(self.names))):
            stride = self.strides[c]
            out[:, c] = (rest + stride // 2) // stride
            rest = rest - out[:, c] * stride
        return out

    def site_keys(self, site: Site) -> np.ndarray:
        """Key of each basis state of ``site``, (dim,)."""
        charges = [site.charge(name) for name in self.names]
        if not charges:
            return np.zeros(site.dim, dtype=np.int64)
        return self.encode(np.stack(charges, axis=-1))
