"""`make shots-check`: F1 of cuts and dissolves on films that are labelled, and on their shots joined anew in known ways.

Joined films come from a seed: hard cuts, dissolves, fades through black and black leader, in five states of wear.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from marks import LABELLED, Score, score_of_cuts, score_of_dissolves
from scenes import dissolve, flash, flicker, luma, scratched

from vidcolor.temporal.shots import ShotDetector

SAMPLES = Path(__file__).parents[2] / "samples"
SIZE = (144, 192)  # rows, columns of joined films
STATES = ("clean", "flashes", "flicker", "scratches", "all together")
FADE = 12  # frames to black, and as many from it
LEAST = 12  # frames that are mixed with none before the next join


def small_luma_of(path: Path, short_side: int = 144) -> list[np.ndarray]:
    """A film's luma, (h, w) uint8, scaled by area."""
    pictures = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = (frame if frame.format.name != "yuv420p10le" else frame.reformat(format="yuv420p")).planes[0]
            y = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            scale = short_side / min(y.shape)
            size = (round(y.shape[1] * scale), round(y.shape[0] * scale))
            pictures.append(cv2.resize(np.ascontiguousarray(y), size, interpolation=cv2.INTER_AREA))
    return pictures


def found_in(film) -> tuple[list[int], list[tuple[int, int]]]:
    """Cuts and dissolves [first, end) as the detector tells them."""
    detector = ShotDetector()
    decisions = [decision for picture in film for decision in detector.push(picture)] + detector.flush()
    marks = [0, *(int(decision.dissolve) for decision in decisions), 0]
    edges = np.flatnonzero(np.diff(marks))
    return [n for n, decision in enumerate(decisions) if decision.cut], list(zip(edges[::2], edges[1::2], strict=True))


def joined(films: list[list[np.ndarray]], rng: np.random.Generator, count: int = 12):
    """`count` pieces of shots in a row, each of another film than the one before, with how they were joined.

    Args:
        films: their shots.

    Returns:
        The film (n, h, w) float32; first frames after hard cuts; dissolves [first, end); fades, which count for neither.
    """
    source = rng.integers(len(films))
    film, cuts, dissolves, fades = _piece(films[source], rng), [], [], []
    black = np.full((1, *SIZE), 16, np.float32)
    for _ in range(count - 1):
        source = (source + rng.integers(1, len(films))) % len(films)
        way, other = (
            rng.choice(["cut", "dissolve", "fade", "leader"], p=[0.5, 0.3, 0.1, 0.1]),
            _piece(films[source], rng),
        )
        plain = len(film) - max([0, *(end for _, end in dissolves + fades)])
        frames = int(rng.choice([12, 24, 48]))
        if way == "cut" or (way == "dissolve" and plain < frames + LEAST):
            cuts.append(len(film))
            film = np.concatenate((film, other))
        elif way == "dissolve":
            dissolves.append((len(film) - frames, len(film)))
            film = dissolve(film, other, frames)
        elif way == "fade":
            fades.append((len(film) - FADE, len(film) + FADE + 1))
            film = dissolve(dissolve(film, np.repeat(black, 2 * FADE + 1, 0), FADE), other, FADE)
        else:
            leader = np.repeat(black, rng.integers(8, 40), 0)
            cuts += [len(film), len(film) + len(leader)]
            film = np.concatenate((film, leader, other))
    return film, cuts, dissolves, fades


def _piece(shots: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """60 to 100 frames of one of a film's shots, or all that it has."""
    shot = shots[rng.integers(len(shots))]
    length = min(len(shot), int(rng.integers(60, 101)))
    first = rng.integers(len(shot) - length + 1)
    return shot[first : first + length].astype(np.float32)


def worn(film: np.ndarray, state: str, rng: np.random.Generator) -> np.ndarray:
    """The film in one of STATES, (n, h, w) uint8."""
    together = state == "all together"
    if state == "flicker" or together:
        slow = 1 + 0.08 * np.sin(np.arange(len(film)) / rng.uniform(3, 12))
        across = 1 + 0.05 * np.linspace(-1, 1, film.shape[2]) * rng.standard_normal((len(film), 1))
        film = flicker(film, int(rng.integers(1 << 30)), 0.07) * (slow[:, None] * across)[:, None].astype(np.float32)
    if state == "flashes" or together:
        for at in range(int(rng.integers(10, 40)), len(film) - 10, 40):
            film = flash(film, at + int(rng.integers(20)), int(rng.integers(1, 3)))
    if state == "scratches" or together:
        film = scratched(film, int(rng.integers(1 << 30)))
        weave = rng.integers(-1, 2, (len(film), 2))
        film = np.stack([np.roll(picture, tuple(by), (0, 1)) for picture, by in zip(film, weave, strict=True)])
    return luma(film)


def measured(film, cuts: list[int], dissolves: list[tuple[int, int]], fades: Sequence[tuple[int, int]] = ()):
    """How well the detector does on a film: a score for its cuts, one for its dissolves. What it finds in fades is left out."""
    found, gradual = found_in(film)
    found = [cut for cut in found if not any(first <= cut < end for first, end in fades)]
    gradual = [d for d in gradual if not any(first < d[1] and d[0] < end for first, end in fades)]
    return score_of_cuts(found, cuts), score_of_dissolves(gradual, dissolves)


def shots_between(film, cuts: list[int], dissolves: list[tuple[int, int]]) -> list[np.ndarray]:
    """The shots of a film that have 60 frames or more, at SIZE, without the frames of dissolves."""
    edges = sorted([(0, 0), (len(film), len(film)), *((cut, cut) for cut in cuts), *dissolves])
    pieces = [film[end:first] for (_, end), (first, _) in zip(edges, edges[1:])]
    scaled = lambda y: cv2.resize(y, SIZE[::-1], interpolation=cv2.INTER_AREA)
    return [np.stack([scaled(y) for y in piece]) for piece in pieces if len(piece) >= 60]


def total(scores: list[Score]) -> Score:
    return Score(*(sum(column) for column in zip(*scores, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, help="the folder of the labelled films")
    parser.add_argument("--joined", type=int, default=3, help="how many films are joined in each state")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sample = json.loads((SAMPLES / "labels.json").read_text())["film.mp4"]
    labels = {arguments.films / name: label[:2] for name, label in LABELLED.items()}
    labels[SAMPLES / "film.mp4"] = (sample["cuts"], [tuple(d) for d in sample["dissolves"]])
    scores, films = {"labelled films": []}, []
    for path, (cuts, dissolves) in labels.items():
        film = small_luma_of(path)
        scores["labelled films"].append(measured(film, cuts, dissolves))
        films.append(shots_between(film, cuts, dissolves))
    for place, state in enumerate(STATES):
        scores[state] = []
        for n in range(arguments.joined):
            rng = np.random.default_rng((arguments.seed, place, n))
            film, *known = joined(films, rng)
            scores[state].append(measured(worn(film, state, rng), *known))
    scores["all joined films"] = [score for state in STATES for score in scores[state]]
    print(
        "| | cuts | found falsely | missed | F1 | dissolves | found falsely | missed | F1 |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name, rows in scores.items():
        cells = [
            f"{s.hits + s.missed} | {s.false} | {s.missed} | {s.f1:.3f}" for s in map(total, zip(*rows, strict=True))
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
