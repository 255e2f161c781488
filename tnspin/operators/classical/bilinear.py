"""Products of electron operators as forms c + sum_ab h_ab c+_a c_b, found from their matrices."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, electron, kron

#: Constant, and (2 n, 2 n) matrix of the modes 2 site + spin (0: up) of n sites.
Form = tuple[complex, np.ndarray]


@lru_cache(maxsize=1024)
def is_electronic(site: Site, name: str) -> bool:
    """Whether an operator of a site acts on its electrons alone; False: on its spin alone.

    Raises
    ------
    InputError
        If it acts on both at once, or on neither (bosons).
    """
    matrix, d = site.op(name), site.spin_dim
    if not site.has_fermions and d == 1:
        raise InputError(f"model: {name!r} on a {site.name} site is of neither electron nor spin")
    on_electron, on_spin = site.partial_traces(matrix)
    if np.allclose(np.kron(on_electron, np.eye(d)), matrix, atol=1e-13):
        return True
    if np.allclose(np.kron(np.eye(site.dim // d), on_spin), matrix):
        return False
    raise InputError(f"model: {name!r} on a {site.name} site acts on electron and spin at once")


@lru_cache(maxsize=1024)
def electron_form(factors: tuple[tuple[str, int], ...]) -> Form:
    """The form of a product of operators of electron levels, numbered 0, 1, ... along the chain.

    Signs are those of `operator_sum`.  Sites in between do not matter: the strings that pass
    them have no effect on what a bilinear form does to a Slater determinant.

    Raises
    ------
    InputError
        If the product is not bilinear, such as the repulsion n_up n_dn.
    """
    count = 1 + max((k for _, k in factors), default=-1)
    if not count:
        return 1.0, np.zeros((0, 0))
    text = " ".join(name for name, _ in factors)
    if count > 2:
        raise InputError(f"model: {text} couples electrons on {count} sites, not two orbitals")
    matrix = _matrix(factors, count)
    creators = [_matrix(((name, k),), count) for k in range(count) for name in _CREATORS]
    states = [creator[:, 0] for creator in creators]
    constant = complex(matrix[0, 0])
    one_body = np.array([[np.vdot(a, matrix @ b) for b in states] for a in states])
    one_body -= constant * np.eye(len(states))
    bilinear = constant * np.eye(len(matrix)) + sum(
        one_body[i, j] * (a @ b.conj().T)
        for (i, a), (j, b) in product(enumerate(creators), repeat=2)
    )
    if not np.allclose(bilinear, matrix, atol=1e-12):
        raise InputError(
            f"model: {text} couples electrons to each other; classical spins need electrons that "
            "a Slater determinant describes"
        )
    return constant, one_body


_CREATORS = ("cdag_up", "cdag_dn")


def _matrix(factors: tuple[tuple[str, int], ...], count: int) -> np.ndarray:
    """Dense matrix on ``count`` electron levels."""
    flat = [item for factor in factors for item in factor]
    (term,) = OperatorSum.of((electron(),) * count, [(1.0, *flat)]).local_terms()
    return kron(term.matrices.get(k, np.eye(4)) for k in range(count))
