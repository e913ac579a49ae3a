"""Everything beside the picture: streams, chapters, attachments and tags of a source and of its output."""

from __future__ import annotations

from fractions import Fraction

from vidcolor.film.verify.finding import Finding
from vidcolor.media.container_times import CHAPTER_SLACK, earlier, held_chapters, moves_chapters, tick
from vidcolor.media.contents import Content, read_contents, samples_of
from vidcolor.media.empty_streams import empty_streams
from vidcolor.media.mp4_tags import lost_tags
from vidcolor.media.probe import FilmInfo, StreamInfo
from vidcolor.media.stream_labels import held_marks, written_language
from vidcolor.media.streams import TRANSPORT_STREAM, StreamPlan, plan_streams
from vidcolor.media.timecode import advanced

# Tags about a file's bytes or its writer, not about the film; and the comment, which says that colour was added.
_OF_THE_FILE = frozenset(
    ["encoder", "major_brand", "minor_version", "compatible_brands", "duration", "comment", "software"]
)
# Between MPEG-TS and the others these are packed in another way: headers go into the packets or out of them.
_REPACKED = frozenset(["aac", "h264", "hevc"])
_TIME_CODED = frozenset({".mp4", ".mov", ".mkv"})  # containers that say the time code of their first frame


def compare_streams(info: FilmInfo, made: FilmInfo, piece: tuple[int, int | None] | None) -> list[Finding]:
    """A finding for every stream of the source but the film, and one for their number.

    Args:
        piece: first pts and end (exclusive; None: that of the film) of the part that was made; None: the whole film.
    """
    suffix = made.path.suffix.lower()
    empty = empty_streams(info, suffix, piece)
    plans = [plan for plan in plan_streams(info, suffix) if plan.action != "colour"]
    expected = [p for p in plans if p.action not in ("drop", "remake") and p.stream.index not in empty]
    partners = _partners(expected, [stream for stream in made.streams if stream.index != made.film])
    old = read_contents(info, [plan.stream.index for plan in expected])
    new = read_contents(made, [stream.index for stream in partners.values() if stream is not None])
    found = []
    for plan in plans:
        name, codec = _name(plan.stream), plan.stream.codec
        if plan not in expected:
            found.append(Finding(name, codec, "", "stated", empty.get(plan.stream.index, plan.note)))
            continue
        partner = partners[plan.stream.index]
        if partner is None:
            found.append(Finding(name, codec, "missing", "differs", "the output has no such stream"))
            continue
        slack = max(_base(plan.stream), _base(partner), tick(suffix) or Fraction(0))
        faults = _faults(plan, partner, suffix)
        crosses = (info.container == "mpegts") != (suffix in TRANSPORT_STREAM)
        repacked = crosses and codec in _REPACKED
        if not piece:
            wanted = old[plan.stream.index].moved(-earlier(info, suffix, None))
            faults += _content_faults(plan, wanted, new[partner.index], slack, crosses)
            if plan.action == "convert" and plan.stream.kind == "audio":
                same = samples_of(info, plan.stream.index) == samples_of(made, partner.index)
                faults += [] if same else ["its samples are not the source's"]
        content = new[partner.index]
        words = f"{partner.codec}, {content.packets} packets"
        verdict = "differs" if faults else "stated" if plan.note else "same"
        fine = "cut to the piece" if piece else "the same packets, repacked" if repacked else "the same bytes"
        note = "; ".join(faults) or plan.note or fine
        found.append(Finding(name, f"{codec}, {old[plan.stream.index].packets} packets", words, verdict, note))
    return [*found, _order(expected, partners, made)]


def _name(stream: StreamInfo) -> str:
    kind = "cover" if stream.attached_picture else stream.kind
    return f"{kind} stream {stream.index}" + (f" ({stream.language})" if stream.language else "")


def _base(stream: StreamInfo) -> Fraction:
    return stream.time_base or Fraction(1, 1000)


