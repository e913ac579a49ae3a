"""A training set for a machine to which little can be brought: pictures scaled down, packed again, up to a size.

    python scripts/train_gpu_set.py --data photos/ --data more.tar --val held-back.tar -o build/gpu-set

writes train.tar and val.tar. Pictures are taken evenly from all sources until the set has the size asked for.
"""

from __future__ import annotations

import io
import random
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import cv2
import numpy as np

from vidcolor.errors import UsageError, VidcolorError
from vidcolor.files import whole_file
from vidcolor.training.data import load_pictures

VALIDATION_SHARE = 0.04  # of the size


def packed(pictures: Iterable[np.ndarray], quality: int) -> Iterator[bytes]:
    """Pictures (H, W, 3) uint8 sRGB as WebP files: colour at half the luma's size is all that a network is asked for."""
    for rgb in pictures:
        yield cv2.imencode(".webp", rgb[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()


def write_shard(path: Path, files: Iterable[bytes], most: float) -> tuple[int, int]:
    """A tar file of at most `most` bytes, whole or not at all. Returns (pictures, bytes)."""
    count = 0
    with whole_file(path) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as shard:
            for data in files:
                if shard.offset + 512 + -(-len(data) // 512) * 512 + tarfile.RECORDSIZE > most:
                    break
                member = tarfile.TarInfo(f"{count:06}.webp")
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))
                count += 1
        size = temporary.stat().st_size
    return count, size


def chosen(sources: tuple[Path, ...], side: int) -> list[np.ndarray]:
    """Every usable picture of the sources, in an order that is random but always the same."""
    pictures = load_pictures(list(sources), side).pictures
    random.Random(0).shuffle(pictures)
    return pictures


@click.command()
@click.option(
    "--data", multiple=True, required=True, type=click.Path(path_type=Path), help="Folder or shard; may be repeated."
)
@click.option("--val", multiple=True, required=True, type=click.Path(path_type=Path), help="The same, for validation.")
@click.option(
    "-o", "--output", default="build/gpu-set", show_default=True, type=click.Path(path_type=Path), help="Folder."
)
@click.option("--megabytes", default=38.0, show_default=True, help="Size of the whole set.")
@click.option("--side", default=144, show_default=True, help="Short side of the pictures, pixels.")
@click.option("--quality", default=40, show_default=True, help="Of WebP, 1 to 100.")
def main(
    data: tuple[Path, ...], val: tuple[Path, ...], output: Path, megabytes: float, side: int, quality: int
) -> None:
    """Make a shard set of a given size from folders and shards."""
    output.mkdir(parents=True, exist_ok=True)
    for name, sources, share in (("val", val, VALIDATION_SHARE), ("train", data, 1 - VALIDATION_SHARE)):
        pictures = chosen(sources, side)
        count, size = write_shard(output / f"{name}.tar", packed(pictures, quality), megabytes * 1e6 * share)
        if not count:
            raise UsageError("the set is empty", f"{megabytes:g} MB hold no picture", "Give --megabytes more.")
        click.echo(f"{output / name}.tar: {count} of {len(pictures)} pictures, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    try:
        main()
    except VidcolorError as error:
        sys.exit(f"train_gpu_set: {error}")
