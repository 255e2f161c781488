r"""Locally purified density matrices: matrix product states with an ancilla on every site.

.. math:: \rho = \mathrm{Tr}_\mathrm{ancillas} |\psi\rangle\langle\psi|

is positive whatever is truncated (Verstraete et al., PRL 93, 207204; Werner et al., PRL 116,
237201).  The ancilla (Kraus index) is the leading factor of the local space, the site of the chain
the trailing one, so every reduction of matrix product states that traces leading factors out is one
of density matrices::

       k              k: Kraus index, of any dimension
       |
    --[A]--     psi[.., (k, p), ..]
       |
       p

Charges are those of the site plus one of each Kraus state, whatever makes the total definite.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.mps.algebra import operator_on_site, widened_bond
from tnspin.mps.blocks import Blocks, Bond, Tensor, tensor
from tnspin.mps.purified.ancillas import (
    LARGEST,
    Stretch,
    Truncation,
    compress_ancillas,
    split_sites,
)
from tnspin.mps.purified.channels import Channel, ChannelMpo
from tnspin.mps.purified.kraus import (
    Part,
    appended,
    enlarged,
    least_kept,
    left_spectrum,
    mixture,
    with_kraus,
)
from tnspin.mps.state import MPS
from tnspin.numerics.arrays import Ints, Reals
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.state import State

if TYPE_CHECKING:
    import h5py

# Weight of ancilla states that leave no trace in the canonical form when they are dropped.
_ROUND_OFF = 1e-15


class PurifiedMPS(State):
    """A density matrix in locally purified form.

    Attributes
    ----------
    sites
        The chain, without ancillas.
    purification
        The pure state on sites with a Kraus index in front.
    kraus
        Charges of the Kraus states of every site, L arrays (K, number of charges).
    """

    noun = "purified density matrix"
    formats = ("tnspin-purified-mps-1",)
    gives = State.gives | {"moments", "ledger", "tensors", "kraus"}

    def __init__(self, sites: Sequence[Site], purification: MPS, kraus: Sequence[Ints]) -> None:
        self.sites = tuple(sites)
        self.purification = purification
        self.kraus = list(kraus)

    @classmethod
    def from_state(
        cls, state: Any, sites: Sequence[Site] | None = None, names: Sequence[str] | None = None
    ) -> PurifiedMPS:
        """A density matrix from a pure state, a purified one, or a mixture.

        Parameters
        ----------
        state
            `MPS` on ``sites`` or on `purified` of them (Gibbs states), `Ensemble` of
            them, or `PurifiedMPS`.
        sites
            The chain; default the sites of the state.
        names
            Charges of the blocks, from those of the state; default all of them.

        Raises
        ------
        InputError
            If the state is of another kind, on other sites, or lacks one of the charges.
        """
        members: Any = state.members if isinstance(state, State) else ((1.0, state),)
        chain = tuple(state.sites if sites is None else sites)
        parts = []
        for weight, one in members:
            known = isinstance(one, PurifiedMPS)
            pair = (one.purification, one.kraus) if known else with_kraus(one, chain)
            parts.append(Part(weight, *pair))
        chosen = parts[0].state.charge_names if names is None else tuple(names)
        return cls(chain, *mixture(chain, parts, chosen))

    def copy(self) -> PurifiedMPS:
        """A state that shares its (never modified) arrays with this one."""
        return PurifiedMPS(self.sites, self.purification.copy(), self.kraus)

    # ------------------------------------------------------------------ what it is

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Charges between whose sectors the density matrix has no elements."""
        return self.purification.charge_names

    @property
    def norm(self) -> float:
        """Root of the trace."""
        return self.purification.norm

    def bond_dims(self) -> Ints:
        """Bond dimension of the L - 1 bonds of the purification."""
        return self.purification.bond_dims()

    def entropies(self) -> Reals:
        """Entropy of every cut of the purification, which decides the bond dimension, (L - 1,)."""
        return self.purification.entropies()

    def kraus_dims(self) -> Ints:
        """Dimension of the Kraus index of every site, (L,)."""
        return np.array([len(charges) for charges in self.kraus], dtype=np.int64)

    # ------------------------------------------------------------------ numbers

    def _rdm(self, sites: list[int], keep: list[int]) -> Matrix:
        return self.purification.rdm(sites, keep)

    # ------------------------------------------------------------------ channels

    def apply_all(self, splits: Sequence[ChannelMpo]) -> None:
        """Apply channels on separate stretches of the chain; not canonical afterwards."""
        state = self.purification
        owners = {i: one for one in splits for i in one.tensors}
        none = np.zeros((1, len(state.charge_names)), dtype=np.int64)
        # Bond i + 1 is right of site i; the operators begin and end with charge 0.
        added = [none, *(owners[i].bonds[i] if i in owners else none for i in range(self.length))]
        bonds = [
            widened_bond(bond, state.code.encode(charges).tolist())
            for bond, charges in zip(state.bonds, added, strict=True)
        ]
        blocks = []
        for i, site in enumerate(self.sites):
            if i not in owners:
                blocks.append(state.blocks(i))
                continue
            one = owners[i]
            w = one.tensors[i]
            rest = site.dim // w.shape[3]
            around = bonds[i : i + 2]
            blocks.append(operator_on_site(w, state.blocks(i), state.site_keys[i], around, rest))
            if i == one.centre:
                self.kraus[i] = appended(self.kraus[i], one.charges)
        sites = enlarged(self.sites, self.kraus, state.charge_names)
        self.purification = MPS.from_blocks(
            sites, state.code, [bond.sizes for bond in bonds], blocks
        )

    def apply_local(self, channels: Sequence[Channel]) -> None:
        """Apply channels on single sites, which leave the canonical form as it is."""
        state = self.purification
        tensors = list(state.tensors)
        for channel in channels:
            (i,) = channel.where
            around = [widened_bond(bond, [0]) for bond in state.bonds[i : i + 2]]
            w, rest = channel.operators[None, None], self.sites[i].dim // channel.dims[0]
            blocks = operator_on_site(w, state.blocks(i), state.site_keys[i], around, rest)
            self.kraus[i] = appended(self.kraus[i], channel.charges)
            width = len(self.kraus[i]) * self.sites[i].dim
            tensors[i] = tensor(state.bonds[i].keys, width, blocks)
        self._replace(tensors, state.canonical)

    def compress_kraus(self, cutoff: float, kraus_dim: int) -> Reals:
        """Reduce every Kraus index to the eigenvectors of its own density matrix.

        That is the best truncation of one index, and what it drops is a positive part of rho: the
        trace distance is the weight dropped.

        Parameters
        ----------
        cutoff
            Largest weight to drop per site.
        kraus_dim
            Largest dimension per site.

        Returns
        -------
        ndarray
            Weight dropped at every site, (L,).
        """
        self.purification.ensure_canonical()
        lost = np.zeros(self.length)
        tensors = list(self.purification.tensors)
        for i in range(self.length):
            if len(self.kraus[i]) > 1:
                tensors[i], self.kraus[i], lost[i] = self._compressed(i, cutoff, kraus_dim)
        self._replace(tensors, canonical=bool(lost.sum() <= _ROUND_OFF))
        return lost

    def _compressed(self, i: int, cutoff: float, kraus_dim: int) -> tuple[Tensor, Ints, float]:
        state, d = self.purification, self.sites[i].dim
        keys, weight = state.bonds[i].keys, state.bonds[i].schmidt_by_key()
        labels, label = np.unique(self.kraus[i], axis=0, return_inverse=True)
        label = label.ravel()
        rows = [np.flatnonzero(label == c) for c in range(len(labels))]
        within = {int(k): (c, n) for c, ks in enumerate(rows) for n, k in enumerate(ks)}
        # Kraus states of one charge have the same blocks: stacked, one matrix per charge.
        stacks: list[Blocks] = [{} for _ in rows]
        for (key, local), block in state.blocks(i).items():
            c, n = within[local // d]
            at = key, local % d
            if at not in stacks[c]:
                stacks[c][at] = np.zeros((len(rows[c]), *block.shape), dtype=np.complex128)
            stacks[c][at][n] = block
        spectra = []
        for c, stack in enumerate(stacks):
            # The first part is for charges that no block has.
            flat = [np.zeros((len(rows[c]), 0), dtype=np.complex128)]
            flat += [
                (weight[key][:, None] * blocks).reshape(len(blocks), -1)
                for (key, _), blocks in stack.items()
            ]
            spectra.append(left_spectrum(np.concatenate(flat, axis=1)))
        least, lost = least_kept(np.concatenate([v for v, _ in spectra]), cutoff, kraus_dim)
        charges: list[Ints] = []
        new: Blocks = {}
        for c, (values, vectors) in enumerate(spectra):
            chosen = vectors[:, values >= least]
            for (key, p), blocks in stacks[c].items():
                turned = np.tensordot(chosen.conj().T, blocks, axes=1)
                for n, block in enumerate(turned):
                    new[key, (len(charges) + n) * d + p] = block
            charges += [labels[c]] * chosen.shape[1]
        table = np.array(charges, dtype=np.int64).reshape(len(charges), -1)
        return tensor(keys, len(charges) * d, new), table, lost

    def compress_ancillas(
        self, sites: Sequence[int], kraus: Truncation, bonds: Truncation, largest: int = LARGEST
    ) -> tuple[float, dict[int, float]]:
        """Compress the Kraus indices (ancillas) of neighbouring sites together.

        Parameters
        ----------
        sites
            Successive sites; fewer of them, around the middle one, if they were too many together.
        kraus
            Largest weight to drop, a bound on the trace distance from what was, and largest
            dimension per site.
        bonds
            Truncation of the bonds between these sites.
        largest
            Most elements of these sites as one array.

        Returns
        -------
        float, dict
            Weight dropped, and the share discarded at each of the bonds.
        """
        self.purification.ensure_canonical()
        part = self._stretch(self._affordable(sites, largest))
        found = compress_ancillas(part, kraus)
        if found is None:
            return 0.0, {}
        whole, keys, lost = found
        state, first = self.purification, part.first
        tensors, between, shares = split_sites(whole, part, keys, bonds)
        everything, sides = list(state.tensors), list(state.bonds)
        everything[first : first + len(keys)] = tensors
        sides[first + 1 : first + len(keys)] = between
        self.kraus[first : first + len(keys)] = [state.code.decode(table) for table in keys]
        self._replace(everything, canonical=False, bonds=sides)
        return lost, {first + k: share for k, share in enumerate(shares)}

    def _affordable(self, sites: Sequence[int], largest: int) -> list[int]:
        """Middle ones of some neighbours whose tensors fit into one array."""
        chain, found = self.purification, list(sites)
        dims = [1, *chain.bond_dims().tolist(), 1]
        while len(found) > 1:
            inner = prod(chain.sites[i].dim for i in found)
            if dims[found[0]] * inner * dims[found[-1] + 1] <= largest:
                break
            del found[-1 if len(found) % 2 == 0 else 0]
        return found

    def _stretch(self, sites: Sequence[int]) -> Stretch:
        """Neighbouring sites as dense arrays."""
        state = self.purification
        bonds = [state.bonds[i] for i in (*sites, sites[-1] + 1)]
        kraus = [state.code.encode(self.kraus[i]) for i in sites]
        keys = [state.code.site_keys(self.sites[i]) for i in sites]
        tensors = []
        for i in sites:
            one = state.dense(i)
            shape = len(one), len(self.kraus[i]), self.sites[i].dim, one.shape[2]
            tensors.append(one.reshape(shape))
        states = [bond.states() for bond in bonds]
        return Stretch(sites[0], tensors, bonds[0].schmidt, states, kraus, keys)

    def _replace(
        self, tensors: Sequence[Tensor], canonical: bool, bonds: Sequence[Bond] | None = None
    ) -> None:
        """Replace all tensors and, where they are given, the bonds."""
        state = self.purification
        sites = enlarged(self.sites, self.kraus, state.charge_names)
        sides = state.bonds if bonds is None else bonds
        self.purification = MPS(sites, state.code, sides, tensors, canonical)

    # ------------------------------------------------------------------ files

    def _details(self) -> list[str]:
        size, ancilla = (dims.max(initial=1) for dims in (self.bond_dims(), self.kraus_dims()))
        return [f"bond dimension {size}", f"ancilla dimension {ancilla}"]

    def _write(self, group: h5py.Group) -> None:
        self.purification.save(group)
        group["kraus_dims"] = self.kraus_dims()
        group["kraus"] = np.concatenate(self.kraus)

    @classmethod
    def _fits(cls, group: h5py.Group, sites: tuple[Site, ...]) -> bool:
        return len(group["kraus_dims"]) == len(sites)

    @classmethod
    def _read(cls, group: h5py.Group, sites: Sequence[Site]) -> PurifiedMPS:
        kraus = np.split(group["kraus"][:], np.cumsum(group["kraus_dims"][:])[:-1])
        names = [str(name) for name in group.attrs["charge_names"]]
        return cls(sites, MPS._read(group, enlarged(sites, kraus, names)), kraus)
