import cv2
import numpy as np
import pytest
from scenes import SIZE, dissolve, flash, flicker, luma, plain_ab, scratched, shot, texture, to_and_fro

from vidcolor.errors import UsageError
from vidcolor.evaluation.films import chroma_flicker, motion_of_shot
from vidcolor.temporal.keys import PACE
from vidcolor.temporal.window import TemporalWindow


def run(film, ab, strength=1.0, start=0):
    """Everything that comes out of a window; `start` is the number of the first frame in the whole film."""
    window, done, answers = TemporalWindow(strength), [], iter(ab)

    def answer(decisions):
        for factor in decisions:
            ab_ = next(answers)
            done.extend(window.push(None if factor is None else ab_))

    for number, picture in enumerate(film, start):
        answer(window.see(picture, number // PACE))
    answer(window.see_end())
    done += window.flush()
    assert [index for index, _, _ in done] == list(range(len(film)))
    return done


def smoothed(film, ab, strength=1.0):
    return np.stack([ab for _, ab, _ in run(film, ab, strength)])


def noisy_ab(film, seed, noise=4.0):
    """Colours that follow luma, with the noise of a network that sees each frame alone."""
    rng = np.random.default_rng(seed)
    half = [cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for picture in film]
    clean = np.stack([np.stack((picture * 0.2 - 20, 30 - picture * 0.3)) for picture in half]).astype(np.float32)
    blotches = rng.standard_normal(clean.shape).astype(np.float32)
    blotches = np.stack([[cv2.GaussianBlur(plane, (0, 0), 4) for plane in frame] for frame in blotches])
    return clean, clean + noise * blotches / blotches.std()


@pytest.fixture(scope="module")
def eventful():
    """A film of 740 frames with cuts, a dissolve, a flash, wear, held pictures, a shot of one frame and a long one."""
    mixed = dissolve(shot(3, 60), shot(4, 60, (-0.7, 0.1)), 24)
    worn = scratched(flicker(shot(2, 50, (1.5, 0)), 1), 2)
    held = np.repeat(shot(5, 10), (1, 3, 2, 3, 2, 9, 1, 1, 2, 1), 0)
    long = to_and_fro(flicker(shot(8, 60), 3), 4)
    film = luma(np.concatenate((flash(shot(1, 40), 20), worn, mixed, shot(7, 1), held, shot(6, 260)[:48], long)))
    assert len(film) == 740
    return film, noisy_ab(film, 9)[1]


def test_a_piece_with_its_context_equals_one_run_bit_for_bit(eventful):
    film, ab = eventful
    whole = run(film, ab)
    for start, end in ((0, 30), (30, 41), (188, 215), (215, 400), (400, 401), (520, 570), (600, 740)):
        first = max(0, start - TemporalWindow.CONTEXT_BEFORE)
        last = end + TemporalWindow.CONTEXT_AFTER
        piece = run(film[first:last], ab[first:last], start=first)[start - first : end - first]
        for (_, ab_, decision), (_, whole_ab, whole_decision) in zip(piece, whole[start:end], strict=True):
            assert np.array_equal(ab_, whole_ab)
            assert decision == whole_decision


def answered(film, start, codes=None):
    """The ab of every frame where the network answers what it is shown: codes times the factor."""
    window, done, waiting = TemporalWindow(), [], list(film if codes is None else codes)

    def answer(decisions):
        for factor in decisions:
            picture = waiting.pop(0)
            shown = None if factor is None else np.float32(picture[None].repeat(2, 0)) * np.float32(factor / 8)
            done.extend(window.push(shown))

    for number, picture in enumerate(film):
        answer(window.see(picture, (start + number) // PACE, None if codes is None else codes[number]))
    answer(window.see_end())
    return np.stack([ab for _, ab, _ in done + window.flush()])


def test_a_piece_of_a_freeze_does_not_depend_on_how_the_freeze_began():
    still = np.float32(shot(1, 1))[0]
    film = np.concatenate((luma(np.stack([still * n / 30 for n in range(12, 30)])), luma(still[None]).repeat(520, 0)))
    start, end = 450, 470
    first, last = start - TemporalWindow.CONTEXT_BEFORE, end + TemporalWindow.CONTEXT_AFTER
    whole, piece = answered(film, 0)[start:end], answered(film[first:last], first)[start - first : end - first]
    assert np.array_equal(whole, piece)


def test_pictures_that_are_equal_in_8_bits_alone_are_not_taken_for_one_another():
    film = luma(shot(1, 1)).repeat(520, 0)
    codes = film.astype(np.uint16) * 4
    codes[:60] += 3  # in 10 bits, less than one 8-bit code: from here on, another picture
    start, end = 450, 470
    first, last = start - TemporalWindow.CONTEXT_BEFORE, end + TemporalWindow.CONTEXT_AFTER
    whole = answered(film, 0, codes)[start:end]
    assert np.array_equal(whole, answered(film[first:last], first, codes[first:last])[start - first : end - first])
    codes[:60] -= 3
    assert np.array_equal(whole, answered(film, 0, codes)[start:end])


def test_the_result_does_not_depend_on_the_number_of_threads(eventful):
    film, ab = eventful
    threads = cv2.getNumThreads()
    results = []
    try:
        for count in (1, 4):
            cv2.setNumThreads(count)
            results.append(smoothed(film[:60], ab[:60]))
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(*results)


def test_light_that_flickers_unevenly_costs_few_more_answers_of_the_network():
    """What its motion explains needs none: of a slow move every fourth frame is shown, at any exposure."""
    calm = shot(1, 60) * 0.7
    y, x = np.mgrid[-1 : 1 : SIZE[0] * 1j, -1 : 1 : SIZE[1] * 1j]
    gains = 1 + np.einsum("ng,ghw->nhw", np.random.default_rng(5).normal(0, 0.12, (60, 2)), np.stack((x, y)))
    for film in (luma(16 + calm), luma(16 + calm * gains)):
        window = TemporalWindow()
        asked = [factor for n, picture in enumerate(film) for factor in window.see(picture, n // PACE)]
        asked += window.see_end()
        assert sum(factor is not None for factor in asked) < 20


def test_colour_never_crosses_a_cut():
    film = luma(np.concatenate((shot(1, 30), shot(2, 30))))
    ab = np.concatenate((plain_ab(30, 40, 10), plain_ab(30, -40, -10)))
    result = smoothed(film, ab)
    assert np.abs(result - ab).max() < 1e-4


def test_strength_0_hands_ab_through_untouched(eventful):
    film, ab = eventful
    assert np.array_equal(smoothed(film, ab, 0), ab)


def test_half_strength_lies_between():
    film = luma(shot(1, 40))
    _, ab = noisy_ab(film, 3)
    motions = motion_of_shot(list(film[:, ::2, ::2]))
    none, half, full = (chroma_flicker(list(smoothed(film, ab, s)), motions) for s in (0, 0.5, 1))
    assert full < half < none


@pytest.mark.parametrize("strength", [0.25, 0.5, 1])
def test_neighbours_weigh_as_much_as_the_strength_says(strength):
    """Of a still picture, one key frame's answer is 1 more than all others. Five key frames on either side count, with
    5/6, 4/6 … 1/6 of the strength: 5 times the strength in all."""
    film = luma(shot(1, 1)).repeat(48, 0) + (np.arange(48) % 2).astype(np.uint8)[:, None, None]  # none is a copy
    ab = plain_ab(48, 10, 0)
    ab[20] += 1
    result = smoothed(film, ab, strength)[20, 0]
    assert result == pytest.approx(10 + 1 / (1 + 5 * strength), abs=0.05)


@pytest.mark.parametrize("strength", [0.5, 1])
def test_a_frames_own_answer_weighs_what_the_strength_leaves(strength):
    """A quarter of the picture is another in every frame, so every frame is asked; the rest is still."""
    film = luma(shot(1, 1)).repeat(40, 0)
    film[..., 72:] = luma(np.stack([texture(n, (72, 24)) for n in range(40)]))
    ab = plain_ab(40, 10, 0)
    ab[np.arange(40) % PACE != 0, 0] = 13
    result = smoothed(film, ab, strength)[18, 0, 8:-8, 4:20]  # from frames 16 and 20, and its own
    assert result == pytest.approx((2 * strength * 10 + (1 - strength) * 13) / (1 + strength), abs=0.1)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_other_strengths_are_refused(strength):
    with pytest.raises(UsageError, match="from 0"):
        TemporalWindow(strength)


def test_flicker_is_reduced_and_colour_kept():
    film = luma(shot(1, 50, (0.8, 0.4)))
    clean, ab = noisy_ab(film, 3)
    result = smoothed(film, ab)
    motions = motion_of_shot(list(film[:, ::2, ::2]))
    assert chroma_flicker(list(result), motions) < 0.3 * chroma_flicker(list(ab), motions)
    assert np.abs(result - clean).mean() < 0.5 * np.abs(ab - clean).mean()
    assert np.hypot(*result.swapaxes(0, 1)).mean() > 0.95 * np.hypot(*clean.swapaxes(0, 1)).mean()


def test_hues_that_waver_do_not_pale():
    film = luma(shot(1, 60, (0.8, 0.4)))
    angles = np.random.default_rng(7).uniform(-0.9, 0.9, len(film))
    ab = np.concatenate([plain_ab(1, 10 * np.cos(angle), 10 * np.sin(angle)) for angle in angles])
    result = smoothed(film, ab).mean((2, 3))
    hues = np.arctan2(result[:, 1], result[:, 0])
    assert np.abs(np.diff(hues)).mean() < 0.3 * np.abs(np.diff(angles)).mean()
    assert np.hypot(*result.T).mean() > 0.93 * 10  # the mean of such colours has 0.87 of their strength


def test_colours_that_contradict_each_other_stay_muted():
    film = luma(shot(1, 60, (0.8, 0.4)))
    ab = np.concatenate([plain_ab(1, -4 if n // PACE % 3 == 0 else 4, 0) for n in range(len(film))])
    assert (
        np.abs(smoothed(film, ab)[24:36, 0]).mean() < 0.75 * 4
    )  # their mean has a third, their root mean square all of it


def test_an_objects_colour_moves_with_it():
    ground, disc = texture(1), texture(2)
    film, ab, inside = [], [], []
    for n in range(30):
        mask = np.zeros(SIZE, np.uint8)
        cv2.circle(mask, (20 + 2 * n, 36), 14, 1, -1)
        film.append(np.where(mask, np.roll(disc, 2 * n, 1) * 0.5 + 120, ground * 0.5))
        small = mask[::2, ::2].astype(bool)
        ab.append(np.where(small, np.float32(40), np.float32(-20))[None].repeat(2, 0))
        inside.append(cv2.erode(mask[::2, ::2], np.ones((5, 5), np.uint8)).astype(bool))
    result = smoothed(luma(np.stack(film)), np.stack(ab))
    for n in range(30):
        assert result[n, 0][inside[n]].mean() > 37  # an average at fixed places falls to 10
    assert result[:, :, :4].max() < -19  # and the ground above keeps its own


def test_repeated_pictures_get_the_same_colour():
    film = luma(np.repeat(shot(1, 24), [2, 3] * 12, 0))
    _, noise = noisy_ab(luma(shot(1, 24)), 5)
    result = smoothed(film, np.repeat(noise, [2, 3] * 12, 0))
    same = [np.array_equal(film[n], film[n - 1]) for n in range(1, len(film))]
    assert sum(same) == 36
    for n, repeats in enumerate(same, 1):
        assert np.array_equal(result[n], result[n - 1]) == repeats


def test_a_dissolve_has_no_pop():
    film = luma(dissolve(shot(1, 60), shot(2, 60, (-0.4, 0.2)), 24))
    share = np.clip((np.arange(96) - 35) / 25, 0, 1)[:, None, None, None]
    ab = plain_ab(96, 40, 10) * (1 - share) + plain_ab(96, -40, -10) * share
    steps = np.abs(np.diff(smoothed(film, ab.astype(np.float32)), axis=0)).mean((2, 3))
    assert (steps < 1.2 * np.abs(np.diff(ab, axis=0)).max((0, 2, 3))).all()


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 40])
@pytest.mark.parametrize(
    ("size", "grid"), [((1, 1), (1, 1)), ((3, 7), (2, 4)), ((33, 51), (17, 26)), ((40, 50), (40, 50))]
)
def test_sizes_and_lengths(frames, size, grid):
    film = luma(np.concatenate([np.zeros((0, *size)), *(shot(seed, 1, size=size) for seed in range(frames))]))
    ab = np.full((frames, 2, *grid), 7, np.float32)
    result = [ab for _, ab, _ in run(film, ab)]
    assert all(frame.shape == (2, *grid) and frame.dtype == np.float32 for frame in result)
    assert all(np.allclose(frame, 7, atol=1e-4) for frame in result)
