"""Stages as generators, each in its own thread: bounded queues, one exception path, order kept by construction."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import cv2

T = TypeVar("T")
_POLL = 0.1  # seconds between two looks at whether the other side has gone


class StageClock:
    """Seconds that each stage was busy. Stages overlap, so their sum may exceed the time that passed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            with self._lock:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


class _OpenCvThreads:
    """How many threads OpenCV had before the first of several runs in this process, until the last one is over."""

    def __init__(self) -> None:
        self._runs, self._before = 0, 0
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            if self._runs == 0:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._runs += 1
        try:
            yield
        finally:
            with self._lock:
                self._runs -= 1
                if self._runs == 0:
                    cv2.setNumThreads(self._before)


opencv_on_one_thread = _OpenCvThreads().one
"""The stages are threads already: OpenCV's own would only wait for cores that the encoder has."""


@contextmanager
def in_thread(items: Iterator[T], depth: int) -> Iterator[Iterator[T]]:
    """Run the generator `items` in a thread, at most `depth` items ahead of whoever takes them.

    An exception in the generator is raised where its items are taken. Leaving the context stops the thread and closes
    the generator, however far it has come.
    """
    ready: queue.Queue[tuple[str, object]] = queue.Queue(depth)
    stop = threading.Event()

    def put(kind: str, value: object) -> bool:
        while not stop.is_set():
            try:
                ready.put((kind, value), timeout=_POLL)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    break
            else:
                put("end", None)
        except BaseException as error:  # handed over, not swallowed
            put("error", error)
        finally:
            items.close()

    def take() -> Iterator[T]:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value

    thread = threading.Thread(target=work, name=getattr(items, "__name__", "stage"), daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stop.set()
        thread.join()
