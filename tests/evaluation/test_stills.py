"""A set of pictures coloured and measured: rows, gain, counts, the sheet."""

import json
import re

import cv2
import numpy as np
import pytest
from synthetic import photograph

from vidcolor.color.lab import srgb_to_lab
from vidcolor.evaluation import metrics, report, sheet, stills
from vidcolor.evaluation.summary import ALL, COLOURED, summarise
from vidcolor.models.registry import find_spec

SPEC = find_spec("lite")
SIZE = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five coloured pictures of several shapes, one near-grey, one grey, one that is no picture."""
    path = tmp_path_factory.mktemp("pictures")
    for seed, (height, width) in enumerate(((96, 128), (128, 96), (64, 64), (70, 200), (96, 96))):
        write(path / f"{seed}.png", photograph(seed, height, width))
    write(path / "near.png", photograph(8, 96, 96, colour=0.05))
    write(path / "plain.png", photograph(9, 96, 96, colour=0))
    (path / "text.jpg").write_text("not a picture")
    return path


def write(path, rgb):
    cv2.imwrite(str(path), rgb[..., ::-1])


def knowing(folder, res=SIZE, keep_aspect=False):
    """A colourer that finds the truth's ab by its L*."""
    known = {}
    for path in sorted(folder.glob("*.png")):
        truth = stills.at_size(cv2.imread(str(path))[..., ::-1], res, keep_aspect)
        lab = metrics.lab_of(truth)
        known[lab[..., 0].tobytes()] = lab[..., 1:]
    return lambda light: known[light.tobytes()]


@pytest.fixture(scope="module")
def measured(folder):
    half = knowing(folder)
    models = {"knowing": knowing(folder), "half": lambda light: half(light) / 2}
    return stills.measure([folder], models, SIZE)


def row(rows, answer, over=COLOURED):
    return next(r for r in rows if r.answer == answer and r.over == over)


def test_rows_counts_and_order(measured):
    rows = summarise(measured)
    assert [r.answer for r in rows if r.over == ALL] == ["grey", "mean ab", "truth", "knowing", "half"]
    assert {r.over: r.count for r in rows} == {ALL: 7, COLOURED: 5}
    assert measured.names == [*(f"{i}.png" for i in range(5)), "near.png", "plain.png"]
    assert dict(measured.skipped) == {"unreadable": 1}


