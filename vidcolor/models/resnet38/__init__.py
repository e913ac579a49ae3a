"""`resnet38`: the network of papers/000. The torch module is in `network.py`; this file loads without torch."""

from vidcolor.models.base import ModelSpec

PAPER = "Ambadkar & Bhatt, A Simple Fast Resource-Efficient Deep Learning for Automatic Image Colorization"

SPEC = ModelSpec(
    name="resnet38",
    summary="38 convolutions, 16 residual blocks of 128 channels at full network size, sigmoid output",
    paper=PAPER,
    licence="Apache-2.0",
    stride=1,
    output_stride=1,
    parameters=4_986_258,
    gflop_144=206.3,
    default_res=144,
    network="vidcolor.models.resnet38.network:ResNet38",
    options=(("first_kernel", 9), ("tail_kernel", 3), ("tail_widths", (64, 32, 16))),
)

# The paper's text gives 3×3 kernels in the tail, which makes 5 M parameters; its 16 M are those of the code that it
# published, which has 19×19 kernels in the first layer and the tail and one more 64-channel layer.
SPEC_PUBLISHED = ModelSpec(
    name="resnet38-published",
    summary="resnet38 with the 19×19 kernels and the extra layer of the code that the paper published",
    paper=PAPER,
    licence="Apache-2.0",
    stride=1,
    output_stride=1,
    parameters=16_052_690,
    gflop_144=665.2,
    default_res=144,
    network="vidcolor.models.resnet38.network:ResNet38",
    options=(("first_kernel", 19), ("tail_kernel", 19), ("tail_widths", (64, 64, 32, 16))),
)
