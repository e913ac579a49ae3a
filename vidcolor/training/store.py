"""All training pictures in one block of 8-bit memory, on the host or on the GPU, from which a batch is taken at once."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

LONGEST = 2.4  # long side over short side; longer pictures keep their middle
DEVICE_SHARE = 0.5  # of the GPU's free memory that pictures may take; the rest is the network's


class PictureStore:
    """Pictures of one short side, as lines across it: so all lines have one length, and any picture is a run of lines.

    A line is (3, short) uint8 sRGB. Upright pictures are stored row by row, wide ones column by column.
    """

    def __init__(self, short: int) -> None:
        self.short = short
        self._bytes = bytearray()  # grows in place; half of the machine's memory can hold pictures
        self._lengths: list[int] = []
        self._upright: list[bool] = []
        self._on_device: Tensor | None = None

    def __len__(self) -> int:
        return len(self._lengths)

    def append(self, rgb: np.ndarray) -> None:
        """Add (H, W, 3) uint8 sRGB, scaled to the short side, cut to `LONGEST`."""
        height, width = rgb.shape[:2]
        scale = self.short / min(height, width)
        if scale != 1:
            size = max(self.short, round(width * scale)), max(self.short, round(height * scale))
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        upright = rgb.shape[0] >= rgb.shape[1]
        lines = rgb if upright else rgb.transpose(1, 0, 2)  # (long, short, 3)
        most = round(self.short * LONGEST)
        start = max(0, (len(lines) - most) // 2)
        lines = lines[start : start + most]
        self._bytes += lines.transpose(0, 2, 1).tobytes()
        self._lengths.append(len(lines))
        self._upright.append(upright)

    def settle(self, device: torch.device) -> str:
        """Nothing is added from now on. Move to a GPU if there is room. Returns where it is, in words."""
        self.lengths = np.array(self._lengths)
        self.upright = np.array(self._upright)
        self._first = np.concatenate(([0], np.cumsum(self.lengths)[:-1]))
        self._lines = np.frombuffer(self._bytes, np.uint8).reshape(-1, 3 * self.short)
        size = f"{self._lines.nbytes / 1e9:.2g} GB"
        if device.type == "cuda" and self._lines.nbytes < DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
            self._on_device = torch.from_numpy(self._lines).to(device)
            self._lines = None
            self._bytes = bytearray()
            return f"{size} of pictures in GPU memory"
        return f"{size} of pictures in host memory"

    def take(self, indices: np.ndarray, device: torch.device) -> Tensor:
        """Pictures on `device`, (N, lines, 3, short) uint8, as many lines as the longest has; beyond its end a picture's
        last line is repeated."""
        lengths = self.lengths[indices]
        offsets = np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
        wanted = (self._first[indices][:, None] + offsets).ravel()
        if self._on_device is not None:
            lines = self._on_device.index_select(0, torch.from_numpy(wanted).to(device))
        else:
            pinned = torch.empty(len(wanted), 3 * self.short, dtype=torch.uint8, pin_memory=device.type == "cuda")
            np.take(self._lines, wanted, axis=0, out=pinned.numpy(), mode="clip")  # "raise" would copy once more
            lines = pinned.to(device, non_blocking=True)
        return lines.view(len(indices), -1, 3, self.short)
