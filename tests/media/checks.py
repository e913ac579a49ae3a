"""What must hold between a film and its output, with ffprobe as the witness."""

from __future__ import annotations

from fractions import Fraction

from witness import Result, describe, packets


def check_frames(result: Result) -> None:
    times = result.source_times()
    shown = result.output_times()
    assert len(shown) == len(times) == result.written
    for index, (ours, theirs) in enumerate(zip(shown, times, strict=True)):
        assert theirs is None or ours == result.expected(theirs), f"frame {index}"


def check_streams(result: Result) -> None:
    source, output = describe(result.source), describe(result.output)
    # A time code is a data stream in MP4 and a tag elsewhere.
    kept, written = ([s for s in d["streams"] if s["codec_type"] != "data"] for d in (source, output))
    assert [s["codec_type"] for s in written] == [s["codec_type"] for s in kept]
    mp4 = result.encoding.suffix in (".mp4", ".mov")
    for old, new in zip(kept, written, strict=True):
        flags = {name for name, set_ in old["disposition"].items() if set_}
        assert flags <= {name for name, set_ in new["disposition"].items() if set_}
        language = old.get("tags", {}).get("language")
        assert language in (None, "und") or language == new["tags"]["language"]
        title = old.get("tags", {}).get("title")
        assert title is None or mp4 or title == new["tags"]["title"]
        if old["codec_type"] == "audio":
            check_sound(result, old, new)
    chapters = [(c["start_time"], c["tags"]["title"]) for c in source["chapters"]]
    assert [(c["start_time"], c["tags"]["title"]) for c in output["chapters"]] == chapters


def check_sound(result: Result, old: dict, new: dict) -> None:
    assert old["codec_name"] == new["codec_name"]
    before, after = packets(result.source, old["index"]), packets(result.output, new["index"])
    assert sum(size for _, size in after) == sum(size for _, size in before)
    tolerance = max(Fraction(old["time_base"]), Fraction(new["time_base"]))
    assert abs(after[0][0] - before[0][0]) <= tolerance
    if len(before) == len(after):
        assert all(abs(a - b) <= tolerance for (a, _), (b, _) in zip(after, before, strict=True))


def check_picture(result: Result) -> None:
    old = describe(result.source)["streams"][result.info.film]
    film, frames = result.output_frames()
    new = describe(result.output)["streams"][film]
    assert (new["width"], new["height"]) == (old["width"], old["height"])
    # ffprobe's "tb" and "bt" are the orders of displaying and of storing; which field is shown first is what counts.
    order = {"tb": "tt", "bt": "bb"}
    old, new = ({**s, "field_order": order.get(s.get("field_order"), s.get("field_order"))} for s in (old, new))
    for tag in ("color_transfer", "color_primaries", "field_order", "sample_aspect_ratio"):
        unset = (None, "unknown", "gbr", "0:1")
        assert old.get(tag) in unset or new.get(tag) == old.get(tag), tag
    if old.get("color_space") not in (None, "gbr"):
        assert new.get("color_space") == old["color_space"]
    rotations = [[d.get("rotation") for d in s.get("side_data_list", []) if "rotation" in d] for s in (old, new)]
    assert rotations[0] == rotations[1]
    assert {f["interlaced_frame"] for f in frames} == {int(result.info.interlaced and result.encoding.interlaced)}