def _partners(plans: list[StreamPlan], streams: list[StreamInfo]) -> dict[int, StreamInfo | None]:
    """The output's stream for each of the source's: the first of its kind and codec, of its language if it can be."""
    left, partners = list(streams), {}
    for plan in plans:
        codec = plan.codec or plan.stream.codec
        alike = [s for s in left if _kind(s) == _kind(plan.stream) and (s.codec == codec or plan.action == "convert")]
        alike.sort(key=lambda s: _language(s) != _language(plan.stream))
        partners[plan.stream.index] = alike[0] if alike else None
        if alike:
            left.remove(alike[0])
    return partners


def _kind(stream: StreamInfo) -> str:
    return "attached picture" if stream.attached_picture else stream.kind


def _language(stream: StreamInfo) -> str:
    return stream.language or "und"


def _faults(plan: StreamPlan, partner: StreamInfo, suffix: str) -> list[str]:
    source, faults = plan.stream, []
    if written_language(source, suffix) not in (None, "und", _language(partner)):
        faults.append(f"its language is {_language(partner)}")
    if lost := held_marks(source, suffix) - set(partner.dispositions):
        faults.append(f"it is not marked {', '.join(sorted(lost))}")
    if source.title and partner.title not in (source.title, None):
        faults.append(f"its title is '{partner.title}'")
    return faults


def _content_faults(plan: StreamPlan, old: Content, new: Content, slack: Fraction, crosses: bool) -> list[str]:
    """What is wrong with what a stream holds.

    Args:
        crosses: it went into MPEG-TS or out of it.
    """
    faults = []
    # Matroska does not say how long ALAC's last packet is, MP4 says of sound how much of it is heard, MPEG-TS all.
    loose = old.open_ended or new.open_ended or (crosses and plan.stream.kind == "audio")
    last = ("has its last packet", old.last, new.last) if loose else ("ends", old.end, new.end)
    for what, before, after in (("begins", old.start, new.start), last):
        if plan.action != "attach" and before is not None and (after is None or abs(before - after) > slack):
            faults.append(f"it {what} at {_seconds(after)}, not at {_seconds(before)}")
    if crosses and plan.stream.codec in _REPACKED:
        return faults if old.packets == new.packets else [*faults, "it has another number of packets"]
    if plan.action != "convert" and old.digest != new.digest:
        faults.append("its bytes are not the source's")
    if len(old.cues) != len(new.cues):
        return [*faults, f"there are {len(new.cues)} subtitles, not {len(old.cues)}"]
    moved = [time for time, now in zip(sorted(old.cues), sorted(new.cues), strict=True) if abs(time - now) > slack]
    if moved:
        faults.append(f"{len(moved)} subtitles begin at another time, the first is that at {_seconds(moved[0])}")
    return faults


def _seconds(time: Fraction | None) -> str:
    return "no time" if time is None else f"{float(time):.4f} s"


def _order(plans: list[StreamPlan], partners: dict[int, StreamInfo | None], made: FilmInfo) -> Finding:
    places = [partners[plan.stream.index].index for plan in plans if partners[plan.stream.index] is not None]
    others = len(made.streams) - 1
    rising = places == sorted(places)
    few = others < len(plans)
    verdict = "differs" if few or not rising else "same"
    note = "" if rising else "they are in another order"
    return Finding("streams beside the film", str(len(plans)), str(others), verdict, note)


