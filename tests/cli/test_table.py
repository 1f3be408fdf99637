from __future__ import annotations

from trainyard.cli.table import table


def test_columns_are_as_wide_as_what_is_in_them_and_numbers_stand_right():
    rows = [("prophet", 12, 0.81234567), ("scarce gan", 3, None)]
    assert table(("NAME", "COUNT", "MASE"), rows).splitlines() == [
        "NAME        COUNT    MASE",
        "prophet        12  0.8123",
        "scarce gan      3       -",
    ]


def test_a_column_with_any_text_stands_left():
    assert table(("A", "B"), [(1, "x"), ("many", "y")]).splitlines() == ["A     B", "1     x", "many  y"]


def test_no_rows_leave_the_heads():
    assert table(("A", "B"), []) == "A  B"


def test_lines_have_no_blanks_at_their_end():
    assert all(line == line.rstrip() for line in table(("A", "B"), [("x", ""), ("y", "long")]).splitlines())
