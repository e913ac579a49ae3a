"""--start and --end: which texts are times, and which are none."""

from fractions import Fraction

import click
import pytest

from vidcolor.cli.run import Time


@pytest.mark.parametrize(
    "text, seconds",
    [("12.5", "25/2"), ("90", 90), ("90:00", 5400), ("0:59.9", "59.9"), ("1:02:03.5", "3723.5"), ("100:2:3", 360123)],
)
def test_a_time_is_exact(text, seconds):
    assert Time().convert(text, None, None) == Fraction(seconds)


@pytest.mark.parametrize("text", "1:2:3:4 1:60 1:00:60 1:60:00 1.5:30 1:-5 -1:00 1::2 1: :1 x nan inf".split())
def test_what_is_no_time_is_refused(text):
    with pytest.raises(click.BadParameter, match="is no time; write seconds"):
        Time().convert(text, None, None)
