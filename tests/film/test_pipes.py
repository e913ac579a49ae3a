"""Films through pipes: what comes out of one is what went in, in colour, and a pipe that breaks breaks nothing else."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction

import pytest

VIDCOLOR = [sys.executable, "-m", "vidcolor"]


def vidcolor(*arguments, **pipes):
    """A run with what goes into and comes out of its standard streams; text goes to standard error alone."""
    return subprocess.run([*VIDCOLOR, "run", *map(str, arguments)], capture_output=True, **pipes)


def ffmpeg(*arguments, feed=None):
    return subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *map(str, arguments)], input=feed, capture_output=True, check=True
    ).stdout


def times(path):
    """Presentation times of the film's frames in seconds, exact."""
    shown = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-of",
            "json",
            "-select_streams",
            "v:0",
            "-show_entries",
            "packet=pts:stream=time_base",
            path,
        ],
        capture_output=True,
        check=True,
    )
    found = json.loads(shown.stdout)
    base = Fraction(found["streams"][0]["time_base"])
    return sorted(packet["pts"] * base for packet in found["packets"])


def heard(path):
    """Time in seconds and a hash of every packet of sound."""
    show = ["-of", "json", "-select_streams", "a:0", "-show_data_hash", "md5", "-show_packets", "-show_streams"]
    found = json.loads(subprocess.run(["ffprobe", "-v", "error", *show, path], capture_output=True, check=True).stdout)
    base = Fraction(found["streams"][0]["time_base"])
    return [(packet["pts"] * base, packet["data_hash"]) for packet in found["packets"]]


def luma(path):
    """A hash of the Y plane of every frame."""
    shown = ffmpeg("-i", path, "-map", "0:v:0", "-vf", "extractplanes=y", "-vsync", "0", "-f", "framemd5", "-")
    return [line.rsplit(b",", 1)[1].strip() for line in shown.splitlines() if not line.startswith(b"#")]


def packets(path, stream):
    """The packets of a stream, without their times."""
    return ffmpeg("-i", path, "-map", f"0:{stream}", "-c", "copy", "-f", "data", "-")


def last_line(result):
    return result.stderr.decode().strip().splitlines()[-1]


@pytest.fixture(scope="module")
def with_sound(samples, tmp_path_factory):
    """60 frames of the sample with their sound, as a program before the pipe sends them."""
    path = tmp_path_factory.mktemp("pipe") / "film.nut"
    ffmpeg(
        "-i", samples / "film.mp4", "-t", "2.5", "-vf", "scale=160:120", "-c:v", "rawvideo", "-c:a", "pcm_s16le", path
    )
    return path


@pytest.fixture(scope="module")
def uneven(samples, tmp_path_factory):
    """The 10-bit sample, whose frames are not equally long, as NUT."""
    path = tmp_path_factory.mktemp("pipe") / "uneven.nut"
    ffmpeg("-i", samples / "vfr10.mkv", "-map", "0:v", "-c:v", "rawvideo", path)
    return path


def test_luma_and_times_come_through_bit_for_bit(uneven, tmp_path):
    out = tmp_path / "out.nut"
    result = vidcolor("-", "-o", "-", input=uneven.read_bytes())
    assert result.returncode == 0, result.stderr
    out.write_bytes(result.stdout)
    assert times(out) == times(uneven)
    steps = {after - before for before, after in zip(times(out), times(out)[1:], strict=False)}
    assert len(steps) > 1
    assert luma(out) == luma(uneven)
    assert b"43 frames" in result.stderr and b"damaged" not in result.stderr


def test_a_real_pipeline_ends_with_the_film_and_its_sound(with_sound, tmp_path):
    out = tmp_path / "out.mkv"
    encode = ["ffmpeg", "-v", "error", "-i", "-", "-c:v", "ffv1", "-c:a", "copy", out]
    with with_sound.open("rb") as source:
        run = subprocess.Popen([*VIDCOLOR, "run", "-", "-q", "-o", "-"], stdin=source, stdout=subprocess.PIPE)
        subprocess.run(encode, stdin=run.stdout, check=True)
        run.stdout.close()
        assert run.wait() == 0
    assert luma(out) == luma(with_sound)
    assert packets(out, 1) == packets(with_sound, 1)


