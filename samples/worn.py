"""What time does to a print: grain, flicker, scratches, dust. A luma frame is H x W float32, code values 16..235."""

import cv2
import numpy as np


def slow_noise(rng, count, sigma):
    """`count` values of unit deviation that wander over about `sigma` frames; float64."""
    noise = cv2.GaussianBlur(rng.standard_normal((count + 64, 1)), (1, 63), 0.01, sigmaY=sigma)[32:-32, 0]
    return noise / noise.std()


def grain(rng, y, strength):
    """Luma with grain of at most `strength` code values (deviation), strongest in the mid-tones."""
    noise = cv2.GaussianBlur(rng.standard_normal(y.shape, np.float32), (0, 0), 0.8)
    tone = ((y - 16) / 219).clip(0, 1)
    return y + noise * (strength / noise.std()) * (0.35 + 2.6 * tone * (1 - tone))


def dust(rng, y):
    """Luma with the specks and hairs of one frame: most frames have none or one."""
    height, width = y.shape
    for _ in range(rng.poisson(0.6)):
        mask = np.zeros_like(y)
        place = tuple(int(v) for v in rng.integers(0, (width, height)))
        if rng.random() < 0.15:
            path = np.cumsum(np.cumsum(rng.normal(0, 0.6, (24, 2)), axis=0), axis=0) + place
            cv2.polylines(mask, [np.int32(path)], False, 1.0, 1, cv2.LINE_AA)
        else:
            axes = tuple(int(v) for v in rng.integers(1, 4, 2))
            cv2.ellipse(mask, place, axes, rng.uniform(0, 180), 0, 360, 1.0, -1, cv2.LINE_AA)
        y = y + (rng.choice([22.0, 228.0]) - y) * cv2.GaussianBlur(mask, (0, 0), 0.7) * rng.uniform(0.5, 0.9)
    return y


def scratches(rng, count, width):
    """Per frame, a list of (x in pixels, depth in code values) of upright scratches that last and drift."""
    lines = [[] for _ in range(count)]
    for first, length in ((20, 60), (98, 34), (170, 52), (222, 30)):
        path = rng.uniform(60, width - 60) + 1.5 * slow_noise(rng, length, 5)
        depth = rng.choice([-16, 22]) * (0.6 + 0.4 * np.abs(slow_noise(rng, length, 3)))
        for i in range(length):
            lines[first + i].append((path[i], depth[i]))
    return lines


def worn(seed, n, y, gain, lines):
    """Luma of frame `n` as an old print shows it: grain, flicker, scratches, dust."""
    rng = np.random.default_rng([seed, n])
    y = 16 + (grain(rng, y, 4.0) - 16) * gain
    for x, depth in lines:
        fade = 0.75 + 0.25 * slow_noise(rng, y.shape[0], 20).clip(-2, 1)
        y = y + depth * fade[:, None] * np.exp(-(((np.arange(y.shape[1]) - x) / 0.8) ** 2))
    return dust(rng, y).clip(16, 235)
