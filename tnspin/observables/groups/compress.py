"""Groups of many localized spins, compressed to the spaces that they use.

A sweep through a group keeps, for every member of a mixture, the factor X of a density matrix
X X^+ of the spins so far and of the bond reached:

          e                  a: configurations of the group, compressed (common to all members)
          |                  m: the bond
    a ----X---- m            e: everything traced out so far, compressed to the rank of X X^+

At every spin the basis of the group is truncated to eigenvectors of its own density matrix,
averaged over the members.  Both groups are swept towards each other, so that everything beyond
the bond is one (from the left) or the Schmidt weights (from the right).  a, m and e carry charges,
and m = a + e: with one electron most blocks do not exist, and the sum over e is short.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tnspin.mps.transfer import Matrix, steps
from tnspin.numerics.arrays import Ints
from tnspin.observables.groups.state import doubled_sz, kept_vectors

if TYPE_CHECKING:
    from tnspin.mps.state import MPS

# Share of the cutoff that the traced out side may lose: it costs time only, no accuracy is gained
# by spending more there.
_TRACED_SHARE = 0.1


@dataclass
class Factor:
    """Factor X of one member: ``blocks[a key, m key]`` of (a, m, e), with e key = m key - a key."""

    weight: float
    mps: MPS
    blocks: dict[tuple[int, int], Matrix]

    def traced_dims(self) -> dict[int, int]:
        """Dimension of e by its key."""
        return {key - a: block.shape[2] for (a, key), block in self.blocks.items()}


@dataclass
class Sweep:
    """Factors of all members at one bond, growing towards the other group.

    Attributes
    ----------
    bond
        Number of sites left of it.
    rightward
        Direction of growth.  Keys of a and e are counted in it: negative to the left.
    allowed
        Weight that may be lost in the basis of the group, and in what is traced out.
    spectrum
        Probabilities of the basis vectors of the group, in the order of a, by key.
    lost
        What has been lost of each.
    """

    factors: list[Factor]
    bond: int
    rightward: bool
    allowed: tuple[float, float]
    spectrum: dict[int, np.ndarray] = field(default_factory=lambda: {0: np.ones(1)})
    lost: list[float] = field(default_factory=lambda: [0.0, 0.0])

    @classmethod
    def start(
        cls, members: Sequence[tuple[float, MPS]], bond: int, cutoff: float, *, rightward: bool
    ) -> Sweep:
        """Nothing of the group yet: only what lies behind the bond."""
        factors = []
        for weight, mps in members:
            blocks = {}
            for key, values in _schmidt(mps, bond).items():
                matrix = np.diag(values) if rightward else np.eye(values.size)
                blocks[0, key] = matrix[None].astype(np.complex128)
            factors.append(Factor(weight, mps, blocks))
        allowed = (1 - _TRACED_SHARE) * cutoff, _TRACED_SHARE * cutoff
        return cls(factors, bond, rightward, allowed)

    @property
    def dims(self) -> dict[int, int]:
        """Number of basis vectors of the group, by key."""
        return {key: values.size for key, values in self.spectrum.items()}

    @property
    def size(self) -> int:
        """Number of amplitudes of all factors."""
        return sum(block.size for one in self.factors for block in one.blocks.values())

    def advance(self, kept: int, progress: tuple[float, float]) -> None:
        """Take in the next site, keeping its trailing factor of dimension ``kept``.

        ``progress``: share of the group, and of all sites to take in, that is done with this one;
        what may be lost grows with it.
        """
        i = self.bond if self.rightward else self.bond - 1
        sign = 1 if self.rightward else -1
        site, code = self.factors[0].mps.sites[i], self.factors[0].mps.code
        spin = np.zeros(kept, dtype=np.int64)
        if kept > 1 and "2Sz" in code.names:
            spin = sign * doubled_sz([site.spin_dim]) * code.strides[code.names.index("2Sz")]
        q = sign * self.factors[0].mps.site_keys[i].reshape(-1, kept)
        rows = _slots(self.dims, spin)
        heights = {key: _room(parts) for key, parts in rows.items()}
        for one in self.factors:
            columns = _slots(one.traced_dims(), q[:, 0] - spin[0])
            one.blocks = _grown(one, i, self.rightward, spin, rows, columns)
        self.bond += sign
        if kept > 1:
            self._truncate_group(heights, progress[0] * self.allowed[0] - self.lost[0])
        self._truncate_traced(progress[1] * self.allowed[1] - self.lost[1])

    def _weighted(self, one: Factor) -> dict[tuple[int, int], Matrix]:
        """Blocks times the root of the weights of what lies ahead."""
        if self.rightward:
            return one.blocks
        values = _schmidt(one.mps, self.bond)
        return {at: block * values[at[1]][:, None] for at, block in one.blocks.items()}

    def _truncate_group(self, heights: dict[int, int], allowance: float) -> None:
        """Rotate the group to the eigenvectors of its average density matrix and drop the rest."""
        rho = {key: np.zeros((size, size), np.complex128) for key, size in heights.items()}
        for one in self.factors:
            for (a, _), block in self._weighted(one).items():
                flat = block.reshape(len(block), -1)
                rho[a] += one.weight * (flat @ flat.conj().T)
        frames, self.spectrum, lost = kept_vectors(rho, allowance)
        self.lost[0] += lost
        for one in self.factors:
            one.blocks = {
                (a, key): (frames[a].conj().T @ block.reshape(len(block), -1)).reshape(
                    frames[a].shape[1], *block.shape[1:]
                )
                for (a, key), block in one.blocks.items()
                if a in frames
            }

    def _truncate_traced(self, allowance: float) -> None:
        """Rotate e of every member to as few columns as X X^+ needs."""
        lost = 0.0
        for one in self.factors:
            _reduce_columns(one)
            gram: dict[int, Matrix] = {}
            for (a, key), block in self._weighted(one).items():
                flat = block.reshape(-1, block.shape[2])
                gram[key - a] = gram.get(key - a, 0) + flat.conj().T @ flat
            frames, _, weight = kept_vectors(gram, allowance)
            lost += one.weight * weight
            one.blocks = {
                (a, key): block @ frames[key - a]
                for (a, key), block in one.blocks.items()
                if key - a in frames
            }
        self.lost[1] += lost


def sweeps(
    members: Sequence[tuple[float, MPS]],
    first: Sequence[int],
    second: Sequence[int],
    cutoff: float,
) -> tuple[Sweep, Sweep]:
    """Sweep two groups towards each other and trace out what lies between them.

    Parameters
    ----------
    members
        Weights that sum to 1, and canonical states with the same sites and charges.
    first, second
        Sites of the groups, all of the first left of all of the second, which may be empty.
    cutoff
        Largest weight that each group may lose.

    Returns
    -------
    tuple of Sweep
        From the left and from the right, meeting at one bond.
    """
    left = Sweep.start(members, min(first), cutoff, rightward=True)
    right = Sweep.start(members, max(second or first) + 1, cutoff, rightward=False)
    spacer = range(max(first) + 1, min(second, default=max(first) + 1))
    _through(left, first, len(spacer))
    _through(right, second, len(spacer))
    narrow = min(left, right, key=lambda sweep: sweep.size)
    covered = _extent(first if narrow is left else second)
    for k in range(len(spacer)):
        narrow.advance(1, (1.0, (covered + k + 1) / (covered + len(spacer))))
    return left, right


def _extent(part: Sequence[int]) -> int:
    return max(part) - min(part) + 1 if part else 0


def _through(sweep: Sweep, part: Sequence[int], spacer: int) -> None:
    """Sweep through a group and the bare sites between its spins; ``spacer`` more may follow."""
    if not part:
        return
    sites = range(min(part), max(part) + 1)
    kept = 0
    for passed, i in enumerate(sites if sweep.rightward else reversed(sites), start=1):
        kept += i in part
        dim = sweep.factors[0].mps.sites[i].spin_dim if i in part else 1
        sweep.advance(dim, (kept / len(part), passed / (len(sites) + spacer)))


def _schmidt(mps: MPS, bond: int) -> dict[int, np.ndarray]:
    """Schmidt values of each sector."""
    keys, dims, values = mps.bonds[bond]
    parts = np.split(values, np.cumsum(dims)[:-1])
    return dict(zip(keys.tolist(), parts, strict=True))


#: New key -> (old key, state) -> where these rows or columns start, and how many they are.
_Slots: TypeAlias = dict[int, dict[tuple[int, int], tuple[int, int]]]


def _slots(dims: dict[int, int], shifts: Ints) -> _Slots:
    """Room for every old key and every state of a site, whose keys are ``shifts``."""
    out: _Slots = defaultdict(dict)
    ends: dict[int, int] = defaultdict(int)
    for key, size in sorted(dims.items()):
        for state, shift in enumerate(shifts.tolist()):
            out[key + shift][key, state] = ends[key + shift], size
            ends[key + shift] += size
    return dict(out)


def _room(parts: dict[tuple[int, int], tuple[int, int]]) -> int:
    return sum(size for _, size in parts.values())


def _grown(
    one: Factor, i: int, rightward: bool, spin: Ints, rows: _Slots, columns: _Slots
) -> dict[tuple[int, int], Matrix]:
    """Blocks of a factor with site ``i``, its spin added to a and the rest of it to e."""
    table = steps(one.mps, i, rightward=rightward)
    heights = {key: _room(parts) for key, parts in rows.items()}
    widths = {key: _room(parts) for key, parts in columns.items()}
    out: dict[tuple[int, int], Matrix] = {}
    for (a, key), block in one.blocks.items():
        for step in table.get(key, []):
            lead, s = divmod(step.p, spin.size)
            to = a + int(spin[s])
            row, height = rows[to][a, s]
            column, width = columns[step.to - to][key - a, lead]
            if (to, step.to) not in out:
                shape = heights[to], len(step.ket), widths[step.to - to]
                out[to, step.to] = np.zeros(shape, np.complex128)
            target = out[to, step.to]
            target[row : row + height, :, column : column + width] = step.ket @ block
    return out


def _reduce_columns(one: Factor) -> None:
    """Turn e of a factor so that no sector has more columns than rows; exact."""
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for at in one.blocks:
        groups[at[1] - at[0]].append(at)
    for places in groups.values():
        flat = [one.blocks[at].reshape(-1, one.blocks[at].shape[2]) for at in places]
        rows = [len(part) for part in flat]
        if sum(rows) >= flat[0].shape[1]:
            continue
        _, upper = np.linalg.qr(np.concatenate(flat).conj().T)
        # Stacked products with strided matrices would not go through BLAS.
        factor = np.ascontiguousarray(upper.conj().T)
        for at, part in zip(places, np.split(factor, np.cumsum(rows)[:-1]), strict=True):
            one.blocks[at] = part.reshape(*one.blocks[at].shape[:2], -1)
