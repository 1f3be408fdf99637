from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.local_aws.event_patterns import check, matches
from trainyard.local_aws.messages import AwsError

EVENT = {
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Model Package State Change",
    "detail": {
        "ModelPackageGroupName": "prophet",
        "ModelApprovalStatus": "Approved",
        "version": 3,
        "tags": ["a", "b"],
    },
}


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.sagemaker"]},
        {"source": ["other", "aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Approved"]}},
        {"detail": {"ModelPackageGroupName": [{"prefix": "pro"}]}},
        {"detail": {"ModelPackageGroupName": [{"suffix": "het"}]}},
        {"detail": {"ModelPackageGroupName": [{"equals-ignore-case": "PROPHET"}]}},
        {"detail": {"ModelPackageGroupName": [{"prefix": {"equals-ignore-case": "PRO"}}]}},
        {"detail": {"ModelPackageGroupName": [{"wildcard": "p*p*t"}]}},
        {"detail": {"ModelApprovalStatus": [{"anything-but": ["Rejected"]}]}},
        {"detail": {"ModelApprovalStatus": [{"anything-but": {"prefix": "Rej"}}]}},
        {"detail": {"version": [{"numeric": [">", 2, "<=", 3]}]}},
        {"detail": {"version": [3.0]}},
        {"detail": {"tags": ["b"]}},
        {"detail": {"nothing": [{"exists": False}]}, "absent": {"deep": [{"exists": False}]}},
        {"detail": {"version": [{"exists": True}]}},
        {"$or": [{"source": ["x"]}, {"detail": {"version": [3]}}]},
    ],
)
def test_patterns_that_take_the_event(pattern) -> None:
    check(pattern)
    assert matches(pattern, EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.s3"]},
        {"source": ["aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Rejected"]}},
        {"detail": {"nothing": ["x"]}},
        {"detail": {"version": ["3"]}},
        {"detail": {"version": [{"numeric": [">", 3]}]}},
        {"detail": {"version": [{"exists": False}]}},
        {"detail": {"ModelApprovalStatus": [{"anything-but": "Approved"}]}},
        {"detail": {"ModelPackageGroupName": [{"wildcard": "p*x*t"}]}},
        {"source": {"deeper": ["x"]}},
        {"absent": {"deep": ["x"]}},
        {"$or": [{"source": ["x"]}, {"detail": {"version": [4]}}]},
    ],
)
def test_patterns_that_do_not_take_it(pattern) -> None:
    check(pattern)
    assert not matches(pattern, EVENT)


@pytest.mark.parametrize(
    "pattern",
    [[], {}, {"source": "x"}, {"source": []}, {"a": [{"cidr": "10.0.0.0/8"}]}, {"a": [["x"]]},
     {"a": [{"numeric": [">"]}]}, {"a": [{"numeric": ["~", 3]}]}, {"a": [{}]},
     {"a": [{"numeric": [["<"], 3]}]}, {"a": [{"numeric": [{}, 3]}]}, {"a": [{"numeric": [None, 3]}]}],
)  # fmt: skip
def test_what_cannot_be_matched_is_refused(pattern) -> None:
    with pytest.raises(AwsError, match="Event pattern is not valid") as caught:
        check(pattern)
    assert caught.value.code == "InvalidEventPatternException"


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
objects = st.recursive(
    st.dictionaries(st.text(max_size=3), st.lists(scalars, min_size=1), max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=3).filter(lambda key: key != "$or"), inner, max_size=2),
)


@given(objects)
def test_an_event_with_one_of_each_fields_values_is_taken(pattern) -> None:
    def some(value):
        return {key: some(inner) for key, inner in value.items()} if isinstance(value, dict) else value[0]

    assert matches({key: value for key, value in pattern.items() if key != "$or"}, some(pattern))
