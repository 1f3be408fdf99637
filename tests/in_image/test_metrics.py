from __future__ import annotations

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from trainyard.in_image.metrics import emit, format_metric


@given(st.floats(allow_nan=True))
def test_what_is_printed_is_found_by_the_regular_expression_of_the_docstring(value: float) -> None:
    found = re.search(r"validation:mase=(\S+);", f"x {format_metric('validation:mase', value)} y")
    assert found
    read = float(found.group(1))
    assert (
        (math.isnan(read) and math.isnan(value)) or math.isclose(read, value, rel_tol=1e-5) or read == value
    )


def test_one_line_with_a_note(capsys) -> None:
    emit({"models:done": 3, "mae": 0.5}, note="customer_7")
    emit({"a": 1})
    assert capsys.readouterr().out == "models:done=3; mae=0.5; customer_7\na=1;\n"
