"""The weights that a benchmark runs: the shipped ones, or random ones where only the time counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidcolor.errors import ModelError
from vidcolor.files import scratch_folder, sha256
from vidcolor.models.base import ModelSpec
from vidcolor.models.registry import load_network
from vidcolor.models.weights import Weights, find_weights, is_shipped


@contextmanager
def subject(spec: ModelSpec, file: Path | None) -> Iterator[tuple[Weights, bool]]:
    """Weights for timing, and whether they are random. A network's speed does not depend on its weights' values.

    Raises:
        ModelError: there are none and none can be made here.
    """
    if file is not None or is_shipped(spec):
        yield find_weights(spec, file), False
        return
    try:
        import torch

        from vidcolor.models.onnx_export import fuse_batch_norms, write_onnx
    except ModuleNotFoundError as error:
        raise ModelError(
            f"model '{spec.name}' has no trained weights, and random ones for timing cannot be made",
            f"{error.name} is not installed",
            "Try: pip install 'vidcolor[train]', or --weights FILE.onnx",
        ) from error
    with scratch_folder() as folder:
        torch.manual_seed(0)  # the same network every time, so that engines of it are found again
        network = load_network(spec.name).eval()
        fuse_batch_norms(network)
        path = folder / f"{spec.name}.onnx"
        write_onnx(network, spec, path)
        yield Weights(path, sha256(path), {"model": spec.name}), True
