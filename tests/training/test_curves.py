"""The tables that a run leaves."""

from vidcolor.training.curves import Table, read_rows


def test_a_last_line_that_was_cut_short_is_left_out(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n950,0.5\n10")
    assert read_rows(path) == [{"step": 950, "loss": 0.5}]
    path.write_text("step,loss\n950,0.5\n1000,0.2")  # of 0.25
    assert read_rows(path) == [{"step": 950, "loss": 0.5}]
    Table(path, ("step", "loss"), 2000)
    assert path.read_text() == "step,loss\n950,0.5\n"