def test_the_figures_of_grey_are_those_of_a_grey_picture(folder, measured):
    """Worked out again for one picture, from scratch."""
    truth = cv2.resize(cv2.imread(str(folder / "1.png"))[..., ::-1], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    lab = srgb_to_lab(truth / 255)
    linear = np.where(lab[..., 0] > 8, ((lab[..., 0] + 16) / 116) ** 3, lab[..., 0] * 27 / 24389)
    grey = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    grey = np.rint(grey * 255)[..., None].repeat(3, 2)
    figures = measured.figures["grey"][1]
    assert figures.psnr == pytest.approx(10 * np.log10(255**2 / np.mean((grey - truth) ** 2)), abs=0.01)
    assert figures.rmse == pytest.approx(np.sqrt((lab[..., 1:] ** 2).mean()), abs=0.02)
    assert measured.chroma[1] == pytest.approx(np.hypot(lab[..., 1], lab[..., 2]).mean(), abs=0.02)
    assert figures.cf < 0.1


def test_a_colourer_that_knows_the_truth_is_nearly_perfect(measured):
    values = row(summarise(measured), "knowing").values
    assert values["psnr"] > 48 and values["delta_e"] < 0.5 and values["ssim"] > 0.99
    assert values["cf_ratio"] == pytest.approx(1, abs=0.01) and values["auc"] > 0.995


def test_half_the_colour_lies_between(measured):
    rows = summarise(measured)
    half, knowing = row(rows, "half").values, row(rows, "knowing").values
    assert 0 < half["gain"] < knowing["gain"]
    assert half["cf_ratio"] == pytest.approx(0.5, abs=0.1)
    assert half["delta_cf"] == pytest.approx(row(rows, "truth").values["cf"] - half["cf"])
    assert half["gain"] == pytest.approx(half["psnr"] - row(rows, "grey").values["psnr"])
    assert half["auc_rebalanced"] < half["auc"]  # saturated colours are rarer, and halving them errs more


def test_the_truth_has_no_error_and_no_psnr(measured):
    values = row(summarise(measured), "truth").values
    assert values["psnr"] is None and values["gain"] is None
    assert values["delta_e"] == 0 and values["ssim"] == pytest.approx(1) and values["auc"] == 1


def test_equal_pictures_do_not_make_a_mean_infinite(measured):
    """The grey answer to a grey picture is that picture."""
    assert measured.figures["grey"][-1].psnr == pytest.approx(10 * np.log10(255**2 * 12))
    assert all(value is None or np.isfinite(value) for r in summarise(measured) for value in r.values.values())


def test_keeping_the_aspect_changes_the_size_alone(folder):
    measured = stills.measure([folder], {"knowing": knowing(folder, 48, True)}, 48, keep_aspect=True)
    sizes = {figures.pixels for figures in measured.figures["grey"]}
    assert sizes == {48 * 64, 48 * 48, 48 * 137}
    assert row(summarise(measured), "knowing").values["delta_e"] < 0.6


def test_threads_change_nothing(folder, measured):
    again = stills.measure([folder], {"knowing": knowing(folder)}, SIZE, threads=3)
    assert again.names == measured.names and again.figures["knowing"] == measured.figures["knowing"]


def test_a_network_is_given_whole_strides_and_its_ab_is_laid_over_the_picture():
    asked, shown = [], []

    def compile_for(width, height):
        def run(light):
            assert light.shape == (1, 1, height, width) and light.dtype == np.float32
            shown.append(light[0, 0])
            plane = light[0, 0].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
            return np.stack((plane, -plane))

        asked.append((width, height))
        return run

    colour = stills.NetworkColour(SPEC, compile_for, saturation=0.5)
    y, x = np.mgrid[:50, :70].astype(np.float32)
    light = x + y / 2
    ab = colour(light)
    colour(light)
    seen = np.stack(shown)
    assert asked == [(80, 64)] and ab.shape == (50, 70, 2)
    assert np.abs(ab[2:-2, 2:-2, 0] - light[2:-2, 2:-2] / 2).max() < 0.01  # a plane survives halving and enlarging
    assert np.array_equal(ab[..., 1], -ab[..., 0])
    assert np.array_equal(seen[:, :50, :70], [light, light[:, ::-1]] * 2)  # both ways round
    assert np.array_equal(seen[:, 50:, :], seen[:, 49:35:-1, :])  # mirrored, as in a run


def test_worst_and_best_are_among_the_coloured(measured):
    groups = sheet.worst_and_best(measured, "half", 2)
    gains = measured.column("half", "psnr") - measured.column("grey", "psnr")
    assert groups["best by gain"][0] == int(np.argmax(np.where(measured.coloured(), gains, -99)))
    assert groups["worst by gain"][0] == int(np.argmin(np.where(measured.coloured(), gains, 99)))
    assert all(position < 5 for positions in groups.values() for position in positions)


def test_a_sheet_shows_grey_answer_and_truth(folder, measured):
    truth_of = knowing(folder)
    drawn = sheet.sheet_of([folder], measured, {"half": lambda light: truth_of(light) / 2}, SIZE, count=2)
    worst = sheet.worst_and_best(measured, "half", 2)["worst by gain"][0]
    truth = stills.at_size(cv2.imread(str(folder / f"{worst}.png"))[..., ::-1], SIZE)
    found = cv2.matchTemplate(drawn, truth, cv2.TM_SQDIFF)
    y, x = np.unravel_index(found.argmin(), found.shape)
    np.testing.assert_array_equal(drawn[y : y + SIZE, x : x + SIZE], truth)
    half, grey = (drawn[y : y + SIZE, x - i * (SIZE + 2) :][:, :SIZE] for i in (1, 2))
    assert metrics.psnr(truth, half) == pytest.approx(measured.figures["half"][worst].psnr)
    assert metrics.psnr(truth, grey) == pytest.approx(measured.figures["grey"][worst].psnr)


@pytest.fixture(scope="module")
def whole_report(measured):
    model = report.Model("half", "lite", "ab" * 32, "openvino", "fp32", "a CPU")
    return report.Report(("pictures",), SIZE, False, 1.0, measured, (model,), tuple(summarise(measured)))


def test_json_is_strict_and_complete(whole_report):
    data = json.loads(json.dumps(report.to_json(whole_report), allow_nan=False))
    assert (data["pictures"], data["coloured"], data["near_grey"]) == (7, 5, 2)
    assert data["models"][0]["weights"] == "ab" * 32
    assert {r["answer"] for r in data["rows"]} == {"grey", "mean ab", "truth", "knowing", "half"}
    published = [r for r in data["published"]["rows"] if r["method"] == "Ambadkar & Bhatt, l1"]
    assert [(r["dataset"], r["psnr"]) for r in published] == [
        ("ImageNet", 24.2),
        ("Intel", 25.7),
        ("MirFlickr25", 23.6),
    ]


def test_csv_has_a_line_for_every_row(whole_report):
    lines = report.to_csv(whole_report).splitlines()
    assert lines[0].startswith("answer,over,count,psnr,psnr_std,gain,")
    assert len(lines) == 1 + 2 * 5 + 15
    assert any(line.startswith("half,coloured,5,") for line in lines)


def test_html_stands_alone(whole_report):
    page = report.to_html(whole_report, b"png")
    assert page.count("<table>") == 3 and "data:image/png;base64," in page
    assert not re.search(r"(src|href)=.http", page)
    for text in ("half", "weights abababababab", "5 coloured pictures", "2 of them near-grey", "1 unreadable"):
        assert text in page
