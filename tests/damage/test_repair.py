"""What stands in for frames that cannot be decoded, decided by hand-made times: frames of a film of 288, 512 ticks each."""

import numpy as np
import pytest

from vidcolor.media.damage import HELD, LEFT_OUT, Ledger
from vidcolor.media.luma import LumaFrame
from vidcolor.media.probe import probe
from vidcolor.media.repair import Repair

FRAME = 512
LOST = "a frame cannot be decoded"


@pytest.fixture
def after(samples):
    """A function that gives a repair that has had a frame of this number last, and its ledger."""
    info = probe(samples / "film.mp4")
    assert (1 / info.average_rate / info.time_base, info.frames) == (FRAME, 288)

    def made(number, hold=True):
        ledger = Ledger(info, "hold")
        repair = Repair(info, ledger, hold)
        repair.last = LumaFrame(number * FRAME, FRAME, np.zeros((2, 2), np.uint8), False, False, None)
        return repair, ledger

    return made


def stand_ins(frames):
    return [(frame.pts // FRAME, frame.duration) for frame in frames]


@pytest.mark.parametrize(("hold", "done"), [(True, HELD), (False, LEFT_OUT)])
def test_the_frame_before_stands_in_for_each_that_is_lost(after, hold, done):
    repair, ledger = after(10, hold)
    repair.failed += [(number * FRAME, LOST) for number in (12, 11, 13)]  # as they were stored
    assert stand_ins(repair.settle(14 * FRAME, False)) == ([(n, FRAME) for n in (11, 12, 13)] if hold else [])
    assert repair.settle(14 * FRAME, False) == []  # it is settled
    assert ledger.entries == [(number * FRAME, f"{LOST}; {done}") for number in (11, 12, 13)]


@pytest.mark.parametrize(("missing", "frames"), [(3, 3), (240, 240), (241, 1), (270, 1)])
def test_a_gap_of_more_than_ten_seconds_is_one_in_the_films_clock(after, missing, frames):
    repair, ledger = after(0)
    shown = stand_ins(repair.settle((1 + missing) * FRAME, True))
    assert shown == [(number, FRAME) for number in range(1, 1 + frames)]
    assert len(ledger.entries) == frames + 1  # with the damaged frame that follows


def test_nothing_stands_in_too_near_to_another_frame(after):
    repair, _ = after(10)
    repair.failed += [(10 * FRAME + 300, LOST), (11 * FRAME, LOST), (12 * FRAME - 300, LOST)]
    assert stand_ins(repair.settle(12 * FRAME, False)) == [(11, FRAME)]
    repair.failed.append((11 * FRAME + 400, LOST))
    assert repair.settle(12 * FRAME, False) == []
    repair, ledger = after(10)
    assert stand_ins(repair.settle(12 * FRAME + 300, True)) == [(11, FRAME)]
    assert [pts for pts, _ in ledger.entries] == [
        11 * FRAME,
        12 * FRAME + 300,
    ]  # and there is none missing between them


@pytest.mark.parametrize(("last", "held"), [(286, True), (100, False)])
def test_where_the_rest_of_the_film_is_missing_nothing_stands_in_for_what_is_torn_at_its_end(after, last, held):
    repair, ledger = after(last)
    repair.failed.append(((last + 1) * FRAME, LOST))
    assert stand_ins(repair.settle(None, False)) == ([(last + 1, FRAME)] if held else [])
    assert ledger.entries == [((last + 1) * FRAME, f"{LOST}; {HELD if held else LEFT_OUT}")]
