"""Ids become file names that no id can escape from; files are read as they were meant."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)


@pytest.mark.parametrize(
    ("customer", "stem"),
    [
        ("customer_0", "customer_0"),
        ("7", "7"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("~x", "%7Ex"),
        ("señor", "se%C3%B1or"),
        ("a\nb", "a%0Ab"),
    ],
)
def test_file_stem(module, customer, stem):
    customers = module("customers")
    assert customers.file_stem(customer) == stem
    assert customers.customer_of(stem) == customer


@given(IDS, IDS)
def test_stems_are_safe_short_and_different(module, one, other):
    customers = module("customers")
    stem = customers.file_stem(one)
    assert re.fullmatch(r"[A-Za-z0-9_%-][A-Za-z0-9_.%-]*", stem)
    assert len(stem) <= customers.MAX_STEM
    assert (stem == customers.file_stem(other)) == (one == other)


@given(IDS)
def test_a_stem_tells_the_customer_unless_it_was_cut(module, customer):
    customers = module("customers")
    stem = customers.file_stem(customer)
    assert customers.customer_of(stem) == customer or len(stem) > customers.MAX_STEM - 20


def test_long_ids_that_begin_alike_stay_apart(module):
    customers = module("customers")
    stems = {customers.file_stem("é" * 300 + end) for end in ("a", "b")}
    assert len(stems) == 2
    assert all(len(stem) <= 180 and re.search(r"%C3(%A9)?-[0-9a-f]{16}$", stem) for stem in stems)


def test_files_leaves_out_what_is_hidden(module, tmp_path):
    for name in ("b.csv", "a.csv", ".a.csv", "c.txt"):
        (tmp_path / name).touch()
    customers = module("customers")
    assert [path.name for path in customers.files(tmp_path)] == ["a.csv", "b.csv"]
    assert customers.files(tmp_path / "absent") == []


def read(module, path, text):
    path.write_text(text, encoding="utf-8")
    return module("customers").read_series(path)


def test_a_series_is_sorted_and_without_gaps_in_y(module, tmp_path):
    series = read(module, tmp_path / "a%20b.csv", "ds,y\n2024-01-03,3\n2024-01-01,1.5\n2024-01-02,\n")
    assert series.customer == "a b"
    assert series.ds.tolist() == np.array(["2024-01-01", "2024-01-03"], "datetime64[us]").tolist()
    assert series.ds.dtype == "datetime64[us]"
    assert series.y.tolist() == [1.5, 3.0]


def test_a_long_id_is_in_the_file(module, tmp_path):
    text = 'ds,y,customer\n2024-01-01 10:00:00,1,"long ""id""\n"\n'
    assert read(module, tmp_path / "long-0123.csv", text).customer == 'long "id"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Empty CSV file"),
        ("a,b\n1,2\n", "needs the columns ds and y, has ['a', 'b']"),
        ("ds,y\n2024-01-01,many\n", "many"),
        ("ds,y\nnever,1\n", "never"),
        ("ds,y\n2024-01-01\n", "Expected 2 columns, got 1"),
    ],
)
def test_what_is_no_series_is_said(module, tmp_path, text, message):
    with pytest.raises(module("customers").BadSeries, match=re.escape(message)):
        read(module, tmp_path / "a.csv", text)
