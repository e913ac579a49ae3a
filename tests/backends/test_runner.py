"""The runner over the rehearsal device: order, grouping, recordings, errors, and memory that runs out."""

import threading
import weakref

import numpy as np
import pytest
from rehearsal import RehearsalDevice, RehearsalSlot

from vidcolor.backends.runner import Runner
from vidcolor.errors import BackendError

HEIGHT, WIDTH = 4, 6


def answer(lightness):
    """ab at half size, different for every picture."""
    return np.concatenate([lightness[:, :, ::2, ::2], -lightness[:, :, ::2, ::2]], 1)


def pictures(first, count):
    levels = np.arange(first, first + count, dtype=np.float32)[:, None, None, None]
    return levels + np.zeros((1, 1, HEIGHT, WIDTH), np.float32)


def runner(batch, network=answer, slots=3, **limits):
    said = []
    made = Runner(RehearsalDevice(network, HEIGHT, WIDTH, **limits), batch, slots, said.append)
    return made, said


def run_through(backend, groups):
    """Every group through the backend, as many under way as it allows; the pictures' levels as they came back."""
    waiting, levels, first = [], [], 0
    for count in groups:
        if len(waiting) == backend.slots:
            levels += list(waiting.pop(0)()[:, 0, 0, 0])
        waiting.append(backend.start(pictures(first, count)))
        first += count
    for result in waiting:
        levels += list(result()[:, 0, 0, 0])
    return levels


@pytest.mark.parametrize("groups", [[1] * 9, [4, 4, 1], [3, 3, 3], [9], [2, 7], [40, 1]])
def test_order_and_values_do_not_depend_on_the_grouping(groups):
    backend, _ = runner(4)
    assert run_through(backend, groups) == list(range(sum(groups)))


def test_results_may_be_taken_in_any_order():
    backend, _ = runner(2)
    results = [backend.start(pictures(first, 2)) for first in (0, 2, 4, 6, 8)]  # more than there are slots
    for index in (3, 0, 4, 1, 2):
        assert np.array_equal(results[index](), answer(pictures(2 * index, 2)))


def test_overflow_is_an_error_not_a_colour():
    backend, _ = runner(2, lambda lightness: np.where(lightness.max() < 4, answer(lightness), np.inf))
    assert np.array_equal(backend.start(pictures(2, 2))(), answer(pictures(2, 2)))
    with pytest.raises(BackendError, match="no number"):
        backend.start(pictures(3, 2))()


def test_a_result_is_the_callers_own():
    backend, _ = runner(1, slots=1)
    first = backend.start(pictures(1, 1))()
    backend.start(pictures(2, 1))()
    assert first[0, 0, 0, 0] == 1


def test_a_result_can_be_taken_twice():
    backend, _ = runner(2)
    result = backend.start(pictures(5, 2))
    assert np.array_equal(result(), result())


def test_batches_overlap():
    together = threading.Barrier(3, timeout=20)

    def network(lightness):
        if lightness.any():
            together.wait()  # returns only when three batches are computed at once
        return answer(lightness)

    backend, _ = runner(1, network)
    results = [backend.start(pictures(level, 1)) for level in (1, 2, 3)]
    assert [result()[0, 0, 0, 0] for result in results] == [1, 2, 3]


def test_one_recording_for_every_slot():
    backend, _ = runner(8)
    for _ in range(3):
        run_through(backend, [1, 1, 1, 3, 4, 3, 5, 8, 8])
    assert backend.device.recordings == [8, 8, 8]


def test_every_picture_goes_the_same_way():
    sizes = set()

    def network(lightness):
        sizes.add(len(lightness))
        return answer(lightness)

    backend, _ = runner(4, network)
    sizes.clear()
    assert run_through(backend, [1, 3, 4, 2]) == list(range(10))
    assert sizes == {4}


def test_an_error_arrives_where_its_result_is_taken_and_there_alone():
    def network(lightness):
        if lightness[0, 0, 0, 0] == 2:
            raise ValueError("a bad batch")
        return answer(lightness)

    backend, _ = runner(1, network)
    results = [backend.start(pictures(level, 1)) for level in range(5)]
    for level, result in enumerate(results):
        if level == 2:
            with pytest.raises(BackendError, match="a bad batch"):
                result()
        else:
            assert result()[0, 0, 0, 0] == level


def test_no_room_at_first_halves_the_batch_and_says_so():
    backend, said = runner(32, room=3 * 9)
    assert backend.batch == 8
    assert len(said) == 2 and "batches of 32" in said[0] and "batches of 8" in said[1]
    assert run_through(backend, [32, 5]) == list(range(37))


def test_no_room_later_halves_the_batch_and_loses_nothing():
    backend, said = runner(8, recording_room=17)  # two recordings of 8 fit, a third does not
    results = [backend.start(pictures(first, 8)) for first in (0, 8, 16, 24)]
    levels = [level for result in results for level in result()[:, 0, 0, 0]]
    assert levels == list(range(32))
    assert backend.batch == 4 and len(said) == 1 and "batches of 4" in said[0]


def test_no_room_for_one_picture_is_an_error_that_says_so():
    with pytest.raises(BackendError, match="single picture"):
        runner(4, room=1)


def test_memory_is_given_back():
    backend, _ = runner(4)
    assert backend.memory() > 0
    backend.close()
    assert backend.memory() == 0


def test_recordings_are_let_go_before_memory_is_given_back(monkeypatch):
    """torch's CUDA graphs hold what they were captured in: smaller batches would find no room beside them."""
    there, left = weakref.WeakSet(), []

    class Recording:
        def __init__(self, size):
            self.size = size
            there.add(self)

        def __index__(self):
            return self.size

    class Device(RehearsalDevice):
        def close_slots(self):
            left.append(len(there))
            super().close_slots()

    record = RehearsalSlot.record
    monkeypatch.setattr(RehearsalSlot, "record", lambda slot, size: Recording(record(slot, size)))
    backend = Runner(Device(answer, HEIGHT, WIDTH, recording_room=12), 8, say=lambda text: None)
    assert run_through(backend, [8, 8, 8]) == list(range(24)) and backend.batch == 4 and there
    backend.close()
    assert left == [0, 0]
