"""Films whose shots are labelled, and how well those that were found agree with them."""

from collections.abc import Sequence
from typing import NamedTuple

# By their place in the test data: first frames of new shots, checked by eye; dissolves, from the first mixed frame to the
# first that is not; frames of the film.
LABELLED = {
    "video/bw_abomb_1950s.mp4": ([44, 134, 299], [], 360),
    "video/bw_friday_1940.mp4": ([], [], 185),
    "video/bw_london_1900s.mp4": ([60, 300], [], 350),
    "video/bw_polar_1951.mp4": ([34, 134, 207, 290], [], 399),
    "video/col_bikes_cuts.mp4": ([30, 76, 137, 187, 242], [], 250),
    "video/col_cockatoo_444.mp4": ([], [], 280),
    "video/col_party_hedge.mp4": ([], [], 150),
    "video/col_yoga_sky.mp4": ([], [], 300),
    "awkward/07_hevc10_nasa.mp4": ([202], [(118, 141)], 325),
}


class Score(NamedTuple):
    """How well marks agree with labels."""

    hits: int
    false: int
    missed: int

    @property
    def f1(self) -> float:
        """2·hits / (2·hits + false + missed); 1 where there was nothing to find and nothing was found."""
        total = 2 * self.hits + self.false + self.missed
        return 2 * self.hits / total if total else 1.0


def score_of_cuts(found: Sequence[int], labelled: Sequence[int]) -> Score:
    """A found cut counts when it lies within 1 frame of a labelled one; each label counts once."""
    left = list(labelled)
    for cut in found:
        near = [label for label in left if abs(label - cut) <= 1]
        if near:
            left.remove(min(near, key=lambda label: abs(label - cut)))
    hits = len(labelled) - len(left)
    return Score(hits, len(found) - hits, len(left))


def score_of_dissolves(found: Sequence[tuple[int, int]], labelled: Sequence[tuple[int, int]]) -> Score:
    """A found dissolve [start, end) counts when it shares with a labelled one at least half of the longer one."""
    left = list(labelled)
    for start, end in found:
        for label in left:
            if 2 * (min(end, label[1]) - max(start, label[0])) >= max(end - start, label[1] - label[0]):
                left.remove(label)
                break
    hits = len(labelled) - len(left)
    return Score(hits, len(found) - hits, len(left))
