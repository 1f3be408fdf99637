"""The small file: what is written comes back to the last bit, and nothing else is a model."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.in_image.archives import write_archive

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=5e-324, allow_infinity=False)
MODES = st.sampled_from(("additive", "multiplicative"))
TIMES = st.integers(-(2**61), 2**61)


@st.composite
def models(draw, make_model, module):
    """Any parameters that Prophet may find."""
    given_ = module("parameters")
    gaps = draw(st.lists(st.integers(0, 2**58), max_size=6))
    seasons = draw(st.lists(st.tuples(st.text(), POSITIVE, st.integers(1, 4), MODES, POSITIVE), max_size=3))
    holidays = draw(st.lists(st.tuples(st.text(), MODES, POSITIVE), max_size=2))
    columns = sum(2 * season[2] for season in seasons) + len(holidays)
    growth = draw(st.sampled_from(("linear", "flat", "logistic")))
    made = module("engine").Provenance(
        draw(st.text()), "f" * 32, "code", {"growth": growth}, draw(FLOATS), None
    )
    model = make_model(
        draw(st.sampled_from((made, None))),
        growth=growth, start=draw(TIMES), last=draw(TIMES), t_scale=sum(gaps) + draw(st.integers(1, 2**58)),
        y_scale=draw(POSITIVE), sigma=draw(POSITIVE), k=draw(FLOATS), m=draw(FLOATS),
        changepoint_offsets=np.cumsum(np.array(gaps, np.int64)),
        delta=np.array([draw(FLOATS) for _ in gaps]), beta=np.array([draw(FLOATS) for _ in range(columns)]),
        seasonalities=tuple(given_.Seasonality(*season) for season in seasons),
        holidays=tuple(given_.Holiday(*holiday) for holiday in holidays),
        country="ES" if holidays else None, cap=draw(POSITIVE) if growth == "logistic" else None,
        rows=draw(st.integers(2, 2**40)),
    )  # fmt: skip
    step = draw(st.integers(1, 2**60) | st.sampled_from(("MS", "WOM-3FRI", "bh")))
    return dataclasses.replace(model, step=step, seed=draw(st.integers(0, 2**32 - 1)))


@given(st.data())
def test_any_model_comes_back(module, make_model, data):
    model, files = data.draw(models(make_model, module)), module("model_file")
    content = files.dumps(model)
    loaded = files.loads(content)
    assert files.dumps(loaded) == content
    for field in dataclasses.fields(model.parameters):
        one, other = (getattr(found.parameters, field.name) for found in (model, loaded))
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype and one.tolist() == other.tolist()
        else:
            assert one == other
    rest = ("step", "seed", "interval_width", "provenance")
    assert [getattr(model, name) for name in rest] == [getattr(loaded, name) for name in rest]


def test_it_is_small(module, make_model, tmp_path):
    """With as many changes of the rate as daily data usually has; each has 17 digits."""
    made = module("engine").Provenance(
        "customer_0", "0123456789abcdef" * 2, "prophet 1.5.0, code 0", {}, 1.5, 9.1
    )
    model = make_model(made)
    assert len(module("engine").save(model)) < 2000
    model.parameters.delta[::4] = 0.0
    write_archive(tmp_path / "a.tar.gz", {"model.json": module("engine").save(model)})
    assert (tmp_path / "a.tar.gz").stat().st_size < 1024


def changed(content, **changes):
    """The same file with other fields, and the sha256 that belongs to them."""
    fields = json.loads(content) | changes
    fields = {key: value for key, value in fields.items() if key != "sha256" and value != "left out"}
    rest = json.dumps(fields, separators=(",", ":")).encode()[1:]
    return b'{"sha256":"' + hashlib.sha256(rest).hexdigest().encode() + b'",' + rest


NUMBERS = [0.5] * 25


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 3}, "another format of model; this engine reads 1 and 2"),
        ({"k": float("nan")}, "NaN is no number"),
        ({"k": float("inf")}, "Infinity is no number"),
        ({"k": True}, "'k' is true, not a number"),
        ({"k": "left out"}, "'k' is missing"),
        ({"extra": 1}, "unknown: 'extra'"),
        ({"sigma": 0}, "'sigma' is 0, not a positive number"),
        ({"delta": NUMBERS[1:]}, "'delta' has 24 numbers, not 25"),
        ({"beta": NUMBERS}, "'beta' has 25 numbers, not 26"),
        ({"beta": [*NUMBERS, None]}, "'beta' has null, not numbers"),
        ({"growth": "cubic"}, "'growth' is \"cubic\", not a growth of Prophet's"),
        ({"growth": ["linear"]}, "'growth' is [\"linear\"], not"),
        ({"growth": "logistic"}, "logistic growth needs one"),
        ({"cap": 5.0}, "no other has one"),
        ({"unit": 0}, "'unit' is 0"),
        ({"start": 2**63}, "'start' is 9223372036854775808"),
        ({"changepoints": [2**62, *[1] * 24]}, "after the last row"),
        ({"changepoints": [-1]}, "'changepoints' has -1, not distances"),
        ({"seasonalities": [["weekly", 7, 3]]}, "'seasonalities' has [\"weekly\", 7, 3], not [name, period"),
        ({"seasonalities": [["weekly", 7, 10**9, "additive", 1]]}, "'seasonalities' has"),
        ({"holidays": [["Epiphany", "odd", 1]]}, "'holidays' has"),
        ({"holidays": [["Epiphany", "additive", 1]], "beta": [*NUMBERS, 1, 1]}, "no country"),
        ({"step": -1}, "'step' is -1"),
        ({"seed": -1}, "'seed' is -1"),
        ({"interval_width": 1}, "'interval_width' is 1"),
        ({"provenance": []}, "'provenance' is []"),
        ({"provenance": {}}, "'customer' is missing"),
        ({"rows": 1}, "'rows' is 1"),
    ],
)
def test_what_is_malformed_is_no_model(module, make_model, changes, message):
    content = module("engine").save(make_model())
    assert changed(content) == content
    with pytest.raises(module("engine").BadModel, match=re.escape(message)):
        module("engine").load(changed(content, **changes))


@given(st.data())
def test_no_changed_byte_goes_unnoticed(module, make_model, data):
    content = bytearray(module("engine").save(make_model()))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(module("engine").BadModel):
        module("engine").load(bytes(content))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"[" * 100_000, b'{"sha256":"', b"\xff"])
def test_other_bytes_are_no_model(module, content):
    with pytest.raises(module("engine").BadModel, match="not a model of this engine"):
        module("engine").load(content)
