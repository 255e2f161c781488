"""Hysteresis loops as series that certificates can judge: one row for each field, as taken.

A row stands for the end of a field, and the "time" of a row is how many fields are done by then.
"""

from __future__ import annotations

from math import isclose

import numpy as np
from numpy.typing import NDArray

from tnspin.results.result import Result, Variable
from tnspin.runs.config.config import Config
from tnspin.runs.hysteresis.run import swept_fields

__all__ = ["OBSERVED", "fields_taken", "loop_series"]

Reals = NDArray[np.float64]
#: What is compared, and what it is.
OBSERVED = {
    "loop_spin": "localized spin <S>/S at the end of a field",
    "magnetization": "mean of <S>/S over the spins",
    "loop_area": "area that the loop has enclosed so far",
}


def fields_taken(config: Config) -> Reals | None:
    """(2 F,) fields of a loop in the order in which they are taken; None without a loop."""
    if config.hysteresis is None:
        return None
    fields = swept_fields(config)
    return np.concatenate((fields[::-1], fields))


def loop_series(result: Result, config: Config) -> Result:
    """Rows of a loop at the fields of a configuration, whose steps may be longer.

    Parameters
    ----------
    result
        Of a whole loop.
    config
        That of the run in question; its fields are among those of the result.

    Returns
    -------
    Result
        Variables of `OBSERVED` with the dimension ``time``, fields done; attributes as they were.
    """
    keys, found = config.hysteresis, result["field"]
    assert keys is not None
    stride = (found.size - 1) // keys.steps
    assert stride * keys.steps == found.size - 1 and isclose(found[-1], keys.largest)
    branch = np.arange(0, found.size, stride)
    rows = np.concatenate((branch, found.size + branch))
    path = {name: _in_order(result[name]) for name in ("loop_spin", "magnetization")}
    swept = path["magnetization"][:, "xyz".index(keys.axis)]
    taken = np.concatenate((found[::-1], found))
    # Along the path M dB is minus the area between the branches; on the steps of this very run.
    parts = -np.diff(taken) * (swept[1:] + swept[:-1]) / 2
    path["loop_area"] = np.concatenate(([0.0], np.cumsum(parts)))
    dims = {"loop_spin": ("localized", "axis"), "magnetization": ("axis",), "loop_area": ()}
    units = {"loop_area": "energy unit"}
    variables = {
        name: Variable(("time", *dims[name]), path[name][rows], units.get(name, "1"), text)
        for name, text in OBSERVED.items()
    }
    numbers = np.arange(1.0, 2 * (keys.steps + 1) + 1)
    return Result(
        {"time": Variable(("time",), numbers, "1", "fields done"), **variables}, result.attrs
    )


def _in_order(values: Reals) -> Reals:
    """(2 F, ...) values of both branches, one after the other, from (2, F, ...)."""
    down, up = values
    return np.concatenate((down[::-1], up))
