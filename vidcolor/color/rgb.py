"""Planes of Y'CbCr into R'G'B' codes, where pictures hold nothing else."""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.color.yuv import YuvFormat, rgb_matrix


def rgb_of_planes(y: np.ndarray, u: np.ndarray, v: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """Full-range Y', Cb and Cr of 4:4:4, codes (H, W) each → R'G'B' codes (H, W, 3) of the same depth and type.

    Each channel is rounded to nearest (OpenCV reckons in single precision: at 16 bits one of some 700 is a code off),
    so the luma of the result is that of `y` within one code.
    """
    if not fmt.full_range or (fmt.chroma_width, fmt.chroma_height) != (1, 1):
        raise ValueError(f"full-range 4:4:4 was announced, this is {fmt}")
    matrix = rgb_matrix(fmt.matrix)
    offset = -matrix[:, 1:].sum(1, keepdims=True) * fmt.mid
    rgb = cv2.transform(cv2.merge((y, u, v)), np.hstack((matrix, offset)))
    return rgb if fmt.depth in (8, 16) else np.minimum(rgb, fmt.peak)
