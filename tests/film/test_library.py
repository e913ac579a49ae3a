"""vidcolor inside another program: it leaves the process, the home folder and the network as they are."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import av
import av.logging
import cv2
import pytest

import vidcolor
from vidcolor.config import RunOptions, WorkOptions
from vidcolor.files import whole_file
from vidcolor.film.pipeline import opencv_on_one_thread
from vidcolor.media.first_frame import show_info
from vidcolor.models.weights import SHIPPED


def test_openvino_sends_nothing_and_leaves_nothing_in_the_home_folder(tmp_path):
    code = "import sys, threading, numpy, vidcolor; vidcolor.colorize_image(numpy.zeros((8, 8), numpy.uint8));"
    code += "print('openvino' in sys.modules, bool(sys.modules.get('openvino_telemetry')), threading.active_count())"
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "XDG_CACHE_HOME")}
    told = subprocess.check_output([sys.executable, "-c", code], text=True, env={**clean, "HOME": str(tmp_path)})
    assert told.split() == ["True", "False", "1"]
    assert not list(tmp_path.iterdir())


def test_opencv_has_its_threads_back_when_the_last_of_several_runs_is_over():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        first, second = opencv_on_one_thread(), opencv_on_one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert cv2.getNumThreads() == 1
        second.__exit__(None, None, None)
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_options_take_paths_as_text_and_types_are_there_for_checkers(samples, tmp_path):
    options, work = RunOptions(weights=str(SHIPPED / "lite.onnx")), WorkOptions(folder=str(tmp_path))
    vidcolor.colorize_video(samples / "vfr10.mkv", str(tmp_path / "out.mkv"), options, work=work)
    assert (tmp_path / "out.mkv").exists()
    assert files("vidcolor").joinpath("py.typed").is_file() and set(vidcolor.__all__) <= set(dir(vidcolor))


@pytest.mark.parametrize("named", [None, ".part.mkv"])
def test_files_have_the_usual_rights_and_the_umask_of_the_process_is_never_touched(tmp_path, monkeypatch, named):
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("other threads make files too"))
        with whole_file(tmp_path / "film.mkv", named and tmp_path / named) as temporary:
            temporary.write_bytes(b"film")
        assert (tmp_path / "film.mkv").stat().st_mode & 0o777 == 0o640
    finally:
        monkeypatch.undo()
        os.umask(before)


def test_what_ffmpeg_says_is_heard_in_several_threads_at_once_and_it_logs_as_before(samples):
    level, interval = av.logging.get_level(), sys.getswitchinterval()

    def heard(_: int) -> bool:
        with av.open(samples / "vfr10.mkv") as film:
            stream = film.streams.video[0]
            frame = next(film.decode(stream))
            return all("sar:" in show_info(stream, frame) for _ in range(100))

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(heard, range(4)))
    finally:
        sys.setswitchinterval(interval)
    assert av.logging.get_level() == level
