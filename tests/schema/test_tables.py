"""Tables: what TOML refuses, Python refuses, in one line with key, value and what is allowed."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tnspin as ts
from tnspin.errors import InputError
from tnspin.runs.config.loading import from_dict
from tnspin.schema import Table
from tnspin.schema.checks import checked, describe
from tnspin.schema.pages import keys_of_table, markdown_table
from tnspin.schema.types import Count, Fraction, NonNegative, Positive, Quantity, Range, Vector


@dataclass(frozen=True)
class Part(Table):
    """A nested table.

    Parameters
    ----------
    length
        Number of sites.
    """

    section = "part"

    length: Count = 2


@dataclass(frozen=True)
class Whole(Table):
    """A table with one key of each type.

    Parameters
    ----------
    sites
        A whole number.
    dt, cutoff
        Numbers with a range.
    damping
        One number or several.
    kind_of_step
        One of two names.
    field
        A vector.
    on
        A flag.
    temperature
        A quantity.
    part
        A nested table.
    """

    section = "whole"

    sites: Count
    dt: Positive = 0.1
    cutoff: Fraction = 1e-8
    damping: NonNegative | tuple[NonNegative, ...] = 0.0
    kind_of_step: Literal["auto", "fixed"] = "auto"
    field: Vector = (0.0, 0.0, 1.0)
    on: bool = True
    temperature: Annotated[float, Range(least=0), Quantity("temperature")] | None = None
    part: Part = Part()

    def check(self) -> None:
        if self.on and self.sites > 10:
            raise InputError(f"whole.sites = {self.sites}: must be 10 or less where whole.on")


REFUSED = [
    ({}, "whole.sites: missing; must be a whole number, 1 or more"),
    ({"sites": 0}, "whole.sites = 0: must be 1 or more"),
    ({"sites": 1.5}, "whole.sites = 1.5: must be a whole number"),
    ({"sites": True}, "whole.sites = True: must be a whole number"),
    ({"sites": 11}, "whole.sites = 11: must be 10 or less where whole.on"),
    ({"sites": 2, "dtt": 1}, "whole.dtt = 1: no such key; allowed: sites, dt, .* mean 'dt'?"),
    ({"sites": 2, "dt": 0}, "whole.dt = 0: must be above 0"),
    ({"sites": 2, "dt": float("nan")}, "whole.dt = nan: must be a number, neither NaN"),
    ({"sites": 2, "dt": "fast"}, "whole.dt = 'fast': must be a number"),
    ({"sites": 2, "cutoff": 1}, "whole.cutoff = 1: must be between 0 and 1"),
    ({"sites": 2, "damping": -1}, "whole.damping = -1: must be 0 or more"),
    (
        {"sites": 2, "damping": [1, -1]},
        r"whole.damping = \[1, -1\]: must be a number, 0 or more",
    ),
    ({"sites": 2, "kind_of_step": "fixd"}, "must be one of 'auto', 'fixed'; did you mean 'fixed'?"),
    ({"sites": 2, "field": [1, 2]}, r"whole.field = \[1, 2\]: must be \[a number, a number, a"),
    ({"sites": 2, "on": 1}, "whole.on = 1: must be true or false"),
    ({"sites": 2, "part": {"length": 0}}, "part.length = 0: must be 1 or more"),
    ({"sites": 2, "part": {"width": 0}}, "part.width = 0: no such key; allowed: length"),
]


@pytest.mark.parametrize(("keys", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_refusals_name_key_value_and_what_is_allowed(keys, message):
    with pytest.raises(InputError, match=message) as refused:
        Whole(**keys)
    assert "\n" not in str(refused.value)


def test_values_become_comparable_and_come_back_as_toml_has_them():
    table = Whole(
        np.int64(3), field=np.array([1.0, 2.0, 3.0]), damping=[0.1, 0.2], part={"length": 4}
    )
    assert table == Whole(3, field=(1.0, 2.0, 3.0), damping=(0.1, 0.2), part=Part(4))
    assert hash(table) == hash(copy.deepcopy(table)) == hash(pickle.loads(pickle.dumps(table)))
    assert table.part == Part(4) and type(table.sites) is int


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from([Count, Positive, Vector, str, bool, Whole.__annotations__["on"], float]),
    values,
)
def test_any_value_is_taken_as_its_hint_says_or_refused_in_one_line(hint, value):
    hint = bool if hint == "bool" else hint
    try:
        found = checked("table.key", value, hint)
    except InputError as refused:
        assert str(refused).startswith("table.key") and "\n" not in str(refused)
        return
    if hint is bool:
        assert type(found) is bool
    elif hint in (Count, Positive, float):
        assert found > 0 or hint is float


def test_pages_have_a_sentence_for_each_key():
    keys = keys_of_table(Whole)
    assert [key.name for key in keys][:3] == ["sites", "dt", "cutoff"]
    assert all(key.meaning.endswith(".") for key in keys)
    assert keys[0].default == "required" and keys[1].default == "`0.1`"
    assert markdown_table(Whole).count("\n| `") == len(keys)
    assert describe(Count) == "a whole number, 1 or more"


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("tebd", {"dt": -0.1}), ("tebd", {"order": 3}), ("tebd", {"bond_dim": 0}),
        ("tdvp", {"cutoff": 2}), ("exact", {"tolerance": 0.5}), ("tebd", {"bonddim": 3}),
        ("trajectories", {"trajectories": 1.5}), ("quantum_llg", {"realizations": 3}),
        ("mean_field", {"damping": 0.1}), ("llg", {"iterations": 1}), ("tebdd", {}),
    ],
)  # fmt: skip
def test_toml_keywords_and_objects_refuse_in_the_same_words(kind, keys):
    chain = ts.HeisenbergChain(sites=4)
    tables = {
        "model": {"kind": "heisenberg", "sites": 4},
        "state": {"kind": "product"},
        "solver": {"kind": kind, **keys},
    }
    with pytest.raises(InputError) as of_toml:
        from_dict(tables)
    with pytest.raises(InputError) as of_keywords:
        list(ts.evolve(chain, ts.product(chain).to_vector(), [0.0, 1.0], solver=kind, **keys))
    assert str(of_toml.value).split(";")[0] == str(of_keywords.value).split(";")[0]
