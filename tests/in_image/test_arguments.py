"""A wrong argument is one line that names it, its value and what is possible."""

from __future__ import annotations

import pytest

from trainyard.in_image.arguments import BadArgument, Parser, between


@pytest.fixture
def parser():
    parser = Parser("what for")
    parser.add_argument("--share", type=between(0.0, 1.0), default=0.5)
    parser.add_argument("--count", type=between(1, 10_000, int), default=1)
    return parser


def test_values_in_range(parser):
    parsed = parser.parse_args(["--share", "1", "--count", "10000"])
    assert (parsed.share, parsed.count) == (1.0, 10_000)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--share", "1.5"], "--share: '1.5' is not a number from 0.0 to 1.0"),
        (["--share", "nan"], "'nan' is not a number"),
        (["--count", "0"], "--count: '0' is not a whole number from 1 to 10,000"),
        (["--count", "2.5"], "'2.5' is not a whole number"),
        (["--cou", "2"], "--cou"),
        (["--unknown", "2"], "--unknown"),
    ],
)
def test_wrong_values(parser, argv, message):
    with pytest.raises(BadArgument) as raised:
        parser.parse_args(argv)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
