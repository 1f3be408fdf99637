from __future__ import annotations

import re

from trainyard import errors
from trainyard.errors import UserError


def classes() -> list[type[UserError]]:
    return [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, UserError)]


def test_each_failure_has_an_exit_code_of_its_own() -> None:
    codes = [each.exit_code for each in classes()]
    assert len(set(codes)) == len(codes) and 0 not in codes
    assert all(0 < code < 256 for code in codes)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = dict(re.findall(r"(\w+) +(\d+)  ", errors.__doc__ or ""))
    assert drawn == {each.__name__: str(each.exit_code) for each in classes()}
