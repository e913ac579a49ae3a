"""PIQE, a quality score without a truth (Venkatanath et al. 2015), as MATLAB's `piqe` computes it."""

from __future__ import annotations

import cv2
import numpy as np

BLOCK = 16  # pixels: the picture is scored in blocks of this side
SEGMENT = 6  # pixels of a block's edge that are looked at together
ACTIVE = 0.1  # variance above which a block counts
FLAT = 0.1  # standard deviation below which a segment of an active block's edge shows an artefact
_GREY = np.array([0.2989, 0.5870, 0.1140])  # MATLAB's rgb2gray: BT.601 to four digits


def piqe(picture: np.ndarray) -> float:
    """0 (good) … 100 (bad) for 8-bit sRGB (H, W, 3) or grey (H, W); 100 for a picture without any detail.

    Note that it sees luminance alone, so colouring changes it only through rounding and through the weights of
    luminance: it says nothing about the colours.
    """
    grey = np.rint(picture @ _GREY) if picture.ndim == 3 else picture.astype(np.float64)
    height, width = grey.shape
    grey = np.pad(grey, ((0, -height % BLOCK), (0, -width % BLOCK)), mode="edge")
    blocks = _blocks(_normalised(grey))
    variance = blocks.var((1, 2), ddof=1)
    active = variance > ACTIVE
    blocks, variance = blocks[active], variance[active]
    damage = np.where(_has_flat_edge(blocks), 1 - variance, 0) + np.where(_is_noisy(blocks, variance), variance, 0)
    return float(100 * (damage.sum() + 1) / (len(blocks) + 1))


def _normalised(grey: np.ndarray) -> np.ndarray:
    """Less the local mean, over the local standard deviation + 1 (the paper's equation 1)."""

    def local(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (7, 7), 7 / 6, borderType=cv2.BORDER_REPLICATE)

    mean = local(grey)
    return (grey - mean) / (np.sqrt(np.abs(local(grey * grey) - mean * mean)) + 1)


def _blocks(plane: np.ndarray) -> np.ndarray:
    """(H, W) → (blocks, 16, 16)."""
    height, width = plane.shape
    parts = plane.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return parts.transpose(0, 2, 1, 3).reshape(-1, BLOCK, BLOCK)


def _has_flat_edge(blocks: np.ndarray) -> np.ndarray:
    """Whether any six neighbouring pixels of any edge are nearly equal: what block codecs leave."""
    edges = np.stack((blocks[:, 0], blocks[:, -1], blocks[:, :, 0], blocks[:, :, -1]), 1)
    segments = np.lib.stride_tricks.sliding_window_view(edges, SEGMENT, axis=2)  # blocks, 4, 11, 6
    return (segments.std(-1, ddof=1) < FLAT).any((1, 2))


def _is_noisy(blocks: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Whether the middle deviates about as much as its surround (the paper's equations 8 and 9).

    MATLAB removes the two middle columns from the surround one after the other, so that column 10 goes instead of 9.
    Published scores are computed that way, and so is this.
    """
    middle = blocks[:, :, [7, 8]].std((1, 2), ddof=1)
    surround = np.delete(blocks, [7, 9], 2).std((1, 2), ddof=1)
    ratio = np.divide(middle, surround, out=np.zeros_like(middle), where=surround > 0)
    deviation = np.sqrt(variance)
    beta = np.abs(deviation - ratio) / np.maximum(deviation, ratio)
    return deviation > 2 * beta
