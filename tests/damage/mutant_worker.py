"""Runs vidcolor in processes that are forked from this one, which has imported everything: a JSON line a job."""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # threads do not survive a fork

import json
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import ffmpeg  # noqa: F401
import openvino  # noqa: F401

import vidcolor.backends.openvino
import vidcolor.cli.run
import vidcolor.cli.ui
import vidcolor.film.batch  # noqa: F401
from vidcolor.cli import main
from vidcolor.color.solve import ChromaTable
from vidcolor.media.probe import probe

ADDRESS_SPACE = 6 << 30  # bytes; beyond any honest need, it stops a run that takes all the machine has


def in_a_fork(work: Callable[[], None], seconds: float, streams: tuple[int, int]) -> dict:
    """Run `work` in a forked process, with standard output and error going to `streams`, for `seconds` at most."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()  # so that ffmpeg, its child, can be ended with it
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        code = 70
        try:
            work()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        spent = time.monotonic() - started
        if ended:
            break
        if spent > seconds:
            os.killpg(child, signal.SIGKILL)
            os.wait4(child, 0)
            return {"code": None, "signal": None, "seconds": spent, "peak_bytes": 0}
        time.sleep(0.01)
    code = os.waitstatus_to_exitcode(status)
    ended_by = {"code": None, "signal": -code} if code < 0 else {"code": code, "signal": None}
    return {**ended_by, "seconds": spent, "peak_bytes": usage.ru_maxrss * 1024}


def count_frames(path: str) -> None:
    """Print how many frames a plain decoder shows, each later than the one before."""
    shown, untimed = [], 0
    with av.open(path, metadata_errors="replace") as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in frames:
                time = frame.dts if container.format.name == "avi" else frame.pts
                if time is None:
                    untimed += 1
                elif not shown or time > shown[-1]:
                    shown.append(time)
    print(len(shown) + untimed)


def run(job: dict, seconds: float) -> dict:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as count:
        ended = in_a_fork(lambda: main(job["arguments"]), seconds, (out.fileno(), err.fileno()))
        in_a_fork(lambda: count_frames(job["source"]), seconds, (count.fileno(), os.open(os.devnull, os.O_WRONLY)))
        texts = []
        for file in (out, err, count):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return {**ended, "stdout": texts[0], "stderr": texts[1], "decodable": int(texts[2]) if texts[2] else None}


if __name__ == "__main__":
    cv2.setNumThreads(1)
    for base in sys.argv[2:]:
        ChromaTable(probe(Path(base)).format)  # kept for all films of such a format
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line), float(sys.argv[1]))), flush=True)
