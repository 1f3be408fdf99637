from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci import allowlist
from trainyard.errors import DataError
from trainyard.families import repository_root

GOOD = '[[allowed]]\nid = "CVE-1"\nfamily = "*"\nreason = "r"\nreview_by = 2027-01-31\n'


def test_entries_are_read(tmp_path):
    (tmp_path / "list.toml").write_text(GOOD)
    (entry,) = allowlist.read(tmp_path / "list.toml")
    assert entry == allowlist.Entry(id="CVE-1", family="*", reason="r", review_by=datetime.date(2027, 1, 31))
    assert str(entry) == "CVE-1 (*, review by 2027-01-31: r)"
    assert allowlist.read(tmp_path / "absent.toml") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("allowed = ", "not TOML"),
        ("allowed = 3", "allowed = 3: write [[allowed]] per entry"),
        ("allowed = [3]", "entry 1: 3: write [[allowed]] and below it id, family"),
        (GOOD + "[other]\n", "other: unknown; the file is a list of [[allowed]]"),
        (GOOD + GOOD.replace("reason", "why"), "entry 2: why: unknown; possible are id, family, reason, review_by"),
        (GOOD.replace('"r"', '" "'), "entry 1: reason = ' ': must be a text"),
        (GOOD.replace("2027-01-31", '"2027-01-31"'), "review_by = '2027-01-31': must be a day, such as"),
        (GOOD.replace("2027-01-31", "2027-01-31T10:00:00"), "must be a day"),
        ("[[allowed]]\n", "id = None: must be a text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text, message, tmp_path):
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(DataError) as error:
        allowlist.read(tmp_path / "list.toml")
    assert message in str(error.value)


@given(
    st.dictionaries(
        st.sampled_from(["id", "family", "reason", "review_by", "x"]), st.one_of(st.text(), st.integers())
    )
)
def test_no_entry_without_a_day_is_taken(entry):
    assert allowlist._problems(entry)


def test_the_file_of_this_repository_can_be_read():
    allowlist.read(repository_root() / "ci" / "scan_allowlist.toml")