def test_a_file_made_from_a_pipe_is_the_one_made_from_the_file(with_sound, tmp_path):
    piped, filed = tmp_path / "piped.mkv", tmp_path / "filed.mkv"
    with subprocess.Popen(["cat", with_sound], stdout=subprocess.PIPE) as source:
        result = vidcolor("-", "-o", piped, "--codec", "ffv1", stdin=source.stdout)
    assert result.returncode == 0, result.stderr
    assert vidcolor(with_sound, "-o", filed, "--codec", "ffv1").returncode == 0
    assert ffmpeg("-i", piped, "-map", "0", "-c", "copy", "-f", "streamhash", "-") == ffmpeg(
        "-i", filed, "-map", "0", "-c", "copy", "-f", "streamhash", "-"
    )
    assert times(piped) == times(filed)
    assert packets(piped, 1) == packets(with_sound, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["filed.mkv", "piped.mkv"]


def test_every_other_stream_that_nut_holds_goes_all_the_way(samples, tmp_path):
    """A file into a pipe, and from the pipe into a file: sound in numbers' codecs, subtitles, chapters, tags."""
    (tmp_path / "words.srt").write_text("1\n00:00:00,200 --> 00:00:00,500\nHello\n")
    (tmp_path / "tags.txt").write_text(
        ";FFMETADATA1\ntitle=Reel\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=5\ntitle=One\n"
    )
    source, out = tmp_path / "film.mkv", tmp_path / "out.mkv"
    ffmpeg(
        "-i", samples / "film.mp4", "-i", tmp_path / "words.srt", "-i", tmp_path / "tags.txt", "-t", "0.6", "-map", "0:v",
        "-map", "0:a", "-map", "0:a", "-map", "1", "-map_metadata", "2", "-map_chapters", "2", "-vf", "scale=160:120",
        "-c:v", "ffv1", "-c:a:0", "copy", "-c:a:1", "flac", "-c:s", "ass", "-metadata:s:a:1", "language=deu",
        "-metadata:s:v", "BPS=123", "-metadata:s:v", "NOTE=kept", source,
    )  # fmt: skip
    piped = vidcolor(source, "-q", "-o", "-")
    assert piped.returncode == 0, piped.stderr
    (tmp_path / "pipe.nut").write_bytes(piped.stdout)
    result = vidcolor("-", "-o", out, "--codec", "ffv1", input=piped.stdout)
    assert result.returncode == 0, result.stderr
    shown = [
        subprocess.run(
            ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_chapters", "-show_format", path],
            capture_output=True, check=True,
        ).stdout
        for path in (source, out, tmp_path / "pipe.nut")
    ]  # fmt: skip
    before, after, raw = map(json.loads, shown)
    assert [s["codec_name"] for s in after["streams"]] == ["ffv1", "aac", "flac", "ass"]
    assert after["streams"][2]["tags"]["language"] in ("deu", "ger")
    assert after["format"]["tags"]["title"] == "Reel"
    assert raw["streams"][0]["tags"]["NOTE"] == "kept" and "BPS" not in raw["streams"][0]["tags"]
    assert [(c["start_time"], c["tags"]) for c in after["chapters"]] == [
        (c["start_time"], c["tags"]) for c in before["chapters"]
    ]
    assert luma(out) == luma(source)
    for stream in (1, 2):
        assert packets(out, stream) == packets(source, stream)
    assert b"Hello" in packets(out, 3)


def test_the_packet_that_starts_the_decoder_of_sound_is_left_out_and_nothing_is_moved_for_it(with_sound, tmp_path):
    """NUT has no times before 0."""
    source, out = tmp_path / "film.mp4", tmp_path / "out.nut"
    ffmpeg("-i", with_sound, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", source)
    out.write_bytes(vidcolor(source, "-o", "-").stdout)
    before, after = heard(source), heard(out)
    assert before[0][0] < 0 and times(out) == times(source)
    assert [data for _, data in after] == [data for _, data in before[1:]]
    assert all(abs(ours - own) < Fraction(1, 1000) for (ours, _), (own, _) in zip(after, before[1:], strict=True))


def test_what_is_left_out_when_a_pipe_becomes_a_file_is_an_event(with_sound, tmp_path, monkeypatch):
    """The copying of streams is tested with damaged files; here, that what it says is told as for a file."""
    from vidcolor.config import RunOptions
    from vidcolor.film import stream

    def with_loss(*arguments, say, **options):
        say("audio stream 1 (pcm_s16le) is left out: it is damaged")
        return remux(*arguments, say=say, **options)

    remux, events, pipe = stream.remux, [], tmp_path / "pipe"
    monkeypatch.setattr(stream, "remux", with_loss)
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(with_sound.read_bytes()))
    writer.start()
    options = RunOptions(codec="ffv1", res=32)
    stream.colour_stream(
        pipe, tmp_path / "out.mkv", False, options, overwrite=False, dry_run=False, report=events.append
    )
    writer.join()
    assert [e["message"] for e in events if e["type"] == "warning"] == [
        "audio stream 1 (pcm_s16le) is left out: it is damaged"
    ]


def test_y4m_comes_out_where_y4m_comes_in(with_sound, tmp_path):
    out = tmp_path / "out.y4m"
    feed = ffmpeg("-i", with_sound, "-f", "yuv4mpegpipe", "-")
    result = vidcolor("-", "-o", "-", input=feed)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(b"YUV4MPEG2 W160 H120 F24:1 ")
    out.write_bytes(result.stdout)
    source = tmp_path / "source.y4m"
    source.write_bytes(feed)
    assert luma(out) == luma(source)
    from_nut = vidcolor("-", "-o", "-", "--stdout-format", "y4m", input=with_sound.read_bytes())
    frames = [made.stdout.partition(b"\n")[2] for made in (from_nut, result)]
    assert from_nut.returncode == 0 and len(frames[0]) == len(frames[1])  # its sound is left out
    asked = vidcolor("-", "-o", "-", "--stdout-format", "nut", input=feed)
    assert asked.stdout.startswith(b"nut/multimedia container")


def test_y4m_refuses_a_film_that_is_not_of_constant_rate(uneven):
    result = vidcolor("-", "-o", "-", "--stdout-format", "y4m", input=uneven.read_bytes())
    assert result.returncode == 1
    assert "--stdout-format nut" in last_line(result)


def test_y4m_keeps_the_shape_of_pixels_and_nut_is_said_not_to(uneven, tmp_path):
    wide, out = tmp_path / "wide.mkv", tmp_path / "out.y4m"
    ffmpeg("-y", "-i", uneven, "-frames:v", "3", "-vf", "setpts=N/24/TB,setsar=16/11", "-r", "24", wide)
    out.write_bytes(vidcolor(wide, "-o", "-", "--stdout-format", "y4m").stdout)
    show = ("-show_entries", "stream=sample_aspect_ratio", "-of", "csv=p=0")
    shapes = [subprocess.run(["ffprobe", "-v", "error", *show, p], capture_output=True).stdout for p in (wide, out)]
    assert shapes[0] == shapes[1] == b"16:11\n"
    result = vidcolor(wide, "-o", "-", "--stdout-format", "nut")
    assert result.returncode == 0 and b"the shape of its pixels" in result.stderr


def test_a_format_of_standard_output_is_refused_where_nothing_goes_there(uneven, tmp_path):
    result = vidcolor(uneven, "-o", tmp_path / "out.mkv", "--stdout-format", "y4m")
    assert result.returncode == 2 and "--stdout-format needs -o -" in last_line(result)
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize("suffix", ["nut", "mkv"])
def test_a_piece_of_a_file_goes_into_a_pipe_with_its_sound(with_sound, suffix, tmp_path):
    source, out = tmp_path / f"film.{suffix}", tmp_path / "out.nut"
    (chapters := tmp_path / "tags.txt").write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=5\nEND=15\ntitle=One\n"
    )
    late = ["-output_ts_offset", "10", "-g", "5"]
    coded = ["copy"] if suffix == "nut" else ["libx264", "-qp", "0", "-c:a", "aac", *late]
    ffmpeg("-i", with_sound, "-i", chapters, "-map_chapters", "1", "-c", "copy", "-c:v", *coded, source)
    out.write_bytes(vidcolor(source, "-o", "-", "--start", "1", "--end", "2").stdout)
    shown = times(source)
    inside = [shown[0] + 1 <= time < shown[0] + 2 for time in shown]
    assert luma(out) == [y for y, wanted in zip(luma(source), inside, strict=True) if wanted]
    assert times(out)[0] == shown[0]
    wanted = [(time - 1, data) for time, data in heard(source) if 1 <= time - shown[0] < 2]
    assert len(wanted) > 10
    found = heard(out)
    assert [data for _, data in found] == [data for _, data in wanted]
    assert all(abs(ours - own) < Fraction(1, 1000) for (ours, _), (own, _) in zip(found, wanted, strict=True))
    shown = subprocess.run(["ffprobe", "-v", "error", "-show_chapters", out], capture_output=True, check=True)
    assert not shown.stdout  # their times are the whole film's


