r"""Jump operators of spins in long chains, from the Heisenberg picture as matrix product operators.

.. math:: L = \int g(t)\, X(t)\, dt, \qquad X(t) = e^{iHt} X e^{-iHt}

(FATE below Eq. 4), g being the Fourier transform of :math:`\sqrt{2\pi j(w)}`.  X(t) is a matrix
product state on kets times bras (`sites.doubled`), evolved by Trotter steps where the spins
couple to neighbours only and by TDVP elsewhere, on the spins that its light cone reaches; the
integral is a trapezoidal sum, compressed term by term, and identities at the ends of the result
are left out.

How far the light cone goes is decided by how long g lasts: about 1 / (2 pi T) where nothing else is
sharp, but 1 / ``bath.edge`` where a hard cutoff lies among the transitions.  Such a jump operator
reaches over the whole chain, and is refused with what would help.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import ceil, log, pi, prod, sqrt

import numpy as np

from tnspin.baths.groups import SpinTerm, ball, spin_matrix
from tnspin.baths.methods import Quadrature, quadrature
from tnspin.baths.ohmic import OhmicBath
from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.mps.algebra import Summand, direct_sum
from tnspin.mps.state import MPS
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import Tebd
from tnspin.operators.bonds import bonds
from tnspin.operators.lindbladian import lindbladian
from tnspin.operators.operator_sum import OperatorSum, Term
from tnspin.operators.sites import Matrix, Site, doubled, kron, make_site
from tnspin.operators.spin_mpo import SpinOperator

_ROUND_OFF = 1e-14
# Spins whose levels say how far apart transitions lie, and where their light cone begins.
_MOST_STATES = 64
# Spins that X may reach in either direction.
_FARTHEST = 24
# Error per time of fourth-order steps: this times (dt h)^4 h, h being the strength of a bond.
_TROTTER = 2e-5
_TDVP_STEP = 0.02


@dataclass(frozen=True, eq=False)
class LongJump:
    """A jump operator as a matrix product operator, with its errors relative to its norm.

    Attributes
    ----------
    operator
        On the sites that it reaches.
    truncation
        Error from compressing every X(t) and their sum.
    quadrature
        The rest of the integral: of g beyond the last time.
    step
        Estimated error of the time steps.
    reach
        The identities left out at the ends.
    """

    operator: SpinOperator
    truncation: float
    quadrature: float
    step: float
    reach: float

    @property
    def error(self) -> float:
        """All of them together."""
        return self.truncation + self.quadrature + self.step + self.reach


class HeisenbergPicture:
    """Jump operators of the spins of one model; equal surroundings are followed once.

    Parameters
    ----------
    model : Model
        With localized spins.
    terms : sequence of SpinTerm
        Terms of its Hamiltonian on localized spins alone, constant in time.
    linked : dict of int to set of int
        Spins that these terms couple.
    bath : OhmicBath
        ``tolerance`` is the error aimed at, relative to the norm of L.
    """

    def __init__(
        self,
        model: Model,
        terms: Sequence[SpinTerm],
        linked: dict[int, set[int]],
        bath: OhmicBath,
    ) -> None:
        self._model, self._terms, self._linked, self._bath = model, terms, linked, bath
        self._known: dict[object, LongJump] = {}

    def jump(self, centre: int, coupling: Matrix) -> LongJump:
        """Jump operator of an operator on the spin of one site.

        Raises
        ------
        InputError
            If the bath remembers for so long that the light cone has no end.
        """
        width = self._width(centre)
        # As smooth as temperature makes g anyway: nothing is remembered longer.
        smooth = 4 * pi * self._bath.temperature / sqrt(log(1 / self._bath.tolerance))
        rule = quadrature(self._bath, width, smooth).shortened(self._bath.tolerance / 10)
        strength = self._strength(centre)
        lasting = rule.step * (rule.weights.size - 1)
        # Spin waves of large spins are slower than their bonds are strong.
        most = max(self._model.local_sites[k].spin_dim for k in self._model.localized_sites)
        radius = ceil(2 * strength / (most - 1) * lasting) + 2
        if radius > _FARTHEST:
            raise InputError(
                "bath.method = 'time_integral': the bath has a memory of "
                f"{lasting:.3g} hbar per energy unit, in which X reaches {radius} spins in a long "
                f"chain; at most {_FARTHEST} can be followed. A higher bath.temperature, a larger "
                "bath.edge or bath.tolerance, or a cutoff above all transitions shortens it; "
                "bath.window cuts it off"
            )
        for wider in count(0, 2):
            sites = ball(self._linked, centre, radius + wider)
            found = self._followed(sites, centre, coupling, rule, strength)
            whole = sites == ball(self._linked, centre)
            if whole or self._inside(found.operator.sites, sites):
                return found
        raise AssertionError("unreachable")

    def _inside(self, reached: Sequence[int], sites: Sequence[int]) -> bool:
        """Whether an operator ends before spins that are coupled to others outside."""
        return all(self._linked[k] <= set(sites) for k in reached)

    def _width(self, centre: int) -> float:
        """Distance of the levels of some spins: hardly any transition of X is larger."""
        radius, sites = 0, ball(self._linked, centre, 0)
        while (larger := ball(self._linked, centre, radius + 1)) != sites:
            if prod(self._model.local_sites[k].spin_dim for k in larger) > _MOST_STATES:
                break
            radius, sites = radius + 1, larger
        levels = np.linalg.eigvalsh(spin_matrix(self._model, self._terms, sites))
        return max(float(levels[-1] - levels[0]), self._strength(centre), 1e-12)

    def _strength(self, centre: int) -> float:
        """Half of the norms of all terms of a spin, the largest near the centre."""
        near = ball(self._linked, centre, 3)
        norms = dict.fromkeys(near, 0.0)
        for number, matrices in self._terms:
            size = abs(number) * prod(float(np.linalg.norm(m, 2)) for m in matrices.values())
            for k in set(matrices) & set(near):
                norms[k] += size / 2
        return max(norms.values())

    def _followed(
        self,
        sites: tuple[int, ...],
        centre: int,
        coupling: Matrix,
        rule: Quadrature,
        strength: float,
    ) -> LongJump:
        """L from the Hamiltonian of some spins, looked up if it is known from elsewhere."""
        inside = set(sites)
        place = {k: n for n, k in enumerate(sites)}
        terms = [
            (number, {place[k]: m for k, m in matrices.items()})
            for number, matrices in self._terms
            if inside.issuperset(matrices)
        ]
        chain = [self._model.local_sites[k] for k in sites]
        key = (
            place[centre], coupling.tobytes(), rule.weights.tobytes(), rule.step,
            tuple((site.name, site.spin_dim) for site in chain),
            tuple((n, tuple((k, m.tobytes()) for k, m in ms.items())) for n, ms in terms),
        )  # fmt: skip
        if key not in self._known:
            os = _operator_sum(chain, terms)
            self._known[key] = _integral(
                os, place[centre], coupling, rule, strength, self._bath.tolerance
            )
        found = self._known[key]
        return replace(
            found, operator=found.operator.moved([sites[n] for n in found.operator.sites])
        )


def _operator_sum(chain: Sequence[Site], terms: Sequence[SpinTerm]) -> OperatorSum:
    """Terms on the spins of some sites, these being the whole space."""
    named: list[dict[bytes, tuple[str, Matrix]]] = [{} for _ in chain]
    made = []
    for number, matrices in terms:
        factors = []
        for k, matrix in matrices.items():
            entry = named[k].setdefault(matrix.tobytes(), (f"A{len(named[k])}", matrix))
            factors.append((entry[0], k))
        made.append(Term(complex(number), tuple(factors)))
    sites = tuple(
        make_site(
            "spin", tuple(map(str, range(site.spin_dim))),
            {"2Sz": tuple(site.charge("2Sz")[: site.spin_dim].tolist())},
            dict(operators.values()), spin_dim=site.spin_dim,
        )
        for site, operators in zip(chain, named, strict=True)
    )  # fmt: skip
    return OperatorSum(sites, tuple(made))


def _integral(
    os: OperatorSum,
    centre: int,
    coupling: Matrix,
    rule: Quadrature,
    strength: float,
    tolerance: float,
) -> LongJump:
    """Sum over the rule of X(t), of each part of X that changes 2Sz by a definite amount."""
    definite = "2Sz" in os.conserved()
    charge = os.sites[centre].charge("2Sz")
    change = np.subtract.outer(charge, charge) * int(definite)
    parts = [np.where(change == q, coupling, 0.0) for q in np.unique(change[coupling != 0])]
    found = [_followed_part(os, centre, x, rule, strength, tolerance, definite) for x in parts]
    operator = found[0][0]
    for other, _, _ in found[1:]:
        operator = operator + other
    operator, lost = operator.compressed(tolerance / 10)
    short, reach = operator.trimmed(tolerance / 3)
    short, again = short.compressed(tolerance / 10)
    return LongJump(
        short,
        truncation=max(one[1] for one in found) + lost + again,
        quadrature=rule.tail / abs(rule.weights).max(),
        step=max(one[2] for one in found),
        reach=reach,
    )


def _followed_part(
    os: OperatorSum,
    centre: int,
    x: Matrix,
    rule: Quadrature,
    strength: float,
    tolerance: float,
    definite: bool,
) -> tuple[SpinOperator, float, float]:
    """L of one part of X, what truncation has cost and the error of the steps."""
    two = [doubled(site) for site in os.sites]
    vectors = [np.eye(site.dim, dtype=np.complex128).ravel() for site in os.sites]
    turn = _phase(x) if _is_real(os) else None
    vectors[centre] = (x if turn is None else x / turn).ravel()
    names = ("2Sz",) if definite else ()
    start = MPS.product(two, vectors, names)
    size = float(np.linalg.norm(x)) / sqrt(len(x))
    total, norm = start.copy(), abs(rule.weights[0]) * size
    phase = complex(rule.weights[0] / abs(rule.weights[0]))
    cutoff = (tolerance / 30) ** 2
    lost, error, steps = 0.0, 0.0, 0.0
    # With H and X real, X(-t) is the conjugate of X(t), and only one of them is followed.
    for sign in (1, -1) if turn is None else (1,):
        weights = rule.weights[1:] if sign > 0 else rule.weights[1:].conj()
        for weight, (state, discarded, step) in zip(
            weights,
            _heisenberg(os, start, sign * rule.step, strength, tolerance, rule),
            strict=False,
        ):
            parts = [(weight * size, state)]
            if turn is not None:
                parts.append((weight.conjugate() * size, state.conj()))
            # One after the other: together they nearly depend on each other, which is slow.
            for number, part in parts:
                whole = direct_sum([Summand(total, phase * norm), Summand(part, number)])
                total = MPS.from_blocks(two, state.code, *whole)
                lost += total.canonicalize(cutoff)
                norm, phase = total.divided, 1.0
            error, steps = max(error, sqrt(discarded)), step
    factor = phase * norm * (1.0 if turn is None else turn)
    operator = _as_operator(total, os.sites, factor, definite)
    return operator, error + sqrt(lost), steps


def _heisenberg(
    os: OperatorSum,
    start: MPS,
    interval: float,
    strength: float,
    tolerance: float,
    rule: Quadrature,
) -> Iterator[tuple[MPS, float, float]]:
    """X(t) at multiples of an interval, the weight truncated so far, and the error of the steps."""
    generator = lindbladian(os)
    lasting = abs(interval) * rule.weights.size
    cutoff = (tolerance / 30) ** 2
    if os.reach <= 1:
        scale = _TROTTER * strength * lasting
        longest = (tolerance / 10 / scale) ** 0.25 / strength
        steps = ceil(abs(interval) / longest)
        error = scale * (abs(interval) / steps * strength) ** 4
        matrices = bonds(generator * 1j)
        driven = [False] * (matrices.length - 1)
        run: Tebd | Tdvp = Tebd(start, matrices.matrix, driven, order=4, cutoff=cutoff)
    else:
        steps = ceil(abs(interval) * strength / _TDVP_STEP)
        error = strength * lasting * (abs(interval) / steps * strength) ** 2
        run = Tdvp(start, generator, factor=1.0, cutoff=cutoff, hermitian=False)
    try:
        while True:
            # Operators evolve backwards: rho' = -i [H, rho], X' = i [H, X].
            for _ in run.advance(0.0, -interval / steps, steps):
                pass
            yield run.state.copy(), float(run.ledger.discarded.sum()), error
    finally:
        run.close()


def _is_real(os: OperatorSum) -> bool:
    """Whether every term of a constant H is a real matrix."""
    terms = (t.value(0.0) * kron(t.matrices.values()) for t in os.local_terms() if t.matrices)
    return all(np.abs(m.imag).max() <= _ROUND_OFF * np.abs(m).max() for m in terms)


def _phase(x: Matrix) -> complex | None:
    """The phase times which a real matrix is x, None if there is none."""
    largest = complex(x.flat[np.abs(x).argmax()])
    phase = largest / abs(largest)
    rest = np.abs((x / phase).imag).max()
    return phase if rest <= _ROUND_OFF * abs(largest) else None


def _as_operator(
    state: MPS, sites: Sequence[Site], factor: complex, definite: bool
) -> SpinOperator:
    """A state on kets times bras, times a factor and the root of the dimension, as operator."""
    tensors: list[Matrix] = []
    charges = []
    for k, site in enumerate(sites):
        w = state.dense(k) * sqrt(site.dim)
        w = w.reshape(len(w), site.dim, site.dim, -1).transpose(0, 3, 1, 2)
        tensors.append(np.ascontiguousarray(w))
    for bond in state.bonds:
        q = state.code.decode(bond.keys)[:, 0] if definite else np.zeros(bond.keys.size, np.int64)
        charges.append(np.repeat(q, bond.dims))
    tensors[0] = tensors[0] * factor
    steps = tuple(site.charge("2Sz") for site in sites)
    return SpinOperator(tuple(range(len(sites))), tuple(tensors), tuple(charges), steps, definite)
