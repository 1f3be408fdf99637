"""List operations: filters, order and pages, the same way for every kind of resource."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.wire import seconds

Item = Mapping[str, Any]

_PAGE = 10
"""Items a page has where MaxResults is absent (ListEndpoints: "This value defaults to 10")."""

# filter: (the item's member, whether the item's time must not be before the filter's)
_TIMES = {
    "CreationTimeAfter": ("CreationTime", True),
    "CreationTimeBefore": ("CreationTime", False),
    "LastModifiedTimeAfter": ("LastModifiedTime", True),
    "LastModifiedTimeBefore": ("LastModifiedTime", False),
    "CreatedAfter": ("CreationTime", True),
    "CreatedBefore": ("CreationTime", False),
}

_Key = tuple[int, Any]
_Mark = tuple[_Key, str]
"""The place of an item in the order: its value, and for those of one value what identifies it."""


def page(
    request: Mapping[str, Any],
    items: Sequence[Item],
    *,
    summary: Callable[[Any], Mapping[str, Any]],
    sort_keys: Mapping[str, str],
    default_sort: str,
    status: str = "",
    name: str,
    key: str,
    order: str = "Ascending",
    size: int = _PAGE,
) -> dict[str, Any]:
    """One page of ``items``, each as ``summary`` shows it, in the member ``key``; NextToken where there are more.

    ``sort_keys`` maps values of SortBy to members of an item; ``order`` and ``size`` count where SortOrder and
    MaxResults are absent. The member ``status`` is what StatusEquals asks for. ``name`` is the member that
    identifies an item, and what NameContains asks for: a page begins behind the last item of the one before, so
    that items which come and go meanwhile move nothing. Filters of one operation only are its own affair.
    Raises AwsError for a NextToken that is not of this request.
    """
    found = [item for item in items if _wanted(request, item, status, name)]
    member = sort_keys[request.get("SortBy", default_sort)]
    descending = request.get("SortOrder", order) == "Descending"
    marked = sorted(
        (((_comparable(item.get(member), member), str(item[name])), item) for item in found),
        key=lambda pair: pair[0],
        reverse=descending,
    )
    query = _query(request)
    if token := request.get("NextToken"):
        last = _mark(token, query)
        marked = [pair for pair in marked if (pair[0] < last if descending else pair[0] > last)]
    size = request.get("MaxResults", size)
    answer: dict[str, Any] = {key: [summary(item) for _, item in marked[:size]]}
    if len(marked) > size:
        answer["NextToken"] = _token(marked[size - 1][0], query)
    return answer


def _wanted(request: Mapping[str, Any], item: Item, status: str, name: str) -> bool:
    if request.get("NameContains", "") not in str(item[name]):
        return False
    if status and "StatusEquals" in request and item.get(status) != request["StatusEquals"]:
        return False
    for asked, (member, after) in _TIMES.items():
        if asked in request:
            if member not in item:
                return False
            time, limit = seconds(item[member]), seconds(request[asked])
            if time < limit if after else time >= limit:
                return False
    return True


def _comparable(value: Any, member: str) -> _Key:
    """Absent values come first; a forged token holds values of any type."""
    if value is None:
        return 0, 0
    if member.endswith("Time"):
        return 1, seconds(value)
    return (1, value) if isinstance(value, int | float) else (2, str(value))


def _query(request: Mapping[str, Any]) -> str:
    """What a token is good for: the same request for another page."""
    asked = {
        member: request[member] for member in sorted(request) if member not in ("NextToken", "MaxResults")
    }
    return hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()[:16]


def _token(mark: _Mark, query: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([query, *mark]).encode()).decode()


def _mark(token: str, query: str) -> _Mark:
    try:
        asked, (rank, value), identity = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        fits = {1: (int, float), 2: (str,)}.get(rank, (int,))
        if asked == query and isinstance(value, fits) and isinstance(identity, str):
            return (rank, value), identity
    except (ValueError, TypeError, RecursionError):
        pass
    raise AwsError(
        "ValidationException",
        "Invalid NextToken: it is not one that this operation returned for the same filters and order; "
        "leave it out to begin with the first page",
    )