def test_a_reader_that_has_gone_ends_the_run_quietly(with_sound):
    run = subprocess.Popen([*VIDCOLOR, "run", with_sound, "-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdout.read(100_000)
    run.stdout.close()
    said = run.stderr.read().decode()
    assert run.wait() == 141  # 128 + SIGPIPE
    assert "vidcolor: " not in said and "Traceback" not in said


def test_nobody_reading_holds_the_writer_up(samples):
    """Back-pressure: what is taken in before anything is taken out is a number of frames, not the film."""
    source = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", samples / "film.mp4", "-map", "0:v", "-vf", "scale=160:120",
         "-frames:v", "900", "-f", "nut", "-c:v", "rawvideo", "-"], stdout=subprocess.PIPE,
    )  # fmt: skip
    run = subprocess.Popen([*VIDCOLOR, "run", "-", "-q", "-o", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sent = 0

    def send():
        nonlocal sent
        with run.stdin:
            while data := source.stdout.read(1 << 16):
                run.stdin.write(data)
                sent += len(data)

    writer = threading.Thread(target=send)
    writer.start()
    begun = run.stdout.read(1000)  # the first frame is there
    still, before = 0, 0
    while still < 8:  # 2 seconds without a byte
        time.sleep(0.25)
        still = still + 1 if sent == before else 0
        before = sent
    held = sent
    rest = sum(len(data) for data in iter(lambda: run.stdout.read(1 << 20), b""))
    writer.join()
    assert run.wait() == 0 and source.wait() == 0
    print(f"{held / sent:.1%} of 900 frames taken in")
    assert held < sent / 4
    assert len(begun) + rest >= 900 * 160 * 120 * 3 // 2


def test_ctrl_c_ends_a_run_whose_pipe_has_nothing_more_to_give(uneven, tmp_path):
    out = tmp_path / "out.mkv"
    command = [*VIDCOLOR, "run", "-", "-o", out, "-v"]
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may not
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heard)
    data = uneven.read_bytes()
    run.stdin.write(data[: len(data) // 2])
    run.stdin.flush()
    for line in run.stderr:
        if b"encoder" in line:
            break
    time.sleep(1)
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130
    assert not list(tmp_path.iterdir())


def test_a_killed_run_leaves_nothing_under_the_final_name(uneven, tmp_path):
    out = tmp_path / "out.mp4"
    run = subprocess.Popen([*VIDCOLOR, "run", "-", "-o", out, "-q"], stdin=subprocess.PIPE)
    data = uneven.read_bytes()
    run.stdin.write(data[: len(data) // 2])
    run.stdin.flush()
    while not any(path.is_dir() for path in tmp_path.iterdir()):
        time.sleep(0.05)
    run.kill()
    run.wait()
    assert not out.exists()


def test_a_pipe_that_ends_in_mid_frame_loses_that_frame_and_says_so(uneven, tmp_path):
    out = tmp_path / "out.mkv"
    data = uneven.read_bytes()
    result = vidcolor("-", "-o", out, "--codec", "ffv1", "--on-damage", "skip", input=data[: len(data) // 2])
    assert result.returncode == 0, result.stderr
    assert luma(out) == luma(uneven)[: len(luma(out))] and len(luma(out)) == 21
    assert b"damaged at" in result.stderr


REFUSED = {
    "json": ((["-", "-o", "-", "--json"], b""), 2, "leave out --json"),
    "codec": ((["-", "-o", "-", "--codec", "ffv1"], None), 2, "Encode it behind the pipe"),
    "two": ((["-", "film.mp4", "-o", "-"], b""), 2, "once for each"),
    "no name": ((["-"], None), 2, "-o - for standard output"),
    "start": ((["-", "-o", "out.mkv", "--start", "1"], None), 2, "ffmpeg -ss"),
    "empty": ((["-", "-o", "out.mkv"], b""), 1, "nothing came through the pipe"),
    "text": ((["-", "-o", "out.mkv"], b"hello"), 1, "it is a text file"),
    "rate": ((["-", "-o", "out.mkv", "--rate", "24"], None), 2, "holds no image sequence"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_pipe_cannot_do_is_refused_with_the_remedy(case, uneven, tmp_path):
    (arguments, data), code, remedy = REFUSED[case]
    result = vidcolor(*arguments, input=uneven.read_bytes() if data is None else data, cwd=tmp_path)
    assert result.returncode == code
    assert remedy in last_line(result) and last_line(result).startswith("vidcolor: ")
    assert not list(tmp_path.iterdir()) and not result.stdout


def test_an_mp4_is_no_film_for_a_pipe(samples, tmp_path):
    result = vidcolor("-", "-o", tmp_path / "out.mkv", input=(samples / "film.mp4").read_bytes())
    assert result.returncode == 1
    assert "ffmpeg -i FILM -f nut" in last_line(result)


def test_a_terminal_is_no_pipe(with_sound, tmp_path):
    main, terminal = pty.openpty()
    try:
        nothing = vidcolor("-", "-o", tmp_path / "out.mkv", stdin=terminal)
        noise = subprocess.run(
            [*VIDCOLOR, "run", with_sound, "-o", "-"], stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.PIPE
        )
    finally:
        os.close(main)
        os.close(terminal)
    assert nothing.returncode == noise.returncode == 2
    assert "standard input is a terminal" in last_line(nothing)
    assert "standard output is a terminal" in last_line(noise)


def test_standard_input_that_is_a_file_is_that_file(with_sound, tmp_path):
    with with_sound.open("rb") as source:
        result = vidcolor("-", "-o", tmp_path / "out.mkv", "--start", "1", "--end", "1.5", stdin=source)
    assert result.returncode == 0, result.stderr
    assert len(times(tmp_path / "out.mkv")) == 12


def test_runs_side_by_side_do_not_disturb_each_other(samples, tmp_path):
    films = [tmp_path / f"{n} a film.mkv" for n in range(2)]
    for n, film in enumerate(films):
        ffmpeg(
            "-ss",
            2 * n,
            "-i",
            samples / "film.mp4",
            "-map",
            "0:v",
            "-frames:v",
            "6",
            "-vf",
            "scale=160:120",
            "-c:v",
            "ffv1",
            film,
        )
    alone = []
    for film in films:
        assert vidcolor(film, "--threads", "1").returncode == 0
        made = film.with_name(f"{film.stem}.color.mkv")
        alone.append(made.read_bytes())
        made.unlink()
    names = b"\0".join(os.fsencode(film) for film in films)
    together = ["xargs", "-0", "-P", "2", "-n", "1", *VIDCOLOR, "run", "-q", "--threads", "1"]
    subprocess.run(together, input=names, check=True)
    assert [film.with_name(f"{film.stem}.color.mkv").read_bytes() for film in films] == alone


@pytest.mark.parametrize(
    ("short", "long", "size"),
    [(200, 700, "160:120"), pytest.param(500, 5000, "640:480", marks=pytest.mark.long)],
)
def test_memory_does_not_grow_with_the_pipe(samples, short, long, size):
    peaks = []
    for frames in (short, long):
        source = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", samples / "film.mp4", "-map", "0:v", "-map", "0:a",
             "-frames:v", str(frames), "-t", str(frames / 24), "-vf", f"scale={size}", "-f", "nut", "-c:v", "rawvideo",
             "-c:a", "pcm_s16le", "-"], stdout=subprocess.PIPE,
        )  # fmt: skip
        run = subprocess.Popen([*VIDCOLOR, "run", "-", "-q", "-o", "-"], stdin=source.stdout, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        source.stdout.close()
        assert run.returncode == 0 and source.wait() == 0
        peaks.append(usage.ru_maxrss * 1024)
    print(f"{short} frames: {peaks[0] / 1e6:.0f} MB, {long} frames: {peaks[1] / 1e6:.0f} MB")
    assert peaks[1] < 1.1 * peaks[0]


def test_options_for_work_that_is_kept_are_of_no_use_with_a_pipe_and_that_is_said(samples, tmp_path):
    result = vidcolor(samples / "film.mp4", "-o", "-", "--dry-run", "--keep-work", "--workdir", tmp_path)
    assert result.returncode == 0
    assert result.stderr.count(b"of no use with a pipe, of which nothing is kept: --workdir, --keep-work") == 1
    silent = vidcolor(samples / "film.mp4", "-o", "-", "--dry-run")
    assert b"of no use" not in silent.stderr


def test_a_pipe_goes_into_a_file_of_any_name_that_the_file_system_takes(samples, tmp_path):
    out = tmp_path / f"{'映' * 80}.mp4"
    with (samples / "vfr10.mkv").open("rb") as film:
        done = vidcolor("-", "-o", out, "-q", stdin=film)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
