"""Dense operators by Kronecker products over single modes: the independent reference.

Shares no code with tnspin. A chain is a list of kinds, ``("spin", S)``,
``("electron",)``, ``("kondo", S)`` or ``("boson", levels)``. Every site is
taken apart into elementary modes (fermion up, fermion down, spin, boson), the
Jordan-Wigner string runs over the fermionic modes to the left, and at the end
the modes of each site are reordered into the basis of the package.
"""

from __future__ import annotations

import numpy as np

LOWER = np.array([[0, 1], [0, 0]], dtype=complex)
SIGN = np.diag([1.0, -1.0]).astype(complex)


def spin_matrices(s):
    """Sx, Sy, Sz from the matrix elements of S+ and the basis m = s, s-1, ..., -s."""
    n = round(2 * s) + 1
    sz, sp = np.zeros((n, n), complex), np.zeros((n, n), complex)
    for row in range(n):
        sz[row, row] = s - row
        if row:
            m = s - row
            sp[row - 1, row] = np.sqrt((s - m) * (s + m + 1))
    return (sp + sp.conj().T) / 2, (sp - sp.conj().T) / 2j, sz


def modes_of(kind):
    """(type, dimension) of the modes of one site, slowest first."""
    fermions = [("up", 2), ("dn", 2)]
    if kind[0] == "spin":
        return [("spin", round(2 * kind[1]) + 1)]
    if kind[0] == "electron":
        return fermions
    if kind[0] == "kondo":
        return [*fermions, ("spin", round(2 * kind[1]) + 1)]
    return [("boson", kind[1])]


def site_dim(kind):
    """Dimension of a site."""
    return int(np.prod([d for _, d in modes_of(kind)]))


class Reference:
    """Dense full-space operators of a chain."""

    def __init__(self, kinds):
        self.kinds = list(kinds)
        self.modes = [(k, *mode) for k, kind in enumerate(kinds) for mode in modes_of(kind)]
        self.dim = int(np.prod([d for *_, d in self.modes]))
        self.order = self._permutation()

    def _permutation(self):
        """Index in mode order of each basis state in site order (empty, up, dn, updn)."""
        per_site = []
        for kind in self.kinds:
            if kind[0] in ("electron", "kondo"):
                # (n_up, n_dn) of the four electron states, as 2 n_up + n_dn.
                level = np.array([0, 2, 1, 3])
                rest = 1 if kind[0] == "electron" else round(2 * kind[1]) + 1
                per_site.append((level[:, None] * rest + np.arange(rest)).ravel())
            else:
                per_site.append(np.arange(site_dim(kind)))
        order = np.zeros(1, dtype=int)
        for local in per_site:
            order = (order[:, None] * len(local) + local[None, :]).ravel()
        return order

    def _embed(self, position, matrix, string):
        """Matrix on one mode, with signs on the fermionic modes before it if asked."""
        result = np.eye(1, dtype=complex)
        for k, (_, name, d) in enumerate(self.modes):
            if k == position:
                factor = matrix
            elif k < position and string and name in ("up", "dn"):
                factor = SIGN
            else:
                factor = np.eye(d)
            result = np.kron(result, factor)
        return result

    def _mode(self, site, name):
        return next(k for k, (s, n, _) in enumerate(self.modes) if s == site and n == name)

    def fermion(self, site, spin):
        """Annihilation operator in mode order."""
        return self._embed(self._mode(site, spin), LOWER, string=True)

    def _raw(self, name, site):
        if name == "Id":
            return np.eye(self.dim, dtype=complex)
        if name[0] == "S":
            s = self.kinds[site][1]
            x, y, z = spin_matrices(s)
            chosen = {"Sx": x, "Sy": y, "Sz": z, "Sp": x + 1j * y, "Sm": x - 1j * y}[name]
            return self._embed(self._mode(site, "spin"), chosen, string=False)
        if self.kinds[site][0] == "boson":
            levels = self.kinds[site][1]
            b = np.zeros((levels, levels), complex)
            for n in range(1, levels):
                b[n - 1, n] = np.sqrt(n)
            chosen = {"b": b, "bdag": b.T, "n": np.diag(np.arange(levels)), "x": b + b.T}[name]
            return self._embed(self._mode(site, "boson"), chosen, string=False)
        return self._electronic(name, site)

    def _electronic(self, name, site):
        up, dn = self.fermion(site, "up"), self.fermion(site, "dn")
        upd, dnd = up.conj().T, dn.conj().T
        return {
            "c_up": up,
            "c_dn": dn,
            "cdag_up": upd,
            "cdag_dn": dnd,
            "n_up": upd @ up,
            "n_dn": dnd @ dn,
            "n": upd @ up + dnd @ dn,
            "sx": upd @ dn + dnd @ up,
            "sy": -1j * upd @ dn + 1j * dnd @ up,
            "sz": upd @ up - dnd @ dn,
            "sp": upd @ dn,
            "sm": dnd @ up,
        }[name]

    def operator(self, name, site):
        """Named operator in the package's basis, shape (dim, dim)."""
        return self._raw(name, site)[np.ix_(self.order, self.order)]

    def matrix(self, items, t=0.0):
        """Sum of tuples (coeff, name, site, name, site, ...)."""
        total = np.zeros((self.dim, self.dim), dtype=complex)
        for coeff, *factors in items:
            product = np.eye(self.dim, dtype=complex)
            for name, site in zip(factors[::2], factors[1::2], strict=True):
                product = product @ self._raw(name, site)
            total += (coeff(t) if callable(coeff) else coeff) * product
        return total[np.ix_(self.order, self.order)]
