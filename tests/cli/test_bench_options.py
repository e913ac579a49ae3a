"""`vidcolor bench` refuses options of another bench, and those that a run would refuse, in one line and with exit code 2."""

import re
import subprocess
import sys

import pytest


def bench(*arguments):
    command = [sys.executable, "-m", "vidcolor", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


OTHERS = [
    (("--runs", "3"), "--runs means nothing without --pipeline"),
    (("--smooth", "1"), "--smooth means nothing without --pipeline"),
    (("--check", "--repeats", "9"), "--repeats means nothing with --check: it is for the networks alone, --training"),
    (("--check", "--crf", "9"), "--crf means nothing with --check"),
    (("--training", "--weights", "w.onnx"), "--weights means nothing with --training"),
    (("--training", "--backend", "openvino"), "--backend means nothing with --training"),
    (("--pipeline", "film.mp4", "--batch", "8"), "--batch means nothing with --pipeline"),
    (("--pipeline", "film.mp4", "--repeats", "50"), "--repeats means nothing with --pipeline"),
    (("--pipeline", "film.mp4", "--check"), "--check and --pipeline were given"),
]


@pytest.mark.parametrize("arguments, words", OTHERS, ids=lambda value: " ".join(value) if type(value) is tuple else "")
def test_options_of_another_bench_are_refused(arguments, words):
    result = bench(*arguments)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1


REFUSED = [
    (("--smooth", "7"), "--smooth 7 is out of range"),
    (("--model", "rembrandt"), "no model is named 'rembrandt'"),
    (("--backend", "abacus"), "no backend is named 'abacus'"),
    (("--weights", "none.onnx"), "cannot read the weights none.onnx"),
]


@pytest.mark.parametrize("arguments, words", REFUSED, ids=[" ".join(each[0]) for each in REFUSED])
def test_what_a_run_would_refuse_is_refused_before_the_first(arguments, words, samples):
    result = bench("--pipeline", samples / "film.mp4", "--runs", "1", *arguments)
    assert result.returncode == 2 and re.match(f"vidcolor: {words}", result.stderr), result.stderr
