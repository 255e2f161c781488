"""Dense counterparts of block-sparse states: random states, full vectors, density matrices.

Only the documented block layout of an MPS is used (``blocks``, ``site_keys``); every result is
formed by plain numpy on the full vector.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from tnspin.mps import MPS
from tnspin.operators.charges import ChargeCode
from tnspin.operators.operator_sum import OperatorSum


def all_states(sites):
    """Every product state (n, L) in Kronecker order, site 0 slowest."""
    dims = [site.dim for site in sites]
    return np.array(np.unravel_index(np.arange(np.prod(dims)), dims)).T


def full_vector(psi):
    """Amplitudes (prod of dimensions) by multiplying the blocks out."""
    rows = {0: np.ones((1, 1), dtype=complex)}
    for i, site in enumerate(psi.sites):
        dims = dict(
            zip(psi.bonds[i + 1].keys.tolist(), psi.bonds[i + 1].dims.tolist(), strict=True)
        )
        n = next(iter(rows.values())).shape[0]
        after = {key: np.zeros((n, site.dim, dim), dtype=complex) for key, dim in dims.items()}
        for (key, p), block in psi.blocks(i).items():
            after[key + int(psi.site_keys[i][p])][:, p] += rows[key] @ block
        rows = {key: value.reshape(n * site.dim, -1) for key, value in after.items()}
    (last,) = rows.values()
    return last[:, 0]


def dense_rdm(vector, dims, sites):
    """Reduced density matrix of ``sites`` in the order given."""
    rest = [k for k in range(len(dims)) if k not in sites]
    tensor = vector.reshape(dims).transpose([*sites, *rest])
    matrix = tensor.reshape(int(np.prod([dims[k] for k in sites])), -1)
    return matrix @ matrix.conj().T


def trace_leading(rho, dims, keep):
    """Keep the trailing factor of each subsystem."""
    shape = [n for d, k in zip(dims, keep, strict=True) for n in (d // k, k)]
    count = len(dims)
    tensor = rho.reshape(shape * 2)
    lead = list(range(0, 2 * count, 2))
    trail = list(range(1, 2 * count, 2))
    order = [*trail, *[2 * count + k for k in trail], *lead, *[2 * count + k for k in lead]]
    size, traced = (
        int(np.prod(keep)),
        int(np.prod([d // k for d, k in zip(dims, keep, strict=True)])),
    )
    return np.einsum("abcc->ab", tensor.transpose(order).reshape(size, size, traced, traced))


def left_charges(sites, names, count):
    """Charges (n, number of names) of the product states of the first ``count`` sites."""
    states = all_states(sites[:count]) if count else np.zeros((1, 0), dtype=int)
    total = np.zeros((states.shape[0], len(names)), dtype=int)
    for c, name in enumerate(names):
        for k in range(count):
            total[:, c] += sites[k].charge(name)[states[:, k]]
    return total


def dense_schmidt(vector, sites, bond, names=()):
    """Schmidt values, descending, of a cut for each charge of the left part."""
    left = int(np.prod([site.dim for site in sites[: bond + 1]]))
    matrix = vector.reshape(left, -1)
    charges = left_charges(sites, names, bond + 1)
    out = {}
    for charge in np.unique(charges, axis=0):
        rows = np.all(charges == charge, axis=1)
        out[tuple(map(int, charge))] = np.linalg.svd(matrix[rows], compute_uv=False)
    return out


def random_state(sites, names, rng, *, dim=4, states=None, scale=None):
    """A random state that is not canonical, with up to ``dim`` states per sector.

    ``states``: a product state whose total charge it has (default: a random one).  ``scale``:
    multiply row i of every bond by 10**uniform(-scale, scale) and columns by the inverse of
    something else, so that the tensors are badly conditioned.
    """
    code = ChargeCode.for_sites(names, sites)
    keys = [code.site_keys(site).tolist() for site in sites]
    states = states if states is not None else [int(rng.integers(site.dim)) for site in sites]
    total = sum(q[p] for q, p in zip(keys, states, strict=True))
    reach = [{0}]
    for q in keys:
        reach.append({key + shift for key in reach[-1] for shift in q})
    reach[-1] = {total}
    for i in reversed(range(len(sites))):
        reach[i] &= {key - shift for key in reach[i + 1] for shift in keys[i]}
    dims = [{key: int(rng.integers(1, dim + 1)) for key in level} for level in reach]
    dims[0], dims[-1] = {0: 1}, {total: 1}
    blocks = []
    for i, (left, right) in enumerate(pairwise(dims)):
        site = {}
        for key, rows in left.items():
            for p, shift in enumerate(keys[i]):
                if key + shift in right:
                    shape = rows, right[key + shift]
                    block = rng.normal(size=shape) + 1j * rng.normal(size=shape)
                    if scale is not None:
                        block *= 10 ** rng.uniform(-scale, scale, size=(shape[0], 1))
                        block *= 10 ** rng.uniform(-scale, scale, size=(1, shape[1]))
                    site[key, p] = block
        blocks.append(site)
    return MPS.from_blocks(sites, code, dims, blocks)


def repeated(psi, rng):
    """The same state with every inner bond doubled by linearly dependent rows and columns."""
    dims = [dict(zip(b.keys.tolist(), b.dims.tolist(), strict=True)) for b in psi.bonds]
    blocks = []
    for i in range(psi.length):
        site = {}
        for (key, p), block in psi.blocks(i).items():
            # Left copies add up to one: a share each; right copies are equal.
            share = np.array([0.3, 0.7])[:, None] if i > 0 else np.ones((1, 1))
            copy = np.ones((1, 2)) if i + 1 < psi.length else np.ones((1, 1))
            site[key, p] = np.kron(share @ copy, block)
        blocks.append(site)
    double = [
        {k: 2 * d for k, d in dim.items()} if 0 < i < psi.length else dim
        for i, dim in enumerate(dims)
    ]
    return MPS.from_blocks(psi.sites, psi.code, double, blocks)


def orthonormality(psi, weighted=False):
    """Largest deviation of sum_p B_p B_p^H from one over all sites and sectors.

    ``weighted``: rows and columns times their Schmidt values.
    """
    worst = 0.0
    for i in range(psi.length):
        grams = {}
        for (key, _), block in psi.blocks(i).items():
            grams[key] = grams.get(key, 0) + block @ block.conj().T
        weights = schmidt_of(psi.bonds[i])
        for key, gram in grams.items():
            deviation = np.abs(gram - np.eye(len(gram)))
            if weighted:
                deviation *= np.outer(weights[key], weights[key])
            worst = max(worst, deviation.max())
    return worst


def schmidt_of(bond):
    """Schmidt values of each sector key."""
    parts = np.split(bond.schmidt, np.cumsum(bond.dims)[:-1])
    return dict(zip(bond.keys.tolist(), parts, strict=True))


def left_deviation(psi):
    """How far the Schmidt values are from those of the state to the left.

    In the canonical form sum_p (l B)_p^H (l B)_p is diagonal with the next bond's weights.
    """
    worst = 0.0
    for i in range(psi.length - 1):
        weight, wanted = schmidt_of(psi.bonds[i]), schmidt_of(psi.bonds[i + 1])
        grams = {}
        for (key, p), block in psi.blocks(i).items():
            theta = weight[key][:, None] * block
            to = key + int(psi.site_keys[i][p])
            grams[to] = grams.get(to, 0) + theta.conj().T @ theta
        for key, gram in grams.items():
            worst = max(worst, np.abs(gram - np.diag(wanted[key] ** 2)).max())
    return worst


def model_of(sites, items):
    """The least that `evolve` needs of a model."""
    return SimpleNamespace(hamiltonian=OperatorSum.of(sites, items), local_sites=tuple(sites))
