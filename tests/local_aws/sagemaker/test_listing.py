from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker.listing import page, seconds

KEYS = {"Name": "JobName", "CreationTime": "CreationTime", "Status": "JobStatus"}


def jobs(*rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    members = ("JobName", "CreationTime", "JobStatus", "LastModifiedTime")
    return [dict(zip(members, row, strict=False)) for row in rows]


THREE = jobs(("beta", 2.0, "Failed", 9.0), ("alpha", 3.0, "Completed", 8.0), ("gamma", 1.5, "Failed"))


def listed(request: dict[str, Any], items=THREE, **options: Any) -> dict[str, Any]:
    return page(
        request, items, summary=lambda job: job["JobName"], sort_keys=KEYS, default_sort="CreationTime",
        status="JobStatus", name="JobName", key="Jobs", **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({}, "gamma beta alpha"),
        ({"SortOrder": "Descending"}, "alpha beta gamma"),
        ({"SortBy": "Name"}, "alpha beta gamma"),
        ({"SortBy": "Status"}, "alpha beta gamma"),
        ({"SortBy": "Status", "SortOrder": "Descending"}, "gamma beta alpha"),
        ({"NameContains": "ta"}, "beta"),
        ({"NameContains": "x"}, ""),
        ({"StatusEquals": "Failed"}, "gamma beta"),
        ({"CreationTimeAfter": 2.0}, "beta alpha"),
        ({"CreatedAfter": 2}, "beta alpha"),
        ({"CreationTimeBefore": 2.0}, "gamma"),
        ({"CreatedBefore": 3.0, "CreatedAfter": 2.0}, "beta"),
        ({"LastModifiedTimeAfter": 8.5}, "beta"),
        ({"LastModifiedTimeBefore": 9.5}, "beta alpha"),
    ],
)
def test_filters_and_order(request_, names) -> None:
    assert " ".join(listed(request_)["Jobs"]) == names


def test_the_order_and_size_of_an_operation_count_where_none_is_asked_for() -> None:
    answer = listed({}, order="Descending", size=2)
    assert answer["Jobs"] == ["alpha", "beta"]
    assert listed({"NextToken": answer["NextToken"]}, order="Descending", size=2) == {"Jobs": ["gamma"]}
    assert listed({"SortOrder": "Ascending"}, order="Descending")["Jobs"][0] == "gamma"


def test_without_max_results_a_page_has_ten() -> None:
    many = jobs(*((f"job-{number:02d}", 1.0, "Failed") for number in range(11)))
    first = listed({}, many)
    assert len(first["Jobs"]) == 10
    assert listed({"NextToken": first["NextToken"]}, many) == {"Jobs": ["job-10"]}
    assert "NextToken" not in listed({}, many[:10])


@given(
    st.lists(
        st.tuples(st.text("abc", min_size=1, max_size=6), st.integers(0, 3)), unique_by=lambda row: row[0]
    ),
    st.integers(1, 5),
    st.sampled_from(["Ascending", "Descending"]),
    st.sampled_from(["Name", "CreationTime", "Status"]),
)
def test_pages_hold_every_item_once_and_in_order(rows, size, order, by) -> None:
    items = jobs(*((name, float(time), "Failed") for name, time in rows))
    request = {"SortOrder": order, "SortBy": by}
    pages: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = listed({**request, "MaxResults": size, **token}, items)
        pages += answer["Jobs"]
        assert len(answer["Jobs"]) <= size
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    whole = listed({**request, "MaxResults": 100}, items)["Jobs"]
    assert pages == whole
    assert sorted(pages) == sorted(name for name, _ in rows)


def test_what_comes_and_goes_between_pages_moves_nothing() -> None:
    first = listed({"MaxResults": 2, "SortOrder": "Descending"})
    token = {"NextToken": first["NextToken"], "SortOrder": "Descending"}
    later = [*THREE[1:], *jobs(("new", 9.0, "Failed"))]  # beta, the last one shown, is gone
    assert listed(token, later)["Jobs"] == ["gamma"]


def _forged(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    "token",
    ["x", "not base64!", "", "é", _forged(1), _forged([]), _forged(["q", [1, "a"], "b"]), _forged(["q", 1, 2]),
     _forged([[[]], [1, 1], "a"]), base64.b64encode(b"[" * 5000).decode(), base64.b64encode(b"\xff").decode()],
)  # fmt: skip
def test_a_token_that_is_none_is_refused(token) -> None:
    if not token:
        assert listed({"NextToken": token})["Jobs"]
        return
    with pytest.raises(AwsError, match="Invalid NextToken") as caught:
        listed({"NextToken": token})
    assert caught.value.code == "ValidationException"


def test_a_token_is_good_for_its_own_request_only() -> None:
    token = listed({"MaxResults": 1})["NextToken"]
    assert listed({"MaxResults": 2, "NextToken": token})["Jobs"] == ["beta", "alpha"]
    for other in ({"SortOrder": "Descending"}, {"SortBy": "Name"}, {"NameContains": "a"}):
        with pytest.raises(AwsError, match="Invalid NextToken"):
            listed({**other, "NextToken": token})


@given(st.binary(max_size=40), st.lists(st.one_of(st.none(), st.floats(), st.text(), st.lists(st.none()))))
def test_no_token_ends_in_anything_else(raw, content) -> None:
    query = json.loads(base64.urlsafe_b64decode(listed({"MaxResults": 1})["NextToken"]))[0]
    for token in (base64.urlsafe_b64encode(raw).decode(), _forged(content), _forged([query, *content])):
        if token:
            try:
                listed({"NextToken": token})
            except AwsError as error:
                assert error.code == "ValidationException"


@pytest.mark.parametrize(
    "time", [1_700_000_000, 1_700_000_000.0, "2023-11-14T22:13:20+00:00", "2023-11-14T22:13:20"]
)
def test_times_of_the_registry_and_of_the_resources_are_the_same(time) -> None:
    assert seconds(time) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC).timestamp()
