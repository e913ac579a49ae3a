"""Depthwise convolution that learns on a CPU without oneDNN's slow ways.

With channels last, oneDNN as torch 2.13 brings it has no fast gradient of the input at stride 2, nor of kernels beyond 3×3:
such a layer's backward pass took 20 to 150 times its forward pass, and half of `lite`'s training step. Both gradients
can be had from convolutions that are fast.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 3  # the largest side of a kernel whose own gradient is fast


def depthwise_conv(x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
    """`F.conv2d` with one group for each channel: x (N, C, H, W), kernel (C, 1, k, k) with an odd k of at least 3."""
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    return _DepthwiseConv.apply(x.to(dtype), kernel.to(dtype), stride, padding)


class _DepthwiseConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, kernel)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, kernel, None, stride, padding, groups=len(kernel))

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        given = (gradient, *ctx.saved_tensors, ctx.stride, ctx.padding)
        wanted_x, wanted_kernel, *_ = ctx.needs_input_grad
        return _of_input(*given) if wanted_x else None, _of_kernel(*given) if wanted_kernel else None, None, None


def _plain(gradient: Tensor, x: Tensor, kernel: Tensor, stride: int, padding: int, wanted: list[bool]) -> list[Tensor]:
    return torch.ops.aten.convolution_backward(
        gradient, x, kernel, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], len(kernel), [*wanted, False]
    )


def _of_input(gradient: Tensor, x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
    """Pixels of one phase modulo the stride are touched by the same taps: for each phase, one convolution of stride 1."""
    if stride == 1:
        return _plain(gradient, x, kernel, stride, padding, [True, False])[0]
    shape = (*x.shape[:2], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding)
    result = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    for i in range(stride):
        for j in range(stride):
            taps, phase = kernel[..., i::stride, j::stride].flip(2, 3), result[..., i::stride, j::stride]
            above, left = taps.shape[2] - 1, taps.shape[3] - 1
            below, right = (a - b for a, b in zip(phase.shape[2:], gradient.shape[2:], strict=True))
            phase.copy_(F.conv2d(F.pad(gradient, (left, right, above, below)), taps, groups=len(kernel)))
    return result[..., padding : padding + x.shape[2], padding : padding + x.shape[3]]


def _of_kernel(gradient: Tensor, x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
    """A kernel's gradient is put together from those of its 3×3 windows, each of which sees the input shifted."""
    side = kernel.shape[-1]
    if side <= WINDOW:
        return _plain(gradient, x, kernel, stride, padding, [False, True])[1]
    x = F.pad(x, [padding] * 4)
    rows, columns = ((n - 1) * stride + WINDOW for n in gradient.shape[2:])
    window, result = kernel[..., :WINDOW, :WINDOW].contiguous(), torch.empty_like(kernel)
    starts = [*range(0, side - WINDOW, WINDOW), side - WINDOW]  # the last may overlap the one before it
    for i in starts:
        for j in starts:
            seen = x[..., i : i + rows, j : j + columns].contiguous(memory_format=torch.channels_last)
            part = _plain(gradient, seen, window, stride, 0, [False, True])[1]
            result[..., i : i + WINDOW, j : j + WINDOW] = part
    return result
