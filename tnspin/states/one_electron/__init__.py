"""One electron among localized spins, exactly: amplitudes (spin configuration, site).

The Hilbert space of one electron is a product of its position and of a small chain of spins, the
electron's own included.  Keeping the two apart makes ten plus ten spins on 201 sites fit into
memory (7e7 amplitudes) and one application of H a pass over rows of contiguous positions.
"""

from tnspin.states.one_electron.hamiltonian import OneElectronHamiltonian
from tnspin.states.one_electron.state import OneElectronState

__all__ = ["OneElectronHamiltonian", "OneElectronState"]
