"""Trotter-Suzuki schedules as pure data."""

from __future__ import annotations

from typing import NamedTuple

from tnspin.errors import InputError

_P = 1 / (4 - 4 ** (1 / 3))
#: Five symmetric second-order steps of these lengths make one of fourth order.
SUZUKI = (_P, _P, 1 - 4 * _P, _P, _P)


class Layer(NamedTuple):
    """One layer of commuting two-site gates.

    ``parity`` 0: bonds (0,1), (2,3), ...; 1: bonds (1,2), (3,4), ...  ``fraction`` of the step it
    evolves, ``moment``: where in the step (0 to 1) time-dependent coefficients are taken.
    """

    parity: int
    fraction: float
    moment: float


def _strang(length: float, begin: float) -> list[Layer]:
    moment = begin + length / 2
    return [Layer(0, length / 2, moment), Layer(1, length, moment), Layer(0, length / 2, moment)]


def _optimized() -> tuple[Layer, ...]:
    """Fourth order with the smallest error constant at eleven layers.

    Barthel and Zhang, Ann. Phys. 418, 168165 (2020), Eqs. (30a) and (32).
    """
    a1, a2 = 0.095848502741203681182, -0.078111158921637922695
    b1, b2 = 0.42652466131587616168, -0.12039526945509726545
    half = [(0, a1), (1, b1), (0, a2), (1, b2), (0, 0.5 - a1 - a2)]
    layers = [*half, (1, 1 - 2 * (b1 + b2)), *reversed(half)]
    return tuple(Layer(parity, fraction, 0.5) for parity, fraction in layers)


def schedule(order: int, time_dependent: bool = False) -> tuple[Layer, ...]:
    """Layers of one time step, first applied first.

    Parameters
    ----------
    order
        1, 2 or 4: the error over a fixed time falls as the step to this power.
    time_dependent
        Take the fourth-order schedule that stays fourth order when coefficients depend on time.

    Raises
    ------
    InputError
        For any other order.
    """
    if order not in (1, 2, 4):
        raise InputError(f"solver.order: {order} is not allowed; choose 1, 2 or 4")
    if order == 1:
        return Layer(0, 1.0, 0.5), Layer(1, 1.0, 0.5)
    if order == 4 and not time_dependent:
        return _optimized()
    # Five steps, each at its own midpoint, are right for H(t) as well (M. Suzuki, Phys. Lett. A
    # 146, 319 (1990)); the optimized form has no moments of time.
    lengths = SUZUKI if order == 4 else (1.0,)
    steps = (_strang(length, sum(lengths[:k])) for k, length in enumerate(lengths))
    return tuple(layer for step in steps for layer in step)


class TimedLayer(NamedTuple):
    """A layer of a run: ``span`` of time to evolve and the ``time`` of its coefficients."""

    parity: int
    span: float
    time: float


def layers_of_run(
    order: int, start: float, dt: float, steps: int, time_dependent: bool = False
) -> list[TimedLayer]:
    """Layers of ``steps`` steps of ``dt`` from time ``start``.

    Without time dependence neighbouring layers of equal parity are merged, so a second-order
    step costs two layers, as a first-order one.
    """
    one = schedule(order, time_dependent)
    run: list[TimedLayer] = []
    for step in range(steps):
        for layer in one:
            timed = TimedLayer(
                layer.parity, layer.fraction * dt, start + (step + layer.moment) * dt
            )
            if run and run[-1].parity == layer.parity and not time_dependent:
                timed = TimedLayer(layer.parity, run.pop().span + timed.span, timed.time)
            run.append(timed)
    return run
