"""Films that are no files: read by the protocols that were allowed and no other, with the result of the file itself."""

import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from vidcolor.config import RunOptions
from vidcolor.errors import MediaError, UsageError
from vidcolor.film import plan as plan_module
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify
from vidcolor.media import opening
from vidcolor.media.address import Address, source_of


def ffmpeg(*arguments):
    return subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], capture_output=True, check=True).stdout


def run(*arguments, cwd, **environment):
    command = [sys.executable, "-m", "vidcolor", "run", "--res", "32", "--codec", "ffv1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment})


def colour(source, output, report=lambda event: None, overwrite=False, **options):
    options = RunOptions(res=32, codec="ffv1", **options)
    return colour_film(source_of(source), output, False, options, overwrite=overwrite, dry_run=False, report=report)


def luma(*source):
    """A hash of the Y plane of every frame."""
    shown = ffmpeg(*source, "-map", "0:v:0", "-vf", "extractplanes=y", "-vsync", "0", "-f", "framemd5", "-")
    return [line.rsplit(b",", 1)[1].strip() for line in shown.splitlines() if not line.startswith(b"#")]


class Host:
    """A web server: what is in a folder, in parts too. `breaks` is how many bytes it sends before it hangs up."""

    def __init__(self, folder):
        self.folder, self.visits, self.breaks, self.times = folder, [], None, 0

    def answer(self, handler):
        self.visits.append(handler.path)
        path = self.folder / handler.path.split("?")[0].lstrip("/")
        if not path.is_file():
            return handler.send_error(404)
        data, asked = path.read_bytes(), handler.headers.get("Range", "bytes=0-")
        first = int(asked.removeprefix("bytes=").split("-")[0])
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - first))
        handler.end_headers()
        end = len(data)
        if self.times and self.breaks is not None and first <= self.breaks < len(data):
            self.times -= 1
            end = self.breaks
            handler.close_connection = True
        try:
            handler.wfile.write(data[first:end])
        except OSError:
            pass  # the reader went elsewhere


