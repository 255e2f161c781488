"""`Amplitudes`: the numbers of a state of one electron, which all reductions start from."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix
from tnspin.states.one_electron.configurations import Configurations
from tnspin.states.one_electron.kernels import row_weights


class Amplitudes:
    """Amplitudes (configuration of the spins, site of the electron).

    Parameters
    ----------
    configurations
        Charge sector of the electron's spin and the localized spins, C configurations.
    amplitudes
        (C, L).

    Raises
    ------
    InputError
        If the amplitudes do not have that shape.
    """

    def __init__(self, configurations: Configurations, amplitudes: ArrayLike) -> None:
        self.configurations = configurations
        self.amplitudes: Matrix = np.asarray(amplitudes, dtype=np.complex128)
        shape = configurations.dim, configurations.length
        if self.amplitudes.shape != shape:
            raise InputError(f"state: amplitudes of shape {self.amplitudes.shape}, not {shape}")

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """(C,) norm squared of each row."""
        out = np.zeros(self.configurations.dim)
        row_weights(0, len(out), self.amplitudes, out)
        return out
