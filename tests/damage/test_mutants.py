"""Two thousand damaged films: none hangs, none takes a batch down, all that can be decoded is coloured, and all is told."""

import collections
import platform

import pytest
from mutants import BASES, make_bases, run_mutants


@pytest.fixture(scope="module")
def bases(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    make_bases(samples / "film.mp4", folder)
    return folder


def test_every_undamaged_base_is_coloured_whole(bases, tmp_path):
    """Else what mutants of it show would mean nothing."""
    for outcome in run_mutants(range(len(BASES)), bases, tmp_path, bend=lambda data, random: (data, "nothing")):
        assert outcome.code == 0 and not outcome.faults(), outcome
        assert outcome.film["frames"] == 24 == outcome.decodable and not outcome.film["damaged"], outcome


@pytest.mark.parametrize("count", [40, pytest.param(2000, marks=pytest.mark.long)])
def test_no_mutant_hangs_crashes_or_goes_untold(count, bases, tmp_path):
    kinds, found, seconds, peak = collections.Counter(), [], [], 0
    for outcome in run_mutants(range(count), bases, tmp_path):
        if outcome.code:
            told = "refused for its clock" if "clock jumps" in outcome.stderr else "cannot be read"
            told = "failed as asked" if "is damaged: at" in outcome.stderr else told
        else:
            told = "damage told" if outcome.film["damaged"] else "nothing noticed"
        kinds[told] += 1
        seconds.append(outcome.seconds)
        peak = max(peak, outcome.peak_bytes)
        found += [(outcome.index, outcome.base, outcome.policy, outcome.done, fault) for fault in outcome.faults()]
    print(
        f"\n{count} mutants: {dict(kinds)}; {max(seconds):.1f} s at most, {peak >> 20} MiB at most; {platform.processor()}"
    )
    assert not found, "\n".join(map(str, found))
