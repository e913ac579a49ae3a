"""What a network is worth while it learns: the figures of docs/metrics.md on pictures held back, and a sheet to look at."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vidcolor.evaluation.ciede2000 import delta_e
from vidcolor.evaluation.metrics import COLOURED, colourfulness, lab_of, mean_chroma, psnr
from vidcolor.evaluation.sheet import Entry, draw_sheet, encode_png
from vidcolor.evaluation.stills import at_size, coloured

_BATCH = 32


@torch.inference_mode()
def colour(network: nn.Module, lightness: np.ndarray) -> np.ndarray:
    """L* (N, H, W) → ab (N, H, W, 2) in Lab units, the network's answer enlarged bilinearly."""
    device = next(network.parameters()).device
    light = torch.from_numpy(np.ascontiguousarray(lightness[:, None])).to(device)
    ab = F.interpolate(network(light).float(), lightness.shape[1:], mode="bilinear")
    return ab.permute(0, 2, 3, 1).cpu().numpy()


def validate(network: nn.Module, pictures: list[np.ndarray], size: int) -> dict[str, float]:
    """Over the coloured ones of `pictures`, squashed to size × size: gain over grey in dB, CF/truth, ΔE00.

    NaN where no picture is coloured.
    """
    training = network.training
    network.eval()
    gains, ours, true, differences = [], [], [], []
    for start in range(0, len(pictures), _BATCH):
        truths = [at_size(picture, size) for picture in pictures[start : start + _BATCH]]
        labs = np.stack([lab_of(truth) for truth in truths])
        for truth, lab, ab in zip(truths, labs, colour(network, labs[..., 0]), strict=True):
            if mean_chroma(lab) < COLOURED:
                continue
            answer, grey = coloured(lab[..., 0], ab), coloured(lab[..., 0], np.zeros_like(ab))
            gains.append(psnr(truth, answer) - psnr(truth, grey))
            ours.append(colourfulness(answer))
            true.append(colourfulness(truth))
            differences.append(delta_e(lab, lab_of(answer)).mean())
    network.train(training)
    if not gains:
        return dict.fromkeys(("gain_db", "cf_ratio", "delta_e"), float("nan"))
    return {
        "gain_db": float(np.mean(gains)),
        "cf_ratio": float(np.mean(ours) / np.mean(true)),
        "delta_e": float(np.mean(differences)),
    }


def sample_sheet(network: nn.Module, pictures: list[np.ndarray], size: int, count: int, heading: str) -> bytes:
    """A PNG of `count` pictures spread evenly over `pictures`: grey, coloured, truth. The same ones at every call."""
    training = network.training
    network.eval()
    chosen = [
        at_size(pictures[i], size) for i in np.unique(np.linspace(0, len(pictures) - 1, count).round().astype(int))
    ]
    labs = np.stack([lab_of(truth) for truth in chosen])
    entries = []
    for truth, lab, ab in zip(chosen, labs, colour(network, labs[..., 0]), strict=True):
        answer, grey = coloured(lab[..., 0], ab), coloured(lab[..., 0], np.zeros_like(ab))
        entries.append(Entry(f"gain {psnr(truth, answer) - psnr(truth, grey):+.1f} dB", (grey, answer, truth)))
    network.train(training)
    half = (len(entries) + 1) // 2
    columns = [(f"{heading}: grey | now | truth", entries[:half])] + ([("", entries[half:])] if entries[half:] else [])
    return encode_png(draw_sheet(columns))