def compare_chapters(info: FilmInfo, made: FilmInfo, without: str) -> list[Finding]:
    """Their number, times and names.

    Args:
        without: why the output has none; empty: it has those of the source.
    """
    old, new = info.chapters, made.chapters
    if without:
        verdict, note = ("differs", without) if new else ("stated" if old else "same", without if old else "")
        return [Finding("chapters", str(len(old)), str(len(new)), verdict, note)]
    faults = [] if len(old) == len(new) else ["their numbers differ"]
    suffix = made.path.suffix.lower()
    held = held_chapters(info, suffix)
    for number, (before, (start, end), after) in enumerate(zip(old, held, new, strict=False), 1):
        if before.title != after.title:
            faults.append(f"chapter {number} is called '{after.title}', not '{before.title}'")
        if max(abs(start - after.start), abs(end - after.end)) > CHAPTER_SLACK:
            faults.append(f"chapter {number} is at {_seconds(after.start)} to {_seconds(after.end)}")
    moved = moves_chapters(info, suffix)
    verdict, note = "differs" if faults else "stated" if moved else "same", "; ".join(faults)
    note = note or ("the first begins at 0, and each lasts until the next" if moved else "")
    return [Finding("chapters", str(len(old)), str(len(new)), verdict, note)]


def compare_tags(info: FilmInfo, made: FilmInfo, without: str, piece: bool) -> list[Finding]:
    """The container's tags: every one of the source's is in the output; but a piece has a time code of its own.

    Args:
        without: why the output has none; empty: it has those of the source.
    """
    if without:
        verdict, note = ("stated", without) if info.container_tags else ("same", "")
        return [Finding("tags", str(len(info.container_tags)), "0", verdict, note)]
    old, new = ({name.lower(): value for name, value in each.container_tags} for each in (info, made))
    own = _OF_THE_FILE | {"timecode"} if piece else _OF_THE_FILE
    beside_cover = {name.lower() for name in lost_tags(info, made.path.suffix.lower())}
    wanted = {name: value for name, value in old.items() if name not in own | beside_cover}
    lost = [
        f"{name} is '{new[name]}'" if name in new else f"{name} is missing"
        for name in wanted
        if new.get(name) != wanted[name]
    ]
    if "comment" in old and old["comment"] not in new.get("comment", ""):
        lost.append("the source's comment is missing")
    verdict = "differs" if lost else "stated" if beside_cover else "same"
    if beside_cover and not lost:
        lost = [f"{', '.join(sorted(beside_cover))}: a cover picture leaves no place for them"]
    return [Finding("tags", str(len(old)), str(len(new)), verdict, "; ".join(lost))]


def compare_time_code(info: FilmInfo, made: FilmInfo, first: int | None) -> list[Finding]:
    """That of the first frame, where the source has one and the container of the output can say it.

    Args:
        first: pts of the first frame of a piece; None: the whole film was made.
    """
    old, new = _time_code(info), _time_code(made)
    if old is None or made.path.suffix.lower() not in _TIME_CODED:
        return []
    wanted, note = old, ""
    if first is not None:
        rate = info.average_rate or Fraction(25)
        wanted = advanced(old, round((first - info.start_pts) * info.time_base * rate), rate)
        note = "that of the piece's first frame" if wanted else "the source's is none"
    good = new == wanted
    return [Finding("time code", old, new or "none", "same" if good else "differs", note if good else f"not {wanted}")]


def _time_code(info: FilmInfo) -> str | None:
    tags = (*info.film_stream.tags, *info.container_tags)
    return next((code for name, code in tags if name.lower() == "timecode"), None)


def compare_service(info: FilmInfo, made: FilmInfo) -> list[Finding]:
    """Number and names of a broadcast, between transport streams."""
    old, new = info.service, made.service
    if old is None or made.path.suffix.lower() not in TRANSPORT_STREAM:
        return []
    names, now = dict(old.names), dict(new.names) if new else {}
    lost = [f"{name} is '{now.get(name, '')}'" for name in names if now.get(name) != names[name]]
    if new is None or (old.number and new.number != old.number):
        lost.append("it has another number")
    words, output = (
        f"{each.number} {' '.join(dict(each.names).values())}".strip() if each else "none" for each in (old, new)
    )
    return [Finding("service", words, output, "differs" if lost else "same", "; ".join(lost))]
