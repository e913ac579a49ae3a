"""One picture, coloured the way a film's frames are, but that the network sees it both ways round."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidcolor.backends.choose import choose_backend, choose_model, open_backend
from vidcolor.color.chroma import ChromaMerger
from vidcolor.color.luma import LumaView, both_ways
from vidcolor.color.rgb import rgb_of_planes
from vidcolor.color.yuv import YuvFormat
from vidcolor.config import RunOptions, WorkOptions
from vidcolor.film.disk import told_when_full
from vidcolor.film.events import Event, Report, film_event, warning_event
from vidcolor.film.outputs import check_output, output_for
from vidcolor.film.provenance import STATEMENT, check_sidecar, write_record
from vidcolor.media.pictures import check_holds, losses, read_picture, write_picture
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import find_weights

_FILMS_ALONE = frozenset(
    ["smooth", "codec", "crf", "preset", "start", "end", "rate", "stdout_format", "on_damage", "decoder", "deinterlace"]
    + ["verify", "max_frames"]
)
log = logging.getLogger(__name__)


class StillColourer:
    """Colours grey pictures of any size with one network."""

    def __init__(self, options: RunOptions, say: Callable[[str], None] = log.warning) -> None:
        options.validate()
        self._say = say
        self.options = options
        self.model = choose_model(options.model)
        self.backend = choose_backend(options.backend)
        self.spec = find_spec(self.model.name)
        self.weights = find_weights(self.spec, options.weights)
        self.info = None  # BackendInfo, once a picture was coloured

    def colour(self, luma: np.ndarray) -> np.ndarray:
        """Grey picture (H, W), uint8 or uint16, full range, sRGB-like → R'G'B' (H, W, 3) of the same type.

        Each pixel's BT.709 luma is the given one, within rounding.
        """
        height, width = luma.shape
        depth = 8 * luma.itemsize
        fmt = YuvFormat(depth, True, "bt709", "bt709", "sdr", 1, 1, "center")
        view = LumaView(fmt, width, height, Fraction(1), self.options.res, self.spec.stride, self.spec.output_stride)
        threads = self.options.threads or os.cpu_count() or 1
        backend = open_backend(self.backend.name, self.weights, *view.size, threads, self._say)
        self.info = backend.info

        def answer(small: np.ndarray) -> np.ndarray:
            return view.crop(backend.start(view.lightness(small)[None, None])()[0])

        ab = both_ways(answer, view.shrink(luma))
        u, v = ChromaMerger(fmt, width, height, self.options.saturation).planes(luma, np.ascontiguousarray(ab))
        return rgb_of_planes(luma, u, v, fmt)


def colour_still(
    source: Path,
    output: Path | None,
    many: bool,
    options: RunOptions,
    *,
    overwrite: bool,
    dry_run: bool,
    report: Report,
    work: WorkOptions = WorkOptions(),
) -> Event:
    """Colour one picture. Returns its `film` event, with ``kind`` "picture".

    Raises:
        VidcolorError: it could not be done; nothing stands under the final name.
    """
    started = time.monotonic()
    target = output_for(source, output, many, source.suffix)
    picture = read_picture(source, options.max_pixels)
    check_output(source, target, overwrite)
    check_holds(target, picture)
    check_sidecar(target, options, overwrite)
    if unused := _unused(options, work, many):
        report(warning_event(source, f"of no use for a picture: {', '.join(unused)}"))
    colourer = StillColourer(options, say=lambda text: report(warning_event(source, text)))
    plan = {
        "type": "plan",
        "kind": "picture",
        "input": str(source),
        "output": str(target),
        "dry_run": dry_run,
        "picture": f"{picture.luma.shape[1]}×{picture.luma.shape[0]}, {8 * picture.luma.itemsize} bit",
        "model": colourer.spec.name,
        "model_reason": colourer.model.reason,
        "backend": colourer.backend.name,
        "backend_reason": colourer.backend.reason,
        "converted": losses(picture, target),
    }
    report(plan)
    if picture.coloured:
        report(warning_event(source, "the picture has colour already; it is coloured anew from its luma alone"))
    facts = {"output": str(target), "model": colourer.spec.name, "weights": colourer.weights.hash}
    if not dry_run:
        rgb = colourer.colour(picture.luma)
        with told_when_full(target):
            write_picture(target, rgb, picture, STATEMENT if options.tag else "")
        info = colourer.info
        facts |= {"backend": info.name, "precision": info.precision, "device": info.device}
        if options.provenance:
            write_record(source, target, target, options, {k: v for k, v in facts.items() if k != "output"})
    facts["converted"] = plan["converted"]
    return film_event(source, kind="picture", **facts, seconds=round(time.monotonic() - started, 3), dry_run=dry_run)


def _unused(options: RunOptions, work: WorkOptions, many: bool) -> list[str]:
    """Options that were given and say nothing to a picture; of several inputs, which may be films, only --verify."""
    names = ("verify",) if many else _FILMS_ALONE
    given = (field.name for field in fields(options) if getattr(options, field.name) != field.default)
    unused = [f"--{name.replace('_', '-')}" for name in given if name in names]
    return unused if many else unused + work.given()
