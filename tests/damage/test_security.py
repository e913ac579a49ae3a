"""A film can name other files, hosts and devices, and be called anything: nothing but the film itself is ever read."""

import ast
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import vidcolor
from vidcolor.errors import ModelError, VidcolorError
from vidcolor.media.probe import probe


def run(*arguments, cwd=None):
    """The command, with names as bytes."""
    command = [sys.executable, "-m", "vidcolor", *(os.fsencode(a) if isinstance(a, Path) else a for a in arguments)]
    return subprocess.run(command, capture_output=True, cwd=cwd, env={**os.environ, "LC_ALL": "C.UTF-8"})


@pytest.fixture(scope="module")
def film(samples, tmp_path_factory):
    """Four frames of the sample, with sound."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    cut = ["-map", "0", "-c", "copy", "-frames:v", "4", "-t", "0.2"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", *cut, path], check=True)
    return path


@pytest.fixture(scope="module")
def host():
    """A web server that remembers whether anybody came."""
    visits = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            visits.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", visits
        server.shutdown()


LISTS = {
    "playlist.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
    "concat.txt": "ffconcat version 1.0\nfile '{target}'\n",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=control:{target}\n",
    "presentation.smil": '<smil><body><video src="{target}"/></body></smil>\n',
    "manifest.mpd": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" width="64" height="48"><BaseURL>{target}'
        "</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>\n"
    ),
    "subtitles.srt": "1\n00:00:00,000 --> 00:00:01,000\n{target}\n",
    "script.avs": 'DirectShowSource("{target}")\n',
    "metadata.txt": ";FFMETADATA1\ntitle={target}\n",
}


@pytest.mark.parametrize("what", ["host", "file", "device"])
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("disguise", [False, True])
def test_what_a_list_names_is_not_opened(name, what, disguise, film, host, tmp_path):
    url, visits = host
    target = {"host": f"{url}/film.mp4", "file": str(film), "device": "/dev/video0"}[what]
    path = tmp_path / ("film.mp4" if disguise else name)
    path.write_text(LISTS[name].format(target=target))
    read_before = film.stat().st_atime_ns
    with pytest.raises(VidcolorError):
        probe(path)
    assert not visits and film.stat().st_atime_ns == read_before


def test_the_lists_would_be_followed_if_they_were_let(film, host, tmp_path):
    """The test before this one means something: ffmpeg, unhindered, follows."""
    url, visits = host
    for name, target in (("playlist.m3u8", f"{url}/segment.ts"), ("concat.txt", f"{url}/film.mp4")):
        path = tmp_path / name
        path.write_text(LISTS[name].format(target=target))
        loose = (
            ["-protocol_whitelist", "file,http,tcp", "-safe", "0"]
            if name == "concat.txt"
            else ["-protocol_whitelist", "file,http,tcp"]
        )
        subprocess.run(["ffmpeg", "-v", "quiet", "-nostdin", *loose, "-i", path, "-f", "null", "-"], check=False)
    assert len(visits) >= 2
    visits.clear()


def test_a_list_is_refused_by_the_command_in_one_line(film, tmp_path):
    path = tmp_path / "list.m3u8"
    path.write_text(LISTS["playlist.m3u8"].format(target=film))
    result = run("run", path)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1 and b"text file" in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["list.m3u8"]


@pytest.mark.parametrize(
    "name", ["http://127.0.0.1:1/film.mp4", "concat:a.mp4|b.mp4", "/dev/zero", "subfile,,start,0,end,9,,:x"]
)
def test_a_protocol_is_a_name_like_any_other(name, tmp_path):
    result = run("run", name, cwd=tmp_path)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith(b"vidcolor: cannot read ")


NAMES = [
    b"with space.mp4",
    b'it\'s "quoted" `id` $(id) $HOME.mp4',
    b"two\nlines.mp4",
    b"-leading.mp4",
    b"--help.mp4",
    b"per%cent %03d %n.mp4",
    b"semi;colon & pipe| > out.mp4",
    b"file:with:colons.mp4",
    b"[brackets] {braces} \\back*?.mp4",
    b"bold [red]markup[bold].mp4",
    "gr\u00fc\u00df \U0001f3ac.mp4".encode(),
    b"latin\xe9 \xff.mp4",
]


def test_films_of_any_name_go_through(film, tmp_path):
    for name in NAMES:
        os.link(film, tmp_path / os.fsdecode(name))
    result = run("run", "--json", "--res", "32", "--preset", "ultrafast", "--", *NAMES, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    made = json.loads(result.stdout.splitlines()[-1])["films"]
    outputs = [name.removesuffix(b".mp4") + b".color.mp4" for name in NAMES]
    assert [os.fsencode(film["input"]) for film in made] == NAMES
    assert [os.fsencode(film["output"]) for film in made] == outputs
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted(NAMES + outputs)
    assert b"Traceback" not in result.stderr and result.stderr.count(b"done: ") == len(NAMES)


@pytest.mark.parametrize("name", [b"two\nlines.mp4", b"-leading.mp4", b"latin\xe9 \xff.mp4"])
def test_any_name_is_told_in_one_line_when_it_fails(name, tmp_path):
    source = tmp_path / os.fsdecode(name)
    source.write_text("no film")
    result = run("run", "--json", "--", name, cwd=tmp_path)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1, result.stderr
    assert os.fsencode(json.loads(result.stdout.splitlines()[-1])["films"][0]["input"]) == name


def test_a_still_of_any_name_goes_through(samples, tmp_path):
    name = b"-latin\xe9 two\nlines.jpg"
    source = tmp_path / os.fsdecode(name)
    source.write_bytes((samples / "portrait.jpg").read_bytes())
    result = run("run", "--json", "--", source)
    assert result.returncode == 0, result.stderr
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted([name, b"-latin\xe9 two\nlines.color.jpg"])


PACKAGE = Path(vidcolor.__file__).parent


def calls():
    """(file, name of what is called, the call) of every call in the package."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.relative_to(PACKAGE), ast.unparse(node.func), node


def test_no_shell_and_no_evaluation():
    for path, name, call in calls():
        assert name not in (
            "os.system",
            "os.popen",
            "eval",
            "exec",
            "subprocess.getoutput",
            "pickle.load",
            "pickle.loads",
        ), path
        assert not any(k.arg == "shell" for k in call.keywords), path


def test_every_torch_load_takes_weights_alone():
    loads = [(path, call) for path, name, call in calls() if name == "torch.load"]
    assert loads
    for path, call in loads:
        assert {k.arg: ast.unparse(k.value) for k in call.keywords}.get("weights_only") == "True", path


class Evil:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def test_a_checkpoint_runs_no_code(tmp_path):
    torch = pytest.importorskip("torch")
    from vidcolor.training.checkpoint import load_checkpoint

    for save in (torch.save, lambda what, path: path.write_bytes(pickle.dumps(what))):
        file = tmp_path / "checkpoint.pt"
        save({"model": "lite", "network": Evil(tmp_path / "made")}, file)
        with pytest.raises(ModelError):
            load_checkpoint(file)
        assert not (tmp_path / "made").exists()
    assert pickle.loads(pickle.dumps(Evil(tmp_path / "made"))) is None and (tmp_path / "made").exists()
