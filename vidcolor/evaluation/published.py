"""Figures that were published elsewhere, to be read beside ours. They were measured on other pictures."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One method on one set: SSIM, PIQE, and PSNR in dB with the ± that the paper states."""

    method: str
    dataset: str
    ssim: float
    piqe: float
    psnr: float
    psnr_std: float


SOURCE = (
    "Ambadkar & Bhatt, A Simple Fast Resource-Efficient Deep Learning for Automatic Image Colorization, table 2 "
    "(1000 pictures of each set; not these pictures)"
)
_DATASETS = ("ImageNet", "Intel", "MirFlickr25")
_ROWS = {
    "Zhang 2017": ((0.91, 13.89, 23.7, 4.3), (0.95, 9.65, 24.9, 5.7), (0.89, 16.86, 22.9, 5.1)),
    "Zhang 2016": ((0.85, 13.84, 21.8, 3.4), (0.93, 9.77, 23.5, 3.2), (0.86, 16.94, 20.9, 3.7)),
    "DeOldify": ((0.89, 13.45, 21.9, 0.1), (0.91, 14.59, 22.7, 3.2), (0.87, 15.57, 20.9, 4.51)),
    "Ambadkar & Bhatt, l2": ((0.91, 12.61, 22.7, 3.8), (0.94, 8.88, 24.6, 5.7), (0.89, 14.97, 22.2, 4.5)),
    "Ambadkar & Bhatt, l1": ((0.92, 12.76, 24.2, 3.7), (0.95, 9.15, 25.7, 0.1), (0.91, 15.29, 23.6, 6.7)),
}
TABLE = tuple(
    Published(method, dataset, *figures)
    for method, sets in _ROWS.items()
    for dataset, figures in zip(_DATASETS, sets, strict=True)
)
