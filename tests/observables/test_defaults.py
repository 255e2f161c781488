"""What each preset records by default, and what else it may record, as it always was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tnspin.errors import InputError
from tnspin.observables import OBSERVABLES, chosen
from tnspin.runs.config.loading import load
from tnspin.runs.simulation import options_of

LISTED = json.loads(Path(__file__).with_suffix(".json").read_text())


def allowed(model, kind, options):
    for name in OBSERVABLES:
        try:
            chosen((name,), model, kind, options)
        except InputError:
            continue
        yield name


@pytest.mark.parametrize("preset", LISTED)
def test_presets_record_by_default_what_they_always_did(preset):
    config = load(preset)
    model, kind, options = config.run_model, config.solver.states(), options_of(config)
    assert " ".join(chosen((), model, kind, options)) == LISTED[preset]["default"]
    assert " ".join(allowed(model, kind, options)) == LISTED[preset]["allowed"]
