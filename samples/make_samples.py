"""Make the small films and the picture in this folder, from photographs that two Python packages ship.

Needs numpy, av, opencv-python-headless, the files of scikit-image and scikit-learn (neither is imported), and ffmpeg.
A colour frame is H x W x 3 float32, R'G'B' in 0..255. Luma and chroma are BT.601, limited range, 8-bit code values.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import wave
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from worn import grain, scratches, slow_noise, worn

SIZE, FPS = (640, 480), 24  # width and height in pixels, frames/s
FFMPEG = ("ffmpeg", "-y", "-v", "error")
EXACT = "-fflags +bitexact -flags:v +bitexact -flags:a +bitexact".split()


class View(NamedTuple):
    """What the camera sees: centre x, y and width in pixels of the photograph, and its turn in degrees."""

    x: float
    y: float
    width: float
    degrees: float = 0.0


class Shot(NamedTuple):
    """A photograph from `first` up to `end` (frames or ms). Where two shots overlap, they dissolve."""

    photo: str
    first: int
    end: int
    start: View
    stop: View


PHOTOS = {  # package, file in it, photographer, licence
    "china": ("sklearn", "datasets/images/china.jpg", "danielbuechele", "CC BY 2.0"),
    "astronaut": ("skimage", "data/astronaut.png", "NASA", "public domain"),
    "coffee": ("skimage", "data/coffee.png", "Rachel Michetti", "CC0"),
    "chelsea": ("skimage", "data/chelsea.png", "Stefan van der Walt", "CC0"),
    "rocket": ("skimage", "data/rocket.jpg", "SpaceX", "public domain"),
}
FILM = [  # in frames
    Shot("china", 0, 56, View(275, 203, 520), View(350, 215, 500)),
    Shot("astronaut", 56, 116, View(256, 194, 490), View(218, 190, 330, -1.5)),
    Shot("coffee", 116, 180, View(315, 200, 470, 2.5), View(280, 205, 430, -2.5)),
    Shot("chelsea", 156, 216, View(225, 150, 385), View(255, 132, 320, 1.0)),
    Shot("rocket", 216, 246, View(322, 258, 430), View(322, 172, 430)),
    Shot("astronaut", 246, 288, View(205, 150, 300), View(222, 116, 220, 1.5)),
]
VFR_FILM = [  # in ms
    Shot("chelsea", 0, 1100, View(190, 150, 380), View(255, 145, 320, 2.0)),
    Shot("china", 1100, 2100, View(350, 213, 500), View(270, 220, 420)),
]
VFR_STEPS = (41, 42, 17, 83, 33, 50, 42, 125, 29, 34)  # ms from each frame to the next, over and over
CHAPTERS = ((0, 116, "First reel"), (116, 288, "Second reel"))  # in frames
LINES = (
    ("00,300", "02,200", "A pavilion above the lake."),
    ("02,500", "04,700", "A pilot, and her helmet."),
    ("05,000", "06,800", "Coffee on a wooden table."),
    ("07,400", "08,900", "The cat is not impressed."),
    ("10,400", "11,800", "Ready."),
)  # from and to, seconds,ms
MELODY = (
    (76, 3),
    (74, 1),
    (72, 1),
    (71, 1),
    (69, 3),
    (72, 1),
    (71, 1),
    (69, 1),
    (67, 3),
    (69, 1),
    (71, 1),
    (74, 1),
    (72, 2),
    (67, 1),
    (72, 3),
)  # MIDI note, beats of half a second
CHORDS = (
    (48, 64, 67),
    (43, 62, 67),
    (45, 60, 64),
    (41, 60, 65),
    (48, 64, 67),
    (43, 62, 65),
    (48, 64, 67),
    (48, 64, 67),
)


def load(name):
    """The photograph as a colour frame."""
    package, path, *_ = PHOTOS[name]
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise SystemExit(f"{package} is not installed; type: pip install scikit-image scikit-learn")
    return cv2.imread(str(Path(spec.submodule_search_locations[0], path)))[..., ::-1].astype(np.float32)


def look(picture, view, size, weave):
    """The colour frame of `size` seen through `view`; `weave` moves it by x, y in its pixels, and turns it in degrees."""
    angle = np.deg2rad(view.degrees + weave[2])
    turn = view.width / size[0] * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(size) - 1) / 2 + weave[:2]
    matrix = np.column_stack([turn, (view.x, view.y) - turn @ centre])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT).clip(0, 255)


def colour_frame(shots, pictures, when, size, weave=(0.0, 0.0, 0.0)):
    """The colour frame at `when` (in the unit of the shots)."""
    frames = []
    for shot in (s for s in shots if s.first <= when < s.end):
        t = (when - shot.first) / (shot.end - shot.first)
        t = t * t * (3 - 2 * t)
        view = View(*(a + (b - a) * t for a, b in zip(shot.start, shot.stop)))
        frames.append((shot, look(pictures[shot.photo], view, size, weave)))
    (old, frame), (new, other) = frames[0], frames[-1]
    if old is new:
        return frame
    weight = (when - new.first + 1) / (old.end - new.first + 1)
    return frame + (other - frame) * weight


def luma(frame):
    """Y of a colour frame, H x W float32, 16..235."""
    return 16 + frame @ np.float32([0.299, 0.587, 0.114]) * (219 / 255)


def chroma(frame):
    """Cb and Cr of a colour frame at 4:2:0 size, sited left: 1 2 1 along a row, the mean of two rows; 16..240."""
    y = frame @ np.float32([0.299, 0.587, 0.114])
    for difference, most in ((frame[..., 2] - y, 0.886), (frame[..., 0] - y, 0.701)):
        rows = cv2.filter2D(difference, -1, np.float32([[0.25, 0.5, 0.25]]), borderType=cv2.BORDER_REPLICATE)[:, ::2]
        yield 128 + (rows[::2] + rows[1::2]) * (56 / 255 / most)


def codes(*planes):
    """The bytes of 8-bit planes."""
    return b"".join(np.rint(p).clip(0, 255).astype(np.uint8).tobytes() for p in planes)


def tune(path):
    """Write the tune, 12 s of a waltz in C, as 16-bit stereo WAV at 44100 Hz."""
    rate = 44100
    sound = np.zeros((12 * rate, 2))
    notes, beat = [], 0
    for note, beats in MELODY:
        notes, beat = notes + [(beat, note, beats, 0.22, 0.6)], beat + beats
    for bar, (bass, *chord) in enumerate(CHORDS):
        notes += [(bar * 3, bass, 2, 0.2, 0.4)] + [(bar * 3 + b, n, 0.8, 0.07, 0.5) for b in (1, 2) for n in chord]
    for beat, note, beats, loud, pan in notes:
        t = np.arange(min(int((beats * 0.5 + 0.4) * rate), len(sound) - beat * rate // 2)) / rate
        turns = 440 * 2 ** ((note - 69) / 12) * t
        wavy = sum(np.sin(2 * np.pi * turns * k) * np.exp(-t * k * 1.6) / k**1.5 for k in range(1, 6))
        wavy *= loud * np.minimum(1, t / 0.008) * np.minimum(1, (t[-1] - t) / 0.1)
        sound[beat * rate // 2 :][: len(t)] += wavy[:, None] * (1 - pan, pan)
    with wave.open(str(path), "wb") as f:
        f.setnchannels(2), f.setsampwidth(2), f.setframerate(rate)
        f.writeframes(np.rint(sound.clip(-1, 1) * 32767).astype("<i2").tobytes())


def encoder(path, crf, inputs=(), outputs=()):
    """An ffmpeg that reads raw yuv420p frames on its standard input and writes H.264 to `path`."""
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "{}x{}".format(*SIZE), "-r", str(FPS), "-i", "-"]
    tags = (
        "-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m -color_range tv"
        " -chroma_sample_location left -movflags +faststart"
    ).split()
    x264 = (
        f"-c:v libx264 -preset veryslow -tune film -crf {crf} -threads 1".split()
    )  # two do not always write the same bytes
    return subprocess.Popen([*FFMPEG, *raw, *inputs, *x264, *tags, *EXACT, *outputs, str(path)], stdin=subprocess.PIPE)


def write_extras(folder):
    """Write what film.mp4 and film.mkv hold beside the picture: sound, subtitles, title and chapters, an attachment."""
    tune(folder / "tune.wav")
    (folder / "lines.srt").write_text(
        "".join(f"{i}\n00:00:{a} --> 00:00:{b}\n{text}\n\n" for i, (a, b, text) in enumerate(LINES, 1))
    )
    (folder / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=Six shots, a sample film\n"
        + "".join(f"[CHAPTER]\nTIMEBASE=1/{FPS}\nSTART={a}\nEND={b}\ntitle={name}\n" for a, b, name in CHAPTERS)
    )
    (folder / "photographs.txt").write_text("".join(f"{line}\n" for line in credits(PHOTOS)))


def make_film(folder, pictures, seed):
    """Write film.mp4, black and white and worn, film.mkv, the same streams, and film_truth.mp4, the colours."""
    count, rng = FILM[-1].end, np.random.default_rng(seed)
    weave = np.stack([slow_noise(rng, count, s) for s in (1.5, 1.5, 4)], axis=1) * (0.4, 0.5, 0.02)
    gains, lines = 1 + 0.012 * slow_noise(rng, count, 0.8), scratches(rng, count, SIZE[0])
    write_extras(folder)
    extras = [v for name in ("tune.wav", "lines.srt", "chapters.txt") for v in ("-i", str(folder / name))]
    english = "-metadata:s:a:0 language=eng -metadata:s:s:0 language=eng".split()
    streams = "-map 0:v -map 1:a -map 2:s -map_metadata 3 -map_chapters 3 -c:a aac -b:a 64k -c:s mov_text".split()
    film, truth = encoder(folder / "film.mp4", 26, extras, streams + english), encoder(folder / "film_truth.mp4", 22)
    grey = np.full((2, SIZE[1] // 2, SIZE[0] // 2), 128)
    for n in range(count):
        frame = colour_frame(FILM, pictures, n, SIZE, weave[n])
        truth.stdin.write(codes(luma(frame), *chroma(frame)))
        film.stdin.write(codes(worn(seed, n, luma(frame), gains[n], lines[n]), grey))
    for process in (film, truth):
        process.stdin.close()
        if process.wait():
            raise SystemExit(f"ffmpeg failed with exit status {process.returncode}; its message is above")
    copy = "-map 0:v -map 0:a -map 1:s -c copy -metadata:s:t mimetype=text/plain".split()
    subprocess.run(
        [
            *FFMPEG,
            "-i",
            str(folder / "film.mp4"),
            "-i",
            str(folder / "lines.srt"),
            *copy,
            *english,
            "-attach",
            str(folder / "photographs.txt"),
            *EXACT,
            str(folder / "film.mkv"),
        ],
        check=True,
    )


def make_vfr(path, pictures, seed, size=(320, 240)):
    """Write the 10-bit film with a frame every 17 to 125 ms; returns the pts of its frames in ms."""
    pts = [0]
    while pts[-1] + VFR_STEPS[len(pts) % len(VFR_STEPS)] < VFR_FILM[-1].end:
        pts.append(pts[-1] + VFR_STEPS[len(pts) % len(VFR_STEPS)])
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as box:
        settings = {"crf": "24", "preset": "veryslow", "tune": "film", "threads": "1"}
        stream = box.add_stream("libx264", rate=FPS, options=settings)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p10le"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for i, when in enumerate(pts):
            y = luma(colour_frame(VFR_FILM, pictures, when, size))
            y = np.rint(4 * grain(np.random.default_rng([seed, 1, i]), y, 2.0)).clip(64, 940)
            planes = np.vstack([y, np.full((size[1] // 2, size[0]), 512)]).astype(np.uint16)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p10le")
            frame.pts, frame.time_base = when, Fraction(1, 1000)
            box.mux(stream.encode(frame))
        box.mux(stream.encode())
    return pts


def credits(names):
    """One line for each photograph."""
    return ["{2}: {0}/{1} ({3})".format(*PHOTOS[name]) for name in PHOTOS if name in names]


def labels(vfr_pts):
    """What labels.json says: where the shots of each film meet, counted in frames from 0."""
    pairs = list(zip(FILM, FILM[1:]))
    film = {
        "frames": FILM[-1].end,
        "fps": f"{FPS}/1",
        "cuts": [b.first for a, b in pairs if b.first == a.end],
        "dissolves": [[b.first, a.end] for a, b in pairs if b.first < a.end],
        "licence": "CC BY 2.0",
        "photographs": credits({s.photo for s in FILM}),
    }
    cut = next(i for i, when in enumerate(vfr_pts) if when >= VFR_FILM[1].first)
    vfr = {
        "frames": len(vfr_pts),
        "fps": None,
        "pts_ms": vfr_pts,
        "cuts": [cut],
        "dissolves": [],
        "licence": "CC BY 2.0",
        "photographs": credits({s.photo for s in VFR_FILM}),
    }
    return {"film.mp4": film, "film.mkv": film, "film_truth.mp4": film, "vfr10.mkv": vfr}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="folder to write to (default: this one)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of grain, dust, flicker and weave (default: 1)")
    options = parser.parse_args()
    if not shutil.which("ffmpeg"):
        raise SystemExit("ffmpeg is not installed; install it with libx264 and try again")
    cv2.setNumThreads(1)
    pictures = {name: load(name) for name in PHOTOS}
    with tempfile.TemporaryDirectory(dir=options.out) as name:
        folder = Path(name)
        make_film(folder, pictures, options.seed)
        facts = labels(make_vfr(folder / "vfr10.mkv", pictures, options.seed))
        (folder / "labels.json").write_text(json.dumps(facts, indent=1) + "\n")
        portrait = (luma(pictures["astronaut"][:480, 40:400]) - 16) * (255 / 219)
        cv2.imwrite(str(folder / "portrait.jpg"), np.rint(portrait).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
        for made in ("film.mp4", "film.mkv", "film_truth.mp4", "vfr10.mkv", "labels.json", "portrait.jpg"):
            os.replace(folder / made, options.out / made)
            print(f"{made}: {(options.out / made).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
