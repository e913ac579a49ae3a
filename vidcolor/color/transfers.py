"""From a video's R'G'B' signal to displayed linear light and back, for each kind of transfer that vidcolor knows.

A signal is 0…1 (black to nominal peak); linear light is relative to diffuse white, so 1 is what CIELAB calls L* 100
and HDR highlights are above 1. Arrays have the colour axis last, (..., 3). Values outside 0…1 are continued
monotonically (odd symmetry or a straight line), never NaN, so that gamut tests can look past the border.

``sdr`` (tags bt709, smpte170m, iec61966-2-1, or none) is read display-referred through the sRGB curve: the
networks are trained on sRGB pictures, and players show SDR video without converting between those curves.
``pq`` is SMPTE ST 2084 and ``hlg`` is ITU-R BT.2100-2 with its OOTF for a 1000 cd/m² display, both relative to the
203 cd/m² diffuse white of ITU-R BT.2408.
"""

from __future__ import annotations

import numpy as np

from vidcolor.color.lab import linear_to_srgb, srgb_to_linear

TRANSFERS = ("sdr", "gamma22", "gamma28", "linear", "pq", "hlg")

_DIFFUSE_WHITE = 203.0  # cd/m², ITU-R BT.2408-7, section 2.1

_PQ_PEAK = 10000.0  # cd/m²; this and the five constants: SMPTE ST 2084, section 5
_PQ_M1, _PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
_PQ_C1, _PQ_C2, _PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32

_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073  # ITU-R BT.2100-2, table 5
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # cd/m² and system gamma of the reference display, same table
_HLG_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])  # BT.2100-2, table 5, note 5f: of the OOTF


def to_linear(signal: np.ndarray, transfer: str) -> np.ndarray:
    """R'G'B' signal (..., 3) → displayed linear RGB (..., 3), diffuse white 1, in the signal's own primaries."""
    if transfer == "sdr":
        return srgb_to_linear(signal)
    if transfer == "gamma22":
        return _power(signal, 2.2)
    if transfer == "gamma28":
        return _power(signal, 2.8)
    if transfer == "linear":
        return signal
    if transfer == "pq":
        return _pq_to_linear(signal)
    if transfer == "hlg":
        return _hlg_to_linear(signal)
    raise ValueError(f"unknown transfer {transfer!r}; known: {', '.join(TRANSFERS)}")


def from_linear(light: np.ndarray, transfer: str) -> np.ndarray:
    """Displayed linear RGB (..., 3), diffuse white 1 → R'G'B' signal (..., 3), the inverse of `to_linear`."""
    if transfer == "sdr":
        return linear_to_srgb(light)
    if transfer == "gamma22":
        return _power(light, 1 / 2.2)
    if transfer == "gamma28":
        return _power(light, 1 / 2.8)
    if transfer == "linear":
        return light
    if transfer == "pq":
        return _linear_to_pq(light)
    if transfer == "hlg":
        return _linear_to_hlg(light)
    raise ValueError(f"unknown transfer {transfer!r}; known: {', '.join(TRANSFERS)}")


def _power(value: np.ndarray, exponent: float) -> np.ndarray:
    return np.copysign(np.abs(value) ** exponent, value)


def _pq_to_linear(signal: np.ndarray) -> np.ndarray:
    root = np.minimum(np.abs(signal), 1.5) ** (1 / _PQ_M2)  # beyond 1.5 the curve's denominator nears 0
    light = (np.maximum(root - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * root)) ** (1 / _PQ_M1)
    return np.copysign(light * (_PQ_PEAK / _DIFFUSE_WHITE), signal)


def _linear_to_pq(light: np.ndarray) -> np.ndarray:
    power = (np.abs(light) * (_DIFFUSE_WHITE / _PQ_PEAK)) ** _PQ_M1
    signal = ((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power)) ** _PQ_M2
    return np.copysign(np.where(light == 0, 0, signal), light)  # the curve's own value at 0 is 7e-7


def _hlg_to_linear(signal: np.ndarray) -> np.ndarray:
    size = np.abs(signal)
    scene = np.where(size <= 0.5, size**2 / 3, (np.exp((size - _HLG_C) / _HLG_A) + _HLG_B) / 12)
    scene = np.copysign(scene, signal)
    luminance = np.maximum(scene @ _HLG_LUMINANCE.astype(scene.dtype), 0)[..., None]
    return scene * luminance ** (_HLG_GAMMA - 1) * (_HLG_PEAK / _DIFFUSE_WHITE)


def _linear_to_hlg(light: np.ndarray) -> np.ndarray:
    display = light * (_DIFFUSE_WHITE / _HLG_PEAK)
    luminance = np.maximum(display @ _HLG_LUMINANCE.astype(display.dtype), 1e-12)[..., None]
    scene = display * luminance ** ((1 - _HLG_GAMMA) / _HLG_GAMMA)
    size = np.abs(scene)
    high = _HLG_A * np.log(np.maximum(12 * size - _HLG_B, 1e-6)) + _HLG_C
    return np.copysign(np.where(size <= 1 / 12, np.sqrt(3 * size), high), scene)
