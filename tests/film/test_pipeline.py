"""Stages in threads: order, errors, and an end that leaves nothing running."""

import threading
import time

import pytest

from vidcolor.film.pipeline import StageClock, in_thread


def test_items_come_in_order_through_two_stages():
    def double(items):
        for item in items:
            yield 2 * item

    with in_thread((i for i in range(100)), 3) as first, in_thread(double(first), 3) as second:
        assert list(second) == list(range(0, 200, 2))


def test_an_error_in_a_stage_arrives_where_items_are_taken():
    def fails():
        yield 1
        raise ValueError("at the second item")

    with in_thread(fails(), 2) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="second item"):
            next(items)


def test_leaving_early_stops_the_thread_and_closes_the_generator():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with in_thread(endless(), 2) as items:
        next(items)
    assert closed.is_set()
    assert threading.active_count() == before


def test_an_error_downstream_stops_a_whole_chain():
    def passes(items):
        yield from items

    before = threading.active_count()
    with pytest.raises(KeyError):
        with in_thread((i for i in range(10**9)), 2) as first, in_thread(passes(first), 2) as second:
            next(second)
            raise KeyError
    assert threading.active_count() == before


def test_a_stage_never_runs_further_ahead_than_its_queue():
    made = []

    def counts():
        for i in range(50):
            made.append(i)
            yield i

    with in_thread(counts(), 4) as items:
        next(items)
        time.sleep(0.3)
        assert len(made) <= 1 + 4 + 1  # taken, queued, and one waiting to be queued


def test_the_clock_adds_up_a_stage():
    clock = StageClock()
    for _ in range(2):
        with clock("infer"):
            time.sleep(0.02)
    assert clock.seconds["infer"] >= 0.04
