"""What a colour network declares about itself. No torch here: the base install reads these."""

from __future__ import annotations

from dataclasses import dataclass

PRECISIONS = ("fp32", "fp16", "int8", "fp8")  # that an exported graph can be typed in, by models/precision.py
QUANTISED = ("int8", "fp8")  # those of them that real pictures calibrate
GRAPH_RECIPE = 3  # of that conversion; raise it when it changes, so that engines built from older graphs are not used


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The contract between a network and everything around it.

    Every network maps ``lightness`` (N, 1, H, W), float32, CIE L* in 0…100, to ``ab``
    (N, 2, H / output_stride, W / output_stride), float32, CIE a* and b* in Lab units. Scaling to whatever range
    the layers like is the network's own first and last step, so that an exported file needs no side knowledge.
    """

    name: str
    summary: str
    paper: str
    licence: str
    stride: int  # H and W must be multiples of this; the pipeline pads
    output_stride: int  # the ab grid is this many times coarser than the input
    parameters: int
    gflop_144: float  # floating-point operations of one picture at 144×144, in 10⁹ (a multiply-add counts as 2)
    default_res: int  # short side that the network was trained for
    network: str  # "package.module:Class" of the torch module; imported only by training and export
    options: tuple[tuple[str, object], ...] = ()  # the module's constructor arguments, by name
