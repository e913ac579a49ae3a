"""How numbers are said."""

import pytest

from vidcolor.cli.ui import clock, duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0:00:00.000"), (59.9996, "0:01:00.000"), (3723.5, "1:02:03.500"), (7199.9999, "2:00:00.000")],
)
def test_a_moment_of_a_film_has_no_sixtieth_second(seconds, said):
    assert clock(seconds) == said


def test_a_length_has_hours_where_it_needs_them():
    assert [duration(s) for s in (59.6, 3599.4, 3723)] == ["1:00", "59:59", "1:02:03"]
