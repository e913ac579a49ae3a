"""`vidcolor eval FILM`: figures that agree with the definitions, and what it refuses."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from vidcolor.color.chroma import yuv_to_lab
from vidcolor.config import RunOptions
from vidcolor.errors import MediaError
from vidcolor.evaluation import films
from vidcolor.evaluation.shot_meter import ColouredFrame, ShotMeter, _picture, summarise
from vidcolor.film.evaluate import evaluate_film
from vidcolor.media.probe import probe
from vidcolor.media.source import FilmSource

CUT, FRAMES = 10, 22  # of the short film


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def short_film(samples, tmp_path_factory):
    """The truth of the sample around its first cut."""
    path = tmp_path_factory.mktemp("film") / "short.mkv"
    trim = f"trim=start_frame={56 - CUT}:end_frame={56 - CUT + FRAMES},setpts=PTS-STARTPTS"
    ffmpeg("-i", samples / "film_truth.mp4", "-an", "-vf", trim, "-c:v", "ffv1", path)
    return path


@pytest.fixture(scope="module")
def report(short_film):
    return evaluate_film(short_film, RunOptions(res=64))


def moving_film(frames=14, height=48, width=64, seed=3):
    """A drifting texture with its colours, and two answers to it."""
    rng = np.random.default_rng(seed)
    noise = np.kron(rng.uniform(20, 90, (height // 4, width // 2)), np.ones((4, 4)))
    made = []
    for n in range(frames):
        light = noise[:, n : n + width]
        truth = np.stack((light, light / 4 - 10, 20 - light / 3 + n), -1).astype(np.float32)
        ab = np.moveaxis(truth[..., 1:], -1, 0)
        shaken = ab * 0.7 + np.float32(rng.normal(0, 4, (2, 1, 1)))
        made.append(ColouredFrame((light * 2.5).astype(np.uint8), truth, np.float32(ab * 0.6), np.float32(shaken)))
    return made


def consistency(pictures):
    """CDC as it is defined: over channels, of the mean over frames 1, 2 and 4 apart of the mean divergence."""
    shares = [[np.bincount(picture[..., c].ravel(), minlength=256) for c in range(3)] for picture in pictures]
    steps = [step for step in (1, 2, 4) if step < len(shares)]
    pairs = ([jensenshannon(p, q, axis=1) ** 2 for p, q in zip(shares, shares[step:], strict=False)] for step in steps)
    return np.mean([np.mean(values, 0) for values in pairs])


@pytest.mark.parametrize("frames", [2, 4, 14])
def test_figures_taken_frame_by_frame_are_those_of_the_whole_shot(frames):
    film, rate = moving_film(frames), 5
    meter = ShotMeter(rate)
    for frame in film:
        meter.add(frame)
    found = summarise([meter.tally()])
    motions = films.motion_of_shot([frame.luma for frame in film])
    abs_ = {
        "ours": [f.ours for f in film],
        "unsmoothed": [f.unsmoothed for f in film],
        "truth": [np.moveaxis(f.truth[..., 1:], -1, 0) for f in film],
    }
    for answer, planes in abs_.items():
        pictures = [_picture(f.truth, ab) for f, ab in zip(film, planes, strict=True)]
        assert found[f"cdc_{answer}"] == pytest.approx(consistency(pictures))
        assert found[f"flicker_{answer}"] == pytest.approx(films.chroma_flicker(planes, motions))
        assert found[f"e_warp_{answer}"] == pytest.approx(films.warp_error(pictures, motions))
    drift = {answer: films.palette_drift(planes, rate) for answer, planes in abs_.items()}
    assert found["drift"] == pytest.approx(drift["ours"] - drift["truth"])
    assert found["flicker_ratio"] == pytest.approx(found["flicker_ours"] / found["flicker_unsmoothed"])


def test_the_truth_as_answer_scores_best_and_grey_gains_nothing():
    film = moving_film(3)
    meters = ShotMeter(5), ShotMeter(5)
    for frame in film:
        truth = np.moveaxis(frame.truth[..., 1:], -1, 0)
        meters[0].add(frame._replace(ours=truth))
        meters[1].add(frame._replace(ours=np.zeros_like(truth)))
    perfect, grey = (summarise([meter.tally()]) for meter in meters)
    assert perfect["psnr_ours"] == pytest.approx(58.92, abs=0.01)  # not infinite
    assert perfect["delta_e"] < 1e-3 and perfect["cf_truth_ratio"] == pytest.approx(1)
    assert grey["gain"] == pytest.approx(0) and grey["cf_truth_ratio"] < 0.05 and grey["psnr_ours"] == grey["psnr_grey"]


def test_frames_count_alike_over_all_shots():
    meters = ShotMeter(5), ShotMeter(5)
    for meter, frames in zip(meters, (2, 6), strict=True):
        for frame in moving_film(frames, seed=frames):
            meter.add(frame)
    tallies = [meter.tally() for meter in meters]
    first, second, whole = (summarise(part) for part in (tallies[:1], tallies[1:], tallies))
    assert whole["frames"] == 8
    assert whole["psnr_ours"] == pytest.approx((2 * first["psnr_ours"] + 6 * second["psnr_ours"]) / 8)
    assert whole["flicker_ours"] == pytest.approx((first["flicker_ours"] + 5 * second["flicker_ours"]) / 6)


def test_a_film_is_measured_shot_by_shot(report):
    assert [(s.start_frame, s.end_frame) for s in report.shots] == [(0, CUT), (CUT, FRAMES)]
    assert report.shots[1].start_time == pytest.approx(CUT / 24, abs=1e-3)
    film = report.film
    assert film["frames"] == film["coloured"] == FRAMES
    assert film["gain"] > 0.5 and 0.2 < film["cf_truth_ratio"] < 1.5  # the network did colour
    assert 0 < film["flicker_ratio"] < 0.8 and film["cf_unsmoothed_ratio"] > 0.9
    assert film["cdc_ours"] < film["cdc_unsmoothed"]


def test_without_smoothing_both_answers_are_one(short_film):
    film = evaluate_film(short_film, RunOptions(res=64, smooth=0.0)).film
    assert film["flicker_ratio"] == 1 and film["psnr_ours"] == film["psnr_unsmoothed"]


def test_saturation_is_that_of_the_answer(short_film, report):
    film = evaluate_film(short_film, RunOptions(res=64, saturation=0.0)).film
    assert film["gain"] == pytest.approx(0, abs=1e-6) and film["flicker_ours"] == 0
    assert film["psnr_grey"] == report.film["psnr_grey"] and film["flicker_truth"] == report.film["flicker_truth"]


def test_the_luma_alone_decides_the_answer(short_film, report, tmp_path):
    """Another truth over the same luma: other scores, the same colours."""
    other = tmp_path / "other.mkv"
    ffmpeg("-i", short_film, "-vf", "lutyuv=y=val:u=256-val:v=256-val", "-c:v", "ffv1", other)
    film = evaluate_film(other, RunOptions(res=64)).film
    assert film["psnr_ours"] < report.film["psnr_ours"] - 1
    assert film["flicker_ours"] == pytest.approx(report.film["flicker_ours"], rel=1e-6)


@pytest.mark.parametrize("pix_fmt", ["yuv422p", "yuv444p10le", "nv12", "gbrp", "yuv411p", "yuv440p"])
def test_a_films_own_colours_are_read_from_any_format(short_film, tmp_path, pix_fmt):
    path = tmp_path / "film.nut"
    ffmpeg("-i", short_film, "-frames:v", 1, "-pix_fmt", pix_fmt, "-c:v", "rawvideo", path)

    def colours(film):
        info = probe(film)
        with FilmSource(info, 1) as source:
            frame = next(iter(source))
            return yuv_to_lab(frame.y, *frame.own_chroma(info.format), (64, 48))[..., 1:].transpose(2, 0, 1)

    assert np.abs(colours(path) - colours(short_film)).mean() < 0.7  # Lab units


@pytest.mark.parametrize("pix_fmt", ["gray", "yuv420p"])
def test_a_grey_film_is_refused(short_film, tmp_path, pix_fmt):
    path = tmp_path / "grey.mkv"
    ffmpeg("-i", short_film, "-vf", f"hue=s=0,format={pix_fmt}", "-c:v", "ffv1", path)
    with pytest.raises(MediaError, match="no colour truth"):
        evaluate_film(path, RunOptions())


def vidcolor_eval(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "vidcolor", "eval", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_what_is_printed(short_film, report):
    data = json.loads(vidcolor_eval(short_film, "--res", 64, "--json").stdout)
    assert (data["type"], data["kind"], data["weights"]) == ("eval", "film", report.weights)
    assert data["all"]["gain"] == pytest.approx(report.film["gain"]) and len(data["shots"]) == 2
    rows = list(csv.DictReader(vidcolor_eval(short_film, "--res", 64, "--csv").stdout.splitlines()))
    assert [row["shot"] for row in rows] == ["1", "2", "all"]
    assert float(rows[2]["flicker_ratio"]) == pytest.approx(report.film["flicker_ratio"], rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["missing.mkv"], 2, "no such file"),
        (["{film}", "{film}"], 2, "one film at a time"),
        (["{film}", "--sheet", "sheet.png"], 2, "--sheet with a film"),
        (["{film}", "--model", "lite,resnet38"], 2, "one --model"),
        (["{grey}"], 1, "no colour truth"),
    ],
)
def test_mistakes_are_one_line(short_film, samples, arguments, code, says):
    result = vidcolor_eval(*(a.format(film=short_film, grey=samples / "film.mkv") for a in arguments))
    (line,) = result.stderr.strip().splitlines()
    assert result.returncode == code and line.startswith("vidcolor: ") and says in line