@pytest.fixture(scope="module")
def served(samples, tmp_path_factory):
    """The folder of a web server: a film of 144 frames with sound, its index in front; and its address."""
    folder = tmp_path_factory.mktemp("served")
    cut = ["-t", "6", "-map", "0:v", "-map", "0:a", "-vf", "scale=160:120", "-g", "24", "-c:a", "copy"]
    ffmpeg("-i", samples / "film.mp4", *cut, "-movflags", "+faststart", folder / "film.mp4")
    host = Host(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            host.answer(self)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # readers hang up
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host.handler = Handler
        host.url = f"http://127.0.0.1:{server.server_port}"
        yield host
        server.shutdown()


@pytest.fixture
def host(served):
    served.visits.clear()
    served.breaks = None
    return served


@pytest.fixture(scope="module")
def local(served, tmp_path_factory):
    """The film coloured as a file."""
    out = tmp_path_factory.mktemp("local") / "out.mkv"
    colour(served.folder / "film.mp4", out)
    return out


@pytest.fixture(scope="module")
def playlist(served):
    """The film in two segments, a playlist of them, and one of them encrypted."""
    whole, key = served.folder / "film.mp4", served.folder / "key"
    key.write_bytes(bytes(range(16)))
    (served.folder / "key.txt").write_text(f"{served.url}/key\n{key}\n")
    form = ["-i", whole, "-c", "copy", "-f", "hls", "-hls_time", "3", "-hls_list_size", "0"]
    ffmpeg(*form, "-hls_segment_filename", served.folder / "part%d.ts", served.folder / "list.m3u8")
    secret = ["-hls_key_info_file", served.folder / "key.txt", "-hls_segment_filename", served.folder / "secret%d.ts"]
    ffmpeg(*form, *secret, served.folder / "secret.m3u8")
    return (served.folder / "list.m3u8").read_text()


def test_an_address_gives_the_film_that_the_file_gives(host, local, tmp_path):
    address = f"{host.url}/film.mp4?from=//there"
    result = run("--json", "--allow-protocol", "http", address, "-o", "out.mkv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out.mkv").read_bytes() == local.read_bytes()
    assert json.loads(result.stdout.splitlines()[-1])["films"][0]["input"] == address
    assert host.visits and set(host.visits) == {"/film.mp4?from=//there"}
    assert os.listdir(tmp_path) == ["out.mkv"]


def test_without_an_output_it_gets_the_name_of_the_address_in_the_working_folder(host, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colour(f"{host.url}/film.mp4", None, allow_protocol=("http",), end=Fraction(1, 5))
    assert os.listdir(tmp_path) == ["film.color.mkv"]


def test_an_address_that_is_not_allowed_is_refused_unread(host, tmp_path):
    result = run(f"{host.url}/film.mp4", cwd=tmp_path)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert "--allow-protocol http" in result.stderr and host.url in result.stderr
    with pytest.raises(UsageError, match="--allow-protocol http"):
        colour(f"{host.url}/film.mp4", tmp_path / "out.mkv", allow_protocol=("https", "crypto"))
    with pytest.raises(UsageError, match="Fetch it first"):
        colour("rtmp://127.0.0.1/film", tmp_path / "out.mkv", allow_protocol=("http",))
    assert not host.visits and not os.listdir(tmp_path)


def test_a_playlist_is_read_only_if_its_protocol_is_allowed(host, playlist, tmp_path):
    path = tmp_path / "reel.m3u8"
    path.write_text(playlist.replace("part", f"{host.url}/part"))
    refused = run(path, "-o", "out.mkv", cwd=tmp_path)
    assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1
    assert "text file" in refused.stderr and "--allow-protocol http" in refused.stderr
    assert not host.visits and os.listdir(tmp_path) == ["reel.m3u8"]
    with pytest.raises(MediaError, match="what it names cannot be read"):
        colour(path, tmp_path / "out.mkv", allow_protocol=("https",))
    assert not host.visits
    film = colour(path, tmp_path / "out.mkv", allow_protocol=("http",))
    assert film["frames"] == 144 and not film["ledger"]
    assert {"/part0.ts", "/part1.ts"} <= set(host.visits)
    assert luma("-i", tmp_path / "out.mkv") == luma("-i", host.folder / "film.mp4")
    films = tmp_path / "out.mkv", host.folder / "list.m3u8"
    made, source = (ffmpeg("-i", film, "-map", "0:a", "-f", "md5", "-") for film in films)
    assert made == source


def test_a_playlist_at_an_address_cannot_name_files_of_this_machine(host, playlist, tmp_path):
    part = host.folder / "part0.ts"
    (host.folder / "trap.m3u8").write_text(re.sub(r"part\d+\.ts", f"file://{part}", playlist))
    read = part.stat().st_atime_ns
    with pytest.raises(MediaError):
        colour(f"{host.url}/trap.m3u8", tmp_path / "out.mkv", allow_protocol=("http",))
    assert part.stat().st_atime_ns == read and not os.listdir(tmp_path)


def test_an_encrypted_playlist_needs_one_protocol_more(host, playlist, tmp_path):
    address = f"{host.url}/secret.m3u8"
    with pytest.raises(MediaError):
        colour(address, tmp_path / "out.mkv", allow_protocol=("http",))
    colour(address, tmp_path / "out.mkv", allow_protocol=("http", "crypto"))
    assert luma("-i", tmp_path / "out.mkv") == luma("-i", host.folder / "film.mp4")


def test_a_live_stream_is_refused(host, playlist, tmp_path):
    (host.folder / "live.m3u8").write_text(playlist.replace("#EXT-X-ENDLIST\n", ""))
    with pytest.raises(MediaError, match="it is a live stream"):
        colour(f"{host.url}/live.m3u8", tmp_path / "out.mkv", allow_protocol=("http",))


def test_a_connection_that_breaks_is_taken_up_again(host, local, tmp_path):
    host.breaks, host.times = host.folder.joinpath("film.mp4").stat().st_size * 2 // 3, 3
    colour(f"{host.url}/film.mp4", tmp_path / "out.mkv", allow_protocol=("http",))
    assert host.times < 3
    assert (tmp_path / "out.mkv").read_bytes() == local.read_bytes()


def test_a_server_that_fails_ends_the_run_and_the_same_command_goes_on(host, local, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_LONGEST_WAIT", 0)
    monkeypatch.setattr(plan_module, "CHUNK_SECONDS", Fraction(1))
    source, options = f"{host.url}/film.mp4", {"allow_protocol": ("http",)}
    colour(source, tmp_path / "whole.mkv", **options)
    host.breaks, host.times = host.folder.joinpath("film.mp4").stat().st_size * 19 // 20, 1000
    with pytest.raises(MediaError, match="to its end.*same command"):
        colour(source, tmp_path / "out.mkv", **options)
    assert not (tmp_path / "out.mkv").exists()
    host.breaks, events = None, []
    colour(source, tmp_path / "out.mkv", events.append, **options)
    assert next(e for e in events if e["type"] == "plan")["chunks_done"] > 0
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()


def test_sound_that_cannot_be_read_to_its_end_is_not_left_out(host, tmp_path, monkeypatch):
    """The server fails when all frames are coloured and only the streams beside them are still to be copied."""
    monkeypatch.setattr(opening, "_LONGEST_WAIT", 0)
    source = f"{host.url}/film.mp4"

    def fail(event):
        if event["type"] == "progress" and event["frames"] == 144:
            host.breaks, host.times = host.folder.joinpath("film.mp4").stat().st_size // 2, 1000

    with pytest.raises(MediaError, match="cannot put .* together.*ends prematurely"):
        colour(source, tmp_path / "out.mkv", fail, allow_protocol=("http",))
    assert not (tmp_path / "out.mkv").exists()


def test_another_film_at_the_same_address_is_another_job(host, tmp_path):
    film = host.folder / "changing.mp4"
    source = f"{host.url}/changing.mp4"
    film.write_bytes((host.folder / "film.mp4").read_bytes())

    def plan():
        events = []
        options = RunOptions(res=32, allow_protocol=("http",))
        target = tmp_path / "out.mkv"
        colour_film(Address(source), target, False, options, overwrite=False, dry_run=True, report=events.append)
        return next(e for e in events if e["type"] == "plan")["work"]

    first = plan()
    assert plan() == first
    ffmpeg("-i", host.folder / "film.mp4", "-t", "1", "-c", "copy", film)
    assert plan() != first


def test_verify_reads_the_source_where_it_is(host, local):
    assert verify(Address(f"{host.url}/film.mp4"), local, RunOptions(allow_protocol=("http",))).conforms
    with pytest.raises(UsageError, match="--allow-protocol http"):
        verify(Address(f"{host.url}/film.mp4"), local)


def test_what_has_no_hash_has_no_record(host, tmp_path):
    with pytest.raises(UsageError, match="--provenance cannot be used"):
        colour(f"{host.url}/film.mp4", tmp_path / "out.mkv", allow_protocol=("http",), provenance=True)


def test_only_known_protocols_can_be_allowed(tmp_path):
    result = run("--allow-protocol", "file,http", "film.mp4", cwd=tmp_path)
    assert result.returncode == 2 and "'http', 'https', 'crypto'" in result.stderr
    with pytest.raises(UsageError, match="http, https, crypto"):
        RunOptions(allow_protocol=("udp",)).validate()


def test_a_file_that_is_called_like_an_address_is_a_file(samples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("http:").mkdir()
    Path("http:/film.mkv").write_bytes((samples / "vfr10.mkv").read_bytes())
    assert source_of("http://film.mkv") == Path("http:/film.mkv")
    assert source_of("http://else.mkv") == Address("http://else.mkv")
    assert run("--end", "0.2", "http://film.mkv", "-o", "out.mkv", cwd=tmp_path).returncode == 0


def test_https_is_read_only_from_who_has_a_certificate(host, local, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    form = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", *form, "-keyout", key, "-out", certificate]
    subprocess.run(made, capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), host.handler) as server:
        server.handle_error = lambda *_: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = ["--allow-protocol", "https", f"https://127.0.0.1:{server.server_port}/film.mp4", "-o", "out.mkv"]
        unknown = run(*command, cwd=tmp_path)
        known = run(*command, cwd=tmp_path, SSL_CERT_FILE=str(certificate))
        server.shutdown()
    assert unknown.returncode == 1 and len(unknown.stderr.splitlines()) == 1
    assert known.returncode == 0, known.stderr
    assert (tmp_path / "out.mkv").read_bytes() == local.read_bytes()
