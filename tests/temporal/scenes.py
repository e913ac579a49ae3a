"""Small films for the tests: textures that move, flicker, flash, are scratched, cut and dissolved, all by seed."""

import cv2
import numpy as np

SIZE = (72, 96)  # rows, columns


def texture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture with large and small structure, (h, w) float32 in 30…220."""
    rng = np.random.default_rng(seed)
    picture = np.zeros(size, np.float32)
    for sigma, share in ((2, 0.3), (5, 0.6), (12, 1.0)):
        noise = cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), sigma)
        picture += share * noise / noise.std()
    return cv2.normalize(picture, None, 30, 220, cv2.NORM_MINMAX)


def shot(seed: int, frames: int, speed: tuple[float, float] = (0.5, 0.3), size: tuple[int, int] = SIZE) -> np.ndarray:
    """A camera move over a texture: (n, h, w) float32; speed in pixels a frame, x and y."""
    margin = [int(abs(s) * frames) + 2 for s in speed]
    wide = texture(seed, (size[0] + margin[1], size[1] + margin[0]))
    start = [0 if s >= 0 else m - 2 for s, m in zip(speed, margin, strict=True)]
    pictures = []
    for n in range(frames):
        centre = [start[i] + speed[i] * n + (size[1 - i] - 1) / 2 for i in range(2)]
        pictures.append(cv2.getRectSubPix(wide, size[::-1], centre))
    return np.stack(pictures)


def to_and_fro(pictures: np.ndarray, times: int) -> np.ndarray:
    """A camera that goes the way of some pictures and back, so often."""
    return np.concatenate([pictures, pictures[::-1]] * times)


def dissolve(first: np.ndarray, second: np.ndarray, frames: int) -> np.ndarray:
    """Two shots of which the last and the first so many frames are mixed."""
    share = (np.arange(1, frames + 1, dtype=np.float32) / (frames + 1))[:, None, None]
    mixed = first[-frames:] * (1 - share) + second[:frames] * share
    return np.concatenate((first[:-frames], mixed, second[frames:]))


def flicker(film: np.ndarray, seed: int, strength: float = 0.1) -> np.ndarray:
    """Exposure that changes from frame to frame."""
    gains = 1 + strength * np.random.default_rng(seed).standard_normal(len(film))
    return film * gains[:, None, None].astype(np.float32)


def flash(film: np.ndarray, at: int, frames: int = 1) -> np.ndarray:
    """Frames that are nearly white."""
    film = film.copy()
    film[at : at + frames] = film[at : at + frames] * 0.1 + 225
    return film


def scratched(film: np.ndarray, seed: int) -> np.ndarray:
    """Bright and dark lines and blotches that jump from frame to frame, and grain."""
    rng = np.random.default_rng(seed)
    film = film + rng.normal(0, 5, film.shape).astype(np.float32)
    for picture in film:
        for _ in range(4):
            picture[:, rng.integers(picture.shape[1])] += rng.choice((-70, 70))
        for _ in range(3):
            centre = (int(rng.integers(picture.shape[1])), int(rng.integers(picture.shape[0])))
            cv2.circle(picture, centre, int(rng.integers(1, 6)), float(rng.choice((20, 235))), -1)
    return film


def luma(film: np.ndarray) -> np.ndarray:
    """(n, h, w) uint8."""
    return np.clip(np.rint(film), 0, 255).astype(np.uint8)


def plain_ab(frames: int, a: float, b: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """One colour, (n, 2, h/2, w/2) float32."""
    colour = np.array((a, b), np.float32)[None, :, None, None]
    return np.broadcast_to(colour, (frames, 2, (size[0] + 1) // 2, (size[1] + 1) // 2)).copy()
